// Package postgres keeps coverage's read model in PostgreSQL, in the schema
// "coverage".
package postgres

import (
	"context"
	"database/sql"
	"embed"
	"io/fs"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/pkg/projection"
	"github.com/yba-health/yba/services/coverage/readmodel"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations returns the schema's history.
func Migrations() fs.FS {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		return files
	}
	return sub
}

// Store is a readmodel.Store.
type Store struct{ db *sql.DB }

var _ readmodel.Store = (*Store)(nil)

// New returns a store on db.
func New(db *sql.DB) *Store { return &Store{db} }

// lockKey is the advisory lock of the projection, "yba.cov" in letters.
const lockKey = 0x7962612e636f76

// Hold implements readmodel.Store.
func (s *Store) Hold(ctx context.Context) (*projection.Lock, error) {
	return projection.Hold(ctx, s.db, lockKey)
}

// Generations implements readmodel.Store.
func (s *Store) Generations(ctx context.Context) ([]readmodel.Generation, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id, live, cursor, applied, as_of FROM coverage.generations ORDER BY live DESC`)
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	var out []readmodel.Generation
	for rows.Next() {
		var g readmodel.Generation
		var asOf sql.NullTime
		if err := rows.Scan(&g.ID, &g.Live, &g.Cursor, &g.Applied, &asOf); err != nil {
			return nil, pg.Fault(err)
		}
		g.AsOf = asOf.Time
		out = append(out, g)
	}
	if err := rows.Err(); err != nil {
		return nil, pg.Fault(err)
	}
	if len(out) == 0 || !out[0].Live {
		return nil, fault.New(fault.Internal, "the read model has no live generation; run yba migrate and then yba coverage rebuild", nil)
	}
	return out, nil
}

// Build implements readmodel.Store.
func (s *Store) Build(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO coverage.generations (live) VALUES (false) ON CONFLICT (live) DO NOTHING`)
	return pg.Fault(err)
}

var tables = []string{"persons", "uses", "facilities", "offers", "counts"}

// Switch implements readmodel.Store.
func (s *Store) Switch(ctx context.Context, generation int64) error {
	err := pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		var live bool
		if err := tx.QueryRowContext(ctx, `SELECT live FROM coverage.generations WHERE id = $1 FOR UPDATE`, generation).Scan(&live); err != nil || live {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM coverage.generations WHERE live`); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE coverage.generations SET live = true WHERE id = $1`, generation)
		return err
	})
	if err != nil {
		return err
	}
	return s.sweep(ctx)
}

// sweep removes rows of generations that are gone, apart from the switch so
// that no report waits for it.
func (s *Store) sweep(ctx context.Context) error {
	for _, t := range tables {
		if _, err := s.db.ExecContext(ctx, `DELETE FROM coverage.`+t+` WHERE generation NOT IN (SELECT id FROM coverage.generations)`); err != nil { //nolint:gosec // t is one of tables
			return pg.Fault(err)
		}
	}
	return nil
}

// Counts implements readmodel.Store.
func (s *Store) Counts(ctx context.Context, indicator string, now, before readmodel.Day) ([]readmodel.Count, error) {
	rows, err := s.db.QueryContext(ctx, `
		SELECT commune, hamlet, sum(n), coalesce(sum(n) FILTER (WHERE day <= $3::date), 0)
		FROM coverage.counts
		WHERE generation = (SELECT id FROM coverage.generations WHERE live) AND indicator = $1 AND day <= $2::date
		GROUP BY commune, hamlet`, indicator, string(now), string(before))
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	var out []readmodel.Count
	for rows.Next() {
		var c readmodel.Count
		if err := rows.Scan(&c.Commune, &c.Hamlet, &c.Now, &c.Before); err != nil {
			return nil, pg.Fault(err)
		}
		if c.Now != 0 || c.Before != 0 {
			out = append(out, c)
		}
	}
	return out, pg.Fault(rows.Err())
}

