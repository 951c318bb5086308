package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/access/account"
	"github.com/yba-health/yba/services/access/openid"
)

const sessionColumns = `s.id, s.account, s.method, s.started, s.expires`

func scanSession(s *openid.Session) []any {
	return []any{&s.ID, &s.Account, &s.Method, &s.Started, &s.Expires}
}

// AddSession implements openid.Store.
func (s *Store) AddSession(ctx context.Context, x openid.Session, cookie []byte) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO access.sessions (id, cookie, account, method, started, expires) VALUES ($1, $2, $3, $4, $5, $6)`,
		x.ID, cookie, x.Account, x.Method, x.Started, x.Expires)
	return pg.Fault(err)
}

// SessionByCookie implements openid.Store.
func (s *Store) SessionByCookie(ctx context.Context, cookie []byte, now time.Time) (openid.Session, account.Account, error) {
	var x openid.Session
	var a account.Account
	to, done := scanAccount(&a)
	err := s.db.QueryRowContext(ctx, `SELECT `+sessionColumns+`, `+accountColumns+`
		FROM access.sessions s JOIN access.accounts a ON a.id = s.account
		WHERE s.cookie = $1 AND s.ended IS NULL AND s.expires > $2 AND a.disabled IS NULL`, cookie, now).
		Scan(append(scanSession(&x), to...)...)
	done()
	return x, a, pg.Fault(err)
}

// EndSessions implements openid.Store.
func (s *Store) EndSessions(ctx context.Context, accountID, except, reason string, now time.Time) error {
	_, err := s.db.ExecContext(ctx, `WITH over AS (
			UPDATE access.sessions SET ended = $3 WHERE account = $1 AND id <> $2 AND ended IS NULL RETURNING id)
		UPDATE access.grants SET ended = $3, reason = $4 WHERE session IN (SELECT id FROM over) AND ended IS NULL`,
		accountID, except, now, reason)
	return pg.Fault(err)
}

// EndSession implements openid.Store.
func (s *Store) EndSession(ctx context.Context, id, reason string, now time.Time) error {
	_, err := s.db.ExecContext(ctx, `WITH over AS (
			UPDATE access.sessions SET ended = $2 WHERE id = $1 AND ended IS NULL RETURNING id)
		UPDATE access.grants SET ended = $2, reason = $3 WHERE session IN (SELECT id FROM over) AND ended IS NULL`, id, now, reason)
	return pg.Fault(err)
}

// AddGrant implements openid.Store.
func (s *Store) AddGrant(ctx context.Context, g openid.Grant) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO access.grants (id, session, client, scopes, started) VALUES ($1, $2, $3, $4, $5)`,
		g.ID, g.Session, g.Client, pq.Array(nonNil(g.Scopes)), g.Started)
	return pg.Fault(err)
}

// Holder implements openid.Store.
func (s *Store) Holder(ctx context.Context, grant string, now time.Time) (openid.Holder, error) {
	var h openid.Holder
	to, done := scanAccount(&h.Account)
	g := &h.Grant
	err := s.db.QueryRowContext(ctx, `SELECT g.id, g.session, g.client, g.scopes, g.started, `+sessionColumns+`, `+accountColumns+`
		FROM access.grants g JOIN access.sessions s ON s.id = g.session JOIN access.accounts a ON a.id = s.account
		WHERE g.id = $1 AND g.ended IS NULL AND s.ended IS NULL AND s.expires > $2 AND a.disabled IS NULL`, grant, now).
		Scan(append(append([]any{&g.ID, &g.Session, &g.Client, pq.Array(&g.Scopes), &g.Started}, scanSession(&h.Session)...), to...)...)
	done()
	return h, pg.Fault(err)
}

// EndGrant implements openid.Store.
func (s *Store) EndGrant(ctx context.Context, grant, reason string, now time.Time) error {
	_, err := s.db.ExecContext(ctx, `UPDATE access.grants SET ended = $2, reason = $3 WHERE id = $1 AND ended IS NULL`, grant, now, reason)
	return pg.Fault(err)
}

