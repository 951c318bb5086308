package postgres

import (
	"context"
	"database/sql"

	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/pkg/projection"
	"github.com/yba-health/yba/services/access/merge"
)

// mergesLock is the advisory lock of following merges, "yba.acc" in letters.
const mergesLock = 0x7962612e616363

// HoldMerges implements merge.Store.
func (s *Store) HoldMerges(ctx context.Context) (*projection.Lock, error) {
	return projection.Hold(ctx, s.db, mergesLock)
}

// MergesCursor implements merge.Store.
func (s *Store) MergesCursor(ctx context.Context) (string, error) {
	var c string
	err := s.db.QueryRowContext(ctx, `SELECT cursor FROM access.merges`).Scan(&c)
	return c, pg.Fault(err)
}

// ApplyMerges implements merge.Store.
func (s *Store) ApplyMerges(ctx context.Context, from, next string, list []merge.Merged) error {
	return pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE access.merges SET cursor = $2 WHERE cursor = $1`, from, next)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return merge.ErrMoved
		}
		for _, m := range list {
			if m.Into == "" {
				_, err = tx.ExecContext(ctx, `DELETE FROM access.merged WHERE patient = $1`, m.Patient)
			} else {
				_, err = tx.ExecContext(ctx, `INSERT INTO access.merged (patient, target) VALUES ($1, $2)
					ON CONFLICT (patient) DO UPDATE SET target = excluded.target`, m.Patient, m.Into)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// line selects whom the Patient in a column was merged into. For nearly
// everybody that is one look into an index, in a query that runs anyway.
func line(column string) string {
	return `CASE WHEN EXISTS (SELECT FROM access.merged m WHERE m.patient = ` + column + `) THEN access.line(` + column + `) ELSE '{}' END`
}
