package postgres

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
)

// copied is the new rows of one table in the text format of COPY, by which
// PostgreSQL fills whole pages and logs each as one, which costs much less
// than INSERT. It waits for others' rows of a unique index as INSERT does.
type copied struct {
	table, columns string
	// rows are their lines, whose order is that of insertion.
	rows []string
}

func (c *copied) to(ctx context.Context, conn *sql.Conn) error {
	if len(c.rows) == 0 {
		return nil
	}
	return pg.Copy(ctx, conn, "records."+c.table, c.columns, c.rows)
}

// copies returns the rows of first versions, and the values that are kept
// apart from their bodies. The directory comes first, so that whoever loses a
// race loses it before the work.
func (s *Store) copies(by record.Author, writes []record.Write) ([]copied, values) {
	directory := copied{table: "directory", columns: intoDirectory}
	versions := copied{table: "versions", columns: intoVersions}
	current := copied{table: "current", columns: intoCurrent}
	people := copied{table: "compartments", columns: intoCompartments}
	var l copyLine
	var packed []byte
	var large values
	for i := range writes {
		x := &writes[i]
		var encoding int16
		body, splices := large.split(x)
		packed, encoding = s.packer.pack(packed[:0], body, splices)
		l.int(x.Patient).int(x.Key).int(int64(x.Type)).text(x.ID).int(x.Version).int(x.Updated.UnixMicro()).
			text(by.Actor).text(by.Reason).text(x.Op[:1]).int(int64(encoding)).bytes(packed)
		versions.rows = append(versions.rows, l.end())
		l.int(x.Patient).int(x.Key).int(int64(x.Type)).text(x.ID).int(x.At).int(x.Version).int(x.Updated.UnixMicro()).
			int(int64(encoding)).bytes(packed)
		current.rows = append(current.rows, l.end())
		if s.defs.TypeOf(x.Type) == "Patient" {
			l.int(x.Key).text(x.ID).text(x.Commune)
			people.rows = append(people.rows, l.end())
		}
	}
	tables, _ := s.indexed(writes)
	locking := slices.Clone(writes)
	slices.SortFunc(locking, inOrder)
	for i := range locking {
		x := &locking[i]
		l.int(int64(x.Type)).text(x.ID).int(x.Key).int(x.Patient).int(x.Version).text("f")
		directory.rows = append(directory.rows, l.end())
	}
	list := []copied{directory, versions, current, people}
	for _, t := range tables {
		list = append(list, t.copied())
	}
	return list, large
}

// copied returns the collected rows to add. Rows that stand together in the
// population's index come one after the other, so that their pages are at
// hand: sorted by the columns after compartment, key and date.
func (t *table) copied() copied {
	order := make([]int, 0, len(t.columns))
	for _, last := range []bool{false, true} {
		for i, c := range t.columns {
			if last == (c.name == "patient" || c.name == "key" || c.name == "at") {
				order = append(order, i)
			}
		}
	}
	c := copied{table: t.name, rows: make([]string, t.add[0].n)}
	names := make([]string, len(order))
	rest := make([][]byte, len(order))
	for i, o := range order {
		names[i] = t.columns[o].name
		if t.add[o].n > 0 {
			rest[i] = t.add[o].b[head:]
		}
	}
	c.columns = strings.Join(names, ", ")
	var l copyLine
	for r := range c.rows {
		for i, o := range order {
			n := binary.BigEndian.Uint32(rest[i])
			v := rest[i][4 : 4+n]
			rest[i] = rest[i][4+n:]
			l.element(t.add[o].of, v)
		}
		c.rows[r] = l.end()
	}
	slices.Sort(c.rows)
	return c
}

// copyLine builds a line of COPY.
type copyLine struct{ b []byte }

func (l *copyLine) sep() {
	if len(l.b) > 0 {
		l.b = append(l.b, '\t')
	}
}

func (l *copyLine) int(n int64) *copyLine {
	l.sep()
	l.b = strconv.AppendInt(l.b, n, 10)
	return l
}

// bytes comes last in every table.
func (l *copyLine) bytes(v []byte) {
	l.sep()
	l.b = hex.AppendEncode(append(l.b, `\\x`...), v)
}

// text must not be the first column: an empty one begins no line.
func (l *copyLine) text(v string) *copyLine {
	l.sep()
	for i := range len(v) {
		switch c := v[i]; c {
		case '\\':
			l.b = append(l.b, `\\`...)
		case '\n':
			l.b = append(l.b, `\n`...)
		case '\r':
			l.b = append(l.b, `\r`...)
		case '\t':
			l.b = append(l.b, `\t`...)
		default:
			l.b = append(l.b, c)
		}
	}
	return l
}

// element adds an element of a binary array.
func (l *copyLine) element(of element, v []byte) {
	//nolint:gosec // the bits are those of a signed number
	switch of {
	case int8s:
		l.int(int64(binary.BigEndian.Uint64(v)))
	case int4s:
		l.int(int64(int32(binary.BigEndian.Uint32(v))))
	case int2s:
		l.int(int64(int16(binary.BigEndian.Uint16(v))))
	default:
		l.text(string(v))
	}
}

// end returns the line and begins the next.
func (l *copyLine) end() string {
	line := string(l.b)
	l.b = l.b[:0]
	return line
}
