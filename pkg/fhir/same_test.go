package fhir

import "testing"

func TestSameLooksAtWhatIsSaidAndNotHow(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{`{"a":1,"b":[1,2]}`, ` { "b" : [ 1 , 2 ] , "a" : 1 } `, true},
		{`{"a":"é/"}`, `{"\u0061":"\u00e9\/"}`, true},
		{`{"a":1.0}`, `{"a":1.00}`, false},
		{`{"a":100}`, `{"a":1e2}`, false},
		{`{"a":1}`, `{"a":"1"}`, false},
		{`{"a":1}`, `{"a":1,"b":null}`, false},
		{`{"a":1,"b":2}`, `{"a":1}`, false},
		{`{"a":1,"b":2}`, `{"b":2,"c":1}`, false},
		{`{"a":[1,2]}`, `{"a":[2,1]}`, false},
		{`{"a":[1,2]}`, `{"a":[1]}`, false},
		{`{"a":[]}`, `{"a":[1]}`, false},
		{`{}`, `{}`, true},
		{`[true,null]`, `[true, null]`, true},
		{`[true]`, `[false]`, false},
		{`{"meta":{"versionId":"1"}}`, `{"meta":{"versionId":"2"}}`, false},
	} {
		a, b := rooted(t, tt.a), rooted(t, tt.b)
		if Same(a, b) != tt.same || Same(b, a) != tt.same {
			t.Errorf("%s and %s: same is not %v", tt.a, tt.b, tt.same)
		}
	}
}

func TestSameContentLeavesOutWhatTheServerSets(t *testing.T) {
	old := rooted(t, `{"resourceType":"Basic","id":"a","meta":{"versionId":"1","lastUpdated":"2026-01-01T00:00:00Z","tag":[{"code":"x"}]},"code":{"text":"a"}}`)
	for text, want := range map[string]bool{
		`{"resourceType":"Basic","code":{"text":"a"},"meta":{"tag":[{"code":"x"}],"lastUpdated":"2027-01-01T00:00:00Z","versionId":"2"},"id":"a"}`: true,
		`{"resourceType":"Basic","id":"a","meta":{"versionId":"2","lastUpdated":"2026-01-01T00:00:00Z"},"code":{"text":"a"}}`:                      false,
		`{"resourceType":"Basic","id":"a","meta":{"versionId":"1","lastUpdated":"2026-01-01T00:00:00Z","tag":[{"code":"x"}]},"code":{"text":"b"}}`: false,
	} {
		if SameContent(old, rooted(t, text)) != want {
			t.Errorf("%s: not %v", text, want)
		}
	}
}

func rooted(t *testing.T, text string) Value {
	t.Helper()
	doc, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc.Root()
}
