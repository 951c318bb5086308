package postgres

import (
	"context"
	"database/sql"
	"encoding/binary"
	"slices"
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
	var l pg.Line
	var packed []byte
	var large values
	for i := range writes {
		x := &writes[i]
		var encoding int16
		body, splices := large.split(x)
		packed, encoding = s.packer.pack(packed[:0], body, splices)
		l.Int(x.Patient).Int(x.Key).Int(int64(x.Type)).Text(x.ID).Int(x.Version).Int(x.Updated.UnixMicro()).
			Text(by.Actor).Text(by.Reason).Text(x.Op[:1]).Int(int64(encoding)).Bytes(packed)
		versions.rows = append(versions.rows, l.End())
		l.Int(x.Patient).Int(x.Key).Int(int64(x.Type)).Text(x.ID).Int(x.At).Int(x.Version).Int(x.Updated.UnixMicro()).
			Int(int64(encoding)).Bytes(packed)
		current.rows = append(current.rows, l.End())
		if s.defs.TypeOf(x.Type) == "Patient" {
			l.Int(x.Key).Text(x.ID).Text(x.Commune)
			people.rows = append(people.rows, l.End())
		}
	}
	tables, _ := s.indexed(writes)
	locking := slices.Clone(writes)
	slices.SortFunc(locking, inOrder)
	for i := range locking {
		x := &locking[i]
		l.Int(int64(x.Type)).Text(x.ID).Int(x.Key).Int(x.Patient).Int(x.Version).Text("f")
		directory.rows = append(directory.rows, l.End())
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
	var l pg.Line
	for r := range c.rows {
		for i, o := range order {
			n := binary.BigEndian.Uint32(rest[i])
			v := rest[i][4 : 4+n]
			rest[i] = rest[i][4+n:]
			addElement(&l, t.add[o].of, v)
		}
		c.rows[r] = l.End()
	}
	slices.Sort(c.rows)
	return c
}

// addElement adds an element of a binary array.
func addElement(l *pg.Line, of element, v []byte) {
	//nolint:gosec // the bits are those of a signed number
	switch of {
	case int8s:
		l.Int(int64(binary.BigEndian.Uint64(v)))
	case int4s:
		l.Int(int64(int32(binary.BigEndian.Uint32(v))))
	case int2s:
		l.Int(int64(int16(binary.BigEndian.Uint16(v))))
	default:
		l.Text(string(v))
	}
}
