package records

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// TestTheSystemOfACodeElementIsItsBindings asks as the clients do that write
// every token with its system.
func TestTheSystemOfACodeElementIsItsBindings(t *testing.T) {
	r, ctx := loose(t)
	n := store(t, r, "Patient", map[string]string{
		"woman": `"gender":"female","active":true,"identifier":[{"system":"http://n","value":"female"}]`,
		"man":   `"gender":"male","active":false`, "child": `"language":"en"`,
	})
	gender := "http://hl7.org/fhir/administrative-gender"
	for _, tt := range []struct{ query, want string }{
		{"gender=" + gender + "|female", "woman"},
		{"gender=" + gender + "|female," + gender + "|male", "woman man"},
		{"gender=" + gender + "|", "woman man"},
		{"gender:not=" + gender + "|female", "man child"},
		{"gender=http://other|female", ""},
		{"gender=" + gender + "|Female", ""},
		{"gender=|female", "woman"},
		{"identifier=" + gender + "|female", ""},
		{"active=http://terminology.hl7.org/CodeSystem/special-values|true", "woman"},
		{"active=http://terminology.hl7.org/CodeSystem/special-values|", "woman man"},
		{"gender:in=http://hl7.org/fhir/ValueSet/administrative-gender", "woman man"},
		{"gender:not-in=http://hl7.org/fhir/ValueSet/administrative-gender", "child"},
		{"gender:in=http://test/otherwise", ""},
		{"gender:below=" + gender + "|female", "woman"},
	} {
		if strings.Contains(tt.query, "otherwise") {
			create(ctx, t, r, "ValueSet", `{"resourceType":"ValueSet","url":"http://test/otherwise","status":"active","compose":{"include":[{"system":"http://other","concept":[{"code":"female"}]}]}}`)
		}
		n.expect(t, r, "Patient?"+tt.query, tt.want)
	}
	o := store(t, r, "Observation", map[string]string{"final": `"status":"final","code":{"text":"x"}`, "amended": `"status":"amended","code":{"text":"x"}`})
	o.expect(t, r, "Observation?status=http://hl7.org/fhir/observation-status|final", "final")
	d := store(t, r, "DocumentReference", map[string]string{"pdf": `"status":"current","content":[{"attachment":{"contentType":"application/pdf","language":"vi"}}]`, "none": `"status":"current","content":[{"attachment":{"title":"x"}}]`})
	d.expect(t, r, "DocumentReference?language=urn:ietf:bcp:47|vi", "pdf")
	d.expect(t, r, "DocumentReference?language=urn:ietf:bcp:47|", "pdf")
	d.expect(t, r, "DocumentReference?language=urn:ietf:bcp:13|vi", "")
	d.expect(t, r, "DocumentReference?contenttype=urn:ietf:bcp:13|application/pdf", "pdf")
}

