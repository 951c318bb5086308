package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/services/records/record"
)

// crowd is a store whose statements are held up, so that puts queue behind them.
type crowd struct {
	*testing.T
	s    *Store
	db   *sql.DB
	hold *sql.Tx
	keys int64

	all    sync.WaitGroup
	mu     sync.Mutex
	failed map[string]error
}

// newCrowd stores the resources that are to be there before.
func newCrowd(t *testing.T, there ...string) *crowd {
	t.Helper()
	s, db := newStore(t)
	c := &crowd{T: t, s: s, db: db, failed: map[string]error{}}
	for _, id := range there {
		c.put(t.Context(), id)
	}
	c.all.Wait()
	c.until(func() bool { return s.group.running == 0 })
	hold, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	c.hold = hold
	if _, err := c.hold.ExecContext(t.Context(), `LOCK TABLE records.versions`); err != nil {
		t.Fatal(err)
	}
	return c
}

// first is how many puts fill every slot.
const first = 1 + (groupsAtOnce-1)*enough

// fill takes every slot, by callers with ctx: one put is a statement by
// itself, the next come together.
func (c *crowd) fill(ctx context.Context) {
	c.Helper()
	for i := range groupsAtOnce {
		n := enough
		if i == 0 {
			n = 1
		}
		for j := range n {
			c.put(ctx, fmt.Sprintf("first-%d-%d", i, j))
		}
		c.until(func() bool { return c.s.group.running == i+1 && len(c.s.group.waiting) == 0 })
	}
}

// until waits for the queue to be as said.
func (c *crowd) until(ready func() bool) {
	c.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for {
		c.s.group.mu.Lock()
		ok := ready()
		c.s.group.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			c.Fatal("the queue never was as it should be")
		}
	}
}

// put stores resources of the given ids, by the first one as the author. Once
// it was told to be stored it must be there for everybody.
func (c *crowd) put(ctx context.Context, ids ...string) {
	var writes []record.Write
	for _, id := range ids {
		c.keys++
		writes = append(writes, record.Write{Type: 1, ID: id, Key: c.keys, Version: 1, Updated: time.Now(), Op: "create", Body: []byte(`{"id":"` + id + `"}`)})
	}
	c.all.Go(func() {
		err := c.s.Put(ctx, nil, record.Author{Actor: ids[0], Reason: "why " + ids[0]}, writes, record.Needs{})
		c.mu.Lock()
		c.failed[ids[0]] = err
		c.mu.Unlock()
		if err != nil {
			return
		}
		for _, id := range ids {
			x, err := c.s.Read(context.WithoutCancel(ctx), nil, 1, id, record.Reach{All: true})
			if err != nil || string(x.Body) != `{"id":"`+id+`"}` {
				c.Errorf("%s was acknowledged and is not there: %v", id, err)
			}
		}
	})
}

// queue puts n single resources and waits until they stand in the queue.
func (c *crowd) queue(n int) {
	c.Helper()
	c.s.group.mu.Lock()
	before := len(c.s.group.waiting)
	c.s.group.mu.Unlock()
	for i := range n {
		c.put(c.Context(), fmt.Sprintf("waiting-%d", i))
	}
	c.until(func() bool { return len(c.s.group.waiting) == before+n })
}

func (c *crowd) release() {
	c.Helper()
	if err := c.hold.Rollback(); err != nil {
		c.Fatal(err)
	}
	c.all.Wait()
}

func (c *crowd) number(query string) (n int) {
	c.Helper()
	if err := c.db.QueryRowContext(c.Context(), query).Scan(&n); err != nil {
		c.Fatal(err)
	}
	return n
}

func (c *crowd) class(id string) fault.Class {
	c.Helper()
	err, answered := c.failed[id]
	if !answered || err == nil {
		c.Fatalf("%s did not fail", id)
	}
	return fault.Of(err).Class
}