// AddRefreshToken implements openid.Store.
func (s *Store) AddRefreshToken(ctx context.Context, hash []byte, grant string, expires time.Time) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO access.refresh_tokens (hash, "grant", expires) VALUES ($1, $2, $3)`, hash, grant, expires)
	return pg.Fault(err)
}

// UseRefreshToken implements openid.Store.
func (s *Store) UseRefreshToken(ctx context.Context, hash, next []byte, expires, now time.Time, grace time.Duration) error {
	res, err := s.db.ExecContext(ctx, `WITH old AS (
			UPDATE access.refresh_tokens SET used = coalesce(used, $4)
			WHERE hash = $1 AND expires > $4 AND (used IS NULL OR used >= $5) RETURNING "grant")
		INSERT INTO access.refresh_tokens (hash, "grant", expires) SELECT $2, "grant", $3 FROM old`,
		hash, next, expires, now, now.Add(-grace))
	if err := exactly(res, err); fault.Is(err, fault.NotFound) {
		return fault.New(fault.Conflict, "this sign-in was used already", err)
	} else if err != nil {
		return err
	}
	return nil
}

// RefreshToken implements openid.Store.
func (s *Store) RefreshToken(ctx context.Context, hash []byte, now time.Time) (string, error) {
	var grant string
	err := s.db.QueryRowContext(ctx, `SELECT "grant" FROM access.refresh_tokens WHERE hash = $1 AND expires > $2`, hash, now).Scan(&grant)
	return grant, pg.Fault(err)
}

// AddRequest implements openid.Store.
func (s *Store) AddRequest(ctx context.Context, r *openid.Request) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fault.New(fault.Invalid, "the authorization request cannot be kept", err)
	}
	_, err = s.db.ExecContext(ctx, `INSERT INTO access.auth_requests (id, created, body) VALUES ($1, $2, $3)`, r.ID, r.Created, string(body))
	return pg.Fault(err)
}

// Request implements openid.Store.
func (s *Store) Request(ctx context.Context, id string, now time.Time) (*openid.Request, error) {
	return s.request(ctx, `r.id = $1 AND r.created > $2`, id, now.Add(-openid.RequestLife))
}

// RequestByCode implements openid.Store.
func (s *Store) RequestByCode(ctx context.Context, code []byte, now time.Time) (*openid.Request, error) {
	return s.request(ctx, `r.code = $1 AND r.coded > $2 AND s.id IS NOT NULL`, code, now.Add(-openid.CodeLife))
}

func (s *Store) request(ctx context.Context, where string, args ...any) (*openid.Request, error) {
	r := &openid.Request{}
	var body []byte
	var id, accountID, method sql.NullString
	var started, expires sql.NullTime
	err := s.db.QueryRowContext(ctx, `SELECT r.body, `+sessionColumns+` FROM access.auth_requests r
		LEFT JOIN access.sessions s ON s.id = r.session AND s.ended IS NULL WHERE `+where, args...).
		Scan(&body, &id, &accountID, &method, &started, &expires)
	if err != nil {
		return nil, pg.Fault(err)
	}
	if err := json.Unmarshal(body, r); err != nil {
		return nil, fault.New(fault.Internal, "internal error", err)
	}
	if id.Valid {
		r.Answer = &openid.Answer{Session: openid.Session{
			ID: id.String, Account: accountID.String, Method: method.String, Started: started.Time, Expires: expires.Time,
		}}
	}
	return r, nil
}

// FinishRequest implements openid.Store.
func (s *Store) FinishRequest(ctx context.Context, id, session string) error {
	return exactly(s.db.ExecContext(ctx, `UPDATE access.auth_requests SET session = $2 WHERE id = $1 AND code IS NULL`, id, session))
}

// SetCode implements openid.Store.
func (s *Store) SetCode(ctx context.Context, id string, code []byte, now time.Time) error {
	return exactly(s.db.ExecContext(ctx, `UPDATE access.auth_requests SET code = $2, coded = $3 WHERE id = $1 AND code IS NULL`, id, code, now))
}

// DropRequest implements openid.Store.
func (s *Store) DropRequest(ctx context.Context, id string) error {
	return exactly(s.db.ExecContext(ctx, `DELETE FROM access.auth_requests WHERE id = $1`, id))
}

// Sweep implements openid.Store.
func (s *Store) Sweep(ctx context.Context, now time.Time) error {
	for _, q := range []string{
		`DELETE FROM access.auth_requests WHERE created < $1::timestamptz - interval '1 day'`,
		`DELETE FROM access.attempts WHERE last < $1::timestamptz - interval '2 days'`,
		`DELETE FROM access.refresh_tokens WHERE expires < $1::timestamptz - interval '1 day'`,
	} {
		if _, err := s.db.ExecContext(ctx, q, now); err != nil {
			return pg.Fault(err)
		}
	}
	return nil
}
