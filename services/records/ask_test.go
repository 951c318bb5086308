package records

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

func bundleOf(kind string, entries ...string) *recordsv1.TransactRequest {
	return &recordsv1.TransactRequest{Bundle: []byte(`{"resourceType":"Bundle","type":"` + kind + `","entry":[` + strings.Join(entries, ",") + `]}`)}
}

func TestABundleAsksWhateverReads(t *testing.T) {
	r, ctx := open(t)
	p := create(ctx, t, r, "Patient", person("Lê", "An", "1", "95012", "1950")).GetId()
	create(ctx, t, r, "Observation", observation(p, "8867-4", "2026-01-02", "70"))
	set := create(ctx, t, r, "ValueSet", `{"resourceType":"ValueSet","status":"active","compose":{"include":[{"system":"http://hl7.org/fhir/administrative-gender"}]}}`).GetId()
	const gender = "http://hl7.org/fhir/administrative-gender"
	good := `{"resourceType":"Organization","name":"A"}`
	wrapped := `{"resourceType":"Parameters","parameter":[{"name":"resource","resource":` + person("Lê", "An", "1", "95012", "1950") + `}]}`
	for _, tt := range []struct{ entry, status, holds string }{
		{request("GET", "Patient/"+p, ""), "200", `"resourceType":"Patient"`},
		{request("GET", "/Patient/"+p, ""), "200", `"resourceType":"Patient"`},
		{request("GET", "http://test/fhir/R4/Patient/"+p, ""), "200", `"resourceType":"Patient"`},
		{request("GET", "Patient/"+p+"?_elements=gender", ""), "200", "SUBSETTED"},
		{request("GET", "Patient/"+p+"/_history/1?_summary=true", ""), "200", "SUBSETTED"},
		{request("GET", "Patient/"+p+"/Observation?code=8867-4", ""), "200", `"searchset"`},
		{request("GET", "Patient/"+p+"/*?_count=1", ""), "200", `"searchset"`},
		{request("GET", "?_type=Patient", ""), "200", `"searchset"`},
		{request("GET", "_history?_count=1", ""), "200", `"history"`},
		{request("GET", "metadata", ""), "200", `"CapabilityStatement"`},
		{request("GET", "Patient/"+p+"/$everything?_type=Observation", ""), "200", "8867-4"},
		{with("POST", "Patient/"+p+"/$everything", `{"resourceType":"Parameters","parameter":[{"name":"_type","valueCode":"Observation"}]}`, ""), "200", "8867-4"},
		{with("POST", "Patient/$match", wrapped, ""), "200", "match-grade"},
		{request("GET", "Observation/$lastn?patient="+p, ""), "200", "8867-4"},
		{with("POST", "Observation/$lastn", `{"resourceType":"Parameters","parameter":[{"name":"patient","valueString":"`+p+`"}]}`, ""), "200", "8867-4"},
		{request("GET", "Patient/"+p+"/$meta", ""), "200", `"valueMeta"`},
		{with("POST", "Organization/$validate", good, ""), "200", "dom-6"},
		{with("POST", "Organization/$validate?mode=update", good, ""), "200", `"severity":"error"`},
		{request("GET", "Patient/"+p+"/$validate", ""), "200", "dom-6"},
		{request("GET", "ValueSet/"+set+"/$expand?filter=fem", ""), "200", `"female"`},
		{request("GET", "ValueSet/"+set+"/$validate-code?code=male&system="+gender, ""), "200", `"valueBoolean":true`},
		{request("GET", "CodeSystem/$lookup?code=male&system="+gender, ""), "200", `"Male"`},
		{request("GET", "CodeSystem/$validate-code?code=x&url="+gender, ""), "200", `"valueBoolean":false`},
		{request("HEAD", "Patient/"+p, ""), "200", ""},
		{request("GET", "Patient/nobody", ""), "404", "Bundle.entry[0]"},
		{request("GET", "Patient/"+p+"/$expand", ""), "400", "Bundle.entry[0].request.url"},
		{request("GET", "http://elsewhere/fhir/Patient/"+p, ""), "400", "Bundle.entry[0].request.url"},
		{with("POST", "Patient/"+p+"/$meta-add", `{"resourceType":"Parameters"}`, ""), "400", "changes nothing"},
		{with("POST", "Patient/$merge", `{"resourceType":"Parameters"}`, ""), "400", "changes nothing"},
	} {
		b, err := r.Transact(ctx, bundleOf("batch", tt.entry))
		if err != nil {
			t.Fatalf("%s: %v", tt.entry, err)
		}
		if a := answers(t, b)[0]; !strings.HasPrefix(a.Response.Status, tt.status) || !strings.Contains(string(b.GetBody()), tt.holds) {
			t.Errorf("%s: %s", tt.entry, b.GetBody())
		}
	}
}

