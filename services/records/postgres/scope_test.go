package postgres

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/yba-health/yba/services/records/record"
)

// TestAScopeSeesItsPartOfTheList asks for lists as who reaches everything and
// as who reaches few compartments, many, and more than are looked through one
// by one: each sees their part of the same list in the same order, and its
// number.
func TestAScopeSeesItsPartOfTheList(t *testing.T) {
	s, db := openStore(t)
	x := population(t, s, db, few+500)
	var every []string
	for i := range 50 {
		every = append(every, strconv.Itoa(i))
	}
	reaches := map[string]record.Reach{
		"two people": {Patients: []int64{7, 4007}}, "nobody": {Shared: true}, "a commune": {Shared: true, Communes: []string{"7"}},
		"a commune and some": {Communes: []string{"8"}, Patients: []int64{3, 8, 5001}}, "everybody": {Communes: every},
	}
	home := func(m record.Stored, r record.Reach) bool {
		return r.All || m.Patient == 0 && r.Shared || slices.Contains(r.Patients, m.Patient) || m.Patient > 0 && slices.Contains(r.Communes, strconv.FormatInt(m.Patient%50, 10))
	}
	for _, query := range []string{
		"Observation?code=c7", "Observation?code=rare", "Observation?", "Observation?_sort=_lastUpdated", "Observation?code=c7&_sort=_id", "Patient?name=name 40",
		"Patient?gender=male&name=name 1", "Observation?_lastUpdated=lt1970-01-01T00:00:00.003Z", "Observation?code=c7&subject:Patient.gender=male,female",
		"Observation?subject:Patient.gender=male", "Patient?_has:Observation:patient:code=rare", "Practitioner?name=doc 1",
	} {
		typ, rest, _ := strings.Cut(query, "?")
		list := func(r record.Reach, pages int) (found []record.Stored, total int64) {
			q, err := x.ParseQuery(typ, strings.TrimPrefix(rest+"&_count=1000", "&"), false)
			if err != nil {
				t.Fatal(err)
			}
			q.Total = !r.All
			for range pages {
				p, err := s.Search(t.Context(), nil, q, r)
				if err != nil {
					t.Fatalf("%s: %v", query, err)
				}
				if found = append(found, p.Matches...); q.Total {
					total, q.Total = *p.Total, false
				}
				if q.Cursor = p.Next; p.Next == nil {
					break
				}
			}
			return found, total
		}
		whole, _ := list(record.Reach{All: true, Shared: true}, 100)
		if len(whole) == 0 {
			t.Fatalf("%s finds nothing", query)
		}
		for who, r := range reaches {
			var want []int64
			for _, m := range whole {
				if home(m, r) {
					want = append(want, m.Key)
				}
			}
			part, n := list(r, 2)
			var got []int64
			for _, m := range part {
				got = append(got, m.Key)
			}
			if int(n) != len(want) || !slices.Equal(got, want[:min(len(want), 2000)]) {
				t.Errorf("%s sees %d of %d (total %d) of %s", who, len(got), len(want), n, query)
			}
		}
	}
}

// TestAListCostsNoMoreThanItsPageOrItsScope looks into the plans: the rows of
// the province that are out of reach, newer or older than asked for, are not
// read.
func TestAListCostsNoMoreThanItsPageOrItsScope(t *testing.T) {
	s, db := openStore(t)
	x := population(t, s, db, 2000)
	// Names that the statistics know nothing of.
	if _, err := db.ExecContext(t.Context(), "INSERT INTO records.strings SELECT g, g, $1, 'zoe '||g, 'Zoe '||g FROM generate_series(1, 2000, 3) g", x.Number("Patient", "name")); err != nil {
		t.Fatal(err)
	}
	nurse := record.Reach{Shared: true, Communes: []string{"7"}}
	for _, tt := range []struct {
		query string
		reach record.Reach
		most  int64
	}{
		{"Observation?code=c7", nurse, 2000},
		{"Observation?code=c9", record.Reach{Patients: []int64{7}}, 100},
		{"Observation?code=c7&_summary=count", nurse, 2000},
		{"Observation?date=lt1970-01-01T00:00:05Z", record.Reach{All: true}, 300},
		{"Observation?date=le1970-01-01T00:00:05Z", nurse, 6000},
		{"Observation?_lastUpdated=lt1970-01-01T00:00:00.001Z", record.Reach{All: true}, 5000},
		{"Observation?_id=o77", record.Reach{All: true}, 50},
		{"Observation?subject:Patient.name=zoe", record.Reach{All: true}, 20_000},
	} {
		typ, rest, _ := strings.Cut(tt.query, "?")
		q, err := x.ParseQuery(typ, rest, false)
		if err != nil {
			t.Fatal(err)
		}
		b := &search{sqlText: &sqlText{}, s: s, x: x, q: q, reach: tt.reach}
		write := b.list
		if q.CountOnly {
			write = b.count
		}
		if _, err := write(t.Context()); err != nil {
			t.Fatal(err)
		}
		var plan string
		if err := db.QueryRowContext(t.Context(), "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+b.String(), b.args...).Scan(&plan); err != nil {
			t.Fatalf("%s: %v in %s", tt.query, err, b.String())
		}
		var x []struct {
			Plan struct {
				Hit  int64 `json:"Shared Hit Blocks"`
				Read int64 `json:"Shared Read Blocks"`
			}
		}
		if err := json.Unmarshal([]byte(plan), &x); err != nil {
			t.Fatal(err)
		}
		if n := x[0].Plan.Hit + x[0].Plan.Read; n > tt.most {
			t.Errorf("%s reads %d blocks, not %d", tt.query, n, tt.most)
		}
	}
}
