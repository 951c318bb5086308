package records

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

func TestFiftyConditionalCreatesMakeOnePerson(t *testing.T) {
	r, ctx := open(t)
	var made atomic.Int32
	ids := make([]string, 50)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			x, err := r.Create(ctx, &recordsv1.CreateRequest{
				Type: "Patient", Body: []byte(person("Lê", "An", "5", "95012", "1950")),
				IfNoneExist: "identifier=" + fhir.SystemCCCD + "|5",
			})
			if err != nil {
				t.Error(err)
				return
			}
			if x.GetCreated() {
				made.Add(1)
			}
			ids[i] = x.GetId()
		})
	}
	wg.Wait()
	f := search(ctx, t, r, "Patient", "_total=accurate")
	if made.Load() != 1 || f.total != 1 {
		t.Errorf("%d were created, %d are there", made.Load(), f.total)
	}
	for _, id := range ids {
		if id != f.ids[0] {
			t.Errorf("a caller was given %q instead of %q", id, f.ids[0])
		}
	}
}

func TestOneOfParallelUpdatesWins(t *testing.T) {
	r, ctx := open(t)
	x := create(ctx, t, r, "Organization", `{"resourceType":"Organization","name":"v1"}`)
	var won, lost atomic.Int32
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			body := `{"resourceType":"Organization","name":"by ` + string(rune('a'+i)) + `"}`
			_, err := r.Update(ctx, &recordsv1.UpdateRequest{Type: "Organization", Id: x.GetId(), Body: []byte(body), IfMatch: "1"})
			switch {
			case err == nil:
				won.Add(1)
			case fault.Is(err, fault.Precondition):
				lost.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || lost.Load() != 19 {
		t.Errorf("%d won, %d lost", won.Load(), lost.Load())
	}
	if f := search(ctx, t, r, "Organization", "name=by&_total=accurate"); f.total != 1 {
		t.Errorf("the index has %d rows of the organization", f.total)
	}
}

func TestParallelUpdatesAsCreateMakeOneHistory(t *testing.T) {
	r, ctx := open(t)
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			body := `{"resourceType":"Organization","id":"same","name":"by ` + string(rune('a'+i)) + `"}`
			if _, err := r.Update(ctx, &recordsv1.UpdateRequest{Type: "Organization", Id: "same", Body: []byte(body)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	h, err := r.History(ctx, &recordsv1.HistoryRequest{Type: "Organization", Id: "same"})
	if err != nil || bundle(t, h.GetBody()).entries != 10 {
		t.Errorf("%v: %.200s", err, h.GetBody())
	}
}

func transaction(entries ...string) *recordsv1.TransactRequest {
	return &recordsv1.TransactRequest{Bundle: []byte(`{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join(entries, ",") + `]}`)}
}

func post(fullURL, resource, request string) string {
	typ, _, _ := strings.Cut(strings.TrimPrefix(resource, `{"resourceType":"`), `"`)
	return `{"fullUrl":"` + fullURL + `","resource":` + resource + `,"request":{"method":"POST","url":"` + typ + `"` + request + `}}`
}

func TestATransactionIsWholeOrNotAtAll(t *testing.T) {
	r, ctx := open(t)
	good := post("urn:uuid:1", person("Lê", "An", "5", "95012", "1950"), "")
	bad := strings.Replace(person("Lê", "Ba", "6", "95012", "1950"), "1950", "1950-13", 1)
	tests := map[string]struct{ entry, at string }{
		"a date that is none":     {post("urn:uuid:2", bad, ""), "Bundle.entry[1].resource.birthDate"},
		"a patient who is absent": {post("urn:uuid:2", observation("nobody", "1", "2026", "1"), ""), "Bundle.entry[1].resource.subject.reference"},
		"an old version":          {`{"resource":{"resourceType":"Basic","id":"x","code":{"text":"x"}},"request":{"method":"PUT","url":"Basic/x","ifMatch":"W/\"3\""}}`, "Bundle.entry[1]"},
		"a version of nothing":    {`{"request":{"method":"DELETE","url":"Basic/x","ifMatch":"W/\"1\""}}`, "Bundle.entry[1]"},
		"an address of nothing":   {`{"request":{"method":"GET","url":"Basic/x/$nothing"}}`, "Bundle.entry[1].request.url"},
		"an operation that writes": {
			`{"resource":{"resourceType":"Parameters"},"request":{"method":"POST","url":"Basic/x/$meta-add"}}`, "Bundle.entry[1].request.url",
		},
		"an unknown urn": {
			post("urn:uuid:2", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"urn:uuid:9"}}`, ""),
			"Bundle.entry[1].resource.subject.reference",
		},
		"a condition without match": {
			post("urn:uuid:2", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient?identifier=9"}}`, ""),
			"Bundle.entry[1].resource.subject.reference",
		},
		"an unknown element": {post("urn:uuid:2", `{"resourceType":"Basic","code":{"text":"x"},"colour":"red"}`, ""), "Bundle.entry[1].resource.colour"},
	}
	for name, tt := range tests {
		_, err := r.Transact(ctx, transaction(good, tt.entry))
		if f := fault.Of(err); err == nil || f.At != tt.at {
			t.Errorf("%s: at %q: %v", name, f.At, err)
		}
		if f := search(ctx, t, r, "Patient", "_total=accurate"); f.total != 0 {
			t.Fatalf("%s: half of the transaction is stored", name)
		}
	}
}

func TestATransactionResolvesItsReferences(t *testing.T) {
	r, ctx := open(t)
	p := create(ctx, t, r, "Patient", person("Lê", "An", "5", "95012", "1950"))
	b, err := r.Transact(ctx, transaction(
		post("urn:uuid:2", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient?identifier=`+fhir.SystemCCCD+`|5"},"encounter":{"reference":"urn:uuid:3"}}`, ""),
		post("urn:uuid:3", `{"resourceType":"Encounter","status":"planned","class":{"code":"AMB"},"subject":{"reference":"Patient/`+p.GetId()+`"}}`, ""),
		post("urn:uuid:4", person("Lê", "An", "5", "95012", "1950"), `,"ifNoneExist":"identifier=`+fhir.SystemCCCD+`|5"`),
		post("urn:uuid:5", `{"resourceType":"Flag","status":"active","code":{"text":"x"},"subject":{"reference":"urn:uuid:4"}}`, ""),
		`{"request":{"method":"GET","url":"Observation?patient=`+p.GetId()+`"}}`,
	))
	if err != nil {
		t.Fatal(err)
	}
	if f := search(ctx, t, r, "Observation", "patient="+p.GetId()+"&_include=Observation:encounter"); f.entries != 2 {
		t.Errorf("found %s", f.body)
	}
	if f := search(ctx, t, r, "Flag", "patient="+p.GetId()); f.entries != 1 {
		t.Errorf("a reference to a person who was there already was not resolved: %s", b.GetBody())
	}
	if f := search(ctx, t, r, "Patient", "_total=accurate"); f.total != 1 {
		t.Errorf("the person was made again")
	}
}

func TestABatchGoesEntryByEntry(t *testing.T) {
	r, ctx := open(t)
	b, err := r.Transact(ctx, &recordsv1.TransactRequest{Bundle: []byte(`{"resourceType":"Bundle","type":"batch","entry":[` +
		post("urn:uuid:1", person("Lê", "An", "5", "95012", "1950"), "") + `,` + post("urn:uuid:2", observation("nobody", "1", "2026", "1"), "") + `]}`)})
	if err != nil {
		t.Fatal(err)
	}
	body := string(b.GetBody())
	if !strings.Contains(body, "201 Created") || !strings.Contains(body, "422 Unprocessable Entity") {
		t.Errorf("%s", body)
	}
}