// TestEveryQuestionOfTheRESTFaceCanStandInABundle goes by the description that
// the face gives of itself, so that no reading operation lacks a row.
func TestEveryQuestionOfTheRESTFaceCanStandInABundle(t *testing.T) {
	r, _ := open(t)
	w := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/fhir/R4/openapi.json", nil)
	req.Header.Set("Authorization", "Bearer good")
	faceOf(t, r, gate{}).ServeHTTP(w, req)
	var api struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal(w.Body.Bytes(), &api); err != nil {
		t.Fatalf("%v: %.200s", err, w.Body)
	}
	// What writes, what is no resource, and what belongs to one connection.
	besides := regexp.MustCompile(`\$(merge|unmerge|meta-add|meta-delete|export|import|status|events|get-ws-binding-token|secret|dead-letters|resend|notifications)|_search$|\.json$|well-known`)
	names := strings.NewReplacer("{type}", "Patient", "{compartment}", "Patient", "{id}", "x", "{version}", "1")
	n := 0
	for path, methods := range api.Paths {
		for method := range methods {
			if besides.MatchString(path) || method != "get" && !strings.Contains(path, "$") {
				continue
			}
			n++
			if _, ok := questionOf(strings.ToUpper(method), names.Replace(strings.TrimPrefix(path, "/")), rooted(t, `{}`)); !ok {
				t.Errorf("%s %s has no row", method, path)
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d addresses", n)
	}
}

func TestEachEntryHasItsOwnRight(t *testing.T) {
	r, ctx := open(t)
	p := create(ctx, t, r, "Patient", person("Lê", "An", "1", "95012", "1950")).GetId()
	r.enter = func(ctx context.Context, method string) (context.Context, error) {
		if method == "LastN" || method == "Match" {
			return ctx, fault.New(fault.Forbidden, "you may not do this", nil)
		}
		return ctx, nil
	}
	b, err := r.Transact(ctx, bundleOf("batch",
		request("GET", "Observation/$lastn?patient="+p, ""), with("POST", "Patient/$match", `{"resourceType":"Parameters"}`, ""), request("GET", "Patient/"+p+"/$meta", "")))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range answers(t, b) {
		got = append(got, a.Response.Status[:3])
	}
	if !slices.Equal(got, []string{"403", "403", "200"}) {
		t.Errorf("%v", got)
	}
}

func TestEntriesOfABatchDoNotReferToEachOther(t *testing.T) {
	r, ctx := open(t)
	b, err := r.Transact(ctx, bundleOf("batch",
		post("urn:uuid:1", person("Lê", "An", "1", "95012", "1950"), ""),
		post("urn:uuid:2", strings.Replace(observation("x", "1", "2026", "1"), "Patient/x", "urn:uuid:1", 1), "")))
	if err != nil {
		t.Fatal(err)
	}
	got := answers(t, b)
	if got[0].Response.Status[:3] != "201" || got[1].Response.Status[:3] != "422" || !strings.Contains(string(got[1].Response.Outcome), "Bundle.entry[1].resource.subject.reference") {
		t.Errorf("%s", b.GetBody())
	}
}

func TestAPlaceholderThatNoEntryHasIsRefusedAlsoWhereNoneHasAFullURL(t *testing.T) {
	r, ctx := open(t)
	_, err := r.Transact(ctx, transaction(with("POST", "Observation", strings.Replace(observation("x", "1", "2026", "1"), "Patient/x", "urn:uuid:1", 1), "")))
	if f := fault.Of(err); f.Class != fault.Unprocessable || f.At != "Bundle.entry[0].resource.subject.reference" {
		t.Errorf("%v at %q", err, f.At)
	}
}

func TestTheSameInOtherWordsMakesNoVersion(t *testing.T) {
	r, ctx := open(t)
	sent := `{"resourceType":"Observation","id":"a","status":"final","code":{"text":"Nghệ"},"valueQuantity":{"value":1.0,"unit":"kg"}}`
	put := func(body string) *recordsv1.Resource {
		t.Helper()
		x, err := r.Update(ctx, &recordsv1.UpdateRequest{Type: "Observation", Id: "a", Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	first := put(sent)
	for _, body := range []string{
		string(first.GetBody()),
		`{"id":"a","code":{"text":"Ngh\u1ec7"},"valueQuantity":{"unit":"kg","value":1.0},"status":"final","resourceType":"Observation"}`,
		"{\n  \"resourceType\": \"Observation\",\n  \"meta\": {\"lastUpdated\": \"2001-01-01T00:00:00Z\"},\n" + strings.TrimPrefix(sent, `{"resourceType":"Observation",`),
	} {
		x := put(body)
		if x.GetVersion() != 1 || string(x.GetBody()) != string(first.GetBody()) {
			t.Errorf("%s: version %d, %s", body, x.GetVersion(), x.GetBody())
		}
	}
	b, err := r.Transact(ctx, transaction(with("PUT", "Observation/a", `{"status":"final","resourceType":"Observation","id":"a","code":{"text":"Nghệ"},"valueQuantity":{"value":1.0,"unit":"kg"}}`, "")))
	if err != nil || !strings.HasSuffix(answers(t, b)[0].Response.Location, "/_history/1") {
		t.Errorf("%v: %s", err, b.GetBody())
	}
	// Another precision is another value.
	if x := put(strings.Replace(sent, "1.0", "1.00", 1)); x.GetVersion() != 2 || !strings.Contains(string(x.GetBody()), "1.00") {
		t.Errorf("version %d: %s", x.GetVersion(), x.GetBody())
	}
}

func TestACriterionMayBeWrittenAsAnAddress(t *testing.T) {
	r, ctx := open(t)
	first := create(ctx, t, r, "Organization", organization("A")).GetId()
	for _, condition := range []string{"identifier=http://x|1", "?identifier=http://x|1", "Organization?identifier=http://x|1", "http://test/fhir/R4/Organization?identifier=http://x|1"} {
		x, err := r.Create(ctx, &recordsv1.CreateRequest{Type: "Organization", Body: []byte(organization("A")), IfNoneExist: condition})
		if err != nil || x.GetId() != first {
			t.Errorf("%s: %v %v", condition, x, err)
		}
	}
	if _, err := r.Create(ctx, &recordsv1.CreateRequest{Type: "Organization", Body: []byte(organization("A")), IfNoneExist: "Patient?identifier=http://x|1"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("another type: %v", err)
	}
}

func TestEverythingKeepsToTheDatesOfCare(t *testing.T) {
	r, ctx := open(t)
	p := create(ctx, t, r, "Patient", person("Lê", "An", "1", "95012", "1950")).GetId()
	create(ctx, t, r, "Observation", observation(p, "1", "2026-01-02", "70"))
	create(ctx, t, r, "Observation", observation(p, "2", "2026-02-03", "70"))
	create(ctx, t, r, "Encounter", `{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/`+p+`"},"period":{"start":"2025-12-01","end":"2026-01-20"}}`)
	for query, want := range map[string]int{
		"":                                       4,
		"start=2026-01-03":                       3, // the person, the stay that goes on, February
		"end=2026-01-02":                         3,
		"start=2026-01-03&end=2026-01-31":        2,
		"start=2026-01-21&end=2026-01-31":        1,
		"start=2026&_type=Observation":           2,
		"_since=2100":                            0,
		"start=2026-01-03&_pretty=true&_count=9": 3,
	} {
		b, err := r.Everything(ctx, &recordsv1.EverythingRequest{Patient: p, Query: query})
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if n := bundle(t, b.GetBody()).entries; n != want {
			t.Errorf("%s: %d entries, not %d", query, n, want)
		}
	}
	body := []byte(`{"resourceType":"Parameters","parameter":[{"name":"start","valueDate":"2026-01-03"},{"name":"_type","valueCode":"Observation"},{"name":"_type","valueCode":"Encounter"},{"name":"_count","valueInteger":1}]}`)
	b, err := r.Everything(ctx, &recordsv1.EverythingRequest{Patient: p, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	first := bundle(t, b.GetBody())
	_, query, _ := strings.Cut(first.next, "?")
	if b, err = r.Everything(ctx, &recordsv1.EverythingRequest{Patient: p, Query: query}); err != nil {
		t.Fatal(err)
	}
	if second := bundle(t, b.GetBody()); first.entries != 1 || second.entries != 1 || second.next != "" || second.ids[0] == first.ids[0] {
		t.Errorf("%s\n%s", first.body, second.body)
	}
	for _, query := range []string{"start=x", "end=2026-13", "_type=Foo", "_count=0", "_elements=id", "_cursor=x"} {
		if _, err := r.Everything(ctx, &recordsv1.EverythingRequest{Patient: p, Query: query}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// TestEverythingBringsAlongWhatSupportsTheRecord follows "whatever resources
// are needed to support the records" of
// https://hl7.org/fhir/R4/patient-operation-everything.html.
func TestEverythingBringsAlongWhatSupportsTheRecord(t *testing.T) {
	r, ctx := open(t)
	made := func(typ, body string) string {
		return typ + "/" + create(ctx, t, r, typ, `{"resourceType":"`+typ+`",`+body+`}`).GetId()
	}
	clinic, doctor := made("Organization", `"name":"Trạm"`), made("Practitioner", `"active":true`)
	made("Organization", `"name":"Nobody's"`)
	p := create(ctx, t, r, "Patient", person("Lê", "An", "1", "95012", "1950")).GetId()
	other := create(ctx, t, r, "Patient", person("Lê", "Ba", "2", "95015", "1950")).GetId()
	own := []string{"Patient/" + p}
	for range 3 {
		own = append(own, made("Encounter", `"status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/`+p+`"},"serviceProvider":{"reference":"`+clinic+`"}`))
	}
	own = append(own, made("Observation", `"status":"final","code":{"text":"x"},"subject":{"reference":"Patient/`+p+`"},"performer":[{"reference":"`+doctor+`"},{"reference":"Patient/`+other+`"}]`))
	for query, want := range map[string][]string{
		"": append([]string{clinic, doctor}, own...), "_type=Organization,Observation": {clinic, own[4]}, "_type=Practitioner": {doctor}, "_type=Encounter": own[1:4], "_since=2100": nil,
	} {
		slices.Sort(want)
		for _, count := range []string{"1", "2", "5", "6", "100"} {
			for _, as := range []context.Context{ctx, nurse(t.Context(), "95012")} {
				var got []string
				for next := "_count=" + count + "&" + query; next != ""; {
					b, err := r.Everything(as, &recordsv1.EverythingRequest{Patient: p, Query: next})
					if err != nil {
						t.Fatal(err)
					}
					var page struct {
						Link  []struct{ Relation, URL string }
						Entry []struct {
							Resource struct{ ResourceType, ID string }
							Search   struct{ Mode string }
						}
					}
					if err := json.Unmarshal(b.GetBody(), &page); err != nil {
						t.Fatal(err)
					}
					for _, e := range page.Entry {
						name := e.Resource.ResourceType + "/" + e.Resource.ID
						got = append(got, name)
						if (e.Search.Mode == "match") != slices.Contains(own, name) {
							t.Errorf("%s: %s is a %s", query, name, e.Search.Mode)
						}
					}
					next = ""
					if l := page.Link[len(page.Link)-1]; l.Relation == "next" {
						_, next, _ = strings.Cut(l.URL, "?")
					}
				}
				if slices.Sort(got); !slices.Equal(got, want) {
					t.Errorf("%s in pages of %s: %v, want %v", query, count, got, want)
				}
			}
		}
	}
}

// TestARehearsalTellsWhatTheInteractionWouldAndLeavesNothing asks $validate
// with a mode.
func TestARehearsalTellsWhatTheInteractionWouldAndLeavesNothing(t *testing.T) {
	r, ctx := open(t)
	p := create(ctx, t, r, "Patient", person("Lê", "An", "1", "95012", "1950")).GetId()
	create(ctx, t, r, "Observation", observation(p, "1", "2026", "70"))
	before := search(ctx, t, r, "", "_type=Patient,Observation&_total=accurate").total
	for name, tt := range map[string]struct {
		req  *recordsv1.ValidateRequest
		want string
		bad  bool
	}{
		"a create":                      {&recordsv1.ValidateRequest{Type: "Observation", Mode: "create", Body: []byte(observation(p, "1", "2026", "70"))}, "dom-6", false},
		"a create for nobody":           {&recordsv1.ValidateRequest{Type: "Observation", Mode: "create", Body: []byte(observation("nobody", "1", "2026", "70"))}, "not here", true},
		"an update":                     {&recordsv1.ValidateRequest{Type: "Patient", Id: p, Mode: "update", Body: []byte(`{"resourceType":"Patient","id":"` + p + `"}`)}, "dom-6", false},
		"a deletion of what is in use":  {&recordsv1.ValidateRequest{Type: "Patient", Id: p, Mode: "delete"}, "still referred to by Observation", true},
		"the base profile of a version": {&recordsv1.ValidateRequest{Type: "Patient", Id: p, Profile: "http://hl7.org/fhir/StructureDefinition/Patient|4.0.1"}, "dom-6", false},
		"the profile of all":            {&recordsv1.ValidateRequest{Type: "Patient", Id: p, Profile: "http://hl7.org/fhir/StructureDefinition/DomainResource"}, "dom-6", false},
		"the profile of another":        {&recordsv1.ValidateRequest{Type: "Patient", Id: p, Profile: "http://hl7.org/fhir/StructureDefinition/Observation"}, "not-supported", true},
	} {
		x, err := r.Validate(ctx, tt.req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var out struct{ Issue []struct{ Severity string } }
		if err := json.Unmarshal(x.GetBody(), &out); err != nil {
			t.Fatal(err)
		}
		bad := false
		for _, i := range out.Issue {
			bad = bad || i.Severity == "error"
		}
		if bad != tt.bad || !strings.Contains(string(x.GetBody()), tt.want) {
			t.Errorf("%s: %s", name, x.GetBody())
		}
	}
	if n := search(ctx, t, r, "", "_type=Patient,Observation&_total=accurate").total; n != before {
		t.Errorf("%d resources, not %d", n, before)
	}
	if x, err := r.Read(ctx, &recordsv1.ReadRequest{Type: "Patient", Id: p}); err != nil || x.GetVersion() != 1 {
		t.Errorf("%v %v", x, err)
	}
	r.enter = func(ctx context.Context, method string) (context.Context, error) {
		if method == "Delete" {
			return ctx, fault.New(fault.Forbidden, "you may not do this", nil)
		}
		return ctx, nil
	}
	if _, err := r.Validate(ctx, &recordsv1.ValidateRequest{Type: "Patient", Id: p, Mode: "delete"}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("without the right: %v", err)
	}
}

func rooted(t *testing.T, text string) fhir.Value {
	t.Helper()
	doc, err := fhir.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc.Root()
}
