package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fhirclient"
)

// benchPiece is how many lines one request of the measurement has.
const benchPiece = 1000

// loadLines imports the same resources once more as NDJSON, under new ids.
func (b *bench) loadLines(ctx context.Context, client *fhirclient.Client) ([]measure, error) {
	patients, others, err := linesOf(b.data)
	if err != nil {
		return nil, err
	}
	all := func(yield func(fhirclient.Bundle, error) bool) {
		for p := range cut("patients", patients, true) {
			if !yield(p, nil) {
				return
			}
		}
		for p := range cut("others", others, false) {
			if !yield(p, nil) {
				return
			}
		}
	}
	l := fhirclient.Load{Client: client, Connections: 4}
	before := b.processors(ctx)
	sum, err := l.Run(ctx, all)
	if err != nil {
		return nil, err
	}
	line := measure{Name: importLine + ", resources by $import", Connections: 4, Count: sum.Resources, PerSecond: sum.PerSecond(), Errors: len(sum.Failed)}
	line.spent(before, b.processors(ctx))
	return []measure{line}, nil
}

// cut makes pieces of lines.
func cut(name string, lines [][]byte, first bool) iter.Seq[fhirclient.Bundle] {
	return func(yield func(fhirclient.Bundle) bool) {
		at := 1
		for piece := range slices.Chunk(lines, benchPiece) {
			if !yield(fhirclient.Bundle{Name: name, Body: bytes.Join(piece, []byte("\n")), First: first, Line: at}) {
				return
			}
			at += len(piece)
		}
	}
}

// linesOf turns transaction bundles into lines: each resource gets an id, and
// references to entries become references to ids.
func linesOf(folder string) (patients, others [][]byte, err error) {
	files, err := bundleFiles(folder)
	if err != nil {
		return nil, nil, err
	}
	// The first part of an id tells the run, so that nothing is there before.
	run := fmt.Sprintf("%08x", uint32(time.Now().UnixMilli())) //nolint:gosec // only its being new matters
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, fmt.Errorf("a bundle cannot be read: %w", err)
		}
		var bundle struct {
			Entry []struct {
				FullURL  string `json:"fullUrl"`
				Resource json.RawMessage
			}
		}
		if err := json.Unmarshal(text, &bundle); err != nil {
			return nil, nil, fmt.Errorf("%s is no Bundle: %w", file, err)
		}
		var refs, types []string
		for _, e := range bundle.Entry {
			var x struct{ ResourceType string }
			if err := json.Unmarshal(e.Resource, &x); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", file, err)
			}
			types = append(types, x.ResourceType)
			refs = append(refs, `"`+e.FullURL+`"`, `"`+x.ResourceType+"/"+idIn(run, e.FullURL)+`"`)
		}
		named := strings.NewReplacer(refs...)
		for i, e := range bundle.Entry {
			line, err := withID(e.Resource, idIn(run, e.FullURL))
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", file, err)
			}
			line = []byte(named.Replace(string(line)))
			if types[i] == "Patient" {
				patients = append(patients, line)
			} else {
				others = append(others, line)
			}
		}
	}
	return patients, others, nil
}

// idIn is the id of an entry in this run.
func idIn(run, fullURL string) string {
	id := strings.TrimPrefix(fullURL, "urn:uuid:")
	return run + id[min(len(run), len(id)):]
}

// withID sets the id of a resource and writes it in one line.
func withID(resource []byte, id string) ([]byte, error) {
	var line bytes.Buffer
	if err := json.Compact(&line, resource); err != nil {
		return nil, err
	}
	var members struct{ ID string }
	if err := json.Unmarshal(resource, &members); err != nil {
		return nil, err
	}
	if members.ID != "" {
		return bytes.Replace(line.Bytes(), []byte(`"id":"`+members.ID+`"`), []byte(`"id":"`+id+`"`), 1), nil
	}
	return append([]byte(`{"id":"`+id+`",`), line.Bytes()[1:]...), nil
}
