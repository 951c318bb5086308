package postgres

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/access/audit"
)

// auditLock is the advisory lock that the writer of the chain holds.
const auditLock = 0x7962612d61756474 // "yba-audt"

// rolesJoint joins roles in the parameter, since UNNEST flattens arrays of
// arrays; role names have no such character.
const rolesJoint = "\x1f"

// AppendAudit implements audit.Store.
func (s *Store) AppendAudit(ctx context.Context, entries []audit.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	s.audit.Lock()
	defer s.audit.Unlock()
	return pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(auditLock)); err != nil {
			return err
		}
		var last int64
		var hash []byte
		err := tx.QueryRowContext(ctx, `SELECT seq, hash FROM access.audit ORDER BY seq DESC LIMIT 1`).Scan(&last, &hash)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		audit.Link(last, hash, entries)
		return insertAudit(ctx, tx, entries)
	})
}

func insertAudit(ctx context.Context, tx *sql.Tx, entries []audit.Entry) error {
	n := len(entries)
	seqs, times := make([]int64, n), make([]string, n)
	previous, hashes := make([][]byte, n), make([][]byte, n)
	texts := make([][]string, 10)
	for i := range texts {
		texts[i] = make([]string, n)
	}
	for i, e := range entries {
		seqs[i], times[i] = e.Seq, e.At.Format(time.RFC3339Nano)
		previous[i], hashes[i] = nonNilBytes(e.Previous), e.Hash
		for j, v := range []string{
			e.Operation, e.Account, e.Name, strings.Join(e.Roles, rolesJoint), e.Service, e.Facility, e.Patient, e.Target, e.Outcome, e.Reason,
		} {
			texts[j][i] = v
		}
	}
	args := []any{pq.Array(seqs), pq.Array(times)}
	for _, t := range texts {
		args = append(args, pq.Array(t))
	}
	args = append(args, pq.Array(previous), pq.Array(hashes))
	_, err := tx.ExecContext(ctx, `INSERT INTO access.audit
		(seq, at, operation, account, name, roles, service, facility, patient, target, outcome, reason, previous, hash)
		SELECT seq, at, operation, account, name, string_to_array(roles, E'\x1f'), service, facility, patient, target, outcome, reason, previous, hash
		FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
			$10::text[], $11::text[], $12::text[], $13::bytea[], $14::bytea[])
			AS t(seq, at, operation, account, name, roles, service, facility, patient, target, outcome, reason, previous, hash)`, args...)
	return err
}

func nonNilBytes(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

const auditColumns = `seq, at, operation, account, name, roles, service, facility, patient, target, outcome, reason, previous, hash`

func scanAudit(rows *sql.Rows) (audit.Entry, error) {
	var e audit.Entry
	err := rows.Scan(&e.Seq, &e.At, &e.Operation, &e.Account, &e.Name, pq.Array(&e.Roles), &e.Service, &e.Facility,
		&e.Patient, &e.Target, &e.Outcome, &e.Reason, &e.Previous, &e.Hash)
	return e, err
}

// Audit implements audit.Store.
func (s *Store) Audit(ctx context.Context, q audit.Query) ([]audit.Entry, error) {
	// Each condition is a constant of its own, so that the planner sees which
	// index serves it.
	where, args := `seq < $1`, []any{q.Before, q.Limit}
	if q.Before <= 0 {
		args[0] = int64(math.MaxInt64)
	}
	if q.Patient != "" {
		where, args = where+` AND patient = $3`, append(args, q.Patient)
	}
	if q.Denied {
		where += ` AND outcome = 'denied'`
	}
	rows, err := s.db.QueryContext(ctx, `SELECT `+auditColumns+` FROM access.audit WHERE `+where+` ORDER BY seq DESC LIMIT $2`, args...) //nolint:gosec // where is put together from constants
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	var all []audit.Entry
	for rows.Next() {
		e, err := scanAudit(rows)
		if err != nil {
			return nil, pg.Fault(err)
		}
		all = append(all, e)
	}
	return all, pg.Fault(rows.Err())
}

// walkPage is how many entries are verified between two queries.
const walkPage = 5000

// WalkAudit implements audit.Store.
func (s *Store) WalkAudit(ctx context.Context, f func(audit.Entry) error) error {
	// A tampered log may hold any number, so the walk begins below all of them.
	after := int64(math.MinInt64)
	for {
		n, err := s.walkPage(ctx, &after, f)
		if err != nil || n < walkPage {
			return err
		}
	}
}

func (s *Store) walkPage(ctx context.Context, after *int64, f func(audit.Entry) error) (int, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT `+auditColumns+` FROM access.audit WHERE seq > $1 ORDER BY seq LIMIT $2`, *after, walkPage)
	if err != nil {
		return 0, pg.Fault(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		e, err := scanAudit(rows)
		if err != nil {
			return n, pg.Fault(err)
		}
		if err := f(e); err != nil {
			return n, err
		}
		*after = e.Seq
		n++
	}
	return n, pg.Fault(rows.Err())
}
