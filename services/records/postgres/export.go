package postgres

import (
	"context"
	"database/sql"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
)

// exported writes the FROM and WHERE of a job's resources of a type: of each,
// the version v that was current in the job's snapshot. Both scopes hold, that
// of asking and that of now, for where the resource lies now and where it lay
// then.
func (q *sqlText) exported(j *record.Job, typ int16, after string, reaches []record.Reach) {
	q.WriteString(` FROM records.directory d CROSS JOIN LATERAL (SELECT * FROM records.versions w
		WHERE w.key = d.key AND pg_visible_in_snapshot(w.tx, ` + q.arg(j.Snapshot) + `::pg_snapshot) ORDER BY w.version DESC LIMIT 1) v
		WHERE d.type = ` + q.arg(typ) + ` AND d.id > ` + q.arg(after))
	for _, r := range reaches {
		q.WriteString(` AND ` + q.reach("d.patient", r) + ` AND ` + q.reach("v.patient", r))
	}
	switch j.Level {
	case "patient":
		q.WriteString(` AND d.patient > 0`) // neither what is shared nor what is closed
	case "group":
		q.WriteString(` AND EXISTS (SELECT FROM records.job_patients m WHERE m.job = ` + q.arg(j.ID) + ` AND m.patient = d.patient)`)
	}
	if j.Since > 0 {
		q.WriteString(` AND v.at >= ` + q.arg(j.Since))
	} else {
		q.WriteString(` AND v.op <> 'd'`)
	}
}

// CountExport counts the next part of an export, of at most limit resources;
// whole tells that nothing of the type comes after it.
func (s *Store) CountExport(ctx context.Context, j *record.Job, typ int16, after string, limit int, reaches []record.Reach) (f *record.JobFile, whole bool, err error) {
	q := &sqlText{}
	q.WriteString(`SELECT count(*) FILTER (WHERE op <> 'd'), count(*) FILTER (WHERE op = 'd'), max(id) FROM (SELECT d.id, v.op`)
	q.exported(j, typ, after, reaches)
	q.WriteString(` ORDER BY d.id LIMIT ` + q.arg(limit) + `) x`)
	f = &record.JobFile{Type: typ, After: after}
	var upto sql.NullString
	if err := s.db.QueryRowContext(ctx, q.String(), q.args...).Scan(&f.Count, &f.Deleted, &upto); err != nil {
		return nil, false, pg.Fault(err)
	}
	f.Upto = upto.String
	return f, f.Count+f.Deleted < int64(limit), nil
}

// maxExportPage bounds the bytes of a page of a file.
const maxExportPage = 4 << 20

// ReadExport returns a page of a file in the order of ids, after the given
// one; more tells that there are others.
func (s *Store) ReadExport(ctx context.Context, j *record.Job, f *record.JobFile, deleted bool, after string, limit int, reaches []record.Reach) (list []record.Stored, more bool, err error) {
	q := &sqlText{}
	q.WriteString(`SELECT ` + versionColumns)
	q.exported(j, f.Type, after, reaches)
	q.WriteString(` AND d.id <= ` + q.arg(f.Upto) + ` AND (v.op = 'd') = ` + q.arg(deleted) + ` ORDER BY d.id LIMIT ` + q.arg(limit+1))
	rows, err := s.query(ctx, s.db, false, q.String(), q.args...)
	if err != nil {
		return nil, false, pg.Fault(err)
	}
	defer rows.Close()
	left := room(maxExportPage)
	for rows.Next() {
		x, err := s.scanVersion(rows)
		if err != nil {
			return nil, false, err
		}
		if more = len(list) == limit || !left.take(&x, false, len(list) == 0); more {
			break
		}
		list = append(list, x)
	}
	if err := rows.Err(); err != nil {
		return nil, false, pg.Fault(err)
	}
	rows.Close()
	if err := s.Fill(ctx, nil, list); err != nil {
		return nil, false, err
	}
	return list, more, s.name(ctx, s.db, list)
}

// FirstRead notes that an account was given records of patients, and returns
// those of which it had none yet in this job.
func (s *Store) FirstRead(ctx context.Context, job, account string, patients []int64) ([]int64, error) {
	var first pq.Int64Array
	err := s.db.QueryRowContext(ctx, `WITH n AS (INSERT INTO records.job_readers (job, account, patient)
		SELECT $1, $2, p FROM unnest($3::bigint[]) AS p ON CONFLICT DO NOTHING RETURNING patient) SELECT array_agg(patient) FROM n`,
		job, account, pq.Array(patients)).Scan(&first)
	return first, pg.Fault(err)
}
