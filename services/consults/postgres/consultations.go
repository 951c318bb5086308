package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/consults/consult"
)

const columns = `body, revision, relations, written`

func scan(r row) (consult.Consultation, error) {
	var c consult.Consultation
	var body, relations, written []byte
	var revision int64
	if err := r.Scan(&body, &revision, &relations, &written); err != nil {
		return c, pg.Fault(err)
	}
	if err := json.Unmarshal(body, &c); err != nil {
		return c, err
	}
	c.Revision = revision
	return c, errors.Join(json.Unmarshal(relations, &c.Relations), json.Unmarshal(written, &c.Written))
}

// body leaves out what has columns that Record alone writes.
func document(c consult.Consultation) (body, members string, err error) {
	c.Relations, c.Written, c.Revision = nil, nil, 0
	b, err := json.Marshal(c)
	if err != nil {
		return "", "", err
	}
	if c.Members == nil {
		c.Members = []consult.Member{}
	}
	m, err := json.Marshal(c.Members)
	return string(b), string(m), err
}

// Book implements consult.Store.
func (s *Store) Book(ctx context.Context, c consult.Consultation) (consult.Consultation, bool, error) {
	repeated := false
	kept := c
	err := pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		repeated = false
		// Bookings of one doctor go one after the other, so that times that
		// overlap without being equal are seen too.
		if _, err := tx.ExecContext(ctx, `SELECT 1 FROM consults.doctors WHERE id = $1 FOR UPDATE`, c.Doctor); err != nil {
			return err
		}
		if c.RequestID != "" {
			old, err := scan(tx.QueryRowContext(ctx, `SELECT `+columns+` FROM consults.consultations WHERE booked_by = $1 AND request_id = $2`, c.BookedBy, c.RequestID))
			if err == nil {
				kept, repeated = old, true
				return nil
			}
			if !fault.Is(err, fault.NotFound) {
				return err
			}
		}
		if err := free(ctx, tx, &c); err != nil {
			return err
		}
		body, members, err := document(c)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO consults.consultations (id, patient, doctor, start, until, soon, status, booked_by, request_id, members, body)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			c.ID, c.Patient, c.Doctor, c.Start, c.End, c.Soon, string(c.Status), c.BookedBy, c.RequestID, members, body)
		if err != nil {
			return uniqueSlot(err)
		}
		kept.Revision = 1
		return notify(ctx, tx, &c)
	})
	return kept, repeated, err
}

// free refuses a time that overlaps another one of the doctor.
func free(ctx context.Context, tx *sql.Tx, c *consult.Consultation) error {
	if c.Soon {
		return nil
	}
	var taken bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM consults.consultations
		WHERE doctor = $1 AND start < $3 AND until > $2 AND id <> $4 AND NOT soon AND status NOT IN ('cancelled', 'missed'))`,
		c.Doctor, c.Start, c.End, c.ID).Scan(&taken)
	if err == nil && taken {
		return slotTaken(nil)
	}
	return err
}

// Get implements consult.Store.
func (s *Store) Get(ctx context.Context, id string) (consult.Consultation, error) {
	return scan(s.db.QueryRowContext(ctx, `SELECT `+columns+` FROM consults.consultations WHERE id = $1`, id))
}

// Change implements consult.Store.
func (s *Store) Change(ctx context.Context, id string, f func(*consult.Consultation) error) (consult.Consultation, error) {
	var changed consult.Consultation
	err := pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		c, err := scan(tx.QueryRowContext(ctx, `SELECT `+columns+` FROM consults.consultations WHERE id = $1 FOR UPDATE`, id))
		if err != nil {
			return err
		}
		before, _, err := document(c)
		if err != nil {
			return err
		}
		start := c.Start
		if err := f(&c); err != nil {
			return err
		}
		if !c.Start.Equal(start) {
			if _, err := tx.ExecContext(ctx, `SELECT 1 FROM consults.doctors WHERE id = $1 FOR UPDATE`, c.Doctor); err != nil {
				return err
			}
			if err := free(ctx, tx, &c); err != nil {
				return err
			}
		}
		changed = c
		body, members, err := document(c)
		if err != nil || body == before {
			return err
		}
		changed.Revision++
		_, err = tx.ExecContext(ctx, `UPDATE consults.consultations SET start = $2, until = $3, soon = $4, status = $5, members = $6, body = $7,
			revision = revision + 1, changed = now(), tries = 0, retry = '-infinity' WHERE id = $1`, id, c.Start, c.End, c.Soon, string(c.Status), members, body)
		if err != nil {
			return uniqueSlot(err)
		}
		return notify(ctx, tx, &c)
	})
	return changed, err
}

// Discard implements consult.Store.
func (s *Store) Discard(ctx context.Context, id string) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM consults.consultations WHERE id = $1`, id)
	return pg.Fault(err)
}

