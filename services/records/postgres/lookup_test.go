package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/services/records/record"
)

// TestReadsThatComeTogetherEachGetTheirOwn holds the database up until readers
// with different scopes queue, and then lets them go.
func TestReadsThatComeTogetherEachGetTheirOwn(t *testing.T) {
	s, db := newStore(t)
	for i := range 10 {
		if _, err := db.ExecContext(t.Context(), `INSERT INTO records.directory (type, id, key, patient, version, deleted) VALUES (7, $1, $2, $3, $2, $4)`,
			fmt.Sprint("x", i), i, i%2+1, i == 9); err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), `INSERT INTO records.current (patient, key, type, id, at, version, updated, encoding, body)
			SELECT patient, key, type, id, 0, version, 0, 0, convert_to(id, 'UTF8') FROM records.directory WHERE key = $1 AND NOT deleted`, i); err != nil {
			t.Fatal(err)
		}
	}
	hold, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hold.ExecContext(t.Context(), `LOCK TABLE records.directory`); err != nil {
		t.Fatal(err)
	}
	everything, first := record.Reach{All: true, Shared: true}, record.Reach{Patients: []int64{1}}
	var group sync.WaitGroup
	read := func(id string, r record.Reach, found, deleted bool) {
		group.Go(func() {
			x, err := s.Read(t.Context(), nil, 7, id, r)
			switch {
			case !found && !fault.Is(err, fault.NotFound):
				t.Errorf("%s, which is not there for %v: %v, %v", id, r, x, err)
			case found && (err != nil || x.ID != id || x.Deleted != deleted || !deleted && string(x.Body) != id):
				t.Errorf("%s: %v, %v", id, x, err)
			}
		})
	}
	for range lookupsAtOnce {
		read("x0", everything, true, false)
	}
	queued(t, &s.lookups, 0, lookupsAtOnce)
	gone, leave := context.WithCancel(t.Context())
	group.Go(func() {
		if _, err := s.Read(gone, nil, 7, "x1", everything); !errors.Is(err, context.Canceled) {
			t.Errorf("who left was told %v", err)
		}
	})
	queued(t, &s.lookups, 1, lookupsAtOnce)
	leave()
	for i := range 10 {
		id := fmt.Sprint("x", i)
		read(id, everything, true, i == 9)
		read(id, first, i%2 == 0, false)
		read(id, record.Reach{}, false, false)
	}
	queued(t, &s.lookups, 31, lookupsAtOnce)
	for _, id := range []string{"x\x00", "\xff", "", strings.Repeat("x", 65)} { // they wait for nobody
		if _, err := s.Read(t.Context(), nil, 7, id, everything); !fault.Is(err, fault.NotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if err := hold.Rollback(); err != nil {
		t.Fatal(err)
	}
	group.Wait()
	queued(t, &s.lookups, 0, 0)
}

// queued waits until so many reads wait for their turn, and so many statements run.
func queued(t *testing.T, g *lookups, waiting, running int) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for {
		g.mu.Lock()
		ok := len(g.waiting) == waiting && g.running == running
		g.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("there never were %d in the queue", waiting)
		}
	}
}

func TestOneStatementReadsWithinOneReach(t *testing.T) {
	a, b := record.Reach{All: true}, record.Reach{Communes: []string{"1"}}
	g := &lookups{running: 1}
	for _, r := range []record.Reach{a, a, b, {Communes: []string{"1"}}, {Communes: []string{"2"}}, a} {
		g.waiting = append(g.waiting, &lookup{reach: r})
	}
	for range lookedUp + 1 {
		g.waiting = append(g.waiting, &lookup{reach: a})
	}
	for _, want := range []int{2, 2, 1, lookedUp, 2, 0} {
		list := g.next()
		if len(list) != want {
			t.Errorf("%d reads, not %d", len(list), want)
		}
	}
	if g.running != 0 {
		t.Error("the turn did not end")
	}
}
