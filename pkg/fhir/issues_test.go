package fhir

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// issuesOf are the errors of a resource, as "code expression".
func issuesOf(t *testing.T, text string) []string {
	t.Helper()
	d, err := R4()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	var list []string
	for _, i := range d.Check(doc.Root()).Errors() {
		list = append(list, i.Code+" "+i.Expression)
	}
	return list
}

func TestPrimitiveValuesHaveTheirForm(t *testing.T) {
	extension := func(name, value string) string {
		return `{"resourceType":"Basic","code":{"text":"x"},"extension":[{"url":"http://a","value` + name + `":` + value + `}]}`
	}
	for name, values := range map[string]struct{ good, bad []string }{
		"Date":         {[]string{`"2024"`, `"2024-02-29"`, `"2024-05"`}, []string{`"2023-02-29"`, `"2024-13"`, `"2024-1-1"`, `"0000"`, `"2024-01-01T00:00:00Z"`, `" 2024"`, `""`}},
		"DateTime":     {[]string{`"2024-01-01T23:59:60Z"`, `"2024-01-01T08:00:00.123456+14:00"`, `"2024"`}, []string{`"2024-01-01T08:00"`, `"2024-01-01T08:00Z"`, `"2024-01-01T08:00:00"`, `"2024-01-01T24:00:00Z"`, `"2024-01-01T08:00:00+14:30"`, `"2024-01-01T08:00:61Z"`}},
		"Instant":      {[]string{`"2024-01-01T08:00:00Z"`}, []string{`"2024-01-01"`, `"2024"`}},
		"Time":         {[]string{`"08:00:00"`, `"23:59:59.5"`}, []string{`"8:00:00"`, `"08:00"`, `"08:00:00Z"`, `"24:00:00"`}},
		"Oid":          {[]string{`"urn:oid:1.2.3"`, `"urn:oid:2.0"`}, []string{`"1.2.3"`, `"urn:oid:3.1"`, `"urn:oid:1.02"`, `"urn:oid:1"`, `"urn:oid:1..2"`}},
		"Uuid":         {[]string{`"urn:uuid:c757873d-ec9a-4326-a141-556f43239520"`}, []string{`"urn:uuid:C757873D-ec9a-4326-a141-556f43239520"`, `"c757873d-ec9a-4326-a141-556f43239520"`}},
		"Base64Binary": {[]string{`"AAAA"`, `"AA A="`}, []string{`"AAA"`, `"A==="`, `"AA=A"`, `"!!!!"`, `" "`}},
		"PositiveInt":  {[]string{`1`, `2147483647`}, []string{`0`, `-1`, `2147483648`, `1.0`, `"1"`, `1e3`}},
		"UnsignedInt":  {[]string{`0`}, []string{`-1`, `-0`, `2147483648`}},
		"Integer":      {[]string{`-2147483648`}, []string{`-2147483649`, `1.5`, `-0`}},
		"Decimal":      {[]string{`1.50`, `-0.0`, `1e-5`}, []string{`"1"`, `true`}},
		"Boolean":      {[]string{`true`}, []string{`"true"`, `1`, `null`}},
		"Id":           {[]string{`"a-B.9"`}, []string{`"a_b"`, `"` + strings.Repeat("a", 65) + `"`}},
		"Code":         {[]string{`"a b"`}, []string{`" a"`, `"a  b"`, `"a "`}},
		"Uri":          {[]string{`"urn:a"`}, []string{`"a b"`, `"a\u00a0\n"`}},
		"String":       {[]string{`" a\n"`, `"Nghệ An"`}, []string{`"  "`, `"\u0007"`, `""`}},
		"Markdown":     {[]string{`"# a\n\n* b"`}, []string{`"\n"`}},
	} {
		for _, v := range values.good {
			if got := issuesOf(t, extension(name, v)); len(got) > 0 {
				t.Errorf("%s %s: %v", name, v, got)
			}
		}
		for _, v := range values.bad {
			got := issuesOf(t, extension(name, v))
			if len(got) == 0 || !strings.HasSuffix(got[0], " Basic.extension[0].value"+name) {
				t.Errorf("%s %s: %v", name, v, got)
			}
		}
	}
}