// List implements consult.Store.
func (s *Store) List(ctx context.Context, f consult.Filter) ([]consult.Consultation, error) {
	statuses := make([]string, 0, len(f.Statuses))
	for _, st := range f.Statuses {
		statuses = append(statuses, string(st))
	}
	member, err := json.Marshal([]map[string]string{{"account": f.Account}})
	if err != nil {
		return nil, err
	}
	// Bounds that are not asked for lie outside every calendar.
	from, until := f.From, f.Until
	if from.IsZero() {
		from = time.Unix(0, 0)
	}
	if until.IsZero() {
		until = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return query(ctx, s.db, scan, `SELECT `+columns+` FROM consults.consultations
		WHERE ($1 = '' OR patient = $1 OR patient = ANY ($9::text[]))
		  AND ($2 = '' OR doctor = $2 OR members @> $3::jsonb)
		  AND ($4 = '' OR doctor = $4)
		  AND (cardinality($5::text[]) = 0 OR status = ANY ($5::text[]))
		  AND start >= $6 AND start < $7
		ORDER BY start DESC, id LIMIT $8`,
		f.Patient, f.Account, string(member), f.Doctor, pq.StringArray(statuses), from, until, int64(f.Limit), pq.StringArray(append([]string{}, f.Merged...)))
}

// Record implements consult.Store.
func (s *Store) Record(ctx context.Context, id string, f func(*consult.Consultation) error) error {
	// The lock is on the name and not on the row: the record may be slow, and
	// changes need not wait for it.
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return pg.Fault(err)
	}
	defer conn.Close()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return pg.Fault(err)
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 7))`, "consults/"+id); err != nil {
		return pg.Fault(err)
	}
	c, err := scan(tx.QueryRowContext(ctx, `SELECT `+columns+` FROM consults.consultations WHERE id = $1`, id))
	if err != nil {
		return err
	}
	if c.Relations == nil {
		c.Relations = map[string]consult.Grant{}
	}
	if c.Written == nil {
		c.Written = map[string]string{}
	}
	failed := f(&c)
	relations, err := json.Marshal(c.Relations)
	if err != nil {
		return err
	}
	written, err := json.Marshal(c.Written)
	if err != nil {
		return err
	}
	recorded := c.Revision
	if failed != nil {
		recorded = 0
	}
	// After a failure the wait doubles, to ten minutes at most.
	_, err = tx.ExecContext(ctx, `UPDATE consults.consultations SET relations = $2, written = $3, recorded = greatest(recorded, $4),
			tries = CASE WHEN $5 THEN tries + 1 ELSE 0 END,
			retry = CASE WHEN $5 THEN now() + least(5 * 2 ^ least(tries, 20) - 5, 600) * interval '1 second' ELSE retry END
		WHERE id = $1`, id, string(relations), string(written), recorded, failed != nil)
	if err == nil {
		err = tx.Commit()
	}
	if failed != nil {
		return failed
	}
	return pg.Fault(err)
}

// Unrecorded implements consult.Store.
func (s *Store) Unrecorded(ctx context.Context, before time.Time, limit int) ([]string, error) {
	return query(ctx, s.db, func(r row) (string, error) {
		var id string
		return id, pg.Fault(r.Scan(&id))
	}, `SELECT id::text FROM consults.consultations WHERE recorded < revision AND changed < $1 AND retry < $1 ORDER BY retry, changed LIMIT $2`, before, int64(limit))
}