func TestPutsThatWaitShareOneTransactionAndKeepTheirAuthors(t *testing.T) {
	c := newCrowd(t)
	c.fill(t.Context())
	c.queue(20)
	c.put(t.Context(), "two-a", "two-b")
	c.until(func() bool { return len(c.s.group.waiting) == 21 })
	c.release()
	for id, err := range c.failed {
		if err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	if n := c.number(`SELECT count(*) FROM records.versions`); n != first+22 {
		t.Errorf("%d versions are there", n)
	}
	if n := c.number(`SELECT count(DISTINCT tx) FROM records.versions WHERE id NOT LIKE 'first%'`); n != 1 {
		t.Errorf("they took %d transactions", n)
	}
	if n := c.number(`SELECT count(*) FROM records.versions WHERE (actor, reason) IN ((id, 'why ' || id), ('two-a', 'why two-a'))`); n != first+22 {
		t.Errorf("%d versions name who wrote them", n)
	}
}

func TestAStatementGathersABoundedNumberOfWrites(t *testing.T) {
	c := newCrowd(t)
	c.fill(t.Context())
	c.queue(gathered + 6)
	c.release()
	if n := c.number(`SELECT max(n) FROM (SELECT count(*) AS n FROM records.versions GROUP BY tx) g`); n != gathered {
		t.Errorf("the largest transaction has %d writes", n)
	}
	if n := c.number(`SELECT count(*) FROM records.versions`); n != first+gathered+6 {
		t.Errorf("%d versions are there", n)
	}
}

func TestWhatCannotBeStoredFailsAlone(t *testing.T) {
	c := newCrowd(t, "there")
	c.fill(t.Context())
	c.queue(10)
	c.put(t.Context(), "nul-\x00")
	c.put(t.Context(), "pair", "there")
	c.until(func() bool { return len(c.s.group.waiting) == 12 })
	c.release()
	if got := c.class("nul-\x00"); got != fault.Invalid {
		t.Errorf("a text that cannot be stored is %s", got)
	}
	if got := c.class("pair"); got != fault.Conflict {
		t.Errorf("half of a put that is there already is %s", got)
	}
	if n := c.number(`SELECT count(*) FROM records.current WHERE id LIKE 'waiting%'`); n != 10 {
		t.Errorf("%d of 10 others were stored", n)
	}
	if n := c.number(`SELECT count(*) FROM records.current`); n != 1+first+10 {
		t.Errorf("%d resources are there", n)
	}
}

func TestWhoLeavesTheQueueLeavesNothingBehind(t *testing.T) {
	c := newCrowd(t)
	c.fill(t.Context())
	ctx, leave := context.WithCancel(t.Context())
	c.put(ctx, "leaver")
	c.until(func() bool { return len(c.s.group.waiting) == 1 })
	c.queue(3)
	leave()
	c.until(func() bool { return len(c.s.group.waiting) == 3 })
	c.release()
	if got := c.class("leaver"); got != fault.Unavailable || !errors.Is(c.failed["leaver"], context.Canceled) {
		t.Errorf("who left is told %s: %v", got, c.failed["leaver"])
	}
	if n := c.number(`SELECT count(*) FROM records.versions WHERE id = 'leaver'`); n != 0 {
		t.Error("what its caller gave up was stored")
	}
	if n := c.number(`SELECT count(*) FROM records.versions WHERE id LIKE 'waiting%'`); n != 3 {
		t.Errorf("%d of 3 others were stored", n)
	}
}

func TestWhoLeavesDuringTheStatementIsToldWhatBecameOfIt(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	c := newCrowd(t)
	c.fill(ctx)
	leave()
	c.release()
	if err := c.failed["first-0-0"]; err != nil {
		t.Errorf("what was stored is said to have failed: %v", err)
	}
	if n := c.number(`SELECT count(*) FROM records.versions WHERE id = 'first-0-0'`); n != 1 {
		t.Error("it was not stored")
	}
}