func TestIssuesTellPlaceAndKind(t *testing.T) {
	for text, want := range map[string]string{
		`{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"a","name":"A"},
			{"resourceType":"Organization","id":"a","name":"B"}],"managingOrganization":{"reference":"#a"}}`: "value Patient.contained[1].id",

		`{"resourceType":"Patient","gender":"w"}`:                                                                                                "code-invalid Patient.gender",
		`{"resourceType":"Patient","colour":1}`:                                                                                                  "structure Patient.colour",
		`{"resourceType":"Patient","name":{"family":"A"}}`:                                                                                       "structure Patient.name",
		`{"resourceType":"Patient","name":[]}`:                                                                                                   "structure Patient.name",
		`{"resourceType":"Patient","name":[{}]}`:                                                                                                 "invariant Patient.name[0]",
		`{"resourceType":"Patient","name":[{"id":"a"}]}`:                                                                                         "invariant Patient.name[0]",
		`{"resourceType":"Patient","name":[{"given":[null]}]}`:                                                                                   "structure Patient.name[0].given[0]",
		`{"resourceType":"Patient","name":[{"given":["A"],"_given":[null]}]}`:                                                                    "",
		`{"resourceType":"Patient","_birthDate":{"id":"a"}}`:                                                                                     "invariant Patient._birthDate",
		`{"resourceType":"Patient","birthDate":"2024","_birthDate":{"id":"a"}}`:                                                                  "",
		`{"resourceType":"Patient","deceasedBoolean":true,"deceasedDateTime":"2024"}`:                                                            "structure Patient.deceasedDateTime",
		`{"resourceType":"Patient","deceasedBoolean":true,"_deceasedBoolean":{"id":"a"}}`:                                                        "",
		`{"resourceType":"Observation","status":"final"}`:                                                                                        "required Observation",
		`{"resourceType":"Patient","managingOrganization":{"reference":"Patient/1"}}`:                                                            "value Patient.managingOrganization",
		`{"resourceType":"Patient","managingOrganization":{"reference":"http://a/fhir/Practitioner/1/_history/2"}}`:                              "value Patient.managingOrganization",
		`{"resourceType":"Patient","managingOrganization":{"reference":"Practitioner?identifier=1"}}`:                                            "value Patient.managingOrganization",
		`{"resourceType":"Patient","managingOrganization":{"type":"Practitioner","display":"x"}}`:                                                "value Patient.managingOrganization",
		`{"resourceType":"Patient","managingOrganization":{"reference":"urn:uuid:1"}}`:                                                           "",
		`{"resourceType":"Patient","managingOrganization":{"reference":"Organization/1"}}`:                                                       "",
		`{"resourceType":"Patient","managingOrganization":{"reference":"#o"}}`:                                                                   "invariant Patient.managingOrganization.reference",
		`{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","name":"A"}]}`:                                           "invariant Patient.contained[0]",
		`{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","name":"A"}],"managingOrganization":{"reference":"#o"}}`: "",
		`{"resourceType":"Patient","contained":[{"resourceType":"Practitioner","id":"o"}],"managingOrganization":{"reference":"#o"}}`:            "value Patient.managingOrganization",
		`{"resourceType":"Patient","contained":[{"resourceType":"Provenance","id":"p","target":[{"reference":"#"}],"recorded":"2024-01-01T00:00:00Z","agent":[{"who":{"display":"x"}}]}]}`:           "",
		`{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","name":"A","meta":{"versionId":"1"}}],"managingOrganization":{"reference":"#o"}}`:                            "invariant Patient.contained[0]",
		`{"resourceType":"Questionnaire","status":"draft","contained":[{"resourceType":"ValueSet","id":"v","status":"draft"}],"item":[{"linkId":"1","type":"choice","answerValueSet":"#v"}]}`:        "",
		`{"resourceType":"Condition","subject":{"display":"x"},"clinicalStatus":{"coding":[{"system":"http://a","code":"active"}]}}`:                                                                 "code-invalid Condition.clinicalStatus",
		`{"resourceType":"Condition","subject":{"display":"x"},"clinicalStatus":{"coding":[{"code":"mine"},{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]}}`: "",
		`{"resourceType":"Patient","text":{"status":"generated","div":"<div><script>x</script></div>"}}`:                                                                                             "invariant Patient.text.div",
		`{"resourceType":"Patient","text":{"status":"generated","div":"<div onclick=\"x\">a</div>"}}`:                                                                                                "invariant Patient.text.div",
		`{"resourceType":"Patient","text":{"status":"generated","div":"<div><p>a</div></p>"}}`:                                                                                                       "invariant Patient.text.div",
		`{"resourceType":"Patient","text":{"status":"generated","div":"<div> </div>"}}`:                                                                                                              "invariant Patient.text.div",
		`{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a<br/></p></div>"}}`:                                                           "",
		`{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","gender":"w"}}]}`:                                                                               "code-invalid Bundle.entry[0].resource.gender",
		`{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"1","type":"display","required":true}]}`:                                                                                 "invariant Questionnaire.item[0]",
		`{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"1","type":"group","item":[{"linkId":"1","type":"string"}]}]}`:                                                           "invariant Questionnaire",
	} {
		got := issuesOf(t, text)
		if want == "" && len(got) > 0 || want != "" && (len(got) == 0 || got[0] != want) {
			t.Errorf("%s: %v, expected %q", text, got, want)
		}
	}
}

func TestAllIssuesAreToldUpToABound(t *testing.T) {
	d, err := R4()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range 80 {
		names = append(names, fmt.Sprintf(`{"use":"x%d"}`, i))
	}
	doc, err := Parse([]byte(`{"resourceType":"Patient","name":[` + strings.Join(names, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	invalid, ok := errors.AsType[*InvalidError](d.Validate(doc.Root()))
	if !ok || len(invalid.Issues) != maxIssues || strings.Contains(invalid.Issues[0].Diagnostics, "x0") {
		t.Errorf("%+v", invalid)
	}
}
