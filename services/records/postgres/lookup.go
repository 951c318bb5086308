package postgres

import (
	"context"
	"database/sql"
	"slices"
	"sync"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
)

// lookup is one read by id: what is asked for, and what was found.
type lookup struct {
	ref   record.Ref
	reach record.Reach

	found    bool
	x        record.Stored
	encoding int16
	packed   []byte
	done     chan error
}

// lookups gathers reads by id that come at the same time into one statement:
// the round trip and the switches between processes are most of what a read
// costs. Nobody waits for company: a read that finds fewer statements under
// way than may be goes at once, the others go together with the next.
type lookups struct {
	mu      sync.Mutex
	waiting []*lookup
	running int
}

const (
	// lookupsAtOnce is how many such statements run at once.
	lookupsAtOnce = 2
	// lookedUp bounds the reads of one statement.
	lookedUp = 64
)

// find looks the resource up, together with what others look for.
func (s *Store) find(ctx context.Context, l *lookup) error {
	if !fhir.ValidID(l.ref.Target) { // the database could refuse it, and all others with it
		return nil
	}
	g := &s.lookups
	g.mu.Lock()
	if g.running < lookupsAtOnce {
		g.running++
		g.mu.Unlock()
		//nolint:contextcheck // who comes next does not depend on this one
		defer s.nextLookups()
		return s.look(ctx, s.db, []*lookup{l})
	}
	l.done = make(chan error, 1)
	g.waiting = append(g.waiting, l)
	g.mu.Unlock()
	select {
	case err := <-l.done:
		return err
	case <-ctx.Done():
		return ctx.Err() // what is found then, nobody asks for
	}
}

// next takes the first reads that wait, as many as have the same reach; none
// ends the turn.
func (g *lookups) next() []*lookup {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for n < len(g.waiting) && n < lookedUp && g.waiting[n].reach.Equal(g.waiting[0].reach) {
		n++
	}
	if n == 0 {
		g.running--
		return nil
	}
	list := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	return list
}

// nextLookups hands the turn over to those who wait.
func (s *Store) nextLookups() {
	list := s.lookups.next()
	if list == nil {
		return
	}
	go func() {
		for ; list != nil; list = s.lookups.next() {
			// No caller's context bounds what others wait for as well.
			ctx, cancel := context.WithTimeout(context.Background(), lookupPatience)
			err := s.look(ctx, s.db, list)
			cancel()
			for _, l := range list {
				l.done <- err
			}
		}
	}()
}

// lookupPatience bounds a statement that no caller's context bounds.
const lookupPatience = time.Minute

// look fills the reads, which have the same reach.
func (s *Store) look(ctx context.Context, on querier, list []*lookup) error {
	var types, ids array
	for _, l := range list {
		types.int(int64(l.ref.Type))
		ids.text(l.ref.Target)
	}
	q := &sqlText{}
	q.WriteString(`SELECT n.i, d.key, d.patient, d.version, d.deleted, c.updated, c.encoding, c.body
		FROM unnest(` + q.arg(types.arg()) + `::smallint[], ` + q.arg(ids.arg()) + `::text[]) WITH ORDINALITY AS n(type, id, i)
		JOIN records.directory d ON d.type = n.type AND d.id = n.id
		LEFT JOIN records.current c ON c.patient = d.patient AND c.key = d.key
		WHERE ` + q.reach("d.patient", list[0].reach))
	rows, err := s.query(ctx, on, true, q.String(), q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var i int
		var x record.Stored
		var updated sql.NullInt64
		var encoding sql.NullInt16
		var packed []byte
		if err := rows.Scan(&i, &x.Key, &x.Patient, &x.Version, &x.Deleted, &updated, &encoding, &packed); err != nil {
			return err
		}
		l := list[i-1]
		x.Type, x.ID, x.Updated = l.ref.Type, l.ref.Target, time.UnixMicro(updated.Int64).UTC()
		l.found, l.x, l.encoding, l.packed = true, x, encoding.Int16, packed
	}
	return rows.Err()
}

func (s *Store) read(ctx context.Context, tx *sql.Tx, typ int16, id string, r record.Reach) (*record.Stored, error) {
	l := &lookup{ref: record.Ref{Type: typ, Target: id}, reach: r}
	var err error
	if tx != nil {
		err = s.look(ctx, tx, []*lookup{l})
	} else {
		err = s.find(ctx, l)
	}
	if err != nil {
		return nil, pg.Fault(err)
	}
	if !l.found {
		return nil, fault.New(fault.NotFound, "there is no such resource", nil)
	}
	if l.x.Body, l.x.Splices, err = s.packer.unpack(l.packed, l.encoding); err != nil {
		return nil, err
	}
	return s.named(ctx, tx, l.x)
}
