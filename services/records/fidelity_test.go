package records

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// stamped are the members that the server sets, in the two forms in which it
// inserts them.
var stamped = regexp.MustCompile(`,"id":"[^"]*"|,"meta":\{"versionId":"[^"]*","lastUpdated":"[^"]*"\}|"versionId":"[^"]*","lastUpdated":"[^"]*",|"lastUpdated":"[^"]*","versionId":"[^"]*",`)

// faithful creates a resource without id and compares what is read with what
// was sent, byte by byte, but for the members that the server inserted.
func faithful(t *testing.T, r *Records, typ string, sent []byte) bool {
	t.Helper()
	ctx := all(t.Context())
	made, err := r.Create(ctx, &recordsv1.CreateRequest{Type: typ, Body: sent})
	if err != nil {
		if fault.Is(err, fault.Unprocessable) || fault.Is(err, fault.Invalid) {
			t.Logf("refused, not altered: %v", err)
			return false
		}
		t.Fatal(err)
	}
	got, err := r.Read(ctx, &recordsv1.ReadRequest{Type: typ, Id: made.GetId()})
	if err != nil {
		t.Fatal(err)
	}
	b := bytes.Replace(got.GetBody(), []byte(`,"id":"`+made.GetId()+`"`), nil, 1)
	loc := stamped.FindIndex(b)
	if loc == nil {
		t.Fatalf("%s: no stamp in %.200s", typ, b)
	}
	b = append(append([]byte(nil), b[:loc[0]]...), b[loc[1]:]...)
	if !bytes.Equal(b, bytes.TrimSpace(sent)) {
		t.Errorf("%s was altered:\nsent %.300s\ngot  %.300s", typ, sent, b)
	}
	return true
}

func TestOddSpellingsAreServedAsTheyWereSent(t *testing.T) {
	r, _ := open(t)
	for _, sent := range []string{
		"\n {\t\"resourceType\" : \"Observation\" ,\r\n \"status\":\"final\", \"code\":{\"text\":\"\\u0041\\/\\ud83d\\ude00 Ngh\\u1ec7 An\"} , \"valueQuantity\" : { \"value\" : 1.50e0 } }\n",
		`{"status":"final","resourceType":"Observation","meta":{ "tag":[ {"code":"a"} ] },"code":{"text":"x"},"valueQuantity":{"value":0.0010000000000000000000000000001}}`,
		`{"resourceType":"Patient","active":true,"_birthDate":{"extension":[{"url":"http://x/y","valueCode":"unknown"}]},"name":[{"given":["A",null],"_given":[null,{"id":"q"}]}]}`,
		`{"resourceType":"Organization","name":"A","contained":[{"resourceType":"Organization","id":"c","name":"B"}],"partOf":{"reference":"#c"}}`,
	} {
		typ := "Observation"
		for _, other := range []string{"Patient", "Organization"} {
			if strings.HasPrefix(sent, `{"resourceType":"`+other) {
				typ = other
			}
		}
		faithful(t, r, typ, []byte(sent))
	}
	if n := search(all(t.Context()), t, r, "Observation", "_total=accurate").total; n != 2 {
		t.Errorf("%d of 2 observations were taken", n)
	}
}

