package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/pg"
)

// manyKills is how often the server is killed at random points of time.
const manyKills = 200

// Each person of this test is one transaction: a Patient and what refers to it.
const (
	killSystem = "https://yba.health/fhir/sid/test"
	perPerson  = 4 // Observations
)

// sender writes people over several connections until it is stopped and
// remembers which were acknowledged.
type sender struct {
	url, token string
	client     *http.Client

	mu    sync.Mutex
	next  int
	sent  []int // since the server was started
	acked map[int]bool
	odd   []string // answers that are neither a success nor a death
}

// one writes the next person and notes what becomes of it.
func (s *sender) one(ctx context.Context) (status int, err error) {
	s.mu.Lock()
	n := s.next
	s.next++
	s.sent = append(s.sent, n)
	s.mu.Unlock()
	status, body, err := s.call(ctx, http.MethodPost, "/fhir/R4", personBundle(n))
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case status == http.StatusOK && bytes.Count(body, []byte(`"201 Created"`)) == 1+perPerson:
		s.acked[n] = true
	case status < http.StatusInternalServerError:
		s.odd = append(s.odd, fmt.Sprintf("%d: %d %s", n, status, body))
	}
	return status, nil
}

func (s *sender) run(ctx context.Context, acked chan<- struct{}) {
	for ctx.Err() == nil {
		if _, err := s.one(ctx); err != nil {
			return // the server is gone
		}
		select {
		case acked <- struct{}{}:
		default:
		}
	}
}

func (s *sender) call(ctx context.Context, method, path string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Content-Type", "application/fhir+json")
	if strings.HasPrefix(path, "/api/") {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	return resp.StatusCode, out, err
}

func personBundle(n int) []byte {
	entries := []string{fmt.Sprintf(`{"fullUrl":"urn:uuid:%[1]s","request":{"method":"POST","url":"Patient"},"resource":{"resourceType":"Patient",`+
		`"identifier":[{"system":"%[2]s","value":"p%[3]d"}],"name":[{"text":"Người %[3]d"}]}}`, patientUUID, killSystem, n)}
	for i := range perPerson {
		entries = append(entries, fmt.Sprintf(`{"request":{"method":"POST","url":"Observation"},"resource":{"resourceType":"Observation",`+
			`"identifier":[{"system":"%s","value":"p%d"}],"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},`+
			`"subject":{"reference":"urn:uuid:%s"},"effectiveDateTime":"2026-01-02","valueQuantity":{"value":%d}}}`, killSystem, n, patientUUID, 60+i))
	}
	return []byte(`{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join(entries, ",") + `]}`)
}

const patientUUID = "5f0c9a4e-0000-4000-8000-000000000001"

// count returns how many resources of a type carry the person's number.
func (s *sender) count(t *testing.T, typ string, n int) int {
	t.Helper()
	query := url.Values{"identifier": {fmt.Sprintf("%s|p%d", killSystem, n)}, "_summary": {"count"}}
	status, body, err := s.call(t.Context(), http.MethodGet, "/fhir/R4/"+typ+"?"+query.Encode(), nil)
	var b struct{ Total *int }
	if err != nil || status != http.StatusOK || json.Unmarshal(body, &b) != nil || b.Total == nil {
		t.Fatalf("%s of person %d: %d, %v, %s", typ, n, status, err, body)
	}
	return *b.Total
}

// whole reports whether the person is there; half a person fails the test.
func (s *sender) whole(t *testing.T, n int) bool {
	t.Helper()
	people, others := s.count(t, "Patient", n), s.count(t, "Observation", n)
	if people == 1 && others == perPerson {
		return true
	}
	if people != 0 || others != 0 {
		t.Errorf("of person %d there are %d Patients and %d Observations", n, people, others)
	}
	return false
}

func TestTwoHundredKillsLeaveEveryBundleWholeOrAbsent(t *testing.T) {
	if testing.Short() {
		t.Skip("kills the server 200 times; left out by -short")
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("moments of the kills: seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))

	// PostgreSQL outlives the server here, so that 200 starts take no longer
	// than they must; the other kill test lets both die.
	s := unstarted(t)
	db, err := pg.StartEmbedded(t.Context(), pg.EmbeddedOptions{Dir: filepath.Join(s.data, "outside"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Stop(); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("YBA_DATABASE_URL", db.URL)
	t.Cleanup(func() { s.stop(t) })
	s.start(t)
	s.run(t, "user", "create", "importer", "--name", "Importer", "--role", "importer")
	send := &sender{url: s.url, client: &http.Client{Timeout: 30 * time.Second}, acked: map[int]bool{}}
	defer send.client.CloseIdleConnections()

	for k := range manyKills {
		if k%20 == 0 {
			send.token = s.run(t, "token", "--as", "importer")
			send.token = strings.TrimSpace(send.token)
		}
		acked := make(chan struct{}, 1)
		ctx, cancel := context.WithCancel(t.Context())
		var writers sync.WaitGroup
		for range 4 {
			writers.Go(func() { send.run(ctx, acked) })
		}
		select {
		case <-acked:
		case <-time.After(30 * time.Second):
			t.Fatalf("kill %d: nothing is acknowledged; the server said:\n%s", k, s.log)
		}
		<-time.After(time.Duration(r.IntN(30_000)) * time.Microsecond)
		s.kill(t)
		cancel()
		writers.Wait()
		s.start(t)
		for _, n := range send.sent {
			if whole := send.whole(t, n); send.acked[n] && !whole {
				t.Errorf("kill %d: person %d was acknowledged and is not there", k, n)
			}
		}
		if len(send.odd) > 0 || t.Failed() {
			t.Fatalf("kill %d: %s\nthe server said:\n%s", k, send.odd, s.log)
		}
		send.sent = send.sent[:0]
	}
	for n := range send.acked {
		if !send.whole(t, n) {
			t.Errorf("person %d was acknowledged once and is gone", n)
		}
	}
	t.Logf("%d kills, %d of %d transactions acknowledged", manyKills, len(send.acked), send.next)
}
