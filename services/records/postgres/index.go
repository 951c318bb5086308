package postgres

import (
	"slices"
	"strings"

	"github.com/yba-health/yba/services/records/record"
)

// table collects rows of one index table, to be added and to be taken away.
type table struct {
	name    string
	columns []column
	add     []array
	drop    []array
}

type column struct{ name, typ string }

func newTable(name string, columns ...column) *table {
	t := &table{name: name, columns: columns, add: make([]array, len(columns)), drop: make([]array, len(columns))}
	for i, c := range columns {
		t.add[i].of, t.drop[i].of = elements[c.typ], elements[c.typ]
	}
	return t
}

// to adds the statements for the collected rows to w.
func (t *table) to(w *statement) {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	unnest := func(arrays []array) string {
		args := make([]string, len(arrays))
		for i := range arrays {
			args[i] = w.arg(arrays[i].arg()) + "::" + t.columns[i].typ + "[]"
		}
		return "unnest(" + strings.Join(args, ", ") + ")"
	}
	list := strings.Join(names, ", ")
	if w.whole || len(t.add[0].b) > 0 {
		w.part(t.name + "_add AS (INSERT INTO records." + t.name + " (" + list + ") SELECT * FROM " + unnest(t.add) + ")")
	}
	if len(t.drop[0].b) > 0 {
		same := make([]string, len(names))
		for i, n := range names {
			same[i] = "t." + n + " = o." + n
		}
		w.part(t.name + "_drop AS (DELETE FROM records." + t.name + " t USING " + unnest(t.drop) + " AS o(" + list + ") WHERE " +
			strings.Join(same, " AND ") + ")")
	}
}

// index adds the changes of the index tables. Rows that stay the same are not
// touched, so an update of a resource's note costs no index work.
func (s *Store) index(w *statement, writes []record.Write) {
	big, small, text := "bigint", "smallint", "text"
	tokens := newTable("tokens", column{"patient", big}, column{"key", big}, column{"at", big}, column{"param", small}, column{"system", "int"}, column{"code", text})
	strs := newTable("strings", column{"patient", big}, column{"key", big}, column{"param", small}, column{"folded", text}, column{"exact", text})
	dates := newTable("dates", column{"patient", big}, column{"key", big}, column{"param", small}, column{"low", big}, column{"high", big})
	refs := newTable("refs", column{"patient", big}, column{"key", big}, column{"at", big}, column{"param", small}, column{"type", small}, column{"target", text})
	uris := newTable("uris", column{"patient", big}, column{"key", big}, column{"param", small}, column{"uri", text})
	numbers := newTable("quantities", column{"patient", big}, column{"key", big}, column{"param", small}, column{"system", "int"}, column{"code", text}, column{"value", "numeric"}, column{"base", text}, column{"amount", "numeric"})
	pairs := newTable("composites", column{"patient", big}, column{"key", big}, column{"at", big}, column{"param", small}, column{"system", "int"}, column{"code", text},
		column{`"with"`, "int"}, column{"text", text}, column{"base", text}, column{"low", "numeric"}, column{"high", "numeric"})

	again := func(int16) bool { return false }
	if x := s.indexer.Load(); x != nil {
		again = x.Rebuilt
	}
	var cleared array
	for i := range writes {
		x := &writes[i]
		now, old := &x.Rows, &record.Rows{}
		was := record.Old{Patient: x.Patient}
		moved := x.Old == nil
		if x.Old != nil && again(x.Type) {
			// What rows it has is not known: it may have been indexed before
			// the extraction changed, or after, or not at all.
			cleared.int(x.Key)
			moved = true
		} else if x.Old != nil {
			was, old = *x.Old, &x.Old.Rows
		}
		if x.Op == "delete" {
			now = &record.Rows{}
		}
		moved = moved || was.Patient != x.Patient
		dated := moved || was.At != x.At
		each(old.Tokens, now.Tokens, dated, func(add bool, r record.Token) {
			id, _ := s.system(r.System)
			c, p, at := tokens.side(add, x.Patient, was.Patient, x.At, was.At)
			row(c, p, x.Key, at, int64(r.Param), int64(id))
			c[5].text(r.Code)
		})
		each(old.Strings, now.Strings, moved, func(add bool, r record.String) {
			c, p, _ := strs.side(add, x.Patient, was.Patient, 0, 0)
			row(c, p, x.Key, int64(r.Param))
			c[3].text(r.Folded)
			c[4].text(r.Exact)
		})
		each(old.Dates, now.Dates, moved, func(add bool, r record.Date) {
			c, p, _ := dates.side(add, x.Patient, was.Patient, 0, 0)
			row(c, p, x.Key, int64(r.Param), r.Low, r.High)
		})
		each(old.Refs, now.Refs, dated, func(add bool, r record.Ref) {
			c, p, at := refs.side(add, x.Patient, was.Patient, x.At, was.At)
			row(c, p, x.Key, at, int64(r.Param), int64(r.Type))
			c[5].text(r.Target)
		})
		each(old.URIs, now.URIs, moved, func(add bool, r record.URI) {
			c, p, _ := uris.side(add, x.Patient, was.Patient, 0, 0)
			row(c, p, x.Key, int64(r.Param))
			c[3].text(r.URI)
		})
		each(old.Quantities, now.Quantities, moved, func(add bool, r record.Quantity) {
			id, _ := s.system(r.System)
			c, p, _ := numbers.side(add, x.Patient, was.Patient, 0, 0)
			row(c, p, x.Key, int64(r.Param), int64(id))
			c[4].text(r.Code)
			c[5].text(r.Value)
			c[6].text(r.Base)
			c[7].text(r.Amount)
		})
		each(old.Composites, now.Composites, dated, func(add bool, r record.Composite) {
			system, _ := s.system(r.System)
			with, _ := s.system(r.With)
			c, p, at := pairs.side(add, x.Patient, was.Patient, x.At, was.At)
			row(c, p, x.Key, at, int64(r.Param), int64(system))
			c[5].text(r.Code)
			c[6].int(int64(with))
			c[7].text(r.Text)
			c[8].text(r.Base)
			c[9].text(r.Low)
			c[10].text(r.High)
		})
	}
	s.clear(w, cleared)
	for _, t := range []*table{tokens, strs, dates, refs, uris, numbers, pairs} {
		t.to(w)
	}
}

