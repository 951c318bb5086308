package postgres

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
)

// logCursor is a place in the change log. Sequence numbers commit out of
// order, so a place is the transaction and the number, and only transactions
// older than every running one are read: nothing can appear before the place.
type logCursor struct{ tx, seq uint64 }

func (c logCursor) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatUint(c.tx, 36) + "." + strconv.FormatUint(c.seq, 36)))
}

func parseLogCursor(s string) (logCursor, error) {
	if s == "" {
		return logCursor{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	tx, seq, ok := strings.Cut(string(b), ".")
	t, err2 := strconv.ParseUint(tx, 36, 64)
	n, err3 := strconv.ParseUint(seq, 36, 63)
	if err != nil || err2 != nil || err3 != nil || !ok {
		return logCursor{}, fault.New(fault.Invalid, "the cursor is not one that this server gave", nil)
	}
	return logCursor{t, n}, nil
}

// poll bounds how long a reader waits for a notice that was lost. A waiting
// reader looks at the log at most every settle, and rarer each time, up to
// breath: while an import runs there is something new whenever it looks.
const (
	poll   = time.Second
	settle = 20 * time.Millisecond
	breath = 100 * time.Millisecond
)

// Changes returns rows of the log after cursor, in the log's order, and the
// cursor behind the last row that was looked at; more tells that the log may
// go on there. When there are none it waits for at most wait.
func (s *Store) Changes(ctx context.Context, cursor string, types []int16, limit int, wait time.Duration) (list []record.Stored, next string, more bool, err error) {
	at, err := parseLogCursor(cursor)
	if err != nil {
		return nil, "", false, err
	}
	waiting, stop := context.WithTimeout(ctx, wait)
	defer stop()
	for gap := settle; ; gap = min(2*gap, breath) {
		looked, rung := time.Now(), s.Rung()
		if list, at, more, err = s.changes(ctx, at, types, limit); err != nil {
			return nil, "", false, err
		}
		if len(list) > 0 || wait <= 0 {
			return list, at.String(), more, s.name(ctx, s.db, list)
		}
		if more {
			continue // rows of other types
		}
		held, err := s.held(ctx, at)
		if err != nil {
			return nil, "", false, err
		}
		if !held {
			_ = pause(waiting, rung, poll)
		}
		if pause(waiting, nil, gap-time.Since(looked)) != nil {
			return nil, at.String(), false, nil
		}
	}
}

// pause waits until the bell rings, for d at most, or fails when ctx is done.
func pause(ctx context.Context, rung <-chan struct{}, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-rung:
	case <-t.C:
	}
	return ctx.Err()
}

// The place in the log is asked for in a SELECT of its own: what the planner
// does not see, it need not plan for again each time.
const behind = `(v.tx, v.seq) > ((SELECT $1::text::xid8), (SELECT $2::bigint))`

// held reports whether a committed row waits for an older transaction to end.
func (s *Store) held(ctx context.Context, at logCursor) (held bool, err error) {
	// The order makes PostgreSQL look at the end of the log by its index. For
	// EXISTS it would expect a third of all rows to do, and read the whole log.
	rows, err := s.query(ctx, s.db, true, `SELECT 1 FROM records.versions v WHERE `+behind+` ORDER BY v.tx, v.seq LIMIT 1`,
		xid(at.tx), int64(at.seq))
	if err != nil {
		return false, pg.Fault(err)
	}
	defer rows.Close()
	held = rows.Next()
	return held, pg.Fault(rows.Err())
}

// changes looks at limit rows, and tells whether there were so many.
func (s *Store) changes(ctx context.Context, at logCursor, types []int16, limit int) (list []record.Stored, next logCursor, more bool, err error) {
	// Types and limit stand in the text: there are few of them, and the plan is kept.
	wanted := "true"
	if len(types) > 0 {
		numbers := make([]string, len(types))
		for i, t := range types {
			numbers[i] = strconv.Itoa(int(t))
		}
		wanted = "v.type IN (" + strings.Join(numbers, ", ") + ")"
	}
	// Rows of other types stay where they are, but for the last one, which
	// moves the cursor past them.
	rows, err := s.query(ctx, s.db, true, `SELECT key, patient, type, id, version, at, op::text, actor, seq, encoding, body, tx::text, wanted, place
		FROM (SELECT v.*, row_number() OVER log AS place, lead(v.seq) OVER log IS NULL AS last
			FROM (SELECT v.key, v.patient, v.type, v.id, v.version, v.at, v.op, v.actor, v.seq, v.tx, `+wanted+` AS wanted,
				CASE WHEN `+wanted+` THEN v.encoding ELSE 0 END AS encoding, CASE WHEN `+wanted+` THEN v.body ELSE '' END AS body
				FROM records.versions v WHERE `+behind+` AND v.tx < pg_snapshot_xmin(pg_current_snapshot())
				ORDER BY v.tx, v.seq LIMIT `+strconv.Itoa(limit)+`) v WINDOW log AS (ORDER BY v.tx, v.seq)) v
		WHERE wanted OR last ORDER BY v.tx, v.seq`, xid(at.tx), int64(at.seq))
	if err != nil {
		return nil, at, false, pg.Fault(err)
	}
	defer rows.Close()
	left := room(maxPage)
	for rows.Next() {
		var tx uint64
		var taken bool
		var place int
		x, err := s.scanVersion(rows, &tx, &taken, &place)
		if err != nil {
			return nil, at, false, err
		}
		if more = place == limit; taken && !left.take(&x, false, len(list) == 0) {
			more = true
			break // the next call begins with it
		}
		at = logCursor{tx, uint64(x.Seq)}
		if taken {
			list = append(list, x)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, at, false, pg.Fault(err)
	}
	rows.Close()
	return list, at, more, s.Fill(ctx, nil, list)
}
