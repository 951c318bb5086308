package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// kept are the members of code systems and value sets that terminology
// operations use; narrative, contacts and publication history are left out.
var kept = map[string][]string{
	"CodeSystem": {
		"resourceType", "url", "version", "name", "title", "language", "caseSensitive", "valueSet", "hierarchyMeaning", "content", "property", "concept",
	},
	"ValueSet": {"resourceType", "url", "version", "name", "title", "language", "compose", "expansion"},
}

// packTerminology writes the R4 code systems that are complete and all value sets,
// one a line, code systems first, packed with zstd.
func packTerminology(from, file string) error {
	var lines []string
	seen := map[string]bool{}
	for _, name := range []string{"valuesets.json", "v3-codesystems.json", "v2-tables.json"} {
		var b bundle
		if err := read(filepath.Join(from, name), &b); err != nil {
			return err
		}
		for _, e := range b.Entry {
			line, key, err := trimmed(e.Resource)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if line != "" && !seen[key] {
				seen[key] = true
				lines = append(lines, line)
			}
		}
	}
	// "CodeSystem" sorts before "ValueSet", which stands in each line's beginning.
	slices.Sort(lines)
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	enc, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		return errors.Join(err, out.Close())
	}
	_, err = enc.Write([]byte(strings.Join(lines, "\n") + "\n"))
	return errors.Join(err, enc.Close(), out.Close())
}

// trimmed returns the resource as one line that begins with its type and url,
// "" for one that is of no use.
func trimmed(resource json.RawMessage) (line, key string, err error) {
	var r map[string]json.RawMessage
	if err := json.Unmarshal(resource, &r); err != nil {
		return "", "", err
	}
	var typ, url, content string
	for member, to := range map[string]*string{"resourceType": &typ, "url": &url, "content": &content} {
		if len(r[member]) > 0 {
			if err := json.Unmarshal(r[member], to); err != nil {
				return "", "", err
			}
		}
	}
	if kept[typ] == nil || url == "" || typ == "CodeSystem" && content != "complete" {
		return "", "", nil
	}
	var b bytes.Buffer
	for _, member := range kept[typ] {
		v, ok := r[member]
		if !ok {
			continue
		}
		var bare any
		d := json.NewDecoder(bytes.NewReader(v))
		d.UseNumber()
		if err := d.Decode(&bare); err != nil {
			return "", "", err
		}
		short, err := json.Marshal(withoutExtensions(bare))
		if err != nil {
			return "", "", err
		}
		sep := byte(',')
		if b.Len() == 0 {
			sep = '{'
		}
		b.WriteByte(sep)
		fmt.Fprintf(&b, "%q:%s", member, short)
	}
	return b.String() + "}", typ + " " + url, nil
}

func withoutExtensions(v any) any {
	switch x := v.(type) {
	case map[string]any:
		delete(x, "extension")
		for k := range x {
			if strings.HasPrefix(k, "_") {
				delete(x, k)
				continue
			}
			x[k] = withoutExtensions(x[k])
		}
	case []any:
		for i := range x {
			x[i] = withoutExtensions(x[i])
		}
	}
	return v
}
