package postgres

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/access/account"
)

var accountColumns = `a.id, a.username, a.name, a.roles, a.patient, ` + line("a.patient") + `, a.practitioner, a.communes, a.facility, a.created, a.disabled`

// scanAccount returns the targets of accountColumns, and a function that
// completes the account after the scan.
func scanAccount(a *account.Account) ([]any, func()) {
	var disabled sql.NullTime
	return []any{
		&a.ID, &a.Username, &a.Name, pq.Array(&a.Roles), &a.Patient, (*pq.StringArray)(&a.Merged), &a.Practitioner, pq.Array(&a.Communes),
		&a.Facility, &a.Created, &disabled,
	}, func() { a.Disabled = disabled.Time }
}

// AddAccount implements account.Store.
func (s *Store) AddAccount(ctx context.Context, a account.Account, c account.Credential) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO access.accounts
		(id, username, name, folded, roles, patient, practitioner, communes, facility, password, activation, activation_expires, created)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		a.ID, a.Username, a.Name, a.Folded(), pq.Array(a.Roles), a.Patient, a.Practitioner, pq.Array(nonNil(a.Communes)), a.Facility,
		c.Password, c.Activation, nullTime(c.ActivationExpires), a.Created)
	switch {
	case pg.Unique(err, "accounts_username"):
		return fault.New(fault.Conflict, "this username is taken", err).In("username")
	case pg.Unique(err, "accounts_patient"):
		return fault.New(fault.Conflict, "this person has an account already", err).In("patient")
	}
	return pg.Fault(err)
}

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func nullTime(t time.Time) sql.NullTime { return sql.NullTime{Time: t, Valid: !t.IsZero()} }

// Account implements account.Store.
func (s *Store) Account(ctx context.Context, id string) (account.Account, error) {
	var a account.Account
	to, done := scanAccount(&a)
	err := s.db.QueryRowContext(ctx, `SELECT `+accountColumns+` FROM access.accounts a WHERE id = $1`, id).Scan(to...)
	done()
	return a, pg.Fault(err)
}

// AccountByUsername implements account.Store.
func (s *Store) AccountByUsername(ctx context.Context, username string) (account.Account, account.Credential, error) {
	var a account.Account
	var c account.Credential
	var expires sql.NullTime
	to, done := scanAccount(&a)
	err := s.db.QueryRowContext(ctx, `SELECT `+accountColumns+`, a.password, a.activation, a.activation_expires
		FROM access.accounts a WHERE username = $1`, username).Scan(append(to, &c.Password, &c.Activation, &expires)...)
	done()
	c.ActivationExpires = expires.Time
	return a, c, pg.Fault(err)
}

// AccountByPatient implements account.Store.
func (s *Store) AccountByPatient(ctx context.Context, patient string) (account.Account, error) {
	var a account.Account
	to, done := scanAccount(&a)
	err := s.db.QueryRowContext(ctx, `SELECT `+accountColumns+` FROM access.accounts a WHERE patient = ANY(access.known($1)) AND disabled IS NULL
		ORDER BY patient = $1 DESC, created LIMIT 1`, patient).Scan(to...)
	done()
	return a, pg.Fault(err)
}

// Credential implements account.Store.
func (s *Store) Credential(ctx context.Context, id string) (account.Credential, error) {
	var c account.Credential
	var expires sql.NullTime
	err := s.db.QueryRowContext(ctx, `SELECT password, activation, activation_expires FROM access.accounts WHERE id = $1`, id).
		Scan(&c.Password, &c.Activation, &expires)
	c.ActivationExpires = expires.Time
	return c, pg.Fault(err)
}

// SetCredential implements account.Store.
func (s *Store) SetCredential(ctx context.Context, id string, c account.Credential) error {
	return exactly(s.db.ExecContext(ctx, `UPDATE access.accounts SET password = $2, activation = $3, activation_expires = $4 WHERE id = $1`,
		id, c.Password, c.Activation, nullTime(c.ActivationExpires)))
}

// DisableAccount implements account.Store.
func (s *Store) DisableAccount(ctx context.Context, id string, now time.Time) error {
	return exactly(s.db.ExecContext(ctx, `UPDATE access.accounts SET disabled = coalesce(disabled, $2) WHERE id = $1`, id, now))
}

// Accounts implements account.Store.
func (s *Store) Accounts(ctx context.Context, query, role string, limit int) ([]account.Account, error) {
	like := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(query) + "%"
	return s.accounts(ctx, `WHERE folded LIKE $1 AND ($2 = '' OR $2 = ANY(roles)) ORDER BY name, id LIMIT $3`, like, role, limit)
}

// ExactAccounts implements account.Store.
func (s *Store) ExactAccounts(ctx context.Context, x account.Exact, limit int) ([]account.Account, error) {
	return s.accounts(ctx, `WHERE ($1 = '' OR id::text = $1) AND ($2 = '' OR patient = ANY(access.known($2))) AND ($3 = '' OR practitioner = $3)
		ORDER BY name, id LIMIT $4`, x.ID, x.Patient, x.Practitioner, limit)
}

func (s *Store) accounts(ctx context.Context, where string, args ...any) ([]account.Account, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT `+accountColumns+` FROM access.accounts a `+where, args...) //nolint:gosec // where is a constant of the callers
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	var all []account.Account
	for rows.Next() {
		var a account.Account
		to, done := scanAccount(&a)
		if err := rows.Scan(to...); err != nil {
			return nil, pg.Fault(err)
		}
		done()
		all = append(all, a)
	}
	return all, pg.Fault(rows.Err())
}

// CountAttempt implements account.Store.
func (s *Store) CountAttempt(ctx context.Context, attempts []account.Attempt, now time.Time) (time.Duration, error) {
	// PostgreSQL rounds to microseconds: with finer digits a time that was just
	// written could come back later than now, and the first try would wait.
	now = now.Truncate(time.Microsecond)
	var wait time.Duration
	err := pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		wait = 0
		failures := make([]int, len(attempts))
		for i, a := range attempts {
			// The row is locked until the end, so parallel tries queue up here.
			var until time.Time
			err := tx.QueryRowContext(ctx, `INSERT INTO access.attempts AS t (key, failures, last, until) VALUES ($1, 0, $2, $2)
				ON CONFLICT (key) DO UPDATE SET failures = CASE WHEN t.last < $3 THEN 0 ELSE t.failures END
				RETURNING failures, until`, a.Key, now, now.Add(-account.ForgetAfter)).Scan(&failures[i], &until)
			if err != nil {
				return err
			}
			wait = max(wait, until.Sub(now))
		}
		if wait > 0 {
			return nil
		}
		for i, a := range attempts {
			_, err := tx.ExecContext(ctx, `UPDATE access.attempts SET failures = $2, last = $3, until = $4 WHERE key = $1`,
				a.Key, failures[i]+1, now, now.Add(a.WaitAfter(failures[i]+1)))
			if err != nil {
				return err
			}
		}
		return nil
	})
	return wait, err
}

// ForgetAttempts implements account.Store.
func (s *Store) ForgetAttempts(ctx context.Context, keys, undo []string) error {
	_, err := s.db.ExecContext(ctx, `WITH gone AS (DELETE FROM access.attempts WHERE key = ANY($1))
		UPDATE access.attempts SET failures = greatest(failures - 1, 0), until = last WHERE key = ANY($2)`, pq.Array(keys), pq.Array(undo))
	return pg.Fault(err)
}
