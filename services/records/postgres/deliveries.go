package postgres

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/subscription"
)

// Claim leases a Subscription that has something to send, a handshake, events
// or a heartbeat, or that is over: by its end, or because it failed before
// forgotten and nobody mended it. A lease that is not ended ends by itself.
// The queue is asked for its head, in order: whether it has any row is what
// the planner would look for in the whole table while one queue is long.
func (s *Store) Claim(ctx context.Context, now, forgotten time.Time, lease time.Duration) (*subscription.Kept, error) {
	row := s.db.QueryRowContext(ctx, `UPDATE records.subscriptions s SET leased = $2 WHERE s.id = (
		SELECT c.id FROM records.subscriptions c
		WHERE c.status <> 'off' AND c.due <= $1 AND c.leased <= $1 AND (
			c.status = 'requested' OR c.ends > 0 AND c.ends <= $1 OR c.status = 'error' AND c.due <= $3 OR c.status = 'active' AND c.channel = 'rest-hook' AND (
				c.heartbeat > 0 AND c.sent + c.heartbeat <= $1 OR
				(SELECT e.number FROM records.events e WHERE e.subscription = c.id AND e.state = 'q' ORDER BY e.number LIMIT 1) IS NOT NULL))
		ORDER BY c.due, c.sent LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING `+keptColumns, micros(now), micros(now.Add(lease)), micros(forgotten))
	return scanKept(row)
}

// Settle writes how a delivery ended and ends its lease. A Subscription that
// was changed meanwhile keeps what the change says.
func (s *Store) Settle(ctx context.Context, k *subscription.Kept, r subscription.Result) error {
	err := pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		for state, numbers := range r.Settled {
			if _, err := tx.ExecContext(ctx, `UPDATE records.events SET state = $3::text::"char" WHERE subscription = $1 AND number = ANY($2) AND state = 'q'`,
				k.ID, pq.Array(numbers), string(state)); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `UPDATE records.subscriptions SET leased = 0, sent = greatest(sent, $2) WHERE id = $1`, k.ID, micros(r.Sent)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE records.subscriptions SET failures = $3, due = $4, status = coalesce(nullif($5, ''), status),
			version = greatest(version, $6), body = coalesce($7, body) WHERE id = $1 AND version = $2`, k.ID, k.Version, r.Failures, micros(r.Due), r.Status, r.Version, r.Body)
		return err
	})
	return err
}

// Get returns a Subscription, nil when the projection does not know it.
func (s *Store) Get(ctx context.Context, id string) (*subscription.Kept, error) {
	return scanKept(s.db.QueryRowContext(ctx, `SELECT `+keptColumns+` FROM records.subscriptions s WHERE s.id = $1`, id))
}

// Waiting returns the queue's head.
func (s *Store) Waiting(ctx context.Context, id string, limit int) ([]subscription.Queued, error) {
	return s.events(ctx, ` WHERE e.subscription = $1 AND e.state = 'q' ORDER BY e.number LIMIT $2`, id, limit)
}

// Events lists events after a number and up to another.
func (s *Store) Events(ctx context.Context, id string, after, until int64, state subscription.State, limit int) ([]subscription.Queued, error) {
	return s.events(ctx, ` WHERE e.subscription = $1 AND e.number > $2 AND e.number <= $3 AND ($4 = '' AND e.state <> 'w' OR e.state::text = $4)
		ORDER BY e.number LIMIT $5`, id, after, until, string(state), limit)
}

func (s *Store) events(ctx context.Context, where string, args ...any) ([]subscription.Queued, error) {
	//nolint:gosec // the conditions are ours, the values are parameters
	rows, err := s.db.QueryContext(ctx, `SELECT e.subscription, e.number, e.seq, e.at, e.type, e.id, e.version, e.op::text FROM records.events e`+where, args...)
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	var out []subscription.Queued
	for rows.Next() {
		var e subscription.Queued
		var at int64
		var op string
		if err := rows.Scan(&e.Subscription, &e.Number, &e.Seq, &at, &e.Type, &e.ID, &e.Version, &op); err != nil {
			return nil, pg.Fault(err)
		}
		e.At, e.Op = since(at), ops[op]
		out = append(out, e)
	}
	return out, pg.Fault(rows.Err())
}

// Resend puts dead letters back into the queue.
func (s *Store) Resend(ctx context.Context, id string, numbers []int64) (n int64, err error) {
	err = s.db.QueryRowContext(ctx, `WITH u AS (UPDATE records.events SET state = 'q'
			WHERE subscription = $1 AND state = 'd' AND (coalesce(cardinality($2::bigint[]), 0) = 0 OR number = ANY($2)) RETURNING 1)
		SELECT count(*) FROM u, pg_notify($3, $4)`, id, pq.Array(numbers), channel, queuedPayload).Scan(&n)
	s.bell.queue.ring()
	return n, pg.Fault(err)
}

// Extend lets a claim last until a time.
func (s *Store) Extend(ctx context.Context, id string, until time.Time) error {
	_, err := s.db.ExecContext(ctx, `UPDATE records.subscriptions SET leased = $2 WHERE id = $1 AND leased > 0`, id, micros(until))
	return pg.Fault(err)
}

// Purge drops events from before a time that no queue needs, and tokens that
// nobody can use.
func (s *Store) Purge(ctx context.Context, before time.Time) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM records.events WHERE at < $1 AND state NOT IN ('q', 'd')`, micros(before))
	if err == nil {
		_, err = s.db.ExecContext(ctx, `DELETE FROM records.tickets WHERE until < $1`, micros(before))
	}
	return pg.Fault(err)
}

