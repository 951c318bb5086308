package units

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// File is what one CSV file holds: units or successions.
type File struct {
	Units       []Unit
	Successions []Succession
}

const (
	colCode      = "code"
	colLevel     = "level"
	colName      = "name"
	colNameEn    = "name_en"
	colKind      = "kind"
	colParent    = "parent"
	colValidFrom = "valid_from"
	colValidTo   = "valid_to"
	colOld       = "old_code"
	colNew       = "new_code"
	colExtent    = "extent"
)

var (
	unitColumns       = []string{colCode, colLevel, colName, colKind, colParent, colValidFrom, colValidTo}
	successionColumns = []string{colOld, colNew, colExtent}
)

// Read reads a CSV file of units or of successions, told apart by the header
// line. It is strict: the first wrong line ends it, and the error names the
// line. A file of successions carries no dates: on is the day the reform came
// into force, and the old units are the ones in force the day before; their
// own beginning is left open and filled in by whoever knows the units.
func Read(r io.Reader, on Date) (File, error) {
	buffered := bufio.NewReader(r)
	// Spreadsheets put a byte order mark in front.
	if bom, err := buffered.Peek(3); err == nil && string(bom) == "\uFEFF" {
		_, _ = buffered.Discard(3)
	}
	in := csv.NewReader(buffered)
	in.ReuseRecord = true
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return File{}, errors.New("the file is empty")
	}
	if err != nil {
		return File{}, err
	}
	columns := map[string]int{}
	for i, name := range header {
		if _, twice := columns[name]; twice {
			return File{}, fmt.Errorf("line 1: column %q stands twice", name)
		}
		columns[name] = i
	}
	var f File
	switch {
	case has(columns, successionColumns):
		if on == "" {
			return File{}, errors.New("a file of successions has no dates: say on which day the reform came into force (--on 2025-07-01)")
		}
		f.Successions, err = readLines(in, columns, func(get func(string) string) (Succession, Key, error) { return successionOf(get, on) })
	case has(columns, unitColumns):
		f.Units, err = readLines(in, columns, unitOf)
	default:
		return File{}, fmt.Errorf("line 1: the columns %s are neither those of units (%s) nor of successions (%s)",
			strings.Join(header, ","), strings.Join(unitColumns, ","), strings.Join(successionColumns, ","))
	}
	return f, err
}

func has(columns map[string]int, names []string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { _, ok := columns[n]; return !ok })
}

// readLines reads the rest of the file; one names what a line may say only once.
func readLines[T any](in *csv.Reader, columns map[string]int, one func(get func(string) string) (T, Key, error)) ([]T, error) {
	var out []T
	seen := map[string]int{}
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err // csv names the line
		}
		line, _ := in.FieldPos(0)
		get := func(column string) string {
			i, ok := columns[column]
			if !ok {
				return ""
			}
			// Records are reused; what is kept must be its own.
			return strings.Clone(strings.TrimSpace(record[i]))
		}
		v, key, err := one(get)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		id := key.String() + get(colNew)
		if before, twice := seen[id]; twice {
			return nil, fmt.Errorf("line %d: it says the same as line %d", line, before)
		}
		seen[id] = line
		out = append(out, v)
	}
}

func unitOf(get func(string) string) (Unit, Key, error) {
	u := Unit{
		Level: Level(get(colLevel)), Name: get(colName), NameEn: get(colNameEn), Kind: get(colKind),
	}
	u.Code = Code(get(colCode))
	var err error
	if u.From, err = ParseDate(get(colValidFrom)); err != nil {
		return u, u.Key, fmt.Errorf("%s: %w", colValidFrom, err)
	}
	if u.To, err = ParseDate(get(colValidTo)); err != nil {
		return u, u.Key, fmt.Errorf("%s: %w", colValidTo, err)
	}
	if p := get(colParent); p != "" {
		if u.Parent, err = ParseCode(p); err != nil {
			return u, u.Key, fmt.Errorf("%s: %w", colParent, err)
		}
	}
	return u, u.Key, u.Check()
}

func successionOf(get func(string) string, on Date) (Succession, Key, error) {
	var s Succession
	var err error
	if s.Old.Code, err = ParseCode(get(colOld)); err != nil {
		return s, s.Old, fmt.Errorf("%s: %w", colOld, err)
	}
	if s.New.Code, err = ParseCode(get(colNew)); err != nil {
		return s, s.Old, fmt.Errorf("%s: %w", colNew, err)
	}
	s.New.From = on
	s.Extent = Extent(get(colExtent))
	if s.Extent != Full && s.Extent != Partial {
		return s, s.Old, fmt.Errorf("%s: %q is neither full nor partial", colExtent, s.Extent)
	}
	return s, s.Old, nil
}
