package records

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/pg/pgtest"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/postgres"
)

// installation is a database on which the program is started several times.
type installation struct {
	db  *sql.DB
	dsn string
}

func install(t *testing.T) *installation {
	t.Helper()
	db, dsn := pgtest.New(t, pgtest.Schema{Service: "records", Migrations: postgres.Migrations()})
	return &installation{db, dsn}
}

func (i *installation) start(t *testing.T) *Records {
	t.Helper()
	defs, err := fhir.R4()
	if err != nil {
		t.Fatal(err)
	}
	store, err := postgres.New(i.db, i.dsn, defs, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r := &Records{
		store: store, defs: defs, settings: settings{validate: true, updateCreate: true}, now: time.Now, log: slog.New(slog.DiscardHandler), base: "http://test/fhir/R4",
	}
	r.enter = func(ctx context.Context, _ string) (context.Context, error) { return ctx, nil }
	return r
}

func (i *installation) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := i.db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

var tables = []string{"tokens", "strings", "dates", "refs", "uris", "quantities", "composites"}

// rows are all rows of the index, and every resource's own date.
func (i *installation) rows(t *testing.T) []string {
	t.Helper()
	var out []string
	query := "SELECT 'current ' || key || ' ' || at FROM records.current"
	for _, table := range tables {
		query += " UNION ALL SELECT '" + table + " ' || x::text FROM records." + table + " x"
	}
	rows, err := i.db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// anew are the rows of an index that is made from nothing.
func (i *installation) anew(t *testing.T) []string {
	t.Helper()
	i.exec(t, "TRUNCATE records."+strings.Join(tables, ", records."), "UPDATE records.params SET digest = ''")
	if err := i.start(t).store.Reindex(t.Context()); err != nil {
		t.Fatal(err)
	}
	return i.rows(t)
}

func compare(t *testing.T, got, want []string) {
	t.Helper()
	seen := map[string]int{}
	for _, s := range want {
		seen[s]++
	}
	for _, s := range got {
		seen[s]--
	}
	shown := 0
	for s, n := range seen {
		if n != 0 && shown < 10 {
			shown++
			t.Errorf("%+d row: %s", -n, s)
		}
	}
}

// spoil makes the index look as another version of the program left it: rows
// that are made otherwise, rows that are missing and rows too many.
func (i *installation) spoil(t *testing.T) {
	t.Helper()
	i.exec(t,
		`UPDATE records.tokens SET code = 'old-' || code WHERE key % 2 = 0`,
		`INSERT INTO records.strings SELECT patient, key, param, 'old', 'old' FROM records.strings WHERE key % 3 = 0`,
		`DELETE FROM records.refs WHERE key % 5 = 0`,
		`UPDATE records.quantities SET base = '', amount = 0`,
		`TRUNCATE records.composites`,
		`UPDATE records.current SET at = at + 1 WHERE key % 7 = 0`,
		`UPDATE records.params SET digest = 'old'`)
}

func fill(t *testing.T, r *Records, patients, observations int) (people, ids []string) {
	t.Helper()
	ctx := all(t.Context())
	for i := range patients {
		people = append(people, create(ctx, t, r, "Patient", person("Nguyễn", fmt.Sprint("An", i), fmt.Sprint(i), "95012", "1950")).GetId())
	}
	var entries []string
	for i := range observations {
		entries = append(entries, fmt.Sprintf(`{"request":{"method":"PUT","url":"Observation/o%d"},"resource":%s}`, i,
			strings.Replace(observation(people[i%patients], "8480-6", "2020-01-02", fmt.Sprint(i)), "{", fmt.Sprintf(`{"id":"o%d",`, i), 1)))
		ids = append(ids, fmt.Sprint("o", i))
	}
	if _, err := r.Transact(ctx, &recordsv1.TransactRequest{Bundle: []byte(`{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join(entries, ",") + `]}`)}); err != nil {
		t.Fatal(err)
	}
	return people, ids
}

func TestAChangedExtractionIsIndexedAgainWhileOthersWrite(t *testing.T) {
	i := install(t)
	people, ids := fill(t, i.start(t), 7, 450)
	i.spoil(t)
	r, other := i.start(t), i.start(t) // two processes of the new program
	ctx := all(t.Context())
	if err := second(r.Search(ctx, &recordsv1.SearchRequest{Type: "Observation", Query: "code=8480-6"})); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "%") {
		t.Fatalf("a search by a parameter that is not indexed: %v", err)
	}
	for _, query := range []string{"_sort=value-string", "_include=Observation:subject", "_sort=-date", "combo-code-value-quantity=a$1"} {
		if err := second(r.Search(ctx, &recordsv1.SearchRequest{Type: "Observation", Query: query})); !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s: %v", query, err)
		}
	}
	if p, err := r.Indexing(ctx, &recordsv1.IndexingRequest{}); err != nil || len(p.GetTypes()) != 2 || p.GetTypes()[1].GetTotal() != 450 {
		t.Errorf("progress: %v %v", p, err)
	}
	if got := search(ctx, t, r, "Observation", "_id="+ids[0]); len(got.ids) != 1 {
		t.Error("what needs no index is not found meanwhile")
	}
	var done sync.WaitGroup
	for w, p := range []*Records{r, other} {
		done.Go(func() {
			if err := p.store.Reindex(t.Context()); err != nil {
				t.Error(err)
			}
		})
		done.Go(func() {
			for n := w; n < len(ids); n += 6 {
				var err error
				switch n % 4 {
				case 0:
					_, err = p.Delete(ctx, &recordsv1.DeleteRequest{Type: "Observation", Id: ids[n]})
				case 1: // moves to another compartment
					_, err = p.Update(ctx, &recordsv1.UpdateRequest{Type: "Observation", Id: ids[n], Body: []byte(observation(people[(n+3)%7], "8462-4", "2021", "7"))})
				default:
					_, err = p.Update(ctx, &recordsv1.UpdateRequest{Type: "Observation", Id: ids[n], Body: []byte(observation(people[n%7], "8462-4", "2021-02", "8"))})
				}
				if err != nil {
					t.Errorf("%s: %v", ids[n], err)
				}
				create(ctx, t, p, "Observation", observation(people[n%7], "8867-4", "2022", "60"))
			}
		})
	}
	done.Wait()
	got := i.rows(t)
	if left, err := r.store.Indexing(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
	compare(t, got, i.anew(t))
	for _, p := range []*Records{r, other} {
		if found := search(ctx, t, p, "Observation", "combo-code-value-quantity=8462-4$8||mm[Hg]&_count=1000"); len(found.ids) == 0 {
			t.Error("nothing is found afterwards")
		}
	}
}

func TestIndexingGoesOnWhereItWasStopped(t *testing.T) {
	i := install(t)
	fill(t, i.start(t), 2, 450)
	want := i.rows(t)
	i.spoil(t)
	for range 20 {
		ctx, stop := context.WithCancel(t.Context())
		r := i.start(t)
		ended := make(chan error)
		go func() { ended <- r.store.Reindex(ctx) }()
		for before := -1; ; { // until one more batch is done
			list, err := r.store.Indexing(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			now := len(list) << 20
			for _, p := range list {
				now -= int(p.Done)
			}
			if before >= 0 && now != before || len(list) == 0 {
				break
			}
			before = now
		}
		stop()
		if err := <-ended; err != nil {
			t.Logf("stopped: %v", err)
		}
	}
	if err := i.start(t).store.Reindex(t.Context()); err != nil {
		t.Fatal(err)
	}
	compare(t, i.rows(t), want)
	var indexes int
	if err := i.db.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_indexes WHERE schemaname = 'records' AND indexname LIKE '%\_key' AND tablename = ANY(string_to_array($1, ','))`,
		strings.Join(tables, ",")).Scan(&indexes); err != nil || indexes != 0 {
		t.Errorf("%d indexes are left over: %v", indexes, err)
	}
}

func TestAnOlderInstallationIsBroughtUp(t *testing.T) {
	i := install(t)
	people, _ := fill(t, i.start(t), 3, 30)
	want := i.rows(t)
	b, err := fs.ReadFile(postgres.Migrations(), "00003_index.sql")
	if err != nil {
		t.Fatal(err)
	}
	up, down, ok := strings.Cut(string(b), "-- +goose Down")
	if !ok {
		t.Fatal("the migration has no way back")
	}
	// As the migrations before left it: without what the new version added.
	i.exec(t, down, `DELETE FROM records.strings WHERE param IN (SELECT id FROM records.params WHERE code LIKE '%:%')`,
		`DELETE FROM records.params WHERE code LIKE '%:%' OR code LIKE '%code-value-%'`, up)
	r := i.start(t)
	if err := second(r.Search(all(t.Context()), &recordsv1.SearchRequest{Type: "Patient", Query: "name=an"})); !fault.Is(err, fault.Unavailable) {
		t.Errorf("before: %v", err)
	}
	if err := r.store.Reindex(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := i.rows(t); len(got) != len(want) { // numbers of parameters are new
		t.Errorf("%d rows, not %d", len(got), len(want))
	}
	compare(t, i.rows(t), i.anew(t))
	if found := search(all(t.Context()), t, r, "Observation", "patient="+people[0]+"&code-value-quantity=8480-6$0"); len(found.ids) != 1 {
		t.Errorf("found %v", found.ids)
	}
}
