package postgres

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
)

// mergeCursor is a place among the merges: the transaction that made or undid
// one, and its id.
type mergeCursor struct {
	tx uint64
	id uuid.UUID
}

func (c mergeCursor) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatUint(c.tx, 36) + "." + c.id.String()))
}

func parseMergeCursor(s string) (mergeCursor, error) {
	if s == "" {
		return mergeCursor{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	tx, id, ok := strings.Cut(string(b), ".")
	t, err2 := strconv.ParseUint(tx, 36, 64)
	u, err3 := uuid.Parse(id)
	if err != nil || err2 != nil || err3 != nil || !ok {
		return mergeCursor{}, fault.New(fault.Invalid, "the cursor is not one that this server gave", nil)
	}
	return mergeCursor{t, u}, nil
}

// Merged returns how Patients stand that were merged, or whose merge was
// undone, after cursor, and the next cursor. When there are none it waits for
// at most wait.
func (s *Store) Merged(ctx context.Context, cursor string, limit int, wait time.Duration) (list []record.Merged, next string, more bool, err error) {
	at, err := parseMergeCursor(cursor)
	if err != nil {
		return nil, "", false, err
	}
	waiting, stop := context.WithTimeout(ctx, wait)
	defer stop()
	for gap := settle; ; gap = min(2*gap, breath) {
		looked, rung := time.Now(), s.Rung()
		if list, at, err = s.merged(ctx, at, limit); err != nil || len(list) > 0 || wait <= 0 {
			return list, at.String(), len(list) == limit, err
		}
		_ = pause(waiting, rung, poll)
		if pause(waiting, nil, gap-time.Since(looked)) != nil {
			return nil, at.String(), false, nil
		}
	}
}

// merged reads the next merges. Only transactions older than every running one
// are looked at, so that nothing can appear before the cursor. What a row says
// of its Patient is how it stands now: a merge that was undone and made again
// has two rows, which say the same.
func (s *Store) merged(ctx context.Context, at mergeCursor, limit int) (list []record.Merged, next mergeCursor, err error) {
	rows, err := s.query(ctx, s.db, true, `SELECT m.tx::text, m.id, f.id, coalesce(t.id, '')
		FROM records.merges m JOIN records.compartments f ON f.patient = m.source
		LEFT JOIN records.merges o ON o.source = m.source AND o.undone IS NULL
		LEFT JOIN records.compartments t ON t.patient = o.target
		WHERE (m.tx, m.id) > ($1::text::xid8, $2::uuid) AND m.tx < pg_snapshot_xmin(pg_current_snapshot())
		ORDER BY m.tx, m.id LIMIT $3`, xid(at.tx), at.id, limit)
	if err != nil {
		return nil, at, pg.Fault(err)
	}
	defer rows.Close()
	for rows.Next() {
		var x record.Merged
		if err := rows.Scan(&at.tx, &at.id, &x.Patient, &x.Into); err != nil {
			return nil, at, pg.Fault(err)
		}
		list = append(list, x)
	}
	return list, at, pg.Fault(rows.Err())
}
