package patch

import (
	"os"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
)

func definitions(t testing.TB) *fhir.Definitions {
	t.Helper()
	defs, err := fhir.R4()
	if err != nil {
		t.Fatal(err)
	}
	return defs
}

// plain makes the XHTML of two texts comparable, whose blanks differ.
func plain(s string) string {
	s = strings.ReplaceAll(s, `\n`, " ")
	return strings.Join(strings.Fields(strings.NewReplacer("<", " <", ">", "> ").Replace(s)), " ")
}

func TestFHIRPathPatchPassesTheCasesOfTheStandard(t *testing.T) {
	text, err := os.ReadFile("../../../../shared/data/patch/fhir-patch-tests.xml")
	if err != nil {
		t.Skip("../shared/data/patch is absent")
	}
	defs := definitions(t)
	resource := func(e *element) string {
		if e == nil || len(e.kids) == 0 {
			return ""
		}
		v, _ := toJSON(t, defs, e.kids[0], e.kids[0].name.Local)
		return v
	}
	cases := readXML(t, text).kids
	for _, c := range cases {
		name := c.attr("name")
		p, err := ParseFHIRPath(defs, parse(t, resource(c.child("diff"))))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := p.Apply(parse(t, resource(c.child("input"))))
		want := resource(c.child("output"))
		if want == "" {
			if !fault.Is(err, fault.Unprocessable) {
				t.Errorf("%s is refused: %v %s", name, err, got)
			}
			continue
		}
		if err != nil || !same(parse(t, plain(string(got))), parse(t, plain(want))) {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, plain(string(got)), plain(want))
		}
	}
	t.Logf("%d cases", len(cases))
}

// op is one operation's parts as JSON.
func op(typ, path string, more ...string) string {
	parts := []string{`{"name":"type","valueCode":"` + typ + `"}`, `{"name":"path","valueString":` + fhir.Quote(path) + `}`}
	for _, m := range more {
		parts = append(parts, "{"+m+"}")
	}
	return `{"name":"operation","part":[` + strings.Join(parts, ",") + `]}`
}

func value(v string) string { return `"name":"value",` + v }

const name = `"name":"name","valueString":`

func TestFHIRPathPatchChangesExactlyTheElement(t *testing.T) {
	const patient = `{ "resourceType" : "Patient", "active":true,
 "name":[{"use":"official","given":["A","B"],"_given":[null,{"id":"b"}]},{"use":"usual","family":"C"}],
 "birthDate":"1950-01-02","_birthDate":{"extension":[{"url":"http://x/time","valueDateTime":"1950-01-02T03:04:05Z"}]},
 "multipleBirthInteger":2 }`
	for _, c := range []struct{ op, old, now string }{
		{op("replace", "Patient.name.where(use = 'usual').family", value(`"valueString":"D"`)), `"C"`, `"D"`},
		{op("replace", "name.where(use != 'official' and family.exists()).family", value(`"valueString":"D"`)), `"C"`, `"D"`},
		{op("delete", "Patient.name.first().given[1]"), `"given":["A","B"],"_given":[null,{"id":"b"}]`, `"given":["A"]`},
		{op("replace", "Patient.name[0].given[1]", value(`"valueString":"Z","_valueString":{"id":"z"}`)), `"given":["A","B"],"_given":[null,{"id":"b"}]`, `"given":["A","Z"],"_given":[null,{"id":"z"}]`},
		{op("insert", "Patient.name[0].given", value(`"valueString":"Z"`), `"name":"index","valueInteger":0`), `"given":["A","B"],"_given":[null,{"id":"b"}]`, `"given":["Z","A","B"],"_given":[null,null,{"id":"b"}]`},
		{op("move", "Patient.name[0].given", `"name":"source","valueInteger":1`, `"name":"destination","valueInteger":0`), `"given":["A","B"],"_given":[null,{"id":"b"}]`, `"given":["B","A"],"_given":[{"id":"b"},null]`},
		{op("delete", "Patient.birthDate.extension('http://x/time')"), `,"_birthDate":{"extension":[{"url":"http://x/time","valueDateTime":"1950-01-02T03:04:05Z"}]}`, ""},
		{op("replace", "Patient.birthDate.extension('http://x/time').value", value(`"valueString":"x"`)), `"valueDateTime":"1950-01-02T03:04:05Z"`, `"valueString":"x"`},
		{op("replace", "(Patient.multipleBirth as integer)", value(`"valueBoolean":true`)), `"multipleBirthInteger":2 `, `"multipleBirthBoolean":true `},
		{op("replace", "Patient.multipleBirth.ofType(integer)", value(`"valueInteger":3`)), `Integer":2`, `Integer":3`},
		{op("add", "Patient.active", name+`"extension"`, value(`"part":[{"name":"url","valueUri":"http://y"},{"name":"value","valueDecimal":1.50}]`)), `"multipleBirthInteger":2 `, `"multipleBirthInteger":2,"_active":{"extension":[{"url":"http://y","valueDecimal":1.50}]} `},
		{op("add", "Patient.name[0].given[0]", name+`"id"`, value(`"valueString":"a"`)), `[null,{"id":"b"}]`, `[{"id":"a"},{"id":"b"}]`},
		{op("delete", "Patient.photo"), "", ""},
		{op("add", "Patient", name+`"contained"`, value(`"resource":{"resourceType":"Basic","id":"c","code":{"text":"x"},"subject":{"reference":"#"}}`)), `"multipleBirthInteger":2 `, `"multipleBirthInteger":2,"contained":[{"resourceType":"Basic","id":"c","code":{"text":"x"},"subject":{"reference":"#"}}] `},
	} {
		defs := definitions(t)
		p, err := ParseFHIRPath(defs, parse(t, `{"resourceType":"Parameters","parameter":[`+c.op+`]}`))
		if err != nil {
			t.Errorf("%s: %v", c.op, err)
			continue
		}
		got, err := p.Apply(parse(t, patient))
		want := strings.Replace(patient, c.old, c.now, 1)
		squeeze := strings.NewReplacer(" ", "", "\n", "")
		if err != nil || squeeze.Replace(string(got)) != squeeze.Replace(want) {
			t.Errorf("%s: %v\n got %s\nwant %s", c.op, err, got, want)
			continue
		}
		if err := defs.Validate(parse(t, string(got))); err != nil {
			t.Errorf("%s: %v", c.op, err)
		}
	}
}

