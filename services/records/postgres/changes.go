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

// poll bounds how long a reader waits for a notice that was lost, and settle
// how often it looks whether older transactions have ended.
const (
	poll   = time.Second
	settle = 20 * time.Millisecond
)

// Changes returns rows of the log after cursor, in the log's order, and the
// cursor behind the last row that was looked at. When there are none it waits
// for at most wait.
func (s *Store) Changes(ctx context.Context, cursor string, types []int16, limit int, wait time.Duration) ([]record.Stored, string, error) {
	at, err := parseLogCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	wanted := map[int16]bool{}
	for _, t := range types {
		wanted[t] = true
	}
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		rung := s.bell.wait()
		list, next, err := s.changes(ctx, at, wanted, limit)
		if err != nil {
			return nil, "", err
		}
		moved := next != at
		at = next
		if len(list) > 0 || wait <= 0 {
			return list, at.String(), s.name(ctx, s.db, list)
		}
		if moved {
			continue // rows of other types: look further at once
		}
		pause, err := s.pause(ctx, at)
		if err != nil {
			return nil, "", err
		}
		retry := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			retry.Stop()
			return nil, at.String(), nil
		case <-timeout.C:
			retry.Stop()
			return nil, at.String(), nil
		case <-rung:
		case <-retry.C:
		}
		retry.Stop()
	}
}

// pause is short while a committed row waits for an older transaction to end.
func (s *Store) pause(ctx context.Context, at logCursor) (time.Duration, error) {
	var held bool
	// The order makes PostgreSQL look at the end of the log by its index. For
	// EXISTS it would expect a third of all rows to do, and read the whole log.
	err := s.db.QueryRowContext(ctx, `SELECT (SELECT 1 FROM records.versions v WHERE (v.tx, v.seq) > ($1::text::xid8, $2::bigint)
		ORDER BY v.tx, v.seq LIMIT 1) IS NOT NULL`,
		strconv.FormatUint(at.tx, 10), int64(at.seq)).Scan(&held)
	if held {
		return settle, pg.Fault(err)
	}
	return poll, pg.Fault(err)
}

func (s *Store) changes(ctx context.Context, at logCursor, wanted map[int16]bool, limit int) ([]record.Stored, logCursor, error) {
	var types array
	for t := range wanted {
		types.int(int64(t))
	}
	// Rows of other types stay where they are, but for the last one, which
	// moves the cursor past them.
	rows, err := s.query(ctx, s.db, true, `WITH n AS (SELECT v.*, lead(v.seq) OVER (ORDER BY v.tx, v.seq) IS NULL AS last
			FROM (SELECT v.key, v.patient, v.type, v.id, v.version, v.at, v.op, v.actor, v.seq, v.tx,
				CASE WHEN $4 OR v.type = ANY($5::smallint[]) THEN v.encoding ELSE 0 END AS encoding,
				CASE WHEN $4 OR v.type = ANY($5::smallint[]) THEN v.body ELSE '' END AS body FROM records.versions v
				WHERE (v.tx, v.seq) > ($1::text::xid8, $2::bigint) AND v.tx < pg_snapshot_xmin(pg_current_snapshot())
				ORDER BY v.tx, v.seq LIMIT $3) v)
		SELECT key, patient, type, id, version, at, op::text, actor, seq, encoding, body, tx::text FROM n
		WHERE $4 OR type = ANY($5::smallint[]) OR last ORDER BY n.tx, seq`, strconv.FormatUint(at.tx, 10), int64(at.seq), limit, len(wanted) == 0, types.arg())
	if err != nil {
		return nil, at, pg.Fault(err)
	}
	defer rows.Close()
	var list []record.Stored
	left := room(maxPage)
	for rows.Next() {
		var tx string
		x, err := s.scanVersion(rows, &tx)
		if err != nil {
			return nil, at, err
		}
		taken := len(wanted) == 0 || wanted[x.Type]
		if taken && !left.take(&x, false, len(list) == 0) {
			break // the next call begins with it
		}
		if at.tx, err = strconv.ParseUint(tx, 10, 64); err != nil {
			return nil, at, err
		}
		at.seq = uint64(x.Seq)
		if taken {
			list = append(list, x)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, at, pg.Fault(err)
	}
	rows.Close()
	return list, at, s.Fill(ctx, nil, list)
}
