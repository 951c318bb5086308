package main

import (
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fhirclient"
)

// lineFiles lists the folder's NDJSON files, those of Patients first: what
// belongs to a Patient is refused until that one is there.
func lineFiles(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*.ndjson"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("there is no *.ndjson file in %s", dir)
	}
	slices.SortStableFunc(files, func(a, b string) int {
		if ofPatients(a) == ofPatients(b) {
			return strings.Compare(a, b)
		}
		if ofPatients(a) {
			return -1
		}
		return 1
	})
	return files, nil
}

func ofPatients(file string) bool { return strings.HasPrefix(filepath.Base(file), "Patient") }

// readLines reads the files piece by piece, so that they may be larger than
// the memory.
func readLines(files []string) iter.Seq2[fhirclient.Bundle, error] {
	return func(yield func(fhirclient.Bundle, error) bool) {
		for _, name := range files {
			if !readFile(name, yield) {
				return
			}
		}
	}
}

func readFile(name string, yield func(fhirclient.Bundle, error) bool) bool {
	f, err := os.Open(name)
	if err != nil {
		yield(fhirclient.Bundle{}, fmt.Errorf("a file cannot be read: %w", err))
		return false
	}
	defer f.Close()
	for b, err := range fhirclient.Pieces(filepath.Base(name), f, ofPatients(name)) {
		if !yield(b, err) || err != nil {
			return false
		}
	}
	return true
}
