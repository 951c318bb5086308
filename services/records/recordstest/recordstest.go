// Package recordstest gives the tests of the packages around Records a whole
// service on a database of its own. Nothing but tests imports it.
package recordstest

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/pg/pgtest"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records"
	"github.com/yba-health/yba/services/records/postgres"
)

// Service is the operations on a database.
type Service struct {
	*records.Operations

	Store *postgres.Store
	DB    *sql.DB
	DSN   string
	// Clock is the time, and Enters lets callers into other operations than
	// the one that runs. A test may replace them.
	Clock  func() time.Time
	Enters func(ctx context.Context) (context.Context, error)
}

// Open returns the service on a database of its own, and a context in which a
// service with the scope of everything acts.
func Open(t testing.TB) (*Service, context.Context) {
	t.Helper()
	db, dsn := pgtest.New(t, pgtest.Schema{Service: "records", Migrations: postgres.Migrations()})
	return On(t, db, dsn), All(t.Context())
}

// On returns a service on a database, as another process would be.
func On(t testing.TB, db *sql.DB, dsn string) *Service {
	t.Helper()
	defs, err := fhir.R4()
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{DB: db, DSN: dsn, Clock: time.Now, Enters: func(ctx context.Context) (context.Context, error) { return ctx, nil }}
	log := slog.New(slog.DiscardHandler)
	if s.Store, err = postgres.New(db, dsn, defs, log); err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Data = t.TempDir()
	s.Operations, err = records.Wire(records.Deps{
		Config: c, Definitions: defs, Store: s.Store, Log: log, Base: "http://test/fhir/R4",
		Now:   func() time.Time { return s.Clock() },
		Enter: func(ctx context.Context, _ string) (context.Context, error) { return s.Enters(ctx) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// All is a service with the scope of everything.
func All(ctx context.Context) context.Context {
	return guard.WithScope(guard.WithPrincipal(ctx, &guard.Principal{Service: "test"}), &guard.Scope{All: true, Shared: true})
}

// Nurse is the nurse of a commune.
func Nurse(ctx context.Context, commune string) context.Context {
	ctx = guard.WithPrincipal(ctx, &guard.Principal{Account: "nurse-" + commune, Roles: []string{"nurse"}})
	return guard.WithScope(ctx, &guard.Scope{Communes: []string{commune + "@2025-07-01"}, Shared: true})
}

// Person is a Patient in a commune.
func Person(id, family, given, cccd, commune, birth string) string {
	return oneLine(`{"resourceType":"Patient","id":"` + id + `","identifier":[{"system":"` + fhir.SystemCCCD + `","value":"` + cccd + `"}],
		"name":[{"use":"official","text":"` + family + ` ` + given + `","family":"` + family + `","given":["` + given + `"]}],
		"telecom":[{"system":"phone","value":"09` + cccd + `"}],"gender":"female","birthDate":"` + birth + `",
		"address":[{"use":"home","line":["Số 1","Thôn 2"],"city":"Xã A","extension":[{"url":"` + fhir.ExtensionUnit + `",
		"valueCoding":{"system":"` + fhir.SystemUnits + `","code":"` + commune + `","version":"2025-07-01"}}]}]}`)
}

// Observation is one of a patient's.
func Observation(id, patient, code, date, value string) string {
	return oneLine(`{"resourceType":"Observation","id":"` + id + `","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"` + code + `"}]},
		"subject":{"reference":"Patient/` + patient + `"},"effectiveDateTime":"` + date + `",
		"valueQuantity":{"value":` + value + `,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}`)
}

func oneLine(body string) string { return strings.Join(strings.Fields(body), " ") }

// Load imports lines.
func (s *Service) Load(ctx context.Context, t testing.TB, lines ...string) *recordsv1.ImportResponse {
	t.Helper()
	resp, err := s.Import(ctx, &recordsv1.ImportRequest{Lines: []byte(strings.Join(lines, "\n"))})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// Found is what a search finds.
type Found struct {
	IDs   []string
	Total int
	Body  []byte
}

// Find searches a type.
func (s *Service) Find(ctx context.Context, t testing.TB, typ, query string) Found {
	t.Helper()
	b, err := s.Search(ctx, &recordsv1.SearchRequest{Type: typ, Query: query})
	if err != nil {
		t.Fatalf("%s?%s: %v", typ, query, err)
	}
	var x struct {
		Total int
		Entry []struct{ Resource struct{ ID string } }
	}
	if err := json.Unmarshal(b.GetBody(), &x); err != nil {
		t.Fatalf("%v in %.200s", err, b.GetBody())
	}
	f := Found{Total: x.Total, Body: b.GetBody()}
	for _, e := range x.Entry {
		f.IDs = append(f.IDs, e.Resource.ID)
	}
	return f
}
