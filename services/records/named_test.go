package records

import (
	"slices"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/guard"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
)

func TestWhoIsAskedForByNameStandsInTheAuditLogAlsoWhereNothingIsFound(t *testing.T) {
	r, ctx := open(t)
	hoa := create(ctx, t, r, "Patient", person("Lê", "Hoa", "099150000001", "95012", "1950")).GetId()
	far := create(ctx, t, r, "Patient", person("Lê", "Xa", "099150000002", "95015", "1950")).GetId()
	weight := create(ctx, t, r, "Observation", observation(hoa, "29463-7", "2026-01-01", "60")).GetId()
	notes := make(chan *accessv1.AuditEntry, 100)
	h := faceOf(t, r, doors{notes: notes, scopes: map[string]*guard.Scope{"nurse": {Communes: []string{"95012@2025-07-01"}, Shared: true}}})
	merge := `{"resourceType":"Parameters","parameter":[{"name":"source-patient","valueReference":{"reference":"Patient/` + hoa + `"}},{"name":"target-patient","valueReference":{"reference":"Patient/` + far + `"}}]}`
	for _, tt := range []struct {
		method, path, body string
		want               []string
	}{
		{"GET", "/Observation/$lastn?patient=" + hoa + "&code=1", "", []string{hoa + " Observation"}},
		{"GET", "/Observation/$lastn?subject=" + hoa + "&code=1", "", []string{hoa + " Observation"}},
		{"GET", "/Observation/$lastn?patient=" + hoa, "", []string{hoa + " Observation"}},
		{"GET", "/Observation/$lastn?patient=" + far, "", []string{far + " Observation"}},
		{"GET", "/Observation?patient=" + hoa + "&code=1", "", []string{hoa + " Observation"}},
		{"GET", "/Observation?patient=" + hoa, "", []string{hoa + " Observation"}},
		{"GET", "/Observation?subject=Patient/" + far, "", []string{far + " Observation"}},
		{"GET", "/Observation?patient=" + hoa + "," + far, "", []string{far + " Observation", hoa + " Observation"}},
		{"GET", "/Observation?patient=" + hoa + "&_summary=count", "", []string{hoa + " Observation"}},
		{"GET", "/Condition?patient:Patient._id=" + far, "", []string{" "}}, // a chain names no one by itself
		{"GET", "/Patient?_id=" + far, "", []string{far + " Patient"}},
		{"GET", "/Patient/" + hoa + "/Condition", "", []string{hoa + " Condition"}},
		{"GET", "/Patient/" + hoa + "/*?_lastUpdated=gt2999", "", []string{hoa + " "}},
		{"POST", "/Condition/_search", "patient=" + hoa, []string{hoa + " Condition"}},
		{"GET", "/Observation?code=1", "", []string{" "}},
		{"GET", "/Observation?subject:not-in=x", "", []string{" "}}, // refused
		{"GET", "/Patient/" + hoa + "/$everything?_since=2999", "", []string{hoa + " "}},
		{"GET", "/Patient/" + hoa + "/_history?_since=2999-01-01T00:00:00Z", "", []string{hoa + " Patient/" + hoa}},
		{"GET", "/Patient/" + far + "/_history", "", []string{far + " Patient/" + far}},
		{"GET", "/Patient/" + far + "/$meta", "", []string{far + " Patient/" + far}},
		{"GET", "/Patient/" + far, "", []string{far + " Patient/" + far}},
		{"GET", "/Observation/" + weight + "/$meta", "", []string{hoa + " Observation/" + weight}},
		{"POST", "/Patient/$merge", merge, []string{hoa + " Patient/" + hoa}}, // the other one is out of reach
	} {
		kind := "application/fhir+json"
		if strings.HasSuffix(tt.path, "_search") {
			kind = "application/x-www-form-urlencoded"
		}
		raw(h, "nurse", tt.method, tt.path, strings.NewReader(tt.body), "Content-Type", kind)
		// The log is written in the order of the operations.
		raw(h, "nurse", "GET", "/Basic/end", nil)
		var got []string
		for e := range notes {
			if e.GetTarget() == "Basic/end" {
				break
			}
			got = append(got, e.GetPatient()+" "+e.GetTarget())
		}
		slices.Sort(got)
		if want := slices.Sorted(slices.Values(tt.want)); !slices.Equal(got, want) {
			t.Errorf("%s %s is noted as %q, not %q", tt.method, tt.path, got, want)
		}
	}
}
