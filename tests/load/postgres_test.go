package load

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// databaseKills is how often PostgreSQL is killed; every second time the whole
// of it, otherwise one of its processes, which makes it throw all others away.
const databaseKills = 10

// ear is the receiver of a Subscription: it remembers the numbers of the
// events in the order of their coming, and whom they were about.
type ear struct {
	mu      sync.Mutex
	last    int64
	wrong   []string
	numbers map[int64]bool
	told    map[string]bool
}

func (e *ear) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var b struct {
		Entry []struct {
			Resource struct {
				ResourceType string
				Parameter    []struct {
					Name string
					Part []struct{ Name, ValueString string }
				}
				Identifier []struct{ Value string }
			}
		}
	}
	body, err := io.ReadAll(r.Body)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil || json.Unmarshal(body, &b) != nil {
		e.wrong = append(e.wrong, fmt.Sprintf("%v: %.200s", err, body))
		return
	}
	for _, x := range b.Entry {
		for _, i := range x.Resource.Identifier {
			e.told[i.Value] = true
		}
		for _, p := range x.Resource.Parameter {
			for _, part := range p.Part {
				if part.Name != "event-number" {
					continue
				}
				n, err := strconv.ParseInt(part.ValueString, 10, 64)
				// At least once, in order: a repetition is one that was seen.
				if err != nil || n > e.last+1 {
					e.wrong = append(e.wrong, fmt.Sprintf("event %s came after %d", part.ValueString, e.last))
				}
				e.last = max(e.last, n)
				e.numbers[n] = true
			}
		}
	}
}

// insist writes people until it is stopped, also while there is no database.
func (s *sender) insist(ctx context.Context) {
	for ctx.Err() == nil {
		if status, err := s.one(ctx); err != nil || status != http.StatusOK {
			<-time.After(20 * time.Millisecond)
		}
	}
}

// written is how many people were acknowledged.
func (s *sender) written() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.acked)
}

// postgres returns the private server's process and those that work for it.
func postgres(t *testing.T, s *suite) (whole int, parts map[int]string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.data, "postgres", "postmaster.pid"))
	if err != nil {
		return 0, nil
	}
	line, _, _ := strings.Cut(string(b), "\n")
	if whole, err = strconv.Atoi(line); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.CommandContext(t.Context(), "ps", "--ppid", line, "-o", "pid=,args=").Output() // an error when it has none
	parts = map[int]string{}
	for l := range strings.Lines(string(out)) {
		pid, what, _ := strings.Cut(strings.TrimSpace(l), " ")
		n, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatal(err)
		}
		parts[n] = what
	}
	return whole, parts
}

// another reports whether none of a server's processes is there any more and
// others are.
func another(t *testing.T, s *suite, parts map[int]string) bool {
	t.Helper()
	now, others := postgres(t, s)
	for pid := range others {
		if parts[pid] != "" {
			return false
		}
	}
	return len(others) > 0 && now != 0
}

// TestKillingPostgreSQLLosesNothingAndTheServerGoesOn kills the database under
// a server that is being written to. The server lives on and is ready again by
// itself; what it acknowledged is there whole, and whoever subscribed is told
// of every person, in order.
func TestKillingPostgreSQLLosesNothingAndTheServerGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the whole suite and kills its database; left out by -short")
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("moments of the kills: seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	t.Setenv("YBA_HOOK_NETWORKS", "127.0.0.0/8")
	s := newSuite(t)
	s.run(t, "user", "create", "importer", "--name", "Importer", "--role", "importer")
	send := &sender{url: s.url, token: strings.TrimSpace(s.run(t, "token", "--as", "importer")), client: &http.Client{Timeout: 30 * time.Second}, acked: map[int]bool{}}
	defer send.client.CloseIdleConnections()
	hear := &ear{told: map[string]bool{}, numbers: map[int64]bool{}}
	receiver := httptest.NewServer(hear)
	defer receiver.Close()
	status, body, err := send.call(t.Context(), http.MethodPost, "/fhir/R4/Subscription", []byte(`{"resourceType":"Subscription","status":"requested","reason":"kills",
		"criteria":"https://yba.health/fhir/SubscriptionTopic/patient-changed","channel":{"type":"rest-hook","endpoint":"`+receiver.URL+`","payload":"application/fhir+json",
		"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-max-count","valuePositiveInt":50}]}}`))
	var subscription struct{ ID string }
	if err != nil || status != http.StatusCreated || json.Unmarshal(body, &subscription) != nil {
		t.Fatalf("%d %v %s", status, err, body)
	}
	until(t, s, "the Subscription is active", func() bool {
		_, body, err := send.call(t.Context(), http.MethodGet, "/fhir/R4/Subscription/"+subscription.ID, nil)
		return err == nil && strings.Contains(string(body), `"status":"active"`)
	})

	for k := range databaseKills {
		ctx, cancel := context.WithCancel(t.Context())
		var writers sync.WaitGroup
		for range 4 {
			writers.Go(func() { send.insist(ctx) })
		}
		before := send.written()
		until(t, s, "people are written", func() bool { return send.written() > before+20 })
		<-time.After(time.Duration(r.IntN(100)) * time.Millisecond)
		whole, parts := postgres(t, s)
		victim := whole
		for pid, what := range parts {
			if k%2 == 1 && strings.HasPrefix(what, "postgres: yba") {
				victim = pid
			}
		}
		if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		killed := time.Now()
		until(t, s, "all processes are new", func() bool { return another(t, s, parts) })
		before = send.written()
		until(t, s, "people are written again", func() bool { return send.written() > before+20 })
		t.Logf("kill %d: written again after %s", k, time.Since(killed).Round(time.Millisecond))
		cancel()
		writers.Wait()
		if len(send.odd) > 0 {
			t.Fatalf("kill %d: %s", k, send.odd)
		}
		for _, n := range send.sent {
			if whole := send.whole(t, n); send.acked[n] && !whole {
				t.Errorf("kill %d: person %d was acknowledged and is not there", k, n)
			}
		}
		send.sent = send.sent[:0]
	}
	until(t, s, "everybody was told of", func() bool {
		hear.mu.Lock()
		defer hear.mu.Unlock()
		for n := range send.acked {
			if !hear.told[fmt.Sprintf("p%d", n)] {
				return false
			}
		}
		return true
	})
	hear.mu.Lock()
	defer hear.mu.Unlock()
	if len(hear.wrong) > 0 || int(hear.last) != len(hear.numbers) {
		t.Errorf("%d events up to number %d: %s", len(hear.numbers), hear.last, hear.wrong)
	}
	t.Logf("%d kills, %d people acknowledged of %d, %d events told", databaseKills, len(send.acked), send.next, hear.last)
}
