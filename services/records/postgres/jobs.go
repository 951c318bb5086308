package postgres

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
)

// horizonMargin is how long a version may have been stamped before its
// transaction got a number. What is stamped earlier than the horizon is in
// the snapshot.
const horizonMargin = "10 seconds"

// AddJob keeps a new job and fixes its snapshot: from here on it does not
// matter what is written. patients are the members of a Group.
func (s *Store) AddJob(ctx context.Context, j *record.Job, keep time.Duration, patients []int64) error {
	return pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		// First the time, then the snapshot: what began between the two is
		// younger than the time.
		err := tx.QueryRowContext(ctx, `SELECT least(clock_timestamp(), (SELECT min(a.xact_start) FROM pg_stat_activity a
			WHERE a.datname = current_database() AND a.backend_xid IS NOT NULL)) - $1::interval`, horizonMargin).Scan(&j.Horizon)
		if err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, `INSERT INTO records.jobs (id, principal, account, scope, request, level, types, since, until, filters, elements, ignored,
				snapshot, horizon, expires)
			VALUES ($1, $2::text::jsonb, $3, $4::text::jsonb, $5, $6, $7, $8, $9, coalesce($10, '{}'::text[]), $11, coalesce($12, '{}'::text[]),
				pg_current_snapshot(), $13, now() + $14 * interval '1 second')
			RETURNING snapshot::text, expires`, j.ID, string(j.Principal), j.Account, string(j.Scope), j.Request, j.Level, pq.Array(j.Types), j.Since, j.Until,
			pq.Array(j.Filters), j.Elements, pq.Array(j.Ignored), j.Horizon, int64(keep.Seconds())).Scan(&j.Snapshot, &j.Expires)
		if err != nil || len(patients) == 0 {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO records.job_patients SELECT $1, p FROM unnest($2::bigint[]) AS p ON CONFLICT DO NOTHING`, j.ID, pq.Array(patients))
		return err
	})
}

const jobColumns = `id, principal::text, account, scope::text, request, level, types, since, until, filters, elements, ignored,
	snapshot::text, horizon, expires, state, place, after`

func scanJob(row *sql.Row) (*record.Job, error) {
	j := &record.Job{}
	var types pq.Int64Array
	err := row.Scan(&j.ID, &j.Principal, &j.Account, &j.Scope, &j.Request, &j.Level, &types, &j.Since, &j.Until, pq.Array(&j.Filters), &j.Elements,
		pq.Array(&j.Ignored), &j.Snapshot, &j.Horizon, &j.Expires, &j.State, &j.Place, &j.After)
	if err != nil {
		return nil, pg.Fault(err)
	}
	for _, t := range types {
		j.Types = append(j.Types, int16(t)) //nolint:gosec // the column is a smallint
	}
	return j, nil
}

// Job returns a job; fault.NotFound when there is none or its time is over.
func (s *Store) Job(ctx context.Context, id string) (*record.Job, error) {
	j, err := scanJob(s.db.QueryRowContext(ctx, `SELECT `+jobColumns+` FROM records.jobs WHERE id = $1 AND expires > now()`, id))
	if fault.Is(err, fault.NotFound) {
		return nil, fault.New(fault.NotFound, "there is no such export; it was cancelled, or its time is over", err)
	}
	return j, err
}

// Files returns a job's files.
func (s *Store) Files(ctx context.Context, job string) ([]record.JobFile, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT file, type, after, upto, count, deleted FROM records.job_files WHERE job = $1 ORDER BY file`, job)
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	var list []record.JobFile
	for rows.Next() {
		var f record.JobFile
		if err := rows.Scan(&f.File, &f.Type, &f.After, &f.Upto, &f.Count, &f.Deleted); err != nil {
			return nil, pg.Fault(err)
		}
		list = append(list, f)
	}
	return list, pg.Fault(rows.Err())
}

// RemoveJob forgets a job and its files.
func (s *Store) RemoveJob(ctx context.Context, id string) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM records.jobs WHERE id = $1`, id)
	return pg.Fault(err)
}

// ClaimJob returns an active job that nobody works at, for the length of the
// lease; nil when there is none. It also forgets jobs whose time is over.
func (s *Store) ClaimJob(ctx context.Context, lease time.Duration) (*record.Job, error) {
	if _, err := s.db.ExecContext(ctx, `DELETE FROM records.jobs WHERE expires < now()`); err != nil {
		return nil, pg.Fault(err)
	}
	j, err := scanJob(s.db.QueryRowContext(ctx, `UPDATE records.jobs SET lease = now() + $1 * interval '1 millisecond'
		WHERE id = (SELECT id FROM records.jobs WHERE state = 'active' AND lease < now() ORDER BY expires LIMIT 1 FOR UPDATE SKIP LOCKED)
		RETURNING `+jobColumns, lease.Milliseconds()))
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return j, err
}

var errMoved = errors.New("records: somebody else works at the export, or it was cancelled")

// IsMoved reports whether AdvanceJob met a job that another worker has moved,
// or that is gone.
func IsMoved(err error) bool { return errors.Is(err, errMoved) }

// AdvanceJob moves a job from where j stands to its next place and adds the
// file that was counted, if any; both or none. It prolongs the lease.
func (s *Store) AdvanceJob(ctx context.Context, j *record.Job, place int, after, state string, f *record.JobFile, lease time.Duration) error {
	err := pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		got, err := tx.ExecContext(ctx, `UPDATE records.jobs SET place = $4, after = $5, state = $6, lease = now() + $7 * interval '1 millisecond'
			WHERE id = $1 AND state = 'active' AND place = $2 AND after = $3`, j.ID, j.Place, j.After, place, after, state, lease.Milliseconds())
		if err != nil {
			return err
		}
		if n, err := got.RowsAffected(); err != nil || n == 0 {
			return errors.Join(errMoved, err)
		}
		if f == nil {
			return nil
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO records.job_files (job, file, type, after, upto, count, deleted)
			SELECT $1, 1 + count(*), $2, $3, $4, $5, $6 FROM records.job_files WHERE job = $1`, j.ID, f.Type, f.After, f.Upto, f.Count, f.Deleted)
		return err
	})
	if err == nil {
		j.Place, j.After, j.State = place, after, state
	}
	return err
}
