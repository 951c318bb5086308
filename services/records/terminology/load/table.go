package load

import (
	"bufio"
	"encoding/csv"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/vitext"
)

// table is a CSV or TSV file whose first line names the columns.
type table struct {
	in      *csv.Reader
	columns map[string]int
	record  []string
	row     int
	lines   map[string]int // of the codes so far
}

// maxHead bounds the header line, from which the separator is told.
const maxHead = 64 << 10

// openTable reads the header. known maps a name of a column in lower case
// without tone marks to what it is; columns that are not known are left alone.
func openTable(r io.Reader, known map[string]string) (*table, error) {
	buffered := bufio.NewReaderSize(r, maxHead)
	head, err := buffered.Peek(maxHead)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, err
	}
	if len(head) == 0 {
		return nil, fault.New(fault.Invalid, "the file is empty", nil)
	}
	if len(head) >= 2 && (head[0] == 0xFF && head[1] == 0xFE || head[0] == 0xFE && head[1] == 0xFF) {
		return nil, fault.New(fault.Invalid, "the file is UTF-16: save it as CSV UTF-8", nil)
	}
	// Spreadsheets put a byte order mark in front.
	if strings.HasPrefix(string(head), "\uFEFF") {
		head = head[3:]
		_, _ = buffered.Discard(3)
	}
	first, _, _ := strings.Cut(string(head), "\n")
	t := &table{in: csv.NewReader(buffered), columns: map[string]int{}, row: 1, lines: map[string]int{}}
	t.in.ReuseRecord = true
	t.in.Comma = separator(first)
	// A table of a spreadsheet may end its lines early; missing cells are empty.
	t.in.FieldsPerRecord = -1
	header, err := t.in.Read()
	if err != nil {
		return nil, lineFault(err)
	}
	for i, name := range header {
		what, ok := known[strings.Trim(vitext.Fold(name), " .:*")]
		if !ok {
			continue
		}
		if _, twice := t.columns[what]; twice {
			return nil, fault.Newf(fault.Invalid, "the column %q says what another one says", strings.TrimSpace(name)).In("line 1")
		}
		t.columns[what] = i
	}
	return t, nil
}

// separator returns the one that parts the header most.
func separator(head string) rune {
	best, count := ',', 0
	for _, c := range []rune{',', '\t', ';'} {
		if n := strings.Count(head, string(c)); n > count {
			best, count = c, n
		}
	}
	return best
}

// needs refuses a table without the columns.
func (t *table) needs(columns ...string) error {
	for _, c := range columns {
		if _, ok := t.columns[c]; !ok {
			return fault.Newf(fault.Invalid, "there is no column for the %s; see `yba terminology import --help` for the names that are understood", c).In("line 1")
		}
	}
	return nil
}

// next reads a line; false at the end. Empty lines are passed over.
func (t *table) next() (bool, error) {
	for {
		var err error
		t.record, err = t.in.Read()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, lineFault(err)
		}
		t.row, _ = t.in.FieldPos(0)
		empty := true
		for _, cell := range t.record {
			if !utf8.ValidString(cell) || strings.ContainsRune(cell, 0) {
				return false, t.fail("the text is not UTF-8; save the file as CSV UTF-8")
			}
			empty = empty && strings.TrimSpace(cell) == ""
		}
		if !empty {
			return true, nil
		}
	}
}

// get returns a cell, "" where the table has no such column.
func (t *table) get(column string) string {
	i, ok := t.columns[column]
	if !ok || i >= len(t.record) {
		return ""
	}
	// Records are reused; what is kept must be its own. Blanks within are one.
	return strings.Join(strings.Fields(t.record[i]), " ")
}

// once refuses a code that an earlier line has.
func (t *table) once(code string) error {
	if line, twice := t.lines[code]; twice {
		return t.fail("the code stands twice; line " + strconv.Itoa(line) + " has it, too")
	}
	t.lines[code] = t.row
	return nil
}

func (t *table) fail(message string) error {
	return fault.New(fault.Invalid, message, nil).In("line " + strconv.Itoa(t.row))
}

func lineFault(err error) error {
	if e, ok := errors.AsType[*csv.ParseError](err); ok {
		return fault.New(fault.Invalid, e.Err.Error(), err).In("line " + strconv.Itoa(e.Line))
	}
	return err
}