func TestTheSpecificationsExamplesAreServedAsTheyWereSent(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/data/fhir-r4-examples/*.json")
	if len(files) == 0 {
		t.Skip("../shared/data/fhir-r4-examples is absent")
	}
	r, ctx := loose(t)
	r.settings.validate = false // five of them are not valid
	for _, id := range []string{"p", "x"} {
		if _, err := r.Update(ctx, &recordsv1.UpdateRequest{Type: "Patient", Id: id, Body: []byte(`{"resourceType":"Patient","id":"` + id + `"}`)}); err != nil {
			t.Fatal(err)
		}
	}
	people := regexp.MustCompile(`("reference"\s*:\s*)"Patient/[^"]*"`)
	for _, file := range files {
		sent, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var head struct{ ResourceType, ID string }
		if err := json.Unmarshal(sent, &head); err != nil {
			t.Fatal(err)
		}
		// What belongs to a Patient needs one who is here, under an address of
		// this server; all else stays as it is in the file.
		sent = people.ReplaceAll(sent, []byte(`$1"Patient/p"`))
		sent = bytes.ReplaceAll(sent, []byte(`"DocumentReference/example"`), []byte(`"Patient/p"`))
		sent = bytes.ReplaceAll(sent, []byte(`"http://hl7.org/fhir/Patient/1"`), []byte(`"Patient/p"`))
		own := regexp.MustCompile(`,\s*"id"\s*:\s*"` + regexp.QuoteMeta(head.ID) + `"`).FindIndex(sent)
		if head.ID != "" && own != nil {
			sent = append(sent[:own[0]:own[0]], sent[own[1]:]...)
		}
		if !faithful(t, r, head.ResourceType, sent) {
			t.Errorf("%s was refused", filepath.Base(file))
		}
	}
}

func TestEveryResourceOfTheSyntheaBundlesIsServedAsItWasSent(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/data/synthea-r4/*.json")
	if len(files) == 0 {
		t.Skip("../shared/data/synthea-r4 is absent")
	}
	if testing.Short() {
		files = files[:4]
	}
	r, ctx := open(t)
	total := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		bundle, sent := localized(t, text)
		if _, err := r.Transact(ctx, &recordsv1.TransactRequest{Bundle: bundle}); err != nil {
			t.Fatalf("%s: %v", filepath.Base(file), err)
		}
		for ref, want := range sent {
			typ, id, _ := strings.Cut(ref, "/")
			got, err := r.Read(ctx, &recordsv1.ReadRequest{Type: typ, Id: id})
			if err != nil {
				t.Fatal(err)
			}
			b := got.GetBody()
			loc := stamped.FindIndex(b)
			if loc == nil || string(b[:loc[0]])+string(b[loc[1]:]) != string(want) {
				t.Errorf("%s was altered", ref)
			}
			total++
		}
	}
	t.Logf("%d resources of %d bundles", total, len(files))
	if total < 300*len(files) {
		t.Errorf("only %d resources", total)
	}
}

// localized turns a bundle of creates into one of updates under the ids that
// the resources have, which refer to each other by them. It returns the
// resources, too.
func localized(t *testing.T, text []byte) (bundle []byte, sent map[string][]byte) {
	t.Helper()
	types := map[string]string{}
	doc, err := fhir.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for e := range doc.Root().Get("entry").Items() {
		types[e.Get("fullUrl").Str()] = e.At("resource", "resourceType").Str()
	}
	text = regexp.MustCompile(`"urn:uuid:[^"]*"`).ReplaceAllFunc(text, func(s []byte) []byte {
		urn := string(s[1 : len(s)-1])
		if typ := types[urn]; typ != "" {
			return []byte(`"` + typ + "/" + strings.TrimPrefix(urn, "urn:uuid:") + `"`)
		}
		return s
	})
	if doc, err = fhir.Parse(text); err != nil {
		t.Fatal(err)
	}
	sent = map[string][]byte{}
	var entries []string
	for e := range doc.Root().Get("entry").Items() {
		resource := e.Get("resource")
		ref := resource.Get("resourceType").Str() + "/" + resource.Get("id").Str()
		sent[ref] = resource.Raw()
		entries = append(entries, `{"resource":`+string(resource.Raw())+`,"request":{"method":"PUT","url":"`+ref+`"}}`)
	}
	return []byte(`{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join(entries, ",") + `]}`), sent
}

func TestAPersonNamedByAURLIsNotLeftOpenToAll(t *testing.T) {
	r, ctx := open(t)
	p := create(ctx, t, r, "Patient", person("Lê", "An", "1", "95012", "1950"))
	of := func(base string) string {
		return strings.Replace(observation("x", "1", "2026", "1"), "Patient/x", base+"/Patient/"+p.GetId(), 1)
	}
	for _, base := range []string{"https://elsewhere.example/fhir", "http://test/fhir/R4/more", "http://test/fhir"} {
		_, err := r.Create(ctx, &recordsv1.CreateRequest{Type: "Observation", Body: []byte(of(base))})
		if f := fault.Of(err); f.Class != fault.Unprocessable || f.At != "Observation.subject.reference" {
			t.Errorf("%s: %v", base, err)
		}
	}
	for _, base := range []string{"http://test/fhir/R4", `http:\/\/test\/fhir\/R4`} {
		x := create(ctx, t, r, "Observation", of(base))
		if !strings.Contains(string(x.GetBody()), `"reference":"Patient/`+p.GetId()+`"`) {
			t.Errorf("%s: %s", base, x.GetBody())
		}
	}
	for commune, want := range map[string]int{"95012": 2, "95015": 0} {
		if n := search(nurse(t.Context(), commune), t, r, "Observation", "_total=accurate").total; n != want {
			t.Errorf("%s finds %d", commune, n)
		}
	}
}

// TestLargeBodiesMakeShortPages reads bodies that together are larger than a
// page may be: every list ends early and goes on.
func TestLargeBodiesMakeShortPages(t *testing.T) {
	r, ctx := open(t)
	p := create(ctx, t, r, "Patient", person("Lê", "An", "1", "95012", "1950"))
	data := strings.Repeat("QUJD", 2<<20) // 8 MB
	const n = 5
	for range n {
		create(ctx, t, r, "DocumentReference", `{"resourceType":"DocumentReference","status":"current","subject":{"reference":"Patient/`+p.GetId()+`"},
			"content":[{"attachment":{"contentType":"image/png","data":"`+data+`"}}]}`)
	}
	pages := map[string]func(query string) []byte{
		"search": func(q string) []byte {
			b, err := r.Search(ctx, &recordsv1.SearchRequest{Type: "DocumentReference", Query: q})
			if err != nil {
				t.Fatal(err)
			}
			return b.GetBody()
		},
		"$everything": func(q string) []byte {
			b, err := r.Everything(ctx, &recordsv1.EverythingRequest{Patient: p.GetId(), Query: q})
			if err != nil {
				t.Fatal(err)
			}
			return b.GetBody()
		},
		"history": func(q string) []byte {
			b, err := r.History(ctx, &recordsv1.HistoryRequest{Type: "DocumentReference", Query: q})
			if err != nil {
				t.Fatal(err)
			}
			return b.GetBody()
		},
	}
	for name, page := range pages {
		seen := map[string]bool{}
		query := "_count=1000"
		for query != "" {
			body := page(query)
			if len(body) > 40<<20 {
				t.Errorf("%s: a page of %d bytes", name, len(body))
			}
			f := bundle(t, body)
			for i, id := range f.ids {
				if f.types[i] == "DocumentReference" {
					seen[id] = true
				}
			}
			_, query, _ = strings.Cut(f.next, "?")
		}
		if len(seen) != n {
			t.Errorf("%s shows %d of %d", name, len(seen), n)
		}
	}
	got, cursor := 0, ""
	for {
		c, err := r.Changes(ctx, &recordsv1.ChangesRequest{Cursor: cursor, Types: []string{"DocumentReference"}})
		if err != nil {
			t.Fatal(err)
		}
		if len(c.GetChanges()) == 0 {
			break
		}
		if len(c.GetChanges()) == n {
			t.Error("the log gave 40 MB at once")
		}
		got, cursor = got+len(c.GetChanges()), c.GetCursor()
	}
	if got != n {
		t.Errorf("the log shows %d of %d", got, n)
	}
	get := `{"request":{"method":"GET","url":"DocumentReference"}},`
	b, err := r.Transact(ctx, &recordsv1.TransactRequest{Bundle: []byte(`{"resourceType":"Bundle","type":"batch","entry":[` + strings.TrimSuffix(strings.Repeat(get, 4), ",") + `]}`)})
	if err != nil || len(b.GetBody()) > 60<<20 || !bytes.Contains(b.GetBody(), []byte("413")) {
		t.Errorf("a batch answered %d bytes: %v", len(b.GetBody()), err)
	}
}
