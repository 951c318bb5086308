// Package recordstest gives the tests of the packages around Records a whole
// service on a database of its own. Nothing but tests imports it.
package recordstest

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/pg/pgtest"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
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
	// Acts lets the owner of a Subscription act; Notes is told what was
	// disclosed. A test may replace them.
	Acts  func(ctx context.Context, owner string) (context.Context, error)
	Notes func(ctx context.Context, patient, target string)
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
	s := &Service{
		DB: db, DSN: dsn, Clock: time.Now,
		Enters: func(ctx context.Context) (context.Context, error) { return ctx, nil },
		Acts:   func(ctx context.Context, _ string) (context.Context, error) { return ctx, nil },
		Notes:  func(context.Context, string, string) {},
	}
	log := slog.New(slog.DiscardHandler)
	if s.Store, err = postgres.New(db, dsn, defs, log); err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Data = t.TempDir()
	c.HookNets = []string{"127.0.0.0/8"} // where the tests' receivers are
	s.Operations, err = records.Wire(records.Deps{
		Config: c, Definitions: defs, Store: s.Store, Log: log, Metrics: prometheus.NewRegistry(), Base: "http://test/fhir/R4",
		Now:   func() time.Time { return s.Clock() },
		Enter: func(ctx context.Context, _ string) (context.Context, error) { return s.Enters(ctx) },
		Act:   func(ctx context.Context, owner string) (context.Context, error) { return s.Acts(ctx, owner) },
		Note:  func(ctx context.Context, patient, target string) { s.Notes(ctx, patient, target) },
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

// Make creates a resource.
func (s *Service) Make(ctx context.Context, t testing.TB, typ, body string) *recordsv1.Resource {
	t.Helper()
	x, err := s.Create(ctx, &recordsv1.CreateRequest{Type: typ, Body: []byte(body)})
	if err != nil {
		t.Fatalf("create %s: %v", typ, err)
	}
	return x
}

// Person is a Patient in a commune; without an id where that is empty.
func Person(id, family, given, cccd, commune, birth string) string {
	return oneLine(`{"resourceType":"Patient",` + member(id) + `"identifier":[{"system":"` + fhir.SystemCCCD + `","value":"` + cccd + `"}],
		"name":[{"use":"official","text":"` + family + ` ` + given + `","family":"` + family + `","given":["` + given + `"]}],
		"telecom":[{"system":"phone","value":"09` + cccd + `"}],"gender":"female","birthDate":"` + birth + `",
		"address":[{"use":"home","line":["Số 1","Thôn 2"],"city":"Xã A","extension":[{"url":"` + fhir.ExtensionUnit + `",
		"valueCoding":{"system":"` + fhir.SystemUnits + `","code":"` + commune + `","version":"2025-07-01"}}]}]}`)
}

// Observation is one of a patient's; without an id where that is empty.
func Observation(id, patient, code, date, value string) string {
	return oneLine(`{"resourceType":"Observation",` + member(id) + `"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"` + code + `"}]},
		"subject":{"reference":"Patient/` + patient + `"},"effectiveDateTime":"` + date + `",
		"valueQuantity":{"value":` + value + `,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}`)
}

func member(id string) string {
	if id == "" {
		return ""
	}
	return `"id":"` + id + `",`
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

// gate lets the bearer of "good" do everything and nobody else anything.
type gate struct{ accessv1.AccessClient }

func (gate) Authorize(_ context.Context, req *accessv1.AuthorizeRequest, _ ...grpc.CallOption) (*accessv1.Decision, error) {
	if req.GetToken() != "good" {
		return &accessv1.Decision{}, nil
	}
	return &accessv1.Decision{Allowed: true, Principal: &guard.Principal{Account: "a"}, Scope: &guard.Scope{All: true, Shared: true}}, nil
}

func (gate) Append(context.Context, *accessv1.AppendRequest, ...grpc.CallOption) (*accessv1.AppendResponse, error) {
	return &accessv1.AppendResponse{}, nil
}

// Calls returns how to call the FHIR face, as the bearer of "good", who may
// do everything.
func (s *Service) Calls(t testing.TB) func(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	table, err := s.Table()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	auditor := guard.NewAuditor(gate{}, log)
	t.Cleanup(auditor.Close)
	face, err := s.Face(table, guard.New(gate{}, auditor, log, prometheus.NewRegistry()), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	face.Routes(mux)
	return func(method, path, body string, headers ...string) *httptest.ResponseRecorder {
		req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer good")
		req.Header.Set("Content-Type", "application/fhir+json")
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, req)
		return w
	}
}