// indexTables are the tables of index rows.
var indexTables = []string{"tokens", "strings", "dates", "refs", "uris", "quantities", "composites"}

// clear takes away all rows that the resources had before the statement.
func (s *Store) clear(w *statement, keys array) {
	if len(keys.b) == 0 {
		return
	}
	list := w.arg(keys.arg())
	for _, t := range indexTables {
		w.part(t + "_clear AS (DELETE FROM records." + t + " WHERE key = ANY(" + list + "::bigint[]))")
	}
}

// side returns the columns to add to or to take from, with the compartment
// and the date that the row then has.
func (t *table) side(add bool, patient, wasPatient, at, wasAt int64) ([]array, int64, int64) {
	if add {
		return t.add, patient, at
	}
	return t.drop, wasPatient, wasAt
}

func row(c []array, values ...int64) {
	for i, v := range values {
		c[i].int(v)
	}
}

// each calls f for the rows to take away and to add; all of them when the
// resource moved to another place in the index.
func each[T comparable](old, now []T, moved bool, f func(add bool, r T)) {
	without := func(list, other []T, add bool) {
		has := holds(other)
		for _, r := range list {
			if moved || !has(r) {
				f(add, r)
			}
		}
	}
	without(old, now, false)
	without(now, old, true)
}

// holds returns whether list has a row; long lists are looked up, since a
// Group may have 100,000 members.
func holds[T comparable](list []T) func(T) bool {
	if len(list) <= 32 {
		return func(r T) bool { return slices.Contains(list, r) }
	}
	set := make(map[T]struct{}, len(list))
	for _, r := range list {
		set[r] = struct{}{}
	}
	return func(r T) bool { _, ok := set[r]; return ok }
}
