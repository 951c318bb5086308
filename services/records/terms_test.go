package records

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// expanded is what a test looks at of an expansion.
type expanded struct {
	ResourceType, URL, Status string
	Expansion                 struct {
		Identifier, Timestamp string
		Total, Offset         int
		Contains              []struct {
			System, Version, Code, Display string
			Abstract, Inactive             bool
			Designation                    []struct{ Language, Value string }
		}
		Parameter []map[string]any
	}
}

func (x expanded) codes() string {
	var list []string
	for _, c := range x.Expansion.Contains {
		list = append(list, c.Code)
	}
	return strings.Join(list, " ")
}

func expand(ctx context.Context, t *testing.T, r *Records, query, body string) (expanded, error) {
	t.Helper()
	var x expanded
	a, err := r.Expand(ctx, &recordsv1.TerminologyRequest{Type: "ValueSet", Query: query, Body: []byte(body)})
	if err != nil {
		return x, err
	}
	if err := json.Unmarshal(a.GetBody(), &x); err != nil {
		t.Fatalf("%v in %s", err, a.GetBody())
	}
	if err := r.defs.Validate(mustParse(t, a.GetBody()).Root()); err != nil {
		t.Errorf("the answer is no ValueSet: %v: %s", err, a.GetBody())
	}
	return x, nil
}

func mustParse(t *testing.T, b []byte) *fhir.Doc {
	t.Helper()
	d, err := fhir.Parse(b)
	if err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return d
}

// colours is a code system with a hierarchy, properties and every kind of concept.
const colours = `{"resourceType":"CodeSystem","url":"http://test/colours","version":"1","name":"Colours","language":"en","status":"active",
	"content":"complete","caseSensitive":true,"valueSet":"http://test/ValueSet/all-colours","property":[{"code":"hue","type":"integer"}],"concept":[
	{"code":"warm","display":"Warm","property":[{"code":"notSelectable","valueBoolean":true}],"concept":[
		{"code":"red","display":"Red","definition":"As blood","designation":[{"language":"vi","value":"Đỏ"}],"property":[{"code":"hue","valueInteger":0}],
			"concept":[{"code":"crimson","display":"Crimson red","property":[{"code":"hue","valueInteger":348}]}]},
		{"code":"yellow","display":"Yellow","property":[{"code":"hue","valueInteger":60}]}]},
	{"code":"blue","display":"Blue","designation":[{"language":"vi-VN","value":"Xanh lam"}],"property":[{"code":"hue","valueInteger":240}]},
	{"code":"mauve","display":"Mauve","property":[{"code":"status","valueCode":"retired"}]}]}`

func composed(compose string) string {
	return `{"resourceType":"ValueSet","url":"http://test/set","status":"active","compose":` + compose + `}`
}