func TestAFHIRPathPatchThatCannotBeReadOrAppliedNamesItsPlace(t *testing.T) {
	const patient = `{"resourceType":"Patient","active":true,"name":[{"given":["A","B"]},{"family":"C"}]}`
	for _, c := range []struct {
		op    string
		class fault.Class
	}{
		{`{"name":"other"}`, fault.Invalid},
		{op("copy", "Patient"), fault.Invalid},
		{op("add", "Patient"), fault.Invalid},
		{op("delete", "Patient."), fault.Invalid},
		{op("delete", "Patient.name.where("), fault.Invalid},
		{op("delete", "Patient.name.repeat(given)"), fault.Invalid},
		{op("delete", strings.Repeat("(", 1000)), fault.Invalid},
		{op("delete", strings.Repeat("(a.where(", 200)), fault.Invalid},
		{op("insert", "Patient.name", value(`"valueString":"x"`), `"name":"index","valueInteger":-1`), fault.Invalid},
		{op("replace", "Patient.name", value(`"valueString":"x"`)), fault.Unprocessable},
		{op("replace", "Patient.nobody", value(`"valueString":"x"`)), fault.Unprocessable},
		{op("replace", "Patient.birthDate", value(`"valueDate":"1950"`)), fault.Unprocessable},
		{op("replace", "Patient", value(`"valueString":"x"`)), fault.Unprocessable},
		{op("delete", "Patient"), fault.Unprocessable},
		{op("delete", "Patient.name"), fault.Unprocessable},
		{op("add", "Patient", name+`"active"`, value(`"valueBoolean":true`)), fault.Unprocessable},
		{op("add", "Patient", name+`"deceased"`, value(`"valueString":"x"`)), fault.Unprocessable},
		{op("add", "Patient", name+`"deceasedBoolean"`, value(`"valueBoolean":true`)), fault.Unprocessable},
		{op("insert", "Patient.active", value(`"valueBoolean":true`), `"name":"index","valueInteger":0`), fault.Unprocessable},
		{op("insert", "Patient.name", value(`"valueHumanName":{"text":"x"}`), `"name":"index","valueInteger":3`), fault.Unprocessable},
		{op("move", "Patient.name", `"name":"source","valueInteger":2`, `"name":"destination","valueInteger":0`), fault.Unprocessable},
	} {
		p, err := ParseFHIRPath(definitions(t), parse(t, `{"resourceType":"Parameters","parameter":[`+c.op+`]}`))
		if err == nil {
			_, err = p.Apply(parse(t, patient))
		}
		if f := fault.Of(err); err == nil || f.Class != c.class || !strings.HasPrefix(f.At, "Parameters.parameter[0]") {
			t.Errorf("%.120s: %v", c.op, err)
		}
	}
}

func FuzzFHIRPathPatch(f *testing.F) {
	f.Add(`{"resourceType":"Patient","name":[{"given":["A"],"_given":[{"id":"x"}]}]}`, "Patient.name.where(given = 'A' or use.empty().not()).given[0]", "replace", `"valueString":"x"`)
	f.Add(`{"resourceType":"Observation","valueString":"x"}`, "(Observation.value as string)", "delete", `"part":[]`)
	f.Fuzz(func(t *testing.T, text, path, typ, v string) {
		defs := definitions(t)
		doc, err := fhir.Parse([]byte(text))
		if err != nil {
			return
		}
		body := `{"resourceType":"Parameters","parameter":[` + op(typ, path, value(v), name+`"given"`, `"name":"index","valueInteger":0`, `"name":"source","valueInteger":0`, `"name":"destination","valueInteger":0`) + `]}`
		parameters, err := fhir.Parse([]byte(body))
		if err != nil {
			return
		}
		p, err := ParseFHIRPath(defs, parameters.Root())
		if err != nil {
			return
		}
		out, err := p.Apply(doc.Root())
		if err != nil {
			return
		}
		if _, err := fhir.Parse(out); err != nil && !strings.Contains(err.Error(), "nested") {
			t.Fatalf("%v: %s", err, out)
		}
	})
}