func TestReferencesAreFollowedUpAndDownATree(t *testing.T) {
	r, ctx := loose(t)
	village(ctx, t, r)
	for _, x := range [][2]string{{"building", ""}, {"floor", "building"}, {"room", "floor"}, {"bed", "room"}, {"shed", ""}, {"a", "b"}, {"b", "a"}} {
		part := ""
		if x[1] != "" {
			part = `,"partOf":{"reference":"Location/` + x[1] + `"}`
		}
		put(ctx, t, r, "Location", x[0], `{"name":"`+x[0]+`"`+part+`}`)
		put(ctx, t, r, "Procedure", "p-"+x[0], `{"status":"completed","subject":{"reference":"Patient/hoa"},"location":{"reference":"Location/`+x[0]+`"}}`)
	}
	for _, tt := range []struct {
		query string
		want  []string
	}{
		{"Procedure?location:below=Location/floor", []string{"p-bed", "p-floor", "p-room"}},
		{"Procedure?location:below=floor", []string{"p-bed", "p-floor", "p-room"}},
		{"Procedure?location:below=http://test/fhir/R4/Location/floor", []string{"p-bed", "p-floor", "p-room"}},
		{"Procedure?location:above=room", []string{"p-building", "p-floor", "p-room"}},
		{"Procedure?location:below=bed,shed", []string{"p-bed", "p-shed"}},
		{"Procedure?location:below=a", []string{"p-a", "p-b"}},
		{"Procedure?location:above=a", []string{"p-a", "p-b"}},
		{"Procedure?location:below=nowhere", nil},
		{"Location?partof:below=building", []string{"bed", "floor", "room"}},
		{"Procedure?patient=hoa&location:below=building&_sort=_id", []string{"p-bed", "p-building", "p-floor", "p-room"}},
		{"Encounter?service-provider:below=province", []string{"e-dung", "e-hoa"}},
		{"Observation?encounter.service-provider:below=province", []string{"sys-dung", "sys-hoa"}},
		{"Observation?performer:below=Organization/province", []string{"dia-dung", "dia-hoa"}},
	} {
		got, total := ask(ctx, t, r, tt.query, "2")
		slices.Sort(got)
		if !slices.Equal(got, tt.want) || total != len(tt.want) {
			t.Errorf("%s finds %v of %d, not %v", tt.query, got, total, tt.want)
		}
	}
	// A tree that somebody does not reach ends where they reach no further.
	near := nurse(t.Context(), "95012")
	put(ctx, t, r, "Procedure", "whole", `{"status":"completed","subject":{"reference":"Patient/dung"}}`)
	put(ctx, t, r, "Procedure", "part", `{"status":"completed","subject":{"reference":"Patient/dung"},"partOf":[{"reference":"Procedure/whole"}]}`)
	put(ctx, t, r, "Procedure", "end", `{"status":"completed","subject":{"reference":"Patient/hoa"},"partOf":[{"reference":"Procedure/part"}]}`)
	for _, tt := range []struct {
		name string
		want int
	}{{"all", 2}, {"nurse", 0}} {
		c := ctx
		if tt.name == "nurse" {
			c = near
		}
		if got := search(c, t, r, "Procedure", "part-of:below=Procedure/whole"); len(got.ids) != tt.want {
			t.Errorf("%s finds %v", tt.name, got.ids)
		}
	}
	for _, query := range []string{"subject:below=Patient/hoa", "location:below=Patient/hoa", "device:below=x", "patient:above=Patient/hoa"} {
		if err := second(r.Search(ctx, &recordsv1.SearchRequest{Type: "Procedure", Query: query})); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// TestTheSelfLinkIsTheSearchAsItWasUnderstood follows
// https://hl7.org/fhir/R4/search.html#conformance.
func TestTheSelfLinkIsTheSearchAsItWasUnderstood(t *testing.T) {
	r, ctx := loose(t)
	village(ctx, t, r)
	for _, tt := range []struct {
		query, self string
		lenient     bool
	}{
		{"name=hoa", "name=hoa", false},
		{"name=hoa&colour=red&name=nguyen", "name=hoa&name=nguyen", true},
		{"name=&_sort=&_count=&gender=female&_type=&_include=", "gender=female", false},
		{"_count=5000", "_count=1000", false},
		{"_pretty=true&_format=json&name=a", "_pretty=true&_format=json&name=a", false},
		{"name=" + url.QueryEscape("Nguyễn Thị"), "name=" + url.QueryEscape("Nguyễn Thị"), false},
		{"name=a%5C%2Cb%2Cc", "name=a%5C%2Cb%2Cc", false},
		{"_contained=false&_filter=x", "_contained=false", true},
	} {
		b, err := r.Search(ctx, &recordsv1.SearchRequest{Type: "Patient", Query: tt.query, Lenient: tt.lenient})
		if err != nil {
			t.Errorf("%s: %v", tt.query, err)
			continue
		}
		var got struct {
			Link []struct{ Relation, URL string }
		}
		if err := json.Unmarshal(b.GetBody(), &got); err != nil {
			t.Fatal(err)
		}
		if want := "http://test/fhir/R4/Patient?" + tt.self; got.Link[0].Relation != "self" || got.Link[0].URL != want {
			t.Errorf("%s: %v, want %s", tt.query, got.Link, want)
		}
	}
}

func TestSearchesByFormTakeTheAddressAsWell(t *testing.T) {
	r, ctx := loose(t)
	village(ctx, t, r)
	call := calls(t, r)
	for _, tt := range []struct {
		path, form string
		want       []string
	}{
		{"/Observation/_search?status=final", "patient=hoa", []string{"sys-hoa"}},
		{"/Observation/_search", "patient=hoa&status=final", []string{"sys-hoa"}},
		{"/Observation/_search?patient=hoa", "", []string{"dia-hoa", "sys-hoa"}},
		{"/_search?_type=Patient,Encounter", "_id=hoa,e-hoa,sys-hoa", []string{"e-hoa", "hoa"}},
		{"/Patient/hoa/Observation/_search", "status=final", []string{"sys-hoa"}},
		{"/Patient/hoa/*/_search", "_type=Condition", []string{"c-hoa"}},
		{"/Patient/_search", "name=nguy%E1%BB%85n+hoa", []string{"hoa"}},
		{"/Observation/_search", "date=2026-01-02T00:00:00%2B07:00", nil},
		{"/Observation/_search", "date=ge2026-01-02T00:00:00+07:00&date=lt2026-02&patient=hoa", []string{"sys-hoa"}},
	} {
		w := call("POST", "/fhir/R4"+tt.path, tt.form, "Content-Type", "application/x-www-form-urlencoded")
		if w.Code != 200 {
			t.Errorf("%s with %s: %d %s", tt.path, tt.form, w.Code, w.Body)
			continue
		}
		got := bundle(t, w.Body.Bytes())
		slices.Sort(got.ids)
		if !slices.Equal(got.ids, tt.want) {
			t.Errorf("%s with %s finds %v", tt.path, tt.form, got.ids)
		}
	}
	// Several types at once, by address.
	if got := bundle(t, call("GET", "/fhir/R4?_type=Patient,Condition&_count=50", "").Body.Bytes()); len(got.ids) != 5 {
		t.Errorf("two types: %v", got.ids)
	}
}

func TestSpecialCharactersAreEscaped(t *testing.T) {
	r, ctx := loose(t)
	n := byName{}
	for name, value := range map[string]string{"comma": "a,b", "bar": "a|b", "dollar": "a$b", "slash": `a\b`, "plain": "a", "plus": "a+b", "percent": "a%b", "amp": "a&b=c"} {
		quoted, _ := json.Marshal(value)
		n[name] = create(ctx, t, r, "Organization", `{"resourceType":"Organization","name":`+string(quoted)+`,"identifier":[{"system":"http://n","value":`+string(quoted)+`}]}`).GetId()
	}
	for _, tt := range []struct{ value, want string }{
		{`a\,b`, "comma"},
		{`a\|b`, "bar"},
		{`a\$b`, "dollar"},
		{`a\\b`, "slash"},
		{`a`, "plain"},
		{`a+b`, "plus"},
		{`a%b`, "percent"},
		{`a&b=c`, "amp"},
		{`a,a\,b`, "plain comma"},
		{`a$b`, "dollar"},
		{`zz,b`, ""},
		{`a,,`, "plain"},
	} {
		for _, parameter := range []string{"identifier=", "identifier=http://n|", "name:exact="} {
			value := tt.value
			if strings.HasSuffix(parameter, "|") && strings.Contains(strings.ReplaceAll(value, `\,`, ""), ",") {
				continue // each value has its system
			}
			got := search(ctx, t, r, "Organization", parameter+strings.ReplaceAll(url.QueryEscape(value), "+", "%20"))
			var names []string
			for name, id := range n {
				if slices.Contains(got.ids, id) {
					names = append(names, name)
				}
			}
			slices.Sort(names)
			want := strings.Fields(tt.want)
			slices.Sort(want)
			if !slices.Equal(names, want) {
				t.Errorf("%s%s finds %v, not %v", parameter, value, names, want)
			}
		}
	}
}

func TestWildcardsIncludeWhateverRefersThere(t *testing.T) {
	r, ctx := loose(t)
	village(ctx, t, r)
	for _, tt := range []struct {
		address string
		want    []string
	}{
		{"Patient?_id=hoa&_revinclude=*", []string{"c-hoa", "dia-hoa", "e-hoa", "hoa", "sys-hoa", "watch"}},
		{"Patient?_id=hoa&_revinclude=Observation:*", []string{"dia-hoa", "hoa", "sys-hoa"}},
		{"Patient?_id=hoa&_revinclude=Observation:*:Patient", []string{"dia-hoa", "hoa", "sys-hoa"}},
		{"Patient?_id=hoa&_revinclude=Observation:*:Group", []string{"hoa"}},
		{"Observation?_id=sys-hoa&_include=*", []string{"dr", "e-hoa", "hoa", "sys-hoa"}},
		{"Observation?_id=sys-hoa&_include=Observation:*", []string{"dr", "e-hoa", "hoa", "sys-hoa"}},
		{"Observation?_id=sys-hoa&_include=Observation:encounter&_include:iterate=Encounter:service-provider&_include:iterate=Organization:partof", []string{"e-hoa", "province", "station", "sys-hoa"}},
		// A circle ends: each resource is there once.
		{"Observation?_id=dia-hoa&_include:iterate=Observation:has-member&_revinclude:iterate=Observation:has-member", []string{"dia-hoa", "sys-hoa"}},
		{"Patient?_id=hoa&_revinclude:iterate=*&_include:iterate=Encounter:subject", []string{"c-hoa", "dia-hoa", "e-hoa", "hoa", "sys-hoa", "watch"}},
	} {
		typ, query, _ := strings.Cut(tt.address, "?")
		got := search(ctx, t, r, typ, query)
		slices.Sort(got.ids)
		if !slices.Equal(got.ids, tt.want) {
			t.Errorf("%s finds %v, not %v", tt.address, got.ids, tt.want)
		}
	}
}

// TestARefusedSearchNamesTheParameterAndTheWayOut reads what a client is told.
func TestARefusedSearchNamesTheParameterAndTheWayOut(t *testing.T) {
	r, _ := open(t)
	call := calls(t, r)
	for _, tt := range []struct{ query, at, holds string }{
		{"Patient?colour=red", "colour", "handling=lenient"},
		{"Patient?name:not=x", "name:not", ":exact, :contains, :missing"},
		{"Patient?birthdate=1/2/1950", "birthdate", "2024-05-17"},
		{"Patient?birthdate:exact=1950", "birthdate:exact", "it has :missing"},
		{"Patient?_sort=colour", "_sort", "colour"},
		{"Patient?_count=many", "_count", "whole number"},
		{"Patient?_include=Patient:colour", "_include", "colour"},
		{"Patient?_query=mine", "_query", "no named queries"},
		{"Patient?_filter=name eq x", "_filter", "commas part alternatives"},
		{"Patient?_contained=true", "_contained", "search for what contains them"},
		{"Patient?_text:exact=x", "_text", "quoted phrases"},
		{"Patient?_total=some", "_total", "estimate"},
		{"Patient?_summary=some", "_summary", "count"},
		{"Patient?_lastUpdated:missing=true", "_lastUpdated:missing", "no modifiers"},
		{"Patient?identifier:of-type=x", "identifier:of-type", "system|code|value"},
		{"Observation?value-quantity=high", "value-quantity", "5.40"},
		{"Observation?code-value-quantity=1", "code-value-quantity", "joined by $"},
		{"Observation?patient:below=hoa", "patient:below", ":above or :below"},
		{"Task?focus:above=x", "focus:above", "Location/…"},
		{"Observation?subject.colour=red", "subject.colour", "handling=lenient"},
		{"Patient?_has:Observation:code=x", "_has:Observation:code", "_has:Type:reference:parameter"},
		{"Patient?deceased:in=http://nowhere", "", "nowhere"},
		{"Patient?_id=http://x|1", "_id", "no system"},
		{"Patient?_sort=name&_sort=-birthdate", "_sort", "commas"},
		{"Patient?_count=1&name=x&_count=2", "_count", "given once"},
	} {
		w := call("GET", "/fhir/R4/"+strings.ReplaceAll(tt.query, " ", "%20"), "")
		var outcome struct {
			Issue []struct {
				Diagnostics string
				Expression  []string
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &outcome); err != nil || len(outcome.Issue) != 1 || w.Code != 400 && w.Code != 422 {
			t.Errorf("%s: %d %s", tt.query, w.Code, w.Body)
			continue
		}
		issue := outcome.Issue[0]
		if tt.at != "" && fmt.Sprint(issue.Expression) != "["+tt.at+"]" || !strings.Contains(issue.Diagnostics, tt.holds) {
			t.Errorf("%s: %v %s", tt.query, issue.Expression, issue.Diagnostics)
		}
	}
}

func TestAnswersAreCutDownAsTheSummarySays(t *testing.T) {
	r, ctx := loose(t)
	put(ctx, t, r, "Patient", "p", `{"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"},"active":true,"gender":"female",
		"contact":[{"gender":"male","name":{"text":"y"}}],"multipleBirthBoolean":true,"link":[{"other":{"reference":"Patient/p"},"type":"seealso"}]}`)
	for _, tt := range []struct{ query, has, hasNot string }{
		{"_summary=true", "active gender link id meta", "text contact multipleBirthBoolean"},
		{"_summary=text", "text id meta", "active gender contact"},
		{"_summary=data", "active gender contact id meta multipleBirthBoolean", "text"},
		{"_summary=false", "text active gender contact", ""},
		{"_elements=gender", "gender id meta active", "text contact"}, // active is a modifier
		{"_elements=Patient.gender,active", "gender active", "contact"},
		{"_elements=gender&_elements=link", "gender link", "contact"},
	} {
		b, err := r.Search(ctx, &recordsv1.SearchRequest{Type: "Patient", Query: tt.query})
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Entry []struct{ Resource map[string]json.RawMessage }
		}
		if err := json.Unmarshal(b.GetBody(), &got); err != nil || len(got.Entry) != 1 {
			t.Fatalf("%s: %v %s", tt.query, err, b.GetBody())
		}
		resource := got.Entry[0].Resource
		for _, name := range strings.Fields(tt.has) {
			if resource[name] == nil {
				t.Errorf("%s has no %s", tt.query, name)
			}
		}
		for _, name := range strings.Fields(tt.hasNot) {
			if resource[name] != nil {
				t.Errorf("%s has %s", tt.query, name)
			}
		}
		if cut := strings.Contains(string(resource["meta"]), "SUBSETTED"); cut != (tt.query != "_summary=false") {
			t.Errorf("%s: SUBSETTED %v", tt.query, cut)
		}
	}
	for query, total := range map[string]int{"_summary=count": 1, "_count=0": 1, "_total=accurate": 1, "_total=estimate": 1, "_total=none": -1, "": -1} {
		got := search(ctx, t, r, "Patient", query)
		if got.total != total || (got.entries == 0) != (query == "_summary=count" || query == "_count=0") {
			t.Errorf("%q: total %d of %d entries", query, got.total, got.entries)
		}
	}
}
