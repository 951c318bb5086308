package message

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Spool hands messages over as files: one JSON document per message, in a
// folder per channel, for a gateway that picks them up. A file appears whole
// or not at all, and a message sent again replaces its own file.
type Spool struct{ folder, channel string }

// NewSpool returns the channel (SMS or Email) that writes to folder/channel.
func NewSpool(folder, channel string) (*Spool, error) {
	p := filepath.Join(folder, channel)
	if err := os.MkdirAll(p, 0o700); err != nil {
		return nil, fmt.Errorf("the spool folder cannot be written: %w; choose another with YBA_SPOOL", err)
	}
	return &Spool{p, channel}, nil
}

// Spooled is the document.
type Spooled struct {
	ID      int64  `json:"id"`
	Channel string `json:"channel"`
	To      string `json:"to"`
	Subject string `json:"subject,omitempty"`
	Text    string `json:"text"`
	At      string `json:"at"`
}

// Send implements Channel.
func (s *Spool) Send(_ context.Context, m Message) (err error) {
	doc := Spooled{ID: m.ID, Channel: s.channel, To: m.Address, Text: m.Notice.Text, At: m.Notice.At.UTC().Format(time.RFC3339)}
	if s.channel == Email {
		doc.Subject = m.Notice.Title
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(s.folder, ".writing-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(append(b, '\n')); err != nil {
		_ = f.Close()
		return err
	}
	// The outbox forgets the message after this, so it must be on the disk.
	if err := f.Sync(); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(s.folder, fmt.Sprintf("%d.json", m.ID)))
}
