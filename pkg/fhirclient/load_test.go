package fhirclient

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
)

// keeper is a small FHIR server that keeps which Patients were created, and
// breaks in the ways a test asks for.
type keeper struct {
	mu sync.Mutex
	// stored counts how often each identifier was created.
	stored map[string]int
	posts  int
	order  []string
	// fail decides what happens to a bundle with this identifier: "" accepts,
	// "lost" stores and hangs up, "dropped" hangs up, or an HTTP status.
	fail func(id string, post int) string
}

func (k *keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		k.mu.Lock()
		defer k.mu.Unlock()
		_, value, _ := strings.Cut(r.URL.Query().Get("identifier"), "|")
		if k.stored[value] > 0 {
			fmt.Fprint(w, `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient"}}]}`)
			return
		}
		fmt.Fprint(w, `{"resourceType":"Bundle","entry":[]}`)
		return
	}
	body, _ := io.ReadAll(r.Body)
	s, err := examine(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	k.mu.Lock()
	k.posts++
	how := ""
	if k.fail != nil {
		how = k.fail(s.value, k.posts)
	}
	if how == "" || how == "lost" {
		k.stored[s.value]++
		k.order = append(k.order, s.value)
	}
	k.mu.Unlock()
	switch how {
	case "":
		fmt.Fprint(w, `{"resourceType":"Bundle","type":"transaction-response","entry":[{"response":{"status":"201 Created","location":"Patient/1/_history/1"}}]}`)
	case "lost", "dropped":
		panic(http.ErrAbortHandler)
	default:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"resourceType":"OperationOutcome","issue":[{"severity":"error","diagnostics":"no","expression":["Bundle.entry[0].resource"]}]}`)
	}
}

func patientBundle(id string) Bundle {
	body, _ := json.Marshal(map[string]any{"resourceType": "Bundle", "type": "transaction", "entry": []any{
		map[string]any{
			"resource": map[string]any{"resourceType": "Organization", "identifier": []any{map[string]string{"system": "o", "value": "shared"}}},
			"request":  map[string]string{"method": "POST", "ifNoneExist": "identifier=o|shared"},
		},
		map[string]any{
			"resource": map[string]any{"resourceType": "Patient", "identifier": []any{map[string]string{"system": "s", "value": id}}},
			"request":  map[string]string{"method": "POST"},
		},
	}})
	return Bundle{Name: id + ".json", Body: body}
}

func bundles(n int) iter.Seq2[Bundle, error] {
	return func(yield func(Bundle, error) bool) {
		for i := range n {
			if !yield(patientBundle(fmt.Sprintf("p%d", i)), nil) {
				return
			}
		}
	}
}

func start(t *testing.T, k *keeper) *Client {
	t.Helper()
	k.stored = map[string]int{}
	s := httptest.NewServer(k)
	t.Cleanup(s.Close)
	c, err := New(Options{Base: s.URL, Backoff: time.Millisecond, Attempts: 3})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func journal(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := OpenJournal(path, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func (k *keeper) once(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		if c := k.stored[fmt.Sprintf("p%d", i)]; c != 1 {
			t.Errorf("p%d is stored %d times", i, c)
		}
	}
}

func TestASecondRunSendsNothingAgain(t *testing.T) {
	k := &keeper{}
	c, path := start(t, k), filepath.Join(t.TempDir(), "j")
	for run := range 2 {
		l := Load{Client: c, Connections: 3, Journal: journal(t, path)}
		s, err := l.Run(t.Context(), bundles(20))
		if err != nil || s.Bundles+s.Skipped != 20 || (run == 1) != (s.Skipped == 20) {
			t.Fatalf("run %d: %+v, %v", run, s, err)
		}
	}
	k.once(t, 20)
}

func TestALostAcknowledgementDoublesNobody(t *testing.T) {
	for _, how := range []string{"lost", "dropped"} {
		k := &keeper{fail: func(_ string, post int) string {
			if post%3 == 1 {
				return how
			}
			return ""
		}}
		c := start(t, k)
		l := Load{Client: c, Connections: 1, Journal: journal(t, filepath.Join(t.TempDir(), "j"))}
		s, err := l.Run(t.Context(), bundles(10))
		if err != nil || len(s.Failed) > 0 {
			t.Fatalf("%s: %+v, %v", how, s, err)
		}
		k.once(t, 10)
	}
}

func TestABundleOfUnknownFateIsAskedForInTheNextRun(t *testing.T) {
	for _, stored := range []bool{true, false} {
		k := &keeper{}
		c, path := start(t, k), filepath.Join(t.TempDir(), "j")
		b := patientBundle("p0")
		j := journal(t, path)
		if err := j.set(b.Name, sumOf(b.Body), "sent", sent); err != nil {
			t.Fatal(err)
		}
		if stored {
			k.stored["p0"] = 1
		}
		l := Load{Client: c, Connections: 2, Journal: journal(t, path)}
		s, err := l.Run(t.Context(), bundles(1))
		if err != nil || (s.Found == 1) != stored {
			t.Errorf("stored %v: %+v, %v", stored, s, err)
		}
		k.once(t, 1)
	}
}

func TestAFailureIsListedAndTheRestGoesOn(t *testing.T) {
	k := &keeper{fail: func(id string, _ int) string {
		if id == "p3" {
			return "400"
		}
		return ""
	}}
	l := Load{Client: start(t, k), Connections: 2}
	s, err := l.Run(t.Context(), bundles(6))
	if err != nil || s.Bundles != 5 || len(s.Failed) != 1 || s.Failed[0].Name != "p3.json" || EntryOf(s.Failed[0].Err) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestAServerThatStaysAwayStopsTheLoad(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	c, err := New(Options{Base: s.URL, Backoff: time.Millisecond, Attempts: 2})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	l := Load{Client: c, Connections: 2}
	sum, err := l.Run(t.Context(), bundles(10_000))
	if !fault.Is(err, fault.Unavailable) || len(sum.Failed) > 10 {
		t.Errorf("%d failures and %v, want the load to stop at once", len(sum.Failed), err)
	}
}

func TestFirstBundlesAreDoneBeforeTheOthersBegin(t *testing.T) {
	k := &keeper{}
	l := Load{Client: start(t, k), Connections: 4}
	first := patientBundle("facilities")
	first.First = true
	_, err := l.Run(t.Context(), func(yield func(Bundle, error) bool) {
		if yield(first, nil) {
			bundles(8)(yield)
		}
	})
	if err != nil || k.order[0] != "facilities" {
		t.Errorf("order %v, %v", k.order, err)
	}
}

func TestExamineTellsWhatMayBeSentTwice(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       shape
	}{
		{"updates", `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Patient"},"request":{"method":"PUT"}}]}`, shape{entries: 1, repeatable: true}},
		{
			"creates", `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Coverage","identifier":[{"system":"a","value":"b"}]},"request":{"method":"POST"}}]}`,
			shape{entries: 1, typ: "Coverage", system: "a", value: "b"},
		},
		{"composition", `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Composition","identifier":{"system":"a","value":"b"}},"request":{"method":"POST"}}]}`, shape{entries: 1}},
	} {
		if got, err := examine([]byte(c.body)); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
	for _, bad := range []string{``, `[]`, `{"resourceType":"Patient"}`, `{"resourceType":"Bundle","type":"collection"}`} {
		if _, err := examine([]byte(bad)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v, want invalid", bad, err)
		}
	}
}

