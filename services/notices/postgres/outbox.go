package postgres

import (
	"context"
	"database/sql"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/notices/message"
)

// maxSubscriptions bounds the browsers of one account; the oldest make room.
const maxSubscriptions = 10

// Subscribe implements message.Store.
func (s *Store) Subscribe(ctx context.Context, sub message.Subscription) error {
	return pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		// Who signs in on a shared computer takes its notices over: what was
		// still to go there for somebody else must not appear on it.
		if _, err := tx.ExecContext(ctx, `
			DELETE FROM notices.outbox WHERE endpoint = $1
			AND EXISTS (SELECT FROM notices.subscriptions WHERE endpoint = $1 AND account <> $2)`, sub.Endpoint, sub.Account); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO notices.subscriptions (endpoint, account, p256dh, auth) VALUES ($1, $2, $3, $4)
			ON CONFLICT (endpoint) DO UPDATE SET account = excluded.account, p256dh = excluded.p256dh, auth = excluded.auth, at = now()`,
			sub.Endpoint, sub.Account, sub.P256dh, sub.Auth); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			DELETE FROM notices.subscriptions WHERE account = $1 AND endpoint NOT IN (
				SELECT endpoint FROM notices.subscriptions WHERE account = $1 ORDER BY at DESC, endpoint LIMIT $2)`, sub.Account, maxSubscriptions)
		return err
	})
}

// Unsubscribe implements message.Store.
func (s *Store) Unsubscribe(ctx context.Context, account, endpoint string) error {
	r, err := s.db.ExecContext(ctx, `DELETE FROM notices.subscriptions WHERE account = $1 AND endpoint = $2`, account, endpoint)
	if err != nil {
		return pg.Fault(err)
	}
	if n, err := r.RowsAffected(); err == nil && n == 0 {
		return fault.New(fault.NotFound, "this browser is not subscribed", nil)
	}
	_, err = s.db.ExecContext(ctx, `DELETE FROM notices.outbox WHERE endpoint = $1`, endpoint)
	return pg.Fault(err)
}

// Due implements message.Store. A push message whose subscription is gone is
// returned without one, so that the channel gives it up.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]message.Outgoing, error) {
	rows, err := s.db.QueryContext(ctx, `
		SELECT o.id, o.channel, o.address, o.tries, n.id, n.account, n.kind, n.key, n.title, n.text, n.link, n.at,
			coalesce(s.endpoint, ''), coalesce(s.p256dh, ''), coalesce(s.auth, '')
		FROM notices.outbox o JOIN notices.notices n ON n.id = o.notice
		LEFT JOIN notices.subscriptions s ON s.endpoint = o.endpoint AND s.account = n.account
		WHERE o.due <= $1 ORDER BY o.due LIMIT $2`, now, limit)
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	var out []message.Outgoing
	for rows.Next() {
		var o message.Outgoing
		m, n := &o.Message, &o.Message.Notice
		if err := rows.Scan(&m.ID, &o.Channel, &m.Address, &m.Tries, &n.ID, &n.Account, &n.Kind, &n.Key, &n.Title, &n.Text, &n.Link, &n.At,
			&m.Subscription.Endpoint, &m.Subscription.P256dh, &m.Subscription.Auth); err != nil {
			return nil, pg.Fault(err)
		}
		m.Subscription.Account = n.Account
		out = append(out, o)
	}
	return out, pg.Fault(rows.Err())
}

// Sent implements message.Store.
func (s *Store) Sent(ctx context.Context, id int64) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM notices.outbox WHERE id = $1`, id)
	return pg.Fault(err)
}

// Again implements message.Store.
func (s *Store) Again(ctx context.Context, id int64, then time.Time) error {
	_, err := s.db.ExecContext(ctx, `UPDATE notices.outbox SET tries = tries + 1, due = $2 WHERE id = $1`, id, then)
	return pg.Fault(err)
}

// Forget implements message.Store.
func (s *Store) Forget(ctx context.Context, endpoint string) error {
	return pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM notices.subscriptions WHERE endpoint = $1`, endpoint); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM notices.outbox WHERE endpoint = $1`, endpoint)
		return err
	})
}
