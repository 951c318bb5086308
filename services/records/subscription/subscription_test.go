package subscription

import (
	"strings"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/record"
)

// numbered is an indexer that gives every parameter some number.
func numbered(t testing.TB) (*fhir.Definitions, *record.Indexer) {
	t.Helper()
	defs, err := fhir.R4()
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[string]int16{}
	for i, p := range record.Indexable(defs) {
		numbers[p.Type+"."+p.Code] = int16(i + 1)
	}
	return defs, record.NewIndexer(defs, numbers)
}

func TestASignatureIsThatOfAnyHMAC(t *testing.T) {
	// printf '1700000000.{}' | openssl dgst -sha256 -hmac secret
	const want = "t=1700000000,v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163"
	if got := Sign("secret", time.Unix(1700000000, 0), []byte("{}")); got != want {
		t.Errorf("%s", got)
	}
	if Secret([]byte("a"), "1") == Secret([]byte("a"), "2") || Secret([]byte("a"), "1") == Secret([]byte("b"), "1") {
		t.Error("two Subscriptions share a secret")
	}
}

func TestEveryTopicCanBeReadWithEachOfItsFilters(t *testing.T) {
	defs, x := numbered(t)
	for _, topic := range Topics() {
		for _, trigger := range topic.Triggers {
			if topic.Typed {
				continue
			}
			for _, code := range append([]string{"_lastUpdated"}, topic.CanFilterBy...) {
				value := map[string]string{"date": "2026", "number": "1", "quantity": "1", "reference": "a"}
				p := defs.Parameters(trigger.Type)[code]
				if p == nil {
					t.Errorf("%s: %s has no parameter %s", topic.URL, trigger.Type, code)
					continue
				}
				v := value[p.Type]
				if v == "" {
					v = "a"
				}
				doc, err := fhir.Parse([]byte(`{"resourceType":"Subscription","status":"requested","reason":"x","criteria":` + fhir.Quote(topic.URL) + `,"_criteria":{"extension":[{"url":"` +
					extensionFilter + `","valueString":"` + trigger.Type + "?" + code + "=" + v + `"}]},"channel":{"type":"websocket"}}`))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := Read(defs, x, doc.Root()); (err == nil) != (code != "_lastUpdated") {
					t.Errorf("%s by %s: %v", topic.URL, code, err)
				}
			}
		}
	}
}

func TestHeadersCannotSmuggle(t *testing.T) {
	defs, x := numbered(t)
	for header, ok := range map[string]bool{
		"Authorization: Bearer a": true, "X-Api-Key:abc": true, "Authorization": false, ": a": false, "Host: a": false, "content-length: 1": false, "x-yba-signature: a": false,
		`A: b\r\nC: d`: false, `A B: c`: false, "A: ế": false, "Transfer-Encoding: chunked": false,
	} {
		doc, err := fhir.Parse([]byte(`{"resourceType":"Subscription","status":"requested","criteria":"Patient?","channel":{"type":"rest-hook","endpoint":"https://a","header":["` + header + `"]}}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Read(defs, x, doc.Root()); (err == nil) != ok {
			t.Errorf("%s: %v", header, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	defs, x := numbered(f)
	f.Add(`{"resourceType":"Subscription","status":"requested","reason":"x","criteria":"Observation?code=a|b,c&date=ge2026","end":"2026-01-01T00:00:00Z","channel":{"type":"rest-hook","endpoint":"https://a.b/c","payload":"application/fhir+json","header":["A: b"]}}`)
	f.Add(`{"criteria":"` + topics + `encounter-start|1","_criteria":{"extension":[{"url":"` + extensionFilter + `","valueString":"Encounter?class=VR"}]},"channel":{"type":"websocket","extension":[{"url":"` +
		extensionHeartbeat + `","valueUnsignedInt":60},{"url":"` + extensionMaxCount + `","valuePositiveInt":5}]}}`)
	f.Fuzz(func(t *testing.T, s string) {
		doc, err := fhir.Parse([]byte(s))
		if err != nil {
			return
		}
		spec, err := Read(defs, x, doc.Root())
		if err != nil {
			if fault.Of(err).Class == fault.Internal {
				t.Errorf("an internal error: %v", err)
			}
			return
		}
		if len(spec.Types()) == 0 || spec.MaxCount < 1 || spec.Timeout <= 0 {
			t.Errorf("%+v", spec)
		}
		if spec.Channel == RestHook && !strings.HasPrefix(strings.ToLower(spec.Endpoint), "http") {
			t.Errorf("endpoint %q", spec.Endpoint)
		}
		spec.Matches(&Change{Type: spec.Types()[0], Op: "update", Before: &record.Version{}, After: &record.Version{}})
	})
}
