package postgres

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
)

// put is what one caller wants to have stored, all of it or nothing.
type put struct {
	by     record.Author
	writes []record.Write
	needs  record.Needs
	bytes  int
	done   chan error
}

func total(puts []*put) int {
	n := 0
	for _, p := range puts {
		n += len(p.writes)
	}
	return n
}

// group gathers small puts that come at the same time into one statement:
// they share its round trip, its planning and the flush of its commit, which
// is most of what a single write costs. Nobody waits for company: a put that
// finds no statement under way goes at once. The others go together with the
// next, which begins when that one ends, or when they are enough to be worth a
// statement of their own. Everybody is answered after the commit that holds
// their rows.
type group struct {
	mu      sync.Mutex
	waiting []*put
	running int
}

const (
	// gathered bounds the writes of one statement that are gathered; larger
	// puts go by themselves.
	gathered = 64
	// gatheredBytes bounds their bodies.
	gatheredBytes = 4 << 20
	// statements that run at once: while one flushes, another works.
	groupsAtOnce = 2
	// enough puts are worth another statement beside the one under way: two
	// small ones cost more than one larger one a little later.
	enough = 12
	// patience bounds a statement that no caller's context bounds.
	patience = time.Minute
)

func (s *Store) gather(ctx context.Context, p *put) error {
	p.done = make(chan error, 1)
	for i := range p.writes {
		p.bytes += len(p.writes[i].Body)
	}
	g := &s.group
	g.mu.Lock()
	g.waiting = append(g.waiting, p)
	if g.running == 0 || g.running < groupsAtOnce && len(g.waiting) >= enough {
		g.running++
		//nolint:contextcheck,gosec // it stores for others too, and ends when nobody waits any more
		go s.storeGroups(context.WithoutCancel(ctx))
	}
	g.mu.Unlock()
	select {
	case err := <-p.done:
		return pg.Fault(err)
	case <-ctx.Done():
	}
	if g.leave(p) {
		return pg.Fault(ctx.Err())
	}
	// It is being stored. Whether it was is worth knowing for the audit log.
	return pg.Fault(<-p.done)
}

// leave takes p out of the queue, and reports whether it still stood there.
func (g *group) leave(p *put) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, p)
	if i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	}
	return i >= 0
}

// next takes the first puts from the queue, as many as fit one statement.
func (g *group) next() []*put {
	g.mu.Lock()
	defer g.mu.Unlock()
	writes, bytes, n := 0, 0, 0
	for _, p := range g.waiting {
		writes, bytes = writes+len(p.writes), bytes+p.bytes
		if n > 0 && (writes > gathered || bytes > gatheredBytes) {
			break
		}
		n++
	}
	if n == 0 {
		g.running--
		return nil
	}
	puts := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	return puts
}

func (s *Store) storeGroups(ctx context.Context) {
	for puts := s.group.next(); puts != nil; puts = s.group.next() {
		s.storeGroup(ctx, puts)
	}
}

// storeGroup stores the puts together. Where the database refuses that, each
// is tried alone, so that one which cannot be stored fails alone. A refusal
// means that nothing was stored; a connection that broke does not, and trying
// again would then take the put's own rows for somebody else's.
func (s *Store) storeGroup(ctx context.Context, puts []*put) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := s.execute(ctx, puts)
	_, refused := errors.AsType[*pq.Error](err)
	for _, p := range puts {
		if refused && len(puts) > 1 {
			p.done <- s.execute(ctx, []*put{p})
			continue
		}
		p.done <- err
	}
}