func TestAnExpansionIsWhatTheDefinitionComposes(t *testing.T) {
	r, ctx := open(t)
	create(ctx, t, r, "CodeSystem", colours)
	create(ctx, t, r, "ValueSet", `{"resourceType":"ValueSet","url":"http://test/reds","version":"2","status":"active","compose":{"include":[
		{"system":"http://test/colours","filter":[{"property":"concept","op":"is-a","value":"red"}]}]}}`)
	create(ctx, t, r, "ValueSet", `{"resourceType":"ValueSet","url":"http://test/loop","status":"active","compose":{"include":[{"valueSet":["http://test/loop"]}]}}`)
	filter := func(property, op, value string) string {
		return `{"include":[{"system":"http://test/colours","filter":[{"property":"` + property + `","op":"` + op + `","value":"` + value + `"}]}]}`
	}
	for _, tt := range []struct {
		name, compose, codes string
		class                fault.Class
	}{
		{"a whole system", `{"include":[{"system":"http://test/colours"}]}`, "warm red crimson yellow blue mauve", 0},
		{"a version that is loaded", `{"include":[{"system":"http://test/colours","version":"1"}]}`, "warm red crimson yellow blue mauve", 0},
		{"a version that is not", `{"include":[{"system":"http://test/colours","version":"9"}]}`, "", fault.Unprocessable},
		{"a system that is not loaded", `{"include":[{"system":"http://nowhere"}]}`, "", fault.Unprocessable},
		{"listed codes, in the list's order", `{"include":[{"system":"http://test/colours","concept":[{"code":"blue"},{"code":"red","display":"Rouge"},{"code":"pink"}]}]}`, "blue red", 0},
		{"listed codes of a system that is not loaded", `{"include":[{"system":"http://nowhere","concept":[{"code":"a"},{"code":"b"}]}]}`, "a b", 0},
		{"two includes, each code once", `{"include":[{"system":"http://test/colours","concept":[{"code":"blue"}]},{"system":"http://test/colours"}]}`, "blue warm red crimson yellow mauve", 0},
		{"exclude", `{"include":[{"system":"http://test/colours"}],"exclude":[{"system":"http://test/colours","concept":[{"code":"red"},{"code":"warm"}]}]}`, "crimson yellow blue mauve", 0},
		{"exclude of a value set", `{"include":[{"system":"http://test/colours"}],"exclude":[{"valueSet":["http://test/reds"]}]}`, "warm yellow blue mauve", 0},
		{"no inactive ones", `{"inactive":false,"include":[{"system":"http://test/colours"}]}`, "warm red crimson yellow blue", 0},
		{"a value set", `{"include":[{"valueSet":["http://test/reds"]}]}`, "red crimson", 0},
		{"a version of a value set", `{"include":[{"valueSet":["http://test/reds|2"]}]}`, "red crimson", 0},
		{"a version of a value set that is not there", `{"include":[{"valueSet":["http://test/reds|3"]}]}`, "", fault.Unprocessable},
		{"what two value sets share", `{"include":[{"valueSet":["http://test/reds","http://test/colours?fhir_vs=isa/crimson"]}]}`, "crimson", 0},
		{"what a system and a value set share", `{"include":[{"system":"http://test/colours","valueSet":["http://test/reds"]}]}`, "red crimson", 0},
		{"a value set made of itself", `{"include":[{"valueSet":["http://test/loop"]}]}`, "", fault.Unprocessable},
		{"is-a", filter("concept", "is-a", "red"), "red crimson", 0},
		{"is-a over two levels", filter("concept", "is-a", "warm"), "warm red crimson yellow", 0},
		{"descendent-of", filter("concept", "descendent-of", "warm"), "red crimson yellow", 0},
		{"is-not-a", filter("concept", "is-not-a", "warm"), "blue mauve", 0},
		{"generalizes", filter("concept", "generalizes", "crimson"), "warm red crimson", 0},
		{"=", filter("hue", "=", "60"), "yellow", 0},
		{"= on parent", filter("parent", "=", "warm"), "red yellow", 0},
		{"= on child", filter("child", "=", "crimson"), "red", 0},
		{"= on inactive", filter("inactive", "=", "true"), "mauve", 0},
		{"= with a quote", filter("hue", "=", "' OR true --"), "", 0},
		{"in", filter("concept", "in", "red, blue"), "red blue", 0},
		{"in, on a property", filter("hue", "in", "0,240"), "red blue", 0},
		{"not-in", filter("concept", "not-in", "red,blue,warm"), "crimson yellow mauve", 0},
		{"regex matches the whole value", filter("code", "regex", "re"), "", 0},
		{"regex", filter("code", "regex", "(re|blu).*"), "red blue", 0},
		{"regex on display", filter("display", "regex", ".*[Rr]ed"), "red crimson", 0},
		{"regex that is none", filter("code", "regex", "(("), "", fault.Unprocessable},
		{"regex that goes back", filter("code", "regex", `(.)\\1`), "", fault.Unprocessable},
		{"regex of another dialect", filter("code", "regex", `(?s)\\pL+`), "", fault.Unprocessable},
		{"exists", filter("hue", "exists", "true"), "red crimson yellow blue", 0},
		{"exists not", filter("hue", "exists", "false"), "warm mauve", 0},
		{"exists perhaps", filter("hue", "exists", "perhaps"), "", fault.Unprocessable},
		{"an operator that there is not", filter("hue", "near", "1"), "", fault.Unprocessable},
		{"a hierarchy of a property", filter("hue", "is-a", "1"), "", fault.Unprocessable},
		{"two filters", `{"include":[{"system":"http://test/colours","filter":[{"property":"concept","op":"is-a","value":"warm"},{"property":"hue","op":"exists","value":"true"}]}]}`, "red crimson yellow", 0},
		{"an include of nothing", `{"include":[{}]}`, "", fault.Unprocessable},
	} {
		x, err := expand(ctx, t, r, "", `{"resourceType":"Parameters","parameter":[{"name":"valueSet","resource":`+composed(tt.compose)+`}]}`)
		switch {
		case tt.class != 0:
			if !fault.Is(err, tt.class) {
				t.Errorf("%s: %q, %v", tt.name, x.codes(), err)
			}
		case err != nil || x.codes() != tt.codes || x.Expansion.Total != len(x.Expansion.Contains):
			t.Errorf("%s: %q of %d, want %q, %v", tt.name, x.codes(), x.Expansion.Total, tt.codes, err)
		}
	}
}

