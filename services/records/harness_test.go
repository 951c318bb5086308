package records

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/pg/pgtest"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/bulk"
	"github.com/yba-health/yba/services/records/postgres"
	"github.com/yba-health/yba/services/records/subscription"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// open returns the service on a database of its own, and a context in which a
// service with the scope of everything acts.
func open(t testing.TB) (*Records, context.Context) {
	t.Helper()
	r, ctx, _ := openDB(t)
	return r, ctx
}

// loose is open without the check that references lead somewhere, for tests
// of what is not about it.
func loose(t testing.TB) (*Records, context.Context) {
	t.Helper()
	r, ctx := open(t)
	r.settings.written = types{}
	return r, ctx
}

// openDB returns the database, too.
func openDB(t testing.TB) (*Records, context.Context, *sql.DB) {
	t.Helper()
	db, dsn := pgtest.New(t, pgtest.Schema{Service: "records", Migrations: postgres.Migrations()})
	return serve(t, db, dsn), all(t.Context()), db
}

// serve returns a service on a database, as another process would be.
func serve(t testing.TB, db *sql.DB, dsn string) *Records {
	t.Helper()
	defs, err := fhir.R4()
	if err != nil {
		t.Fatal(err)
	}
	store, err := postgres.New(db, dsn, defs, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Data = t.TempDir()
	o, err := Wire(Deps{
		Config: c, Definitions: defs, Store: store, Now: time.Now, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Base: "http://test/fhir/R4",
		Enter: func(ctx context.Context, _ string) (context.Context, error) { return ctx, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	r := o.Records
	// The guard's part without the guard: the right, then the method.
	r.call = func(ctx context.Context, method string, request any) (any, error) {
		ctx, err := r.enter(ctx, method)
		if err != nil {
			return nil, err
		}
		out := reflect.ValueOf(o).MethodByName(method).Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(request)})
		err, _ = out[1].Interface().(error)
		return out[0].Interface(), err
	}
	return r
}

// around are all operations over r, whose settings a test may have changed.
func around(t testing.TB, r *Records) *Operations {
	t.Helper()
	store, ok := r.store.(bulk.Store)
	if !ok {
		store = nil // a store made by the test, which is not asked
	}
	return &Operations{Records: r, Bulk: bulk.New(bulk.Deps{
		Store: store, Definitions: r.defs, Now: r.now, Log: r.log, Base: r.base, Enter: r.enter, Reach: r.reach, Following: r.following, Shown: r.part, Anonymous: anonymous, Valid: r.valid,
	}), Hooks: &subscription.Hooks{}, Description: r.description()}
}

func all(ctx context.Context) context.Context {
	return scoped(guard.WithPrincipal(ctx, &guard.Principal{Service: "test"}), &guard.Scope{All: true, Shared: true})
}

func scoped(ctx context.Context, s *guard.Scope) context.Context { return guard.WithScope(ctx, s) }

func create(ctx context.Context, t testing.TB, r *Records, typ, body string) *recordsv1.Resource {
	t.Helper()
	x, err := r.Create(ctx, &recordsv1.CreateRequest{Type: typ, Body: []byte(body)})
	if err != nil {
		t.Fatalf("create %s: %v", typ, err)
	}
	return x
}

// person is a Patient in a commune.
func person(family, given, cccd, commune, birth string) string {
	return `{"resourceType":"Patient","identifier":[{"system":"` + fhir.SystemCCCD + `","value":"` + cccd + `"}],
		"name":[{"use":"official","text":"` + family + ` ` + given + `","family":"` + family + `","given":["` + given + `"]}],
		"telecom":[{"system":"phone","value":"09` + cccd + `"}],"gender":"female","birthDate":"` + birth + `",
		"address":[{"use":"home","line":["Số 1","Thôn 2"],"city":"Xã A","extension":[{"url":"` + fhir.ExtensionUnit + `",
		"valueCoding":{"system":"` + fhir.SystemUnits + `","code":"` + commune + `","version":"2025-07-01"}}]}]}`
}

func observation(patient, code, date, value string) string {
	return `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"` + code + `"}]},
		"subject":{"reference":"Patient/` + patient + `"},"effectiveDateTime":"` + date + `",
		"valueQuantity":{"value":` + value + `,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}`
}

// holding carries out a change and keeps its transaction open: it closes held
// and waits for release.
func (r *Records) holding(ctx context.Context, c *change, held chan<- struct{}, release <-chan struct{}) error {
	return r.store.InTx(ctx, func(tx *sql.Tx) error {
		err := r.attempt(ctx, tx, []*change{c})
		close(held)
		<-release
		return err
	})
}

// found are the ids and links of a Bundle.
type found struct {
	ids     []string
	types   []string
	next    string
	total   int
	entries int
	body    []byte
}

func bundle(t testing.TB, body []byte) found {
	t.Helper()
	var b struct {
		Total *int
		Link  []struct{ Relation, URL string }
		Entry []struct {
			Resource struct{ ID, ResourceType string }
		}
	}
	if err := json.Unmarshal(body, &b); err != nil {
		t.Fatalf("%v in %.200s", err, body)
	}
	f := found{total: -1, entries: len(b.Entry), body: body}
	if b.Total != nil {
		f.total = *b.Total
	}
	for _, e := range b.Entry {
		f.ids, f.types = append(f.ids, e.Resource.ID), append(f.types, e.Resource.ResourceType)
	}
	for _, l := range b.Link {
		if l.Relation == "next" {
			f.next = l.URL
		}
	}
	return f
}

func search(ctx context.Context, t testing.TB, r *Records, typ, query string) found {
	t.Helper()
	b, err := r.Search(ctx, &recordsv1.SearchRequest{Type: typ, Query: query})
	if err != nil {
		t.Fatalf("%s?%s: %v", typ, query, err)
	}
	return bundle(t, b.GetBody())
}
