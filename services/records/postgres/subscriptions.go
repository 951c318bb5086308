package postgres

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/subscription"
)

var _ subscription.Store = (*Store)(nil)

func xid(n uint64) string { return strconv.FormatUint(n, 10) }

func since(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Cursor returns where the projection stands.
func (s *Store) Cursor(ctx context.Context) (p subscription.Place, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT tx::text::bigint, seq FROM records.cursors WHERE name = 'subscriptions'`).Scan(&p.Tx, &p.Seq)
	return p, pg.Fault(err)
}

// Log returns rows of the types after a place and where to go on. Rows of
// other types are not read at all: an import that nobody follows costs a look
// at keys only. Values that are kept apart are left out: no criteria read them.
func (s *Store) Log(ctx context.Context, after subscription.Place, types []int16, limit int) ([]subscription.Logged, subscription.Place, error) {
	// The horizon is asked first, so that it is no later than what the rows
	// are read with.
	var horizon uint64
	if err := s.db.QueryRowContext(ctx, `SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint`).Scan(&horizon); err != nil {
		return nil, after, pg.Fault(err)
	}
	var list array
	for _, t := range types {
		list.int(int64(t))
	}
	rows, err := s.db.QueryContext(ctx, `SELECT `+versionColumns+`, v.tx::text::bigint FROM records.versions v
		WHERE (v.tx, v.seq) > ($1::text::xid8, $2::bigint) AND v.tx < $3::text::xid8 AND v.type = ANY($4::smallint[])
		ORDER BY v.tx, v.seq LIMIT $5`, xid(after.Tx), int64(after.Seq), xid(horizon), list.arg(), limit)
	if err != nil {
		return nil, after, pg.Fault(err)
	}
	defer rows.Close()
	var out []subscription.Logged
	left := room(maxPage)
	for rows.Next() {
		var tx uint64
		x, err := s.scanVersion(rows, &tx)
		if err != nil {
			return nil, after, err
		}
		if !left.take(&x, true, len(out) == 0) {
			return out, out[len(out)-1].Place, nil
		}
		out = append(out, subscription.Logged{Stored: x, Place: subscription.Place{Tx: tx, Seq: uint64(x.Seq)}})
	}
	if err := rows.Err(); err != nil {
		return nil, after, pg.Fault(err)
	}
	if len(out) == limit {
		return out, out[limit-1].Place, nil
	}
	// Nothing older than the horizon can still appear.
	if end := (subscription.Place{Tx: horizon - 1, Seq: math.MaxInt64}); after.Before(end) {
		after = end
	}
	return out, after, nil
}

const keptColumns = `s.id, s.version, s.owner, s.status, s.channel, s.body, s.tx::text::bigint, s.seq, s.heartbeat, s.ends, s.last, s.sent, s.failures`

type scanner interface{ Scan(...any) error }

func scanKept(row scanner, more ...any) (*subscription.Kept, error) {
	k := &subscription.Kept{}
	var heartbeat, ends, sent int64
	err := row.Scan(append([]any{&k.ID, &k.Version, &k.Owner, &k.Status, &k.Channel, &k.Body, &k.Began.Tx, &k.Began.Seq, &heartbeat, &ends, &k.Last, &sent, &k.Failures},
		more...)...)
	k.Heartbeat, k.End, k.Sent = time.Duration(heartbeat)*time.Microsecond, since(ends), since(sent)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return k, pg.Fault(err)
}

// Subscribed returns Subscriptions that are told of changes.
func (s *Store) Subscribed(ctx context.Context) ([]subscription.Kept, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT `+keptColumns+` FROM records.subscriptions s WHERE s.status <> 'off' ORDER BY s.id`)
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	var out []subscription.Kept
	for rows.Next() {
		k, err := scanKept(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, *k)
	}
	return out, pg.Fault(rows.Err())
}