func TestTheBaseValueSetsExpand(t *testing.T) {
	r, ctx := open(t)
	for url, codes := range map[string]string{
		"http://hl7.org/fhir/ValueSet/administrative-gender":       "male female other unknown",
		"http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1": "male female other unknown",
		"http://hl7.org/fhir/administrative-gender?fhir_vs":        "male female other unknown",
		"http://hl7.org/fhir/ValueSet/observation-status":          "registered preliminary final amended corrected cancelled entered-in-error unknown",
		"http://hl7.org/fhir/ValueSet/condition-clinical":          "active recurrence relapse inactive remission resolved",
		"http://terminology.hl7.org/ValueSet/v2-0001":              "A F M N O U",
		"http://terminology.hl7.org/ValueSet/v3-ActEncounterCode":  "AMB EMER FLD HH IMP ACUTE NONAC OBSENC PRENC SS VR",
	} {
		x, err := expand(ctx, t, r, "url="+url, "")
		if err != nil || x.codes() != codes || x.Expansion.Contains[0].Display == "" || x.URL == "" || x.Expansion.Identifier == "" {
			t.Errorf("%s: %q, %v", url, x.codes(), err)
		}
	}
}

func TestExpandPagesAndNarrows(t *testing.T) {
	r, ctx := open(t)
	create(ctx, t, r, "CodeSystem", colours)
	// What is excluded need not be named, and is excluded all the same.
	create(ctx, t, r, "ValueSet", `{"resourceType":"ValueSet","url":"http://test/picked","status":"active","compose":{"include":[
		{"system":"http://nowhere","concept":[{"code":"apple","display":"Fruit A"},{"code":"pear","display":"Fruit B"}]},
		{"system":"http://test/colours","concept":[{"code":"red","display":"Rouge"}]}],"exclude":[{"system":"http://nowhere","concept":[{"code":"apple"}]}]}}`)
	const all = "url=http://test/colours?fhir_vs"
	for _, tt := range []struct {
		query, codes string
		total        int
	}{
		{all + "&count=2", "warm red", 6},
		{all + "&count=2&offset=4", "blue mauve", 6},
		{all + "&offset=9", "", 6},
		{all + "&count=0", "", 6},
		{all + "&filter=red", "red crimson", 2},
		{all + "&filter=cri%20re", "crimson", 1},
		{all + "&filter=ed", "", 0},
		{all + "&filter=do", "red", 1},
		{all + "&filter=%C4%91%E1%BB%8F", "red", 1},
		{all + "&filter=lam+xanh", "blue", 1},
		{"url=http://test/picked&filter=fruit", "pear", 1},
		{"url=http://test/picked&filter=red", "red", 1},
		{"url=http://test/picked&filter=rouge", "red", 1},
		{all + "&activeOnly=true", "warm red crimson yellow blue", 5},
		{all + "&excludeNotForUI=true", "red crimson yellow blue mauve", 5},
		{all + "&exclude-system=http://test/colours", "", 0},
		{all + "&system-version=http://test/colours|1&count=1", "warm", 6},
	} {
		x, err := expand(ctx, t, r, tt.query, "")
		if err != nil || x.codes() != tt.codes || x.Expansion.Total != tt.total {
			t.Errorf("%s: %q of %d, %v", tt.query, x.codes(), x.Expansion.Total, err)
		}
	}
	for query, class := range map[string]fault.Class{
		"url=http://nowhere":             fault.NotFound,
		"url=http://nowhere?fhir_vs":     fault.NotFound,
		"":                               fault.Invalid,
		all + "&colour=red":              fault.Invalid,
		all + "&count=-1":                fault.Invalid,
		all + "&count=1&count=2":         fault.Invalid,
		all + "&activeOnly=maybe":        fault.Invalid,
		all + "&filter=%2D%2D":           fault.Invalid,
		all + "&context=Patient.gender":  fault.Invalid,
		all + "&system-version=http://x": fault.Invalid,
		all + "&force-system-version=http://test/colours|9": fault.Unprocessable,
	} {
		if _, err := expand(ctx, t, r, query, ""); !fault.Is(err, class) {
			t.Errorf("%s: %v", query, err)
		}
	}
}

