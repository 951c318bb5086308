package rest

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/pg/pgtest"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/bulk"
	"github.com/yba-health/yba/services/records/postgres"
)

// describe returns the description of an installation.
func describe(t *testing.T) *Description {
	t.Helper()
	db, dsn := pgtest.New(t, pgtest.Schema{Service: "records", Migrations: postgres.Migrations()})
	defs, err := fhir.R4()
	if err != nil {
		t.Fatal(err)
	}
	store, err := postgres.New(db, dsn, defs, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return &Description{Definitions: defs, Now: time.Now, Base: "http://test/fhir/R4", Indexer: store.Indexer, Enforced: func(string) bool { return true }}
}

func TestEveryRouteStandsInTheOpenAPIDocument(t *testing.T) {
	d, ctx := describe(t), t.Context()
	x, err := d.Capabilities(ctx, &recordsv1.CapabilitiesRequest{Form: "openapi"})
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			Parameters []struct{ Name, In string }
		}
	}
	if err := json.Unmarshal(x.GetBody(), &doc); err != nil || doc.OpenAPI != "3.1.0" {
		t.Fatalf("%q, %v", doc.OpenAPI, err)
	}
	for _, row := range routes() {
		op, ok := doc.Paths[row.path][strings.ToLower(row.method)]
		if !ok {
			t.Errorf("%s %s is not described", row.method, row.path)
		}
		if got := strings.Count(row.path, "{") + len(row.parameters); got > len(op.Parameters) {
			t.Errorf("%s: %d of %d places and parameters described", row.path, len(op.Parameters), got)
		}
	}
	names := func() (list []string) {
		for _, p := range doc.Paths["/Observation"]["get"].Parameters {
			list = append(list, p.Name)
		}
		return list
	}()
	if len(doc.Paths["/$export"]["get"].Parameters) != len(bulk.Parameters) {
		t.Errorf("an export has the parameters %v", doc.Paths["/$export"]["get"].Parameters)
	}
	if !slices.Contains(names, "patient") || !slices.Contains(names, "code") || slices.Contains(names, "family") {
		t.Errorf("the parameters of Observation are %v", names)
	}
}

func TestTheCapabilityStatementNamesEveryInteractionAndOperation(t *testing.T) {
	d, ctx := describe(t), t.Context()
	x, err := d.Capabilities(ctx, &recordsv1.CapabilitiesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(x.GetBody()), `"valueCanonical":"https://yba.health/fhir/SubscriptionTopic/encounter-start"`) {
		t.Error("the topics are not told")
	}
	for _, row := range routes() {
		want := `{"code":"` + row.code + `"}`
		if strings.HasPrefix(row.code, "$") {
			want = `{"name":"` + row.code[1:] + `","definition":"` + row.definition + `"`
			if row.parameters != nil {
				want += `,"documentation":`
			}
		}
		if row.code != "" && row.code != "capabilities" && !strings.Contains(string(x.GetBody()), want) {
			t.Errorf("%s %s: no %s", row.method, row.path, want)
		}
		if strings.HasPrefix(row.code, "$") && row.definition == "" {
			t.Errorf("%s names no definition", row.code)
		}
	}
}

func TestTextParametersAreAnnounced(t *testing.T) {
	d, ctx := describe(t), t.Context()
	x, err := d.Capabilities(ctx, &recordsv1.CapabilitiesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var statement struct {
		Rest []struct {
			Resource []struct {
				Type        string
				SearchParam []struct{ Name, Type string }
			}
		}
	}
	if err := json.Unmarshal(x.GetBody(), &statement); err != nil {
		t.Fatal(err)
	}
	for _, resource := range statement.Rest[0].Resource {
		for _, name := range []string{"_text", "_content"} {
			if !slices.ContainsFunc(resource.SearchParam, func(p struct{ Name, Type string }) bool { return p.Name == name && p.Type == "string" }) {
				t.Errorf("%s is not announced for %s", name, resource.Type)
			}
		}
	}
}