func TestAJournalSurvivesATornLastLine(t *testing.T) {
	whole := `{"name":"a","sha256":"1","state":"sent"}` + "\n" + `{"name":"a","sha256":"1","state":"acknowledged"}` + "\n"
	got, n, err := parseJournal([]byte(whole + `{"name":"b","sha2`))
	if err != nil || n != len(whole) || got["1"] != acknowledged || len(got) != 1 {
		t.Errorf("%v, %d, %v", got, n, err)
	}
	if _, _, err := parseJournal([]byte("nonsense\n" + whole)); err == nil {
		t.Error("nonsense in the middle was accepted")
	}
}

func TestPercentileIsTheNearestRank(t *testing.T) {
	d := []time.Duration{5, 1, 4, 2, 3}
	for share, want := range map[float64]time.Duration{0: 1, .2: 1, .5: 3, .99: 5, 1: 5} {
		if got := Percentile(d, share); got != want {
			t.Errorf("share %v: %d, want %d", share, got, want)
		}
	}
	if !slices.Equal(d, []time.Duration{5, 1, 4, 2, 3}) || Percentile(nil, .5) != 0 {
		t.Error("the input was changed, or nothing has a percentile")
	}
}

func FuzzExamine(f *testing.F) {
	f.Add(patientBundle("p").Body)
	f.Add([]byte(`{"resourceType":"Bundle","type":"transaction","entry":[null]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := examine(b); err == nil && s.typ != "" && (s.system == "" || s.value == "") {
			t.Errorf("%+v names a resource without a number", s)
		}
	})
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"name":"a","sha256":"1","state":"sent"}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, n, err := parseJournal(b); err == nil && (n > len(b) || (n > 0 && b[n-1] != '\n')) {
			t.Errorf("%d of %d bytes", n, len(b))
		}
	})
}

func FuzzErrorOf(f *testing.F) {
	f.Add(400, []byte(`{"resourceType":"OperationOutcome","issue":[{"severity":"error","expression":["Bundle.entry[1]"]}]}`))
	f.Fuzz(func(t *testing.T, status int, b []byte) {
		if err := errorOf(answer{status: status, body: b}); err == nil {
			t.Error("no error")
		}
	})
}