// Take commits a step: Subscriptions, events and the cursor, or nothing.
func (s *Store) Take(ctx context.Context, step subscription.Step) (taken bool, err error) {
	err = pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		taken = false
		moved, err := tx.ExecContext(ctx, `UPDATE records.cursors SET tx = $1::text::xid8, seq = $2
			WHERE name = 'subscriptions' AND tx = $3::text::xid8 AND seq = $4`,
			xid(step.To.Tx), int64(step.To.Seq), xid(step.From.Tx), int64(step.From.Seq))
		if err != nil {
			return err
		}
		if n, err := moved.RowsAffected(); err != nil || n == 0 {
			return err
		}
		for i := range step.Kept {
			if err := keep(ctx, tx, &step.Kept[i]); err != nil {
				return err
			}
		}
		taken = true
		if err := enqueue(ctx, tx, step.Events); err != nil || len(step.Events)+len(step.Kept) == 0 {
			return err
		}
		_, err = tx.ExecContext(ctx, `SELECT pg_notify($1, $2)`, channel, queuedPayload)
		return err
	})
	if err == nil && taken {
		s.bell.queue.ring() // here at once, elsewhere by the notice
	}
	return taken, err
}

// keep stores what a version of a Subscription says. The owner and the
// beginning stay those of the first version; a status that the server wrote
// is known already. Where the table was emptied, numbers go on after the last
// event that is there.
func keep(ctx context.Context, tx *sql.Tx, k *subscription.Kept) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO records.subscriptions AS s (id, version, owner, status, channel, body, tx, seq, heartbeat, ends, last)
		VALUES ($1, $2, $3, $4, $5, $6, $7::text::xid8, $8, $9, $10, (SELECT coalesce(max(number), 0) FROM records.events WHERE subscription = $1))
		ON CONFLICT (id) DO UPDATE SET version = excluded.version, status = excluded.status, channel = excluded.channel, body = excluded.body,
			heartbeat = excluded.heartbeat, ends = excluded.ends, due = 0, failures = 0,
			tx = CASE WHEN s.status = 'off' THEN excluded.tx ELSE s.tx END, seq = CASE WHEN s.status = 'off' THEN excluded.seq ELSE s.seq END
		WHERE s.version < excluded.version`,
		k.ID, k.Version, k.Owner, k.Status, k.Channel, k.Body, xid(k.Began.Tx), int64(k.Began.Seq), k.Heartbeat.Microseconds(), micros(k.End))
	if err != nil {
		return err
	}
	// Nobody waits for what is queued of a Subscription that is off.
	_, err = tx.ExecContext(ctx, `DELETE FROM records.events e USING records.subscriptions s
		WHERE e.subscription = $1 AND e.state = 'q' AND s.id = e.subscription AND s.status = 'off'`, k.ID)
	return err
}

// enqueue numbers events from their Subscription's last one. What is there
// already, because the log is read again, is left out before it is counted.
func enqueue(ctx context.Context, tx *sql.Tx, list []subscription.Queued) error {
	if len(list) == 0 {
		return nil
	}
	var seqs, ats, types, versions array
	subs, ids, opcodes := make([]string, len(list)), make([]string, len(list)), make([]string, len(list))
	for i, e := range list {
		subs[i], ids[i], opcodes[i] = e.Subscription, e.ID, e.Op[:1]
		seqs.int(e.Seq)
		ats.int(micros(e.At))
		types.int(int64(e.Type))
		versions.int(e.Version)
	}
	_, err := tx.ExecContext(ctx, `WITH n AS (
			SELECT n.* FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::smallint[], $5::text[], $6::bigint[], $7::text[])
				WITH ORDINALITY AS n(subscription, seq, at, type, id, version, op, place)
			WHERE NOT EXISTS (SELECT FROM records.events e WHERE e.subscription = n.subscription AND e.seq = n.seq)),
		made AS (
			INSERT INTO records.events (subscription, number, seq, at, type, id, version, op, state)
			SELECT n.subscription, s.last + row_number() OVER (PARTITION BY n.subscription ORDER BY n.place), n.seq, n.at, n.type, n.id, n.version,
				n.op::"char", CASE s.channel WHEN 'websocket' THEN 's' ELSE 'q' END::"char"
			FROM n JOIN records.subscriptions s ON s.id = n.subscription AND s.status <> 'off' RETURNING subscription, number)
		UPDATE records.subscriptions s SET last = m.number
		FROM (SELECT subscription, max(number) AS number FROM made GROUP BY subscription) m WHERE s.id = m.subscription`,
		pq.Array(subs), seqs.arg(), ats.arg(), types.arg(), pq.Array(ids), versions.arg(), pq.Array(opcodes))
	return err
}

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
