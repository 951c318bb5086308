package postgres

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/lib/pq"

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
