package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/pg/pgtest"
	"github.com/yba-health/yba/services/records/record"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

func openStore(t testing.TB) (*Store, *sql.DB) {
	t.Helper()
	db, dsn := pgtest.New(t, pgtest.Schema{Service: "records", Migrations: Migrations()})
	defs, err := fhir.R4()
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(db, dsn, defs, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s, db
}

// searchText returns the text and arguments of a page.
func (s *Store) searchText(ctx context.Context, q *record.Query, r record.Reach) (string, []any, bool, error) {
	x, err := s.Indexer(ctx)
	if err != nil {
		return "", nil, false, err
	}
	b := &search{sqlText: &sqlText{}, s: s, x: x, q: q, reach: r}
	none, err := b.list(ctx)
	return b.String(), b.args, none, err
}

// population stores people with ten observations each, straight into the
// tables: what matters is how many there are.
func population(t testing.TB, s *Store, db *sql.DB, people int) *record.Indexer {
	t.Helper()
	x, err := s.Indexer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	patient, observation, doctor := s.defs.Number("Patient"), s.defs.Number("Observation"), s.defs.Number("Practitioner")
	// Observation.patient is read from the rows of Observation.subject.
	for _, row := range []struct {
		text string
		args []any
	}{
		{"directory SELECT $1, 'd'||g, 10000000 + g, 0, 1 FROM generate_series(1, 200) g", []any{doctor}},
		{"current SELECT 0, 10000000 + g, $1, 'd'||g, 0, 1, g, 0, '{}' FROM generate_series(1, 200) g", []any{doctor}},
		{"strings SELECT 0, 10000000 + g, $1, 'doc '||g, 'Doc '||g FROM generate_series(1, 200) g", []any{x.Number("Practitioner", "name")}},
		{"compartments SELECT g, 'p'||g, (g % 50)::text FROM generate_series(1, $1::int) g", []any{people}},
		{"directory SELECT $2, 'p'||g, g, g, 1 FROM generate_series(1, $1::int) g", []any{people, patient}},
		{"current SELECT g, g, $2, 'p'||g, 0, 1, g, 0, '{}' FROM generate_series(1, $1::int) g", []any{people, patient}},
		{"strings SELECT g, g, $2, 'name '||g, 'Name '||g FROM generate_series(1, $1::int) g", []any{people, x.Number("Patient", "name")}},
		{"tokens SELECT g, g, 0, $2, 0, CASE WHEN g % 10 = 0 THEN 'male' ELSE 'female' END FROM generate_series(1, $1::int) g", []any{people, x.Number("Patient", "gender")}},
		{"refs SELECT g, g, 0, $2, $3, 'd'||(g % 200 + 1) FROM generate_series(1, $1::int) g", []any{people, x.Number("Patient", "general-practitioner"), doctor}},
		{"directory SELECT $2, 'o'||g, 1000000 + g, g % $1::int + 1, 1 FROM generate_series(1, $1::int * 10) g", []any{people, observation}},
		{"current SELECT g % $1::int + 1, 1000000 + g, $2, 'o'||g, g * 1000, 1, g, 0, '{}' FROM generate_series(1, $1::int * 10) g", []any{people, observation}},
		{"refs SELECT g % $1::int + 1, 1000000 + g, g * 1000, $2, $3, 'p'||(g % $1::int + 1) FROM generate_series(1, $1::int * 10) g", []any{people, x.Number("Observation", "subject"), patient}},
		{"tokens SELECT g % $1::int + 1, 1000000 + g, g * 1000, $2, 0, 'c'||(g % 40) FROM generate_series(1, $1::int * 10) g", []any{people, x.Number("Observation", "code")}},
		{"tokens SELECT g % $1::int + 1, 1000000 + g, g * 1000, $2, 0, 'rare' FROM generate_series(1, 20) g", []any{people, x.Number("Observation", "code")}},
	} {
		if _, err := db.ExecContext(t.Context(), "INSERT INTO records."+row.text, row.args...); err != nil {
			t.Fatalf("%s: %v", row.text, err)
		}
	}
	if _, err := db.ExecContext(t.Context(), "ANALYZE"); err != nil {
		t.Fatal(err)
	}
	return x
}

// TestChainsFindTheSameFromEitherEnd follows pages of conditions that few
// resources fulfil and of those that more than few do, one and together.
func TestChainsFindTheSameFromEitherEnd(t *testing.T) {
	s, db := openStore(t)
	x := population(t, s, db, 1000)
	for _, tt := range []struct {
		query string
		want  int64
	}{
		{"Observation?subject:Patient.name=name 777", 10},
		{"Observation?subject:Patient.gender=female", 9000},
		{"Observation?subject:Patient.gender=female&subject:Patient.general-practitioner.name=doc 17", 500},
		{"Observation?subject:Patient.gender=female&patient.name:missing=false&code=c7", 250},
		{"Observation?code=c7&subject:Patient.gender=male", 0},
		{"Observation?code=c9&subject:Patient.gender=male", 250},
		{"Observation?subject:Patient.gender=female&_sort=code,_id", 9000},
		{"Patient?_has:Observation:patient:code=rare", 20},
		{"Patient?_has:Observation:patient:code:not=rare", 1000},
		{"Patient?_has:Observation:subject:code:not=c39&gender=male", 75},
		{"Practitioner?_has:Patient:general-practitioner:_has:Observation:patient:code=rare", 20},
	} {
		typ, query, _ := strings.Cut(tt.query, "?")
		q, err := x.ParseQuery(typ, query+"&_total=accurate&_count=1000", false)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[int64]bool{}
		for pages := 0; ; pages++ {
			p, err := s.Search(t.Context(), nil, q, record.Reach{All: true})
			if err != nil {
				t.Fatalf("%s: %v", tt.query, err)
			}
			for _, m := range p.Matches {
				seen[m.Key] = true
			}
			if *p.Total != tt.want {
				t.Errorf("%s: total %d, not %d", tt.query, *p.Total, tt.want)
			}
			if q.Cursor = p.Next; p.Next == nil || pages > 20 {
				break
			}
		}
		if int64(len(seen)) != tt.want {
			t.Errorf("%s: %d on the pages, not %d", tt.query, len(seen), tt.want)
		}
	}
}

// TestChainsAreReadFromTheCheaperEnd looks into the plans: with few at the far
// end the list is not walked, and with many the first page stops early.
func TestChainsAreReadFromTheCheaperEnd(t *testing.T) {
	s, db := openStore(t)
	x := population(t, s, db, 2000)
	for _, query := range []string{
		"Observation?subject:Patient.name=name 777", "Observation?subject:Patient.name=nobody", "Observation?subject:Patient.gender=female",
		"Observation?code=c7&subject:Patient.gender=female", "Patient?_has:Observation:patient:code=rare", "Patient?_has:Observation:patient:code:not=rare",
		"Observation?patient=p77&subject:Patient.general-practitioner.name=doc",
	} {
		typ, rest, _ := strings.Cut(query, "?")
		q, err := x.ParseQuery(typ, rest, false)
		if err != nil {
			t.Fatal(err)
		}
		text, args, _, err := s.searchText(t.Context(), q, record.Reach{Shared: true, Communes: []string{"7", "27", "28"}})
		if err != nil {
			t.Fatal(err)
		}
		var plan string
		if err := db.QueryRowContext(t.Context(), "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+text, args...).Scan(&plan); err != nil {
			t.Fatalf("%s: %v in %s", query, err, text)
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
		// Following each of the 20,000 observations would read ten blocks for
		// every one of them; looking for more than few takes a quarter of it.
		if n := x[0].Plan.Hit + x[0].Plan.Read; n > 120_000 {
			t.Errorf("%s reads %d blocks", query, n)
		}
	}
}

// FuzzSearchSQL plans every search that the parser accepts: whatever it says,
// the statement is one that PostgreSQL understands.
func FuzzSearchSQL(f *testing.F) {
	s, db := openStore(f)
	x, err := s.Indexer(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	for _, q := range []string{
		"subject:Patient.name:exact=a&_sort=-date,code", "_has:Observation:has-member:performer:Practitioner.name=x", "performer:not=a,b&_list=x&_id=1",
		"value-quantity=gt5.4|http://unitsofmeasure.org|mg&_lastUpdated=ge2020&_sort=value-quantity", "subject.identifier=1&encounter.class:missing=true&patient=x",
		"code:missing=false&status:not=a,b&_sort=subject,_id,_lastUpdated&_count=3", "_type=Patient,Observation&_id=1", "_tag=a|b&_profile=http://x",
	} {
		f.Add(q, byte(len(q)))
	}
	places := []record.Place{{Type: "Observation"}, {Type: "Patient"}, {}, {Compartment: "Patient", ID: "x"}, {Compartment: "Encounter", ID: "x", Type: "Observation"}}
	reaches := []record.Reach{{All: true}, {Shared: true, Communes: []string{"1"}}, {Patients: []int64{1, 2}}, {}}
	f.Fuzz(func(t *testing.T, raw string, n byte) {
		q, err := x.ParseSearch(places[int(n)%len(places)], raw, false)
		if err != nil {
			return
		}
		text, args, none, err := s.searchText(t.Context(), q, reaches[int(n)/8%len(reaches)])
		if none || err != nil {
			return
		}
		if _, err := db.ExecContext(t.Context(), "EXPLAIN "+text, args...); err != nil {
			t.Fatalf("%q: %v in %s", raw, err, text)
		}
	})
}