func TestExpandNamesConceptsInTheAskedLanguage(t *testing.T) {
	r, ctx := open(t)
	create(ctx, t, r, "CodeSystem", colours)
	x, err := expand(ctx, t, r, "url=http://test/colours?fhir_vs&displayLanguage=vi&includeDesignations=true&activeOnly=true", "")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range x.Expansion.Contains {
		names = append(names, c.Display)
	}
	if want := []string{"Warm", "Đỏ", "Crimson red", "Yellow", "Xanh lam"}; !slices.Equal(names, want) {
		t.Errorf("names %q", names)
	}
	if d := x.Expansion.Contains[1].Designation; len(d) != 1 || d[0].Value != "Đỏ" || !x.Expansion.Contains[0].Abstract {
		t.Errorf("%+v", x.Expansion.Contains)
	}
	if !strings.Contains(strings.Join(strings.Fields(jsonOf(t, x.Expansion.Parameter)), ""), `{"name":"version","valueUri":"http://test/colours|1"}`) {
		t.Errorf("parameters %v", x.Expansion.Parameter)
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAChangedCodeSystemIsUsedAtOnce(t *testing.T) {
	r, ctx := open(t)
	made := create(ctx, t, r, "CodeSystem", colours)
	const all = "url=http://test/colours?fhir_vs"
	if x, err := expand(ctx, t, r, all, ""); err != nil || x.Expansion.Total != 6 {
		t.Fatalf("%v %v", x, err)
	}
	codes, err := r.terms.Codes(ctx, "http://test/colours?fhir_vs")
	if err != nil || len(codes) != 6 {
		t.Fatalf("%v %v", codes, err)
	}
	changed := strings.Replace(colours, `{"code":"mauve"`, `{"code":"teal"},{"code":"mauve"`, 1)
	changed = strings.Replace(changed, `{"resourceType"`, `{"id":"`+made.GetId()+`","resourceType"`, 1)
	if _, err := r.Update(ctx, &recordsv1.UpdateRequest{Type: "CodeSystem", Id: made.GetId(), Body: []byte(changed)}); err != nil {
		t.Fatal(err)
	}
	if x, err := expand(ctx, t, r, all, ""); err != nil || x.codes() != "warm red crimson yellow blue teal mauve" {
		t.Errorf("%q %v", x.codes(), err)
	}
	if codes, err = r.terms.Codes(ctx, "http://test/colours?fhir_vs"); err != nil || len(codes) != 7 {
		t.Errorf("%v %v", codes, err)
	}
	if _, err := r.Delete(ctx, &recordsv1.DeleteRequest{Type: "CodeSystem", Id: made.GetId()}); err != nil {
		t.Fatal(err)
	}
	if _, err := expand(ctx, t, r, all, ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("after the deletion: %v", err)
	}
}

func TestLookupTellsWhatIsKnownOfACode(t *testing.T) {
	r, ctx := open(t)
	create(ctx, t, r, "CodeSystem", colours)
	ask := func(query, body string) (string, error) {
		a, err := r.Lookup(ctx, &recordsv1.TerminologyRequest{Type: "CodeSystem", Query: query, Body: []byte(body)})
		if err != nil {
			return "", err
		}
		if err := r.defs.Validate(mustParse(t, a.GetBody()).Root()); err != nil {
			t.Errorf("the answer is no Parameters: %v: %s", err, a.GetBody())
		}
		return string(a.GetBody()), nil
	}
	got, err := ask("system=http://test/colours&code=red", "")
	if want := `{"resourceType":"Parameters","parameter":[{"name":"name","valueString":"Colours"},{"name":"version","valueString":"1"},` +
		`{"name":"display","valueString":"Red"},` +
		`{"name":"designation","part":[{"name":"language","valueCode":"vi"},{"name":"value","valueString":"Đỏ"}]},` +
		`{"name":"property","part":[{"name":"code","valueCode":"definition"},{"name":"value","valueString":"As blood"}]},` +
		`{"name":"property","part":[{"name":"code","valueCode":"hue"},{"name":"value","valueInteger":0}]},` +
		`{"name":"property","part":[{"name":"code","valueCode":"inactive"},{"name":"value","valueBoolean":false}]},` +
		`{"name":"property","part":[{"name":"code","valueCode":"parent"},{"name":"value","valueCode":"warm"}]},` +
		`{"name":"property","part":[{"name":"code","valueCode":"child"},{"name":"value","valueCode":"crimson"}]}]}`; err != nil || got != want {
		t.Errorf("%s, %v", got, err)
	}
	got, err = ask("system=http://test/colours&code=red&property=parent&displayLanguage=vi-VN", "")
	if want := `{"resourceType":"Parameters","parameter":[{"name":"name","valueString":"Colours"},{"name":"version","valueString":"1"},` +
		`{"name":"display","valueString":"Đỏ"},{"name":"property","part":[{"name":"code","valueCode":"parent"},{"name":"value","valueCode":"warm"}]}]}`; err != nil || got != want {
		t.Errorf("%s, %v", got, err)
	}
	got, err = ask("", `{"resourceType":"Parameters","parameter":[{"name":"coding","valueCoding":{"system":"http://hl7.org/fhir/administrative-gender","code":"female"}}]}`)
	if err != nil || !strings.Contains(got, `{"name":"display","valueString":"Female"}`) {
		t.Errorf("%s, %v", got, err)
	}
	for query, class := range map[string]fault.Class{
		"system=http://test/colours&code=pink":          fault.NotFound,
		"system=http://test/colours&version=2&code=red": fault.NotFound,
		"system=http://nowhere&code=red":                fault.NotFound,
		"code=red":                                      fault.Invalid,
		"system=http://test/colours":                    fault.Invalid,
		"system=http://test/colours&code=red&x=1":       fault.Invalid,
	} {
		if _, err := ask(query, ""); !fault.Is(err, class) {
			t.Errorf("%s: %v", query, err)
		}
	}
}

func TestValidateCodeSaysYesOrWhyNot(t *testing.T) {
	r, ctx := open(t)
	system := create(ctx, t, r, "CodeSystem", colours)
	set := create(ctx, t, r, "ValueSet", `{"resourceType":"ValueSet","url":"http://test/reds","status":"active","compose":{"include":[
		{"system":"http://test/colours","filter":[{"property":"concept","op":"is-a","value":"red"}]}]}}`)
	parameters := func(list string) string { return `{"resourceType":"Parameters","parameter":[` + list + `]}` }
	for _, tt := range []struct {
		typ, id, query, body string
		yes                  bool
		holds                string
		class                fault.Class
	}{
		{"CodeSystem", "", "url=http://test/colours&code=red", "", true, `"Red"`, 0},
		{"CodeSystem", "", "url=http://test/colours&code=red&display=red", "", true, `"Red"`, 0},
		{"CodeSystem", "", "url=http://test/colours&code=red&display=%C4%90%E1%BB%8F", "", true, `"Red"`, 0},
		{"CodeSystem", "", "url=http://test/colours&code=red&display=Blue", "", false, "its display is Red", 0},
		{"CodeSystem", "", "url=http://test/colours&code=Red", "", false, "is not in the code system", 0},
		{"CodeSystem", "", "url=http://test/colours&code=mauve", "", true, "no longer in use", 0},
		{"CodeSystem", "", "url=http://test/colours&code=warm&abstract=false", "", false, "abstract", 0},
		{"CodeSystem", "", "url=http://nowhere&code=red", "", false, "", fault.NotFound},
		{"CodeSystem", "", "url=http://test/colours&version=7&code=red", "", false, "", fault.NotFound},
		{"CodeSystem", "", "url=http://test/colours", "", false, "", fault.Invalid},
		{"CodeSystem", "", "code=red", "", false, "", fault.Invalid},
		{"CodeSystem", system.GetId(), "code=blue&displayLanguage=vi", "", true, "Xanh lam", 0},
		{"CodeSystem", "nobody", "code=blue", "", false, "", fault.NotFound},
		{"CodeSystem", "", "", parameters(`{"name":"coding","valueCoding":{"system":"http://test/colours","code":"blue"}}`), true, `"Blue"`, 0},
		{"CodeSystem", "", "url=http://test/colours", parameters(`{"name":"coding","valueCoding":{"system":"http://other","code":"blue"}}`), false, "another system", 0},
		{"ValueSet", "", "url=http://test/reds&system=http://test/colours&code=crimson", "", true, "Crimson red", 0},
		{"ValueSet", "", "url=http://test/reds&system=http://test/colours&code=blue", "", false, "is not in the value set http://test/reds", 0},
		{"ValueSet", "", "url=http://test/reds&system=http://other&code=red", "", false, "is not in", 0},
		{"ValueSet", "", "url=http://test/reds&code=red", "", false, "", fault.Invalid},
		{"ValueSet", "", "", parameters(`{"name":"coding","valueCoding":{"system":"http://test/colours","code":"red","display":"RED"}},{"name":"valueSet","resource":` +
			composed(`{"include":[{"system":"http://test/colours","concept":[{"code":"red","display":"Rouge"}]}]}`) + `}`), true, "Rouge", 0},
		{"ValueSet", "", "url=http://nowhere&system=http://test/colours&code=red", "", false, "", fault.NotFound},
		{"ValueSet", set.GetId(), "system=http://test/colours&code=red", "", true, "Red", 0},
		{"ValueSet", "", "url=http://hl7.org/fhir/ValueSet/administrative-gender", parameters(
			`{"name":"codeableConcept","valueCodeableConcept":{"coding":[{"system":"http://x","code":"y"},{"system":"http://hl7.org/fhir/administrative-gender","code":"male"}]}}`), true, "Male", 0},
		{"ValueSet", "", "url=http://hl7.org/fhir/ValueSet/administrative-gender", parameters(`{"name":"codeableConcept","valueCodeableConcept":{"text":"man"}}`), false, "", fault.Invalid},
		{"ValueSet", "", "", parameters(`{"name":"coding","valueCoding":{"system":"http://test/colours","code":"blue"}},{"name":"valueSet","resource":` +
			composed(`{"include":[{"system":"http://test/colours"}],"exclude":[{"system":"http://test/colours","concept":[{"code":"blue"}]}]}`) + `}`), false, "is not in", 0},
		{"Patient", "", "", "", false, "", fault.Invalid},
		{"ValueSet", "", "url=http://test/reds&system=http://test/colours&code=red&systemVersion=1", "", true, "Red", 0},
		{"ValueSet", "", "url=http://test/reds&system=http://test/colours&code=red&systemVersion=9", "", false, "of version 1 of its system, not 9", 0},
		{"ValueSet", "", "url=http://test/reds", parameters(`{"name":"coding","valueCoding":{"system":"http://test/colours","version":"9","code":"red"}}`), false, "not 9", 0},
		{"ValueSet", "", "url=http://test/reds", parameters(`{"name":"codeableConcept","valueCodeableConcept":{"coding":[{"code":"red"}]}}`), false, "without its system", 0},
	} {
		a, err := r.ValidateCode(ctx, &recordsv1.TerminologyRequest{Type: tt.typ, Id: tt.id, Query: tt.query, Body: []byte(tt.body)})
		if tt.class != 0 {
			if !fault.Is(err, tt.class) {
				t.Errorf("%s?%s: %v", tt.typ, tt.query, err)
			}
			continue
		}
		result := `{"resourceType":"Parameters","parameter":[{"name":"result","valueBoolean":` + map[bool]string{true: "true", false: "false"}[tt.yes] + `}`
		if err != nil || !strings.HasPrefix(string(a.GetBody()), result) || !strings.Contains(string(a.GetBody()), tt.holds) {
			t.Errorf("%s?%s %s: %s, %v", tt.typ, tt.query, tt.body, a.GetBody(), err)
		}
	}
}

// TestACodeOfAnOlderVersionIsLookedForThere follows systemVersion of
// https://hl7.org/fhir/R4/valueset-operation-validate-code.html.
func TestACodeOfAnOlderVersionIsLookedForThere(t *testing.T) {
	r, ctx := open(t)
	for version, code := range map[string]string{"1": "old", "2": "new"} {
		create(ctx, t, r, "CodeSystem", `{"resourceType":"CodeSystem","url":"http://test/two","version":"`+version+`","status":"active","content":"complete","concept":[{"code":"`+code+`"}]}`)
	}
	create(ctx, t, r, "ValueSet", `{"resourceType":"ValueSet","url":"http://test/any","status":"active","compose":{"include":[{"system":"http://test/two"}]}}`)
	create(ctx, t, r, "ValueSet", `{"resourceType":"ValueSet","url":"http://test/second","status":"active","compose":{"include":[{"system":"http://test/two","version":"2"}]}}`)
	for query, yes := range map[string]bool{
		"url=http://test/any&code=old&systemVersion=1": true, "url=http://test/any&code=new&systemVersion=1": false,
		"url=http://test/any&code=new&systemVersion=2": true, "url=http://test/second&code=new&systemVersion=1": false,
		"url=http://test/any&code=old&systemVersion=1&system-version=http://test/two|2": false,
	} {
		a, err := r.ValidateCode(ctx, &recordsv1.TerminologyRequest{Type: "ValueSet", Query: query + "&system=http://test/two"})
		if err != nil || strings.Contains(string(a.GetBody()), `"valueBoolean":true`) != yes {
			t.Errorf("%s: %s %v", query, a.GetBody(), err)
		}
	}
}

func TestSearchModifiersGetTheirCodes(t *testing.T) {
	r, ctx := open(t)
	create(ctx, t, r, "CodeSystem", colours)
	below, err := r.terms.Below(ctx, "http://test/colours", "warm")
	if err != nil || !slices.Equal(below, []string{"warm", "red", "crimson", "yellow"}) {
		t.Errorf("below: %v %v", below, err)
	}
	above, err := r.terms.Above(ctx, "http://test/colours", "crimson")
	if err != nil || !slices.Equal(above, []string{"crimson", "warm", "red"}) {
		t.Errorf("above: %v %v", above, err)
	}
	if _, err := r.terms.Below(ctx, "http://nowhere", "warm"); !fault.Is(err, fault.Unprocessable) {
		t.Errorf("no system: %v", err)
	}
	if _, err := r.terms.Below(ctx, "http://test/colours", "pink"); !fault.Is(err, fault.Unprocessable) {
		t.Errorf("no code: %v", err)
	}
	if _, err := r.terms.Codes(ctx, "http://nowhere"); !fault.Is(err, fault.Unprocessable) {
		t.Errorf("no value set: %v", err)
	}
}

func TestAValueSetIsSearchedByWhereItIsStored(t *testing.T) {
	r, ctx := loose(t)
	create(ctx, t, r, "CodeSystem", colours)
	set := func(more string) string {
		return create(ctx, t, r, "ValueSet", `{"resourceType":"ValueSet",`+more+`"status":"active","compose":{"include":[{"system":"http://test/colours",
			"filter":[{"property":"concept","op":"is-a","value":"warm"}]}]}}`).GetId()
	}
	plain, versioned, nameless := set(`"url":"http://test/warm",`), set(`"url":"http://test/warmer","version":"2",`), set("")
	for _, code := range []string{"red", "blue"} {
		create(ctx, t, r, "Basic", `{"resourceType":"Basic","code":{"coding":[{"system":"http://test/colours","code":"`+code+`"}]}}`)
	}
	for _, by := range []string{"http://test/warm", "ValueSet/" + plain, "http://test/fhir/R4/ValueSet/" + plain, "ValueSet/" + versioned} {
		if in, out := search(ctx, t, r, "Basic", "code:in="+by), search(ctx, t, r, "Basic", "code:not-in="+by); len(in.ids) != 1 || len(out.ids) != 1 {
			t.Errorf("%s: %d in, %d not in", by, len(in.ids), len(out.ids))
		}
	}
	for _, by := range []string{"ValueSet/none", "ValueSet/" + nameless} {
		if _, err := r.Search(ctx, &recordsv1.SearchRequest{Type: "Basic", Query: "code:in=" + by}); !fault.Is(err, fault.Unprocessable) {
			t.Errorf("%s: %v", by, err)
		}
	}
}

func TestTerminologyOverHTTP(t *testing.T) {
	r, ctx := open(t)
	set := create(ctx, t, r, "ValueSet", composed(`{"include":[{"system":"http://hl7.org/fhir/administrative-gender","concept":[{"code":"male"}]}]}`))
	var many []string
	for i := range 5001 {
		many = append(many, `{"code":"`+strconv.Itoa(i)+`"}`)
	}
	create(ctx, t, r, "CodeSystem", `{"resourceType":"CodeSystem","url":"http://test/many","status":"active","content":"complete","concept":[`+strings.Join(many, ",")+`]}`)
	mux := faceOf(t, r, gate{})
	const gender = "url=http://hl7.org/fhir/ValueSet/administrative-gender"
	for _, tt := range []struct {
		method, path, body string
		status             int
		holds              string
	}{
		{"GET", "/ValueSet/$expand?" + gender, "", 200, `"code":"female"`},
		{"GET", "/ValueSet/$expand?" + gender + "&displayLanguage=en-US,vi;q=0.5", "", 200, `"code":"female"`},
		{"GET", "/ValueSet/" + set.GetId() + "/$meta?_format=application/fhir%2Bjson;fhirVersion=4.0", "", 200, "valueMeta"},
		{"GET", "/ValueSet/" + set.GetId() + "/$expand", "", 200, `"total":1,`},
		{"POST", "/ValueSet/$expand", `{"resourceType":"Parameters","parameter":[{"name":"url","valueUri":"http://hl7.org/fhir/ValueSet/administrative-gender"}]}`, 200, `"code":"female"`},
		{"POST", "/ValueSet/$expand", composed(`{"include":[{"system":"http://hl7.org/fhir/administrative-gender"}]}`), 200, `"url":"http://test/set"`},
		{"POST", "/ValueSet/" + set.GetId() + "/$expand", `{"resourceType":"Parameters","parameter":[{"name":"count","valueInteger":0}]}`, 200, `"total":1,"offset":0,`},
		{"POST", "/ValueSet/$expand", `{"resourceType":"Patient"}`, 400, "Parameters"},
		{"POST", "/ValueSet/$expand", `{"resourceType":"Parameters","parameter":[{"name":"colour","valueCode":"red"}]}`, 400, `the parameter \"colour\"`},
		{"GET", "/ValueSet/$expand?url=http://nowhere", "", 404, `"code":"not-found"`},
		{"GET", "/ValueSet/$expand?url=http://test/many?fhir_vs", "", 413, `"code":"too-costly"`},
		{"GET", "/ValueSet/$expand?url=http://test/many?fhir_vs&count=3&offset=4999", "", 200, `"total":5001,"offset":4999`},
		{"GET", "/ValueSet/nobody/$expand", "", 404, `"code":"not-found"`},
		{"GET", "/ValueSet/$validate-code?" + gender + "&code=male&system=http://hl7.org/fhir/administrative-gender", "", 200, `"valueBoolean":true`},
		{"GET", "/ValueSet/" + set.GetId() + "/$validate-code?code=female&system=http://hl7.org/fhir/administrative-gender", "", 200, `"valueBoolean":false`},
		{"GET", "/CodeSystem/$lookup?system=http://hl7.org/fhir/administrative-gender&code=male", "", 200, `{"name":"display","valueString":"Male"}`},
		{"POST", "/CodeSystem/$lookup", `{"resourceType":"Parameters","parameter":[{"name":"code","valueCode":"male"},{"name":"system","valueUri":"http://hl7.org/fhir/administrative-gender"}]}`, 200, "Male"},
		{"GET", "/CodeSystem/$lookup?system=http://hl7.org/fhir/administrative-gender&code=m", "", 404, `"code":"not-found"`},
		{"GET", "/CodeSystem/$validate-code?url=http://hl7.org/fhir/administrative-gender&code=male", "", 200, `"valueBoolean":true`},
		{"POST", "/CodeSystem/$validate-code?url=http://hl7.org/fhir/administrative-gender", `{"resourceType":"Parameters","parameter":[{"name":"code","valueCode":"m"}]}`, 200, `"valueBoolean":false`},
		{"GET", "/metadata", "", 200, `"definition":"http://hl7.org/fhir/OperationDefinition/CodeSystem-lookup"`},
	} {
		req := httptest.NewRequest(tt.method, "/fhir/R4"+tt.path, strings.NewReader(tt.body))
		req.Header.Set("Authorization", "Bearer good")
		req.Header.Set("Content-Type", "application/fhir+json")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, req)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.holds) {
			t.Errorf("%s %s: %d %.500s", tt.method, tt.path, w.Code, w.Body)
		}
	}
}

func TestTerminologyAsksForNoScope(t *testing.T) {
	r, ctx := open(t)
	set := create(ctx, t, r, "ValueSet", composed(`{"include":[{"system":"http://hl7.org/fhir/administrative-gender"}]}`))
	nobody := scoped(guard.WithPrincipal(t.Context(), &guard.Principal{Account: "a"}), &guard.Scope{})
	if x, err := expand(nobody, t, r, "url=http://test/set", ""); err != nil || x.Expansion.Total != 4 {
		t.Errorf("%+v %v", x, err)
	}
	a, err := r.ValidateCode(nobody, &recordsv1.TerminologyRequest{Type: "ValueSet", Id: set.GetId(), Query: "system=http://hl7.org/fhir/administrative-gender&code=male"})
	if err != nil || !strings.Contains(string(a.GetBody()), "true") {
		t.Errorf("%s %v", a.GetBody(), err)
	}
}
