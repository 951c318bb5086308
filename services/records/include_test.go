package records

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// brought runs a search and returns "mode Type/id" of each entry, sorted.
func brought(ctx context.Context, t testing.TB, r *Records, typ, query string) []string {
	t.Helper()
	b, err := r.Search(ctx, &recordsv1.SearchRequest{Type: typ, Query: query})
	if err != nil {
		t.Fatalf("%s?%s: %v", typ, query, err)
	}
	var x struct {
		Entry []struct {
			Resource struct {
				ID, ResourceType string
				Meta             struct{ VersionID string }
			}
			Search struct{ Mode string }
		}
	}
	if err := json.Unmarshal(b.GetBody(), &x); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range x.Entry {
		s := e.Search.Mode + " " + e.Resource.ResourceType + "/" + e.Resource.ID
		if e.Search.Mode == "outcome" {
			s = "outcome"
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

func TestIncludesBringAlongWhatIsAskedFor(t *testing.T) {
	r, ctx := loose(t)
	village(ctx, t, r)
	for _, tt := range []struct{ typ, query, all, few string }{
		{"Observation", "_id=sys-hoa&_include=Observation:subject", "include Patient/hoa, match Observation/sys-hoa", ""},
		{"Observation", "_id=sys-hoa&_include=Observation:subject:Group", "match Observation/sys-hoa", ""},
		{
			"Observation", "_id=sys-hoa&_include=Observation:subject&_include:iterate=Patient:organization&_include:iterate=Organization:partof",
			"include Organization/province, include Organization/station, include Patient/hoa, match Observation/sys-hoa", "",
		},
		{"Observation", "_id=sys-hoa&_include=Observation:subject&_include:iterate=Organization:partof", "include Patient/hoa, match Observation/sys-hoa", ""},
		{"Observation", "_id=sys-hoa&_include=*", "include Encounter/e-hoa, include Patient/hoa, include Practitioner/dr, match Observation/sys-hoa", ""},
		{"Observation", "_id=sys-hoa&_include=Observation:*:Practitioner", "include Practitioner/dr, match Observation/sys-hoa", ""},
		{"Patient", "_id=hoa&_revinclude=Condition:patient", "include Condition/c-hoa, match Patient/hoa", ""},
		{"Patient", "_id=hoa&_revinclude=Condition:patient&_include:iterate=Condition:encounter", "include Condition/c-hoa, include Encounter/e-hoa, match Patient/hoa", ""},
		{"Patient", "_id=hoa&_revinclude=Encounter:patient&_revinclude:iterate=Condition:encounter", "include Condition/c-hoa, include Encounter/e-hoa, match Patient/hoa", ""},
		{
			"Patient", "_id=hoa&_revinclude=Observation:*&_revinclude=List:item",
			"include List/watch, include Observation/dia-hoa, include Observation/sys-hoa, match Patient/hoa", "",
		},
		{
			"Practitioner", "_id=dr&_revinclude=Patient:general-practitioner", "include Patient/dung, include Patient/hoa, match Practitioner/dr",
			"include Patient/hoa, match Practitioner/dr",
		},
		{"List", "_include=List:item", "include Observation/sys-dung, include Patient/dung, include Patient/hoa, match List/watch", "include Patient/hoa, match List/watch"},
		{
			"Organization", "_id=station&_revinclude=Encounter:service-provider&_include:iterate=Encounter:patient",
			"include Encounter/e-dung, include Encounter/e-hoa, include Patient/dung, include Patient/hoa, match Organization/station",
			"include Encounter/e-hoa, include Patient/hoa, match Organization/station",
		},
	} {
		if tt.few == "" {
			tt.few = tt.all
		}
		if got := strings.Join(brought(ctx, t, r, tt.typ, tt.query), ", "); got != tt.all {
			t.Errorf("%s?%s brings\n%s, not\n%s", tt.typ, tt.query, got, tt.all)
		}
		if got := strings.Join(brought(nurse(t.Context(), "95012"), t, r, tt.typ, tt.query), ", "); got != tt.few {
			t.Errorf("a nurse asks %s?%s and gets\n%s, not\n%s", tt.typ, tt.query, got, tt.few)
		}
	}
}

func TestIncludesComeOnEveryPageAndEndInCircles(t *testing.T) {
	r, ctx := loose(t)
	for i := range 3 {
		put(ctx, t, r, "Organization", fmt.Sprint("o", i), fmt.Sprintf(`{"name":"a","partOf":{"reference":"Organization/o%d"}}`, (i+1)%3))
	}
	query := "_id=o0&_include:iterate=Organization:partof&_revinclude:iterate=Organization:partof"
	if got := strings.Join(brought(ctx, t, r, "Organization", query), ", "); got != "include Organization/o1, include Organization/o2, match Organization/o0" {
		t.Error(got)
	}
	query = "name=a&_sort=_id&_count=1&_include=Organization:partof"
	for page := range 3 {
		f := search(ctx, t, r, "Organization", query)
		if want := []string{fmt.Sprint("o", page), fmt.Sprint("o", (page+1)%3)}; !slices.Equal(f.ids, want) {
			t.Errorf("page %d holds %v", page, f.ids)
		}
		_, query, _ = strings.Cut(f.next, "?")
	}
}

func TestWhatIsNotIncludedIsSaid(t *testing.T) {
	r, ctx := loose(t)
	put(ctx, t, r, "Organization", "o", `{"name":"a"}`)
	var entries []string
	for range maxIncluded + 1 {
		entries = append(entries, `{"resource":{"resourceType":"Location","managingOrganization":{"reference":"Organization/o"}},"request":{"method":"POST","url":"Location"}}`)
	}
	if _, err := r.Transact(ctx, transaction(entries...)); err != nil {
		t.Fatal(err)
	}
	got := brought(ctx, t, r, "Organization", "_revinclude=Location:organization")
	if len(got) != maxIncluded+2 || !slices.Contains(got, "outcome") {
		t.Errorf("%d entries, outcome %v", len(got), slices.Contains(got, "outcome"))
	}
	for i := range maxRounds + 2 {
		put(ctx, t, r, "Organization", fmt.Sprint("n", i), fmt.Sprintf(`{"name":"n","partOf":{"reference":"Organization/n%d"}}`, i+1))
	}
	got = brought(ctx, t, r, "Organization", "_id=n0&_include:iterate=Organization:partof")
	if len(got) != maxRounds+2 || got[len(got)-1] != "outcome" {
		t.Errorf("a long chain brings %v", got)
	}
}

func TestIncludesFollowCanonicalsAndVersions(t *testing.T) {
	r, ctx := loose(t)
	put(ctx, t, r, "Questionnaire", "q1", `{"status":"active","url":"http://q","version":"1"}`)
	put(ctx, t, r, "Questionnaire", "q2", `{"status":"active","url":"http://q","version":"2"}`)
	put(ctx, t, r, "QuestionnaireResponse", "a", `{"status":"completed","questionnaire":"http://q|2"}`)
	put(ctx, t, r, "QuestionnaireResponse", "b", `{"status":"completed","questionnaire":"http://q"}`)
	for id, want := range map[string]string{
		"a": "include Questionnaire/q2, match QuestionnaireResponse/a",
		"b": "include Questionnaire/q1, include Questionnaire/q2, match QuestionnaireResponse/b",
	} {
		if got := strings.Join(brought(ctx, t, r, "QuestionnaireResponse", "_id="+id+"&_include=QuestionnaireResponse:questionnaire"), ", "); got != want {
			t.Errorf("%s brings %s", id, got)
		}
	}
	put(ctx, t, r, "Organization", "v", `{"name":"first"}`)
	put(ctx, t, r, "Organization", "v", `{"name":"second"}`)
	put(ctx, t, r, "Location", "old", `{"managingOrganization":{"reference":"Organization/v/_history/1"}}`)
	put(ctx, t, r, "Location", "new", `{"managingOrganization":{"reference":"Organization/v"}}`)
	for id, name := range map[string]string{"old": "first", "new": "second"} {
		if f := search(ctx, t, r, "Location", "_id="+id+"&_include=Location:organization"); f.entries != 2 || !strings.Contains(string(f.body), name) {
			t.Errorf("%s brings %s", id, f.body)
		}
	}
	// Both are on one page, and so are the versions that they mean, each once.
	f := search(ctx, t, r, "Location", "_include=Location:organization")
	if f.entries != 4 || !strings.Contains(string(f.body), "first") || !strings.Contains(string(f.body), "second") {
		t.Errorf("the two bring %s", f.body)
	}
	put(ctx, t, r, "Location", "old", `{"managingOrganization":{"reference":"Organization/v/_history/2"}}`)
	if f := search(ctx, t, r, "Location", "_include=Location:organization"); f.entries != 3 {
		t.Errorf("two references to one version bring %s", f.body)
	}
	put(ctx, t, r, "Organization", "v", `{"name":"third","partOf":{"reference":"Organization/v/_history/3"}}`)
	if f := search(ctx, t, r, "Organization", "_include=Organization:partof"); f.entries != 1 {
		t.Errorf("the match itself is brought: %s", f.body)
	}
}