// Queues tells how deliveries stand; what is gone is left out.
func (s *Store) Queues(ctx context.Context, id string, failed bool, limit int) ([]subscription.Standing, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT `+keptColumns+`, s.due, coalesce(e.waiting, 0), coalesce(e.dead, 0) FROM records.subscriptions s
		LEFT JOIN (SELECT subscription, count(*) FILTER (WHERE state = 'q') AS waiting, count(*) FILTER (WHERE state = 'd') AS dead
			FROM records.events WHERE state IN ('q', 'd') AND ($1 = '' OR subscription = $1) GROUP BY subscription) e ON e.subscription = s.id
		WHERE ($1 = '' OR s.id = $1) AND (NOT $2 OR s.status = 'error' OR e.dead > 0) AND s.body <> '{}'
		ORDER BY coalesce(e.dead, 0) DESC, coalesce(e.waiting, 0) DESC, s.id LIMIT $3`, id, failed, limit)
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	var out []subscription.Standing
	for rows.Next() {
		var x subscription.Standing
		var due int64
		k, err := scanKept(rows, &due, &x.Waiting, &x.Dead)
		if err != nil {
			return nil, err
		}
		x.Kept, x.Due = *k, since(due)
		out = append(out, x)
	}
	return out, pg.Fault(rows.Err())
}

// Queue counts for the metrics.
func (s *Store) Queue(ctx context.Context) (q subscription.Queue, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE state = 'q'), count(*) FILTER (WHERE state = 'd')
		FROM records.events WHERE state IN ('q', 'd')`).Scan(&q.Waiting, &q.Dead)
	return q, pg.Fault(err)
}

// Issue keeps a token's digest.
func (s *Store) Issue(ctx context.Context, digest []byte, id, account string, until time.Time) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO records.tickets VALUES ($1, $2, $3, $4)`, digest, id, account, micros(until))
	return pg.Fault(err)
}

// Redeem takes a token away and returns what it was for.
func (s *Store) Redeem(ctx context.Context, digest []byte, now time.Time) (id, account string, err error) {
	var until int64
	err = s.db.QueryRowContext(ctx, `DELETE FROM records.tickets WHERE digest = $1 RETURNING subscription, account, until`, digest).Scan(&id, &account, &until)
	if errors.Is(err, sql.ErrNoRows) || err == nil && until < micros(now) {
		return "", "", fault.New(fault.Unauthenticated, "the token is not valid any more; ask for one with $get-ws-binding-token", nil)
	}
	return id, account, pg.Fault(err)
}
