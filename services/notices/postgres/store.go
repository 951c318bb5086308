// Package postgres keeps notices in PostgreSQL, in the schema "notices".
package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"time"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/pkg/projection"
	"github.com/yba-health/yba/services/notices/message"
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

// Store is a message.Store.
type Store struct{ db *sql.DB }

var _ message.Store = (*Store)(nil)

// New returns a store on db.
func New(db *sql.DB) *Store { return &Store{db} }

// lockKey is the advisory lock of background work, "yba.not" in letters.
const lockKey = 0x7962612e6e6f74

// Hold implements message.Store.
func (s *Store) Hold(ctx context.Context) (*projection.Lock, error) {
	return projection.Hold(ctx, s.db, lockKey)
}

// Cursor implements message.Store.
func (s *Store) Cursor(ctx context.Context) (string, error) {
	var c string
	err := s.db.QueryRowContext(ctx, `SELECT cursor FROM notices.cursor`).Scan(&c)
	return c, pg.Fault(err)
}

// Facts implements message.Store.
func (s *Store) Facts(ctx context.Context, references []string) (map[string]message.Fact, error) {
	rows, err := s.db.QueryContext(ctx, `
		SELECT reference, version, patient, status, start, remote, consultation FROM notices.facts WHERE reference = ANY($1)`, pq.Array(references))
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	out := map[string]message.Fact{}
	for rows.Next() {
		var f message.Fact
		if err := rows.Scan(&f.Reference, &f.Version, &f.Patient, &f.Status, &f.Start, &f.Remote, &f.Consultation); err != nil {
			return nil, pg.Fault(err)
		}
		out[f.Reference] = f
	}
	return out, pg.Fault(rows.Err())
}

// Tell implements message.Store.
func (s *Store) Tell(ctx context.Context, from, next string, orders []message.Order, seen []message.Fact, now time.Time) error {
	return pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		if from != next {
			var cursor string
			if err := tx.QueryRowContext(ctx, `SELECT cursor FROM notices.cursor FOR UPDATE`).Scan(&cursor); err != nil {
				return err
			}
			if cursor != from {
				return message.ErrMoved
			}
			if _, err := tx.ExecContext(ctx, `UPDATE notices.cursor SET cursor = $1`, next); err != nil {
				return err
			}
		}
		for _, f := range seen {
			if _, err := tx.ExecContext(ctx, `
				INSERT INTO notices.facts AS t (reference, version, patient, status, start, remote, consultation) VALUES ($1, $2, $3, $4, $5, $6, $7)
				ON CONFLICT (reference) DO UPDATE SET version = excluded.version, patient = excluded.patient, status = excluded.status,
					start = excluded.start, remote = excluded.remote, consultation = excluded.consultation WHERE t.version < excluded.version`,
				f.Reference, f.Version, f.Patient, f.Status, f.Start, f.Remote, f.Consultation); err != nil {
				return err
			}
		}
		for _, o := range orders {
			if err := tell(ctx, tx, o, now); err != nil {
				return err
			}
		}
		return nil
	})
}

func tell(ctx context.Context, tx *sql.Tx, o message.Order, now time.Time) error {
	n := o.Notice
	var id int64
	err := tx.QueryRowContext(ctx, `
		INSERT INTO notices.notices (account, kind, key, title, text, link, at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (account, key) DO NOTHING RETURNING id`,
		n.Account, n.Kind, n.Key, n.Title, n.Text, n.Link, n.At).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO notices.outbox (notice, channel, endpoint, address, due)
		SELECT $1::bigint, 'push', endpoint, '', $3::timestamptz FROM notices.subscriptions WHERE account = $2
		UNION ALL SELECT $1::bigint, 'sms', '', $4::text, $3::timestamptz WHERE $4::text <> ''
		UNION ALL SELECT $1::bigint, 'email', '', $5::text, $3::timestamptz WHERE $5::text <> ''`,
		id, n.Account, now, o.Phone, o.Email)
	return err
}

// List implements message.Store.
func (s *Store) List(ctx context.Context, account string, limit int) ([]message.Notice, int, error) {
	var unread int
	if err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM notices.notices WHERE account = $1 AND NOT read`, account).Scan(&unread); err != nil {
		return nil, 0, pg.Fault(err)
	}
	rows, err := s.db.QueryContext(ctx, `
		SELECT id, account, kind, key, title, text, link, at, read FROM notices.notices
		WHERE account = $1 ORDER BY id DESC LIMIT $2`, account, limit)
	if err != nil {
		return nil, 0, pg.Fault(err)
	}
	defer rows.Close()
	var out []message.Notice
	for rows.Next() {
		var n message.Notice
		if err := rows.Scan(&n.ID, &n.Account, &n.Kind, &n.Key, &n.Title, &n.Text, &n.Link, &n.At, &n.Read); err != nil {
			return nil, 0, pg.Fault(err)
		}
		out = append(out, n)
	}
	return out, unread, pg.Fault(rows.Err())
}

// MarkRead implements message.Store.
func (s *Store) MarkRead(ctx context.Context, account string, id int64) error {
	r, err := s.db.ExecContext(ctx, `UPDATE notices.notices SET read = true WHERE account = $1 AND (id = $2 OR $2 = 0)`, account, id)
	if err != nil {
		return pg.Fault(err)
	}
	if n, err := r.RowsAffected(); err == nil && n == 0 && id != 0 {
		return fault.New(fault.NotFound, "there is no such notice", nil)
	}
	return nil
}
