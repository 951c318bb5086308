package fhirclient

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Journal remembers on disk which bundles were sent and which of them the
// server acknowledged, so that a load goes on where it stopped. A line is
// written and flushed to the disk before a bundle is sent and after its
// acknowledgement; between the two the bundle's fate is unknown.
type Journal struct {
	mu    sync.Mutex
	file  *os.File
	state map[string]state
}

type state int

const (
	unsent state = iota
	sent
	acknowledged
)

// line is one line of the journal. Sum is the SHA-256 of the bundle's bytes,
// so that a changed file counts as a new one.
type line struct {
	Name  string `json:"name"`
	Sum   string `json:"sha256"`
	State string `json:"state"`
}

// OpenJournal opens or makes the journal at path. With restart it begins anew.
func OpenJournal(path string, restart bool) (*Journal, error) {
	if restart {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the journal cannot be removed: %w", err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("the folder of the journal cannot be made: %w", err)
	}
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the journal cannot be read: %w", err)
	}
	states, whole, err := parseJournal(content)
	if err != nil {
		return nil, fmt.Errorf("the journal %s: %w; start over with --restart", path, err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the journal cannot be written: %w", err)
	}
	// A line torn by a crash was never relied upon.
	if err := errors.Join(f.Truncate(int64(whole)), seekTo(f, int64(whole))); err != nil {
		return nil, errors.Join(fmt.Errorf("the journal cannot be written: %w", err), f.Close())
	}
	return &Journal{file: f, state: states}, nil
}

func seekTo(f *os.File, offset int64) error {
	_, err := f.Seek(offset, 0)
	return err
}

// parseJournal returns the states and how many bytes make whole lines. Only
// the last line may be torn; any other that is not JSON is an error.
func parseJournal(content []byte) (states map[string]state, whole int, err error) {
	states = map[string]state{}
	end := bytes.LastIndexByte(content, '\n') + 1
	s := bufio.NewScanner(bytes.NewReader(content[:end]))
	s.Buffer(nil, 1<<20)
	for n := 1; s.Scan(); n++ {
		var l line
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			return nil, 0, fmt.Errorf("line %d is not JSON", n)
		}
		switch l.State {
		case "sent":
			if states[l.Sum] == unsent {
				states[l.Sum] = sent
			}
		case "acknowledged":
			states[l.Sum] = acknowledged
		case "refused":
			delete(states, l.Sum)
		default:
			return nil, 0, fmt.Errorf("line %d has the unknown state %q", n, l.State)
		}
	}
	return states, end, s.Err()
}

func (j *Journal) of(sum string) state {
	if j == nil {
		return unsent
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state[sum]
}

// set appends a line and waits until it is on the disk.
func (j *Journal) set(name, sum, state string, s state) error {
	if j == nil {
		return nil
	}
	b, err := json.Marshal(line{name, sum, state})
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.file.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("the journal cannot be written: %w", err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("the journal cannot be written: %w", err)
	}
	j.state[sum] = s
	return nil
}

// Close closes the journal.
func (j *Journal) Close() error {
	if j == nil {
		return nil
	}
	return j.file.Close()
}
