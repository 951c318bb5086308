package fhir

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestParseRefusesWhatReadersWouldReadDifferently(t *testing.T) {
	for name, text := range map[string]string{
		"a duplicate name": `{"a":1,"a":2}`, "an escaped duplicate": `{"a":1,"\u0061":2}`, "a trailing comma": `{"a":1,}`,
		"text after the value": `{} {}`, "a leading zero": `01`, "a bare point": `1.`, "NaN": `NaN`, "U+0000": `"\u0000"`,
		"half a surrogate pair": `"\ud800"`, "a raw control character": "\"\x01\"", "bad UTF-8": "\"\xff\"", "nothing": ``,
		"too deep": string(bytes.Repeat([]byte("["), 200)) + string(bytes.Repeat([]byte("]"), 200)),
	} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestStampKeepsEveryOtherByte(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	for in, want := range map[string]string{
		`{"resourceType":"Basic" , "x": 1.50}`:                                   `{"resourceType":"Basic","id":"a","meta":{"versionId":"2","lastUpdated":"2026-01-02T03:04:05.006Z"} , "x": 1.50}`,
		`{"id":"old","resourceType":"Basic","meta":{"tag":[ ],"versionId":"1"}}`: `{"id":"a","resourceType":"Basic","meta":{"lastUpdated":"2026-01-02T03:04:05.006Z","tag":[ ],"versionId":"2"}}`,
	} {
		doc, err := Parse([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		e := Edit(doc.Root())
		e.Stamp(doc.Root(), "a", 2, at)
		if got := string(e.Bytes()); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// TestRoundTripKeepsEveryByte stamps real resources, takes the stamp away
// again by the same offsets, and compares.
func TestRoundTripKeepsEveryByte(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/data/fhir-r4-examples/*.json")
	more, _ := filepath.Glob("../../../shared/data/synthea-r4/*.json")
	if files = append(files, more...); len(files) == 0 {
		t.Skip("../shared/data is absent")
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
		doc, err := Parse(body)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
			continue
		}
		list := []Value{doc.Root()}
		for e := range doc.Root().Get("entry").Items() {
			list = append(list, e.Get("resource"))
		}
		for _, v := range list {
			if v.Exists() && v.Get("resourceType").Exists() {
				sameButStamp(t, filepath.Base(file), v)
			}
		}
	}
}

func sameButStamp(t *testing.T, file string, v Value) {
	t.Helper()
	e := Edit(v)
	e.Stamp(v, "x", 1, time.Unix(0, 0))
	doc, err := Parse(e.Bytes())
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	before, after := map[string][]byte{}, map[string][]byte{}
	for name, m := range v.Members() {
		before[name] = m.Raw()
	}
	for name, m := range doc.Root().Members() {
		after[name] = m.Raw()
	}
	for name, raw := range before {
		if name != "id" && name != "meta" && !bytes.Equal(raw, after[name]) {
			t.Errorf("%s: %s changed", file, name)
		}
	}
	for name := range after {
		if _, was := before[name]; !was && name != "id" && name != "meta" {
			t.Errorf("%s: %s appeared", file, name)
		}
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"resourceType":"Patient","name":[{"given":["a\u00e9\ud83d\ude00"]}]}`, `[1.50,-0,1e5]`,
		`{"resourceType":"Observation","status":"final","code":{"text":"x"},"contained":[{"resourceType":"Basic","id":"a","code":{"text":"#"}}],"subject":{"reference":"#a"},"text":{"status":"empty","div":"<div><p id='a'>x</p></div>"}}`,
		`{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"1","type":"display","item":[{"linkId":"1","type":"group"}]}]}}]}`, `{"a":{"b":[]}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		doc, err := Parse(src)
		if err != nil {
			return
		}
		if !json.Valid(src) {
			t.Fatal("accepted what is no JSON")
		}
		v := doc.Root()
		if !bytes.Equal(Edit(v).Bytes(), v.Raw()) {
			t.Fatal("an edit without changes changed something")
		}
		if v.Kind() == String {
			var s string
			if json.Unmarshal(src, &s) != nil || s != v.Text() {
				t.Fatalf("read %q", v.Text())
			}
		}
		for i := range doc.nodes {
			_ = doc.path(int32(i))
		}
		// Whatever is refused when it is written has an issue, and the other
		// way round.
		d, err := R4()
		if err != nil {
			t.Fatal(err)
		}
		issues := d.Check(v)
		if bad := d.Validate(v) != nil; bad != (len(issues.Errors()) > 0) && len(issues) < maxIssues {
			t.Fatalf("refused: %t, issues: %+v", bad, issues)
		}
	})
}
