// Package postgres keeps records in PostgreSQL: schema "records".
package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
	termstore "github.com/yba-health/yba/services/records/terminology/postgres"
)

// Store is the records' store. Use New. Its methods may run in parallel.
type Store struct {
	db   *sql.DB
	log  *slog.Logger
	defs *fhir.Definitions

	// Base is the public address of the FHIR face, set before the first use.
	Base string
	// Expander answers what :in, :above and the like ask; set before the first use.
	Expander record.Expander

	indexer atomic.Pointer[record.Indexer]
	ready   sync.Mutex

	keys     keys
	systems  systems
	patients patients
	packer   *packer
	terms    *termstore.Store
	stmts    statements
	bell     *bell
	group    group
	lookups  lookups
	// writers admits at most half as many transactions as there are
	// connections: one in a transaction may need a second connection for the
	// dictionary, and must not wait for another that does the same.
	writers chan struct{}
}

// New returns a store. The dictionary is read when it is first needed, so
// that the schema may be migrated in between.
func New(db *sql.DB, dsn string, defs *fhir.Definitions, log *slog.Logger) (*Store, error) {
	p, err := newPacker()
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, defs: defs, log: log, packer: p, bell: newBell(dsn, db, log)}
	s.terms = termstore.New(db, canonicals{s})
	s.systems.ids = map[string]int32{"": 0}
	s.patients.keys, s.patients.ids = map[string]int64{}, map[int64]string{}
	s.stmts.kept = map[string]*sql.Stmt{}
	s.writers = make(chan struct{}, max(db.Stats().MaxOpenConnections/2, 1))
	return s, nil
}

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Indexer returns the extractor of index rows, with the dictionary's numbers.
func (s *Store) Indexer(ctx context.Context) (*record.Indexer, error) {
	if x := s.indexer.Load(); x != nil {
		return x, nil
	}
	s.ready.Lock()
	defer s.ready.Unlock()
	if x := s.indexer.Load(); x != nil {
		return x, nil
	}
	x, err := s.dictionary(ctx)
	if err != nil {
		return nil, err
	}
	s.indexer.Store(x)
	return x, nil
}

// Secret returns a secret of the installation.
func (s *Store) Secret(ctx context.Context, name string) ([]byte, error) {
	var b []byte
	err := s.db.QueryRowContext(ctx, `SELECT value FROM records.secrets WHERE name = $1`, name).Scan(&b)
	return b, pg.Fault(err)
}

// keys hands out resources' keys from blocks of the sequence.
type keys struct {
	mu         sync.Mutex
	next, last int64
}

const keyBlock = 1000 // INCREMENT of records.keys

// Keys returns n new keys.
func (s *Store) Keys(ctx context.Context, n int) ([]int64, error) {
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	out := make([]int64, n)
	for i := range out {
		if s.keys.next >= s.keys.last {
			var v int64
			if err := s.db.QueryRowContext(ctx, `SELECT nextval('records.keys')`).Scan(&v); err != nil {
				return nil, pg.Fault(err)
			}
			s.keys.next, s.keys.last = v, v+keyBlock
		}
		out[i] = s.keys.next
		s.keys.next++
	}
	return out, nil
}

// systems is the dictionary of code systems; numbers never change. When ids
// is full it becomes before and begins anew: whoever has just learned a number
// finds it in one of the two.
type systems struct {
	mu          sync.RWMutex
	ids, before map[string]int32
}

const maxSystems = 100_000

func (d *systems) keep(found map[string]int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.ids) >= maxSystems {
		d.before, d.ids = d.ids, map[string]int32{"": 0}
	}
	maps.Copy(d.ids, found)
}

func (s *Store) system(name string) (int32, bool) {
	s.systems.mu.RLock()
	defer s.systems.mu.RUnlock()
	id, ok := s.systems.ids[name]
	if !ok {
		id, ok = s.systems.before[name]
	}
	return id, ok
}

// learn makes sure that the systems are in the dictionary. It runs outside
// the caller's transaction: a number that is not used afterwards does no harm.
func (s *Store) learn(ctx context.Context, names map[string]struct{}) error {
	var list []string
	for n := range names {
		if _, ok := s.system(n); !ok {
			list = append(list, n)
		}
	}
	if len(list) == 0 {
		return nil
	}
	if _, err := s.db.ExecContext(ctx, `INSERT INTO records.systems (system)
		SELECT n FROM unnest($1::text[]) AS n ORDER BY n ON CONFLICT DO NOTHING`, pq.Array(list)); err != nil {
		return pg.Fault(err)
	}
	return s.lookup(ctx, list)
}

func (s *Store) lookup(ctx context.Context, list []string) error {
	rows, err := s.db.QueryContext(ctx, `SELECT id, system FROM records.systems WHERE system = ANY($1)`, pq.Array(list))
	if err != nil {
		return pg.Fault(err)
	}
	defer rows.Close()
	found := make(map[string]int32, len(list))
	for rows.Next() {
		var id int32
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return pg.Fault(err)
		}
		found[name] = id
	}
	s.systems.keep(found)
	return pg.Fault(rows.Err())
}

// known returns the system's number for a search, -1 (which matches nothing)
// for one that no resource has.
func (s *Store) known(ctx context.Context, name string) (int32, error) {
	if id, ok := s.system(name); ok {
		return id, nil
	}
	if err := s.lookup(ctx, []string{name}); err != nil {
		return 0, err
	}
	if id, ok := s.system(name); ok {
		return id, nil
	}
	return -1, nil
}

// statements keeps prepared statements by their text. Their plans are kept by
// PostgreSQL, which saves the planning of what is asked most.
type statements struct {
	mu   sync.Mutex
	kept map[string]*sql.Stmt
}

const maxStatements = 200

// prepared returns the kept statement of a text, nil where there are too many.
func (s *Store) prepared(ctx context.Context, text string) (*sql.Stmt, error) {
	s.stmts.mu.Lock()
	st, ok := s.stmts.kept[text]
	full := len(s.stmts.kept) >= maxStatements
	s.stmts.mu.Unlock()
	if !ok {
		if full {
			return nil, nil
		}
		var err error
		// The statement outlives the request.
		if st, err = s.db.PrepareContext(context.WithoutCancel(ctx), text); err != nil {
			return nil, fmt.Errorf("prepare: %w", err)
		}
		s.stmts.mu.Lock()
		if other, twice := s.stmts.kept[text]; twice {
			defer st.Close()
			st = other
		} else {
			s.stmts.kept[text] = st
		}
		s.stmts.mu.Unlock()
	}
	return st, nil
}

// query runs text, by a kept plan if keep.
func (s *Store) query(ctx context.Context, q querier, keep bool, text string, args ...any) (*sql.Rows, error) {
	// Preparing within a transaction would need a second connection and can
	// wait for it forever when the pool is small.
	if _, inTx := q.(*sql.Tx); keep && !inTx {
		st, err := s.prepared(ctx, text) //nolint:sqlclosecheck // it is kept for the next request
		if err != nil {
			return nil, err
		}
		if st != nil {
			return st.QueryContext(ctx, args...)
		}
	}
	return q.QueryContext(ctx, text, args...)
}