// Since implements readmodel.Store. Days that were folded are long ago.
func (s *Store) Since(ctx context.Context) (readmodel.Day, error) {
	var day readmodel.Day
	err := s.db.QueryRowContext(ctx, `
		SELECT coalesce(greatest(min(day), '0001-01-01')::text, '') FROM coverage.counts
		WHERE generation = (SELECT id FROM coverage.generations WHERE live) AND indicator = $1`, readmodel.RecordCreated).Scan(&day)
	return day, pg.Fault(err)
}

// Facilities implements readmodel.Store.
func (s *Store) Facilities(ctx context.Context) ([]readmodel.KnownFacility, error) {
	rows, err := s.db.QueryContext(ctx, `
		WITH g AS (SELECT id FROM coverage.generations WHERE live)
		SELECT f.commune, f.created::text,
			coalesce((SELECT min(o.created)::text FROM coverage.offers o WHERE o.generation = f.generation AND o.facility = f.id AND o.counted), '')
		FROM coverage.facilities f JOIN g ON f.generation = g.id WHERE f.counted`)
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	var out []readmodel.KnownFacility
	for rows.Next() {
		var f readmodel.KnownFacility
		if err := rows.Scan(&f.Commune, &f.Created, &f.Offered); err != nil {
			return nil, pg.Fault(err)
		}
		out = append(out, f)
	}
	return out, pg.Fault(rows.Err())
}

// SetPopulation implements readmodel.Store.
func (s *Store) SetPopulation(ctx context.Context, list []readmodel.Population) error {
	return pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		for _, p := range list {
			if _, err := tx.ExecContext(ctx, `
				INSERT INTO coverage.populations (unit, day, people, adults, source) VALUES ($1, $2::date, $3, $4, $5)
				ON CONFLICT (unit, day) DO UPDATE SET people = excluded.people, adults = excluded.adults, source = excluded.source`,
				p.Unit, string(p.Day), p.People, p.Adults, p.Source); err != nil {
				return err
			}
		}
		return nil
	})
}

// Populations implements readmodel.Store.
func (s *Store) Populations(ctx context.Context, on readmodel.Day) (map[string]readmodel.Population, error) {
	rows, err := s.db.QueryContext(ctx, `
		SELECT DISTINCT ON (unit) unit, day::text, people, adults, source FROM coverage.populations
		WHERE day <= $1::date ORDER BY unit, day DESC`, string(on))
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	out := map[string]readmodel.Population{}
	for rows.Next() {
		var p readmodel.Population
		if err := rows.Scan(&p.Unit, &p.Day, &p.People, &p.Adults, &p.Source); err != nil {
			return nil, pg.Fault(err)
		}
		out[p.Unit] = p
	}
	return out, pg.Fault(rows.Err())
}

// SetTargets implements readmodel.Store.
func (s *Store) SetTargets(ctx context.Context, list []readmodel.Target) error {
	return pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		for _, t := range list {
			if _, err := tx.ExecContext(ctx, `
				INSERT INTO coverage.targets (indicator, level, by, share, source) VALUES ($1, $2, $3::date, $4, $5)
				ON CONFLICT (indicator, level, by) DO UPDATE SET share = excluded.share, source = excluded.source`,
				t.Indicator, t.Level, string(t.By), t.Share, t.Source); err != nil {
				return err
			}
		}
		return nil
	})
}

// Targets implements readmodel.Store.
func (s *Store) Targets(ctx context.Context) ([]readmodel.Target, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT indicator, level, by::text, share, source FROM coverage.targets ORDER BY by, level DESC`)
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	var out []readmodel.Target
	for rows.Next() {
		var t readmodel.Target
		if err := rows.Scan(&t.Indicator, &t.Level, &t.By, &t.Share, &t.Source); err != nil {
			return nil, pg.Fault(err)
		}
		out = append(out, t)
	}
	return out, pg.Fault(rows.Err())
}
