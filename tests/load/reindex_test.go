package load

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/pg"
)

// asked are searches that need an index, each with what it found.
type asked map[string]int

func (a asked) ask(t *testing.T, s *sender, path string) (total, status int, text string) {
	t.Helper()
	status, body, err := s.call(t.Context(), http.MethodGet, "/fhir/R4/"+path+"&_summary=count", nil)
	if err != nil {
		return 0, 0, err.Error()
	}
	var b struct{ Total int }
	if err := json.Unmarshal(body, &b); err != nil {
		t.Fatalf("%s: %v: %s", path, err, body)
	}
	return b.Total, status, string(body)
}

// progress is what the operator sees of the work: resources done, by type.
func progress(t *testing.T, s *sender, administrator string) (done map[string]int64, ok bool) {
	t.Helper()
	as := &sender{url: s.url, token: administrator, client: s.client}
	status, body, err := as.call(t.Context(), http.MethodPost, "/api/records/v1/Indexing", []byte(`{}`))
	if err != nil {
		return nil, false // the server was just killed
	}
	if status != http.StatusOK {
		t.Fatalf("progress: %d %s", status, body)
	}
	var p struct {
		Types []struct {
			Type        string
			Done, Total json.Number
		}
	}
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	done = map[string]int64{}
	for _, x := range p.Types {
		n, _ := x.Done.Int64() // absent is 0
		total, _ := x.Total.Int64()
		if done[x.Type] = n; n > total || total == 0 {
			t.Errorf("progress: %s", body)
		}
	}
	return done, true
}

// TestSearchesAreRightOrRefusedWhileTheIndexIsMadeAgain starts the program on
// the rows of another version and kills it while it makes them anew. Searches
// meanwhile are refused with the percentage or exactly right, the work goes on
// where it was, and what is written is found.
func TestSearchesAreRightOrRefusedWhileTheIndexIsMadeAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("indexes a province again and kills the server; left out by -short")
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("moments of the kills: seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 4))
	s := unstarted(t)
	outside, err := pg.StartEmbedded(t.Context(), pg.EmbeddedOptions{Dir: filepath.Join(s.data, "outside"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := outside.Stop(); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("YBA_DATABASE_URL", outside.URL)
	t.Cleanup(func() { s.stop(t) })
	s.start(t)
	s.run(t, "demo", "load", "--people", "1000", "--url", s.url)
	send := &sender{url: s.url, token: strings.TrimSpace(s.run(t, "token", "--as", "importer")), client: &http.Client{Timeout: 30 * time.Second}, acked: map[int]bool{}}
	defer send.client.CloseIdleConnections()
	administrator := strings.TrimSpace(s.run(t, "token", "--as", "quantri"))
	want := asked{}
	for _, path := range []string{
		"Observation?code=85354-9,29463-7", "Observation?date=ge2026-06-01", "Observation?status=final&code=8480-6,85354-9", "Observation?code=29463-7&value-quantity=gt36",
		"Observation?subject:Patient.gender=female", "Patient?name=nguyen", "Patient?_has:Observation:patient:code=29463-7", "Patient?gender=male&birthdate=lt1990",
		"Encounter?class=AMB", "Condition?clinical-status=active", "Immunization?patient.name=tran",
	} {
		total, status, text := want.ask(t, send, path)
		if status != http.StatusOK || total == 0 {
			t.Fatalf("%s: %d %s", path, status, text)
		}
		want[path] = total
	}
	s.stop(t)
	s.process = nil
	spoil(t, outside.URL)

	// Who is written meanwhile has codes of their own.
	s.start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var writers sync.WaitGroup
	writers.Go(func() { send.insist(ctx) })
	refused, right := 0, 0
	check := func() (whole bool) {
		whole = true
		for path, n := range want {
			total, status, text := want.ask(t, send, path)
			switch {
			case status == http.StatusServiceUnavailable && strings.Contains(text, "%"):
				refused, whole = refused+1, false
			case status == http.StatusOK && total == n:
				right++
			case status == 0:
				whole = false // the server was just killed
			default:
				t.Errorf("%s: %d, %d instead of %d: %.300s", path, status, total, n, text)
			}
		}
		return whole
	}
	before, kills := map[string]int64{}, 0
	deadline := time.Now().Add(5 * time.Minute)
	for check(); ; check() {
		done, ok := progress(t, send, administrator)
		if ok && len(done) == 0 && check() { // each process learns of it a moment later
			break
		}
		for typ, n := range done {
			if n < before[typ] {
				t.Errorf("%s went back from %d to %d", typ, before[typ], n)
			}
			before[typ] = n
		}
		if kills < 3 && before["Observation"] > int64(kills*1200) {
			<-time.After(time.Duration(r.IntN(100)) * time.Millisecond)
			s.kill(t)
			s.start(t)
			kills++
			t.Logf("kill %d: %v", kills, before)
		}
		if t.Failed() || time.Now().After(deadline) {
			t.Fatalf("it is not done: %v\n%s", before, s.log)
		}
	}
	cancel()
	writers.Wait()
	if kills < 3 || refused == 0 || right == 0 {
		t.Errorf("%d kills, %d answers refused, %d right: nothing was tried", kills, refused, right)
	}
	for n := range send.acked {
		if !send.whole(t, n) {
			t.Errorf("person %d was written meanwhile and is not found", n)
		}
	}
	t.Logf("%d answers refused, %d right, %d people written meanwhile", refused, right, len(send.acked))
}

// spoil leaves the index as another version of the program would: rows made
// otherwise, and rows missing.
func spoil(t *testing.T, dsn string) {
	t.Helper()
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range []string{
		`UPDATE records.tokens SET code = 'old-' || code WHERE key % 2 = 0`, `DELETE FROM records.refs WHERE key % 5 = 0`, `DELETE FROM records.dates WHERE key % 3 = 0`,
		`UPDATE records.strings SET folded = 'old' WHERE key % 3 = 0`, `DELETE FROM records.quantities WHERE key % 4 = 0`, `UPDATE records.params SET digest = 'old'`,
	} {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}
