package patch

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
)

func parse(t testing.TB, text string) fhir.Value {
	t.Helper()
	doc, err := fhir.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return doc.Root()
}

func TestJSONPatchPassesTheCasesOfTheStandard(t *testing.T) {
	text, err := os.ReadFile("../../../../shared/data/patch/json-patch-tests.json")
	if err != nil {
		t.Skip("../shared/data/patch is absent")
	}
	var cases []struct {
		Comment, Error       string
		Doc, Patch, Expected json.RawMessage
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		p, err := ParseJSON(c.Patch)
		if err != nil {
			t.Errorf("%s: %v", c.Comment, err)
			continue
		}
		got, err := p.Apply(parse(t, string(c.Doc)))
		if c.Error != "" {
			if !fault.Is(err, fault.Unprocessable) {
				t.Errorf("%s: %v %s", c.Comment, err, got)
			}
			continue
		}
		if err != nil || !same(parse(t, string(got)), parse(t, string(c.Expected))) {
			t.Errorf("%s: %v %s", c.Comment, err, got)
		}
	}
	t.Logf("%d cases", len(cases))
}

func TestJSONPatchKeepsWhatItDoesNotTouch(t *testing.T) {
	for _, c := range [][3]string{
		{"{ \"a\" : 1.50,\n \"b\" : [ 1.0 , 2e1 ] }", `[{"op":"add","path":"/b/1","value":7.000}]`, "{ \"a\" : 1.50,\n \"b\" : [ 1.0 ,7.000, 2e1 ] }"},
		{"{ \"a\" : 1.50,\n \"b\" : 2 }", `[{"op":"remove","path":"/a"}]`, "{\n \"b\" : 2 }"},
		{"{ \"a\" : 1.50,\n \"b\" : 2 }", `[{"op":"replace","path":"/b","value":"x"}]`, "{ \"a\" : 1.50,\n \"b\" : \"x\" }"},
		{`{"a":{},"b":[]}`, `[{"op":"add","path":"/b/-","value":1},{"op":"add","path":"/a/é\"","value":null},{"op":"copy","from":"/a","path":"/b/0"}]`, `{"a":{"é\"":null},"b":[{"é\"":null},1]}`},
		{`{"a":1}`, `[]`, `{"a":1}`},
		{`{"a":{"b":1}}`, `[{"op":"move","from":"/a/b","path":"/a"}]`, `{"a":1}`},
		{`{"a":1}`, `[{"op":"add","path":"","value":{"c":2}}]`, `{"c":2}`},
		{`{"a":1.0}`, `[{"op":"test","path":"/a","value":10e-1}]`, `{"a":1.0}`},
		{`{"a":1e999999999999}`, `[{"op":"test","path":"/a","value":10E+999999999998}]`, `{"a":1e999999999999}`},
		{`{"a":{"x":[1,null],"y":true}}`, `[{"op":"test","path":"/a","value":{"y":true,"x":[1.0,null]}}]`, `{"a":{"x":[1,null],"y":true}}`},
		{`{"a":[-0.0]}`, `[{"op":"test","path":"/a/0","value":0}]`, `{"a":[-0.0]}`},
	} {
		p, err := ParseJSON([]byte(c[1]))
		if err != nil {
			t.Fatalf("%s: %v", c[1], err)
		}
		if got, err := p.Apply(parse(t, c[0])); err != nil || string(got) != c[2] {
			t.Errorf("%s: %v %s", c[1], err, got)
		}
	}
}

func TestAJSONPatchThatCannotBeReadOrAppliedNamesItsPlace(t *testing.T) {
	many := "[" + strings.Repeat(`{"op":"remove","path":"/a"},`, maxOperations) + `{"op":"remove","path":"/a"}]`
	double := "[" + strings.Repeat(`{"op":"copy","from":"","path":"/b/-"},`, 40) + `{"op":"remove","path":"/a"}]`
	for _, c := range []struct {
		patch string
		class fault.Class
		at    string
	}{
		{`{}`, fault.Invalid, ""},
		{`[{"op":"merge","path":""}]`, fault.Invalid, "patch[0].op"},
		{`[{"op":"add","path":"a","value":1}]`, fault.Invalid, "patch[0].path"},
		{`[{"op":"add","path":"/~2","value":1}]`, fault.Invalid, "patch[0].path"},
		{`[{"op":"add","path":"/b"}]`, fault.Invalid, "patch[0].value"},
		{`[{"op":"move","path":"/b"}]`, fault.Invalid, "patch[0].from"},
		{`[{"op":"remove","path":""}]`, fault.Unprocessable, "patch[0].path"},
		{`[{"op":"remove","path":"/c/1"}]`, fault.Unprocessable, "patch[0].path"},
		{`[{"op":"test","path":"/a","value":{}},{"op":"add","path":"/b/01","value":1}]`, fault.Unprocessable, "patch[1].path"},
		{`[{"op":"add","path":"/b/3","value":1}]`, fault.Unprocessable, "patch[0].path"},
		{`[{"op":"replace","path":"/b/-","value":1}]`, fault.Unprocessable, "patch[0].path"},
		{`[{"op":"move","from":"/a","path":"/a/b"}]`, fault.Unprocessable, "patch[0].path"},
		{`[{"op":"test","path":"/b","value":[1]}]`, fault.Unprocessable, "patch[0].value"},
		{many, fault.TooLarge, ""},
		{double, fault.TooLarge, ""},
	} {
		p, err := ParseJSON([]byte(c.patch))
		if err == nil {
			_, err = p.Apply(parse(t, `{"a":{},"b":[1,2]}`))
		}
		if f := fault.Of(err); err == nil || f.Class != c.class || c.at != "" && f.At != c.at {
			t.Errorf("%.80s: %v", c.patch, err)
		}
	}
}

func FuzzJSONPatch(f *testing.F) {
	f.Add(`{"a":[1,{"b":"c"}]}`, `[{"op":"move","from":"/a/1/b","path":"/a/0"},{"op":"copy","from":"/a","path":"/x"}]`)
	f.Add(`[]`, `[{"op":"add","path":"/-","value":1.0},{"op":"test","path":"","value":[1]}]`)
	f.Fuzz(func(t *testing.T, text, patch string) {
		doc, err := fhir.Parse([]byte(text))
		if err != nil {
			return
		}
		p, err := ParseJSON([]byte(patch))
		if err != nil {
			return
		}
		out, err := p.Apply(doc.Root())
		if err != nil {
			return
		}
		// Nesting may have become too deep; everything else is JSON.
		if _, err := fhir.Parse(out); err != nil && !strings.Contains(err.Error(), "nested") {
			t.Fatalf("%v: %s", err, out)
		}
	})
}
