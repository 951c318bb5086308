package postgres

import (
	"context"
	"database/sql"
	"time"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
)

// exported writes the FROM and WHERE of a job's resources of a type: of each,
// the version v that was current in the job's snapshot. Both scopes hold, that
// of asking and that of now, for where the resource lies now and where it lay
// then. Where versions are judged, b is the one that a deletion v ended.
func (q *sqlText) exported(j *record.Job, typ int16, after string, sel record.Selection) {
	q.WriteString(` FROM records.directory d CROSS JOIN LATERAL (SELECT * FROM records.versions w
		WHERE w.key = d.key AND pg_visible_in_snapshot(w.tx, ` + q.arg(j.Snapshot) + `::pg_snapshot) ORDER BY w.version DESC LIMIT 1) v`)
	if sel.Finds != nil {
		q.WriteString(` LEFT JOIN LATERAL (SELECT * FROM records.versions w
			WHERE v.op = 'd' AND w.key = v.key AND w.version < v.version AND w.op <> 'd' ORDER BY w.version DESC LIMIT 1) b ON true`)
	}
	q.WriteString(` WHERE d.type = ` + q.arg(typ) + ` AND d.id > ` + q.arg(after))
	for _, r := range sel.Reaches {
		q.WriteString(` AND ` + q.reach("d.patient", r) + ` AND ` + q.reach("v.patient", r))
		if sel.Finds != nil {
			// What it was in another's record must not decide what is told.
			q.WriteString(` AND (v.op <> 'd' OR ` + q.reach("b.patient", r) + `)`)
		}
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
	if j.Until > 0 {
		q.WriteString(` AND v.at < ` + q.arg(j.Until))
	}
}

// exportColumns are what exportRow reads.
func exportColumns(sel record.Selection) string {
	if sel.Finds == nil {
		return versionColumns
	}
	return versionColumns + `, b.at, b.encoding, b.body`
}

// exportRow reads a version and whether the selection finds it. A deletion is
// judged by what was deleted.
func (s *Store) exportRow(rows *sql.Rows, sel record.Selection) (x record.Stored, found bool, err error) {
	if sel.Finds == nil {
		x, err = s.scanVersion(rows)
		return x, true, err
	}
	var at sql.NullInt64
	var encoding sql.NullInt16
	var body sql.RawBytes
	if x, err = s.scanVersion(rows, &at, &encoding, &body); err != nil {
		return x, false, err
	}
	judged := x
	if x.Deleted && at.Valid {
		judged.Deleted, judged.Updated = false, time.UnixMicro(at.Int64).UTC()
		if judged.Body, judged.Splices, err = s.packer.own(body, encoding.Int16); err != nil {
			return x, false, err
		}
	}
	found, err = sel.Finds(&judged)
	return x, found, err
}

// CountExport counts the next part of an export among at most limit resources;
// whole tells that nothing of the type comes after it.
func (s *Store) CountExport(ctx context.Context, j *record.Job, typ int16, after string, limit int, sel record.Selection) (f *record.JobFile, whole bool, err error) {
	f = &record.JobFile{Type: typ, After: after}
	if sel.Finds != nil {
		whole, err = s.judgeExport(ctx, j, f, limit, sel)
		return f, whole, err
	}
	q := &sqlText{}
	q.WriteString(`SELECT count(*) FILTER (WHERE op <> 'd'), count(*) FILTER (WHERE op = 'd'), max(id) FROM (SELECT d.id, v.op`)
	q.exported(j, typ, after, sel)
	q.WriteString(` ORDER BY d.id LIMIT ` + q.arg(limit) + `) x`)
	var upto sql.NullString
	if err := s.db.QueryRowContext(ctx, q.String(), q.args...).Scan(&f.Count, &f.Deleted, &upto); err != nil {
		return nil, false, pg.Fault(err)
	}
	f.Upto = upto.String
	return f, f.Count+f.Deleted < int64(limit), nil
}

// judgeExport counts in f what the selection finds among limit versions.
func (s *Store) judgeExport(ctx context.Context, j *record.Job, f *record.JobFile, limit int, sel record.Selection) (whole bool, err error) {
	q := &sqlText{}
	q.WriteString(`SELECT ` + exportColumns(sel))
	q.exported(j, f.Type, f.After, sel)
	q.WriteString(` ORDER BY d.id LIMIT ` + q.arg(limit))
	rows, err := s.query(ctx, s.db, false, q.String(), q.args...)
	if err != nil {
		return false, pg.Fault(err)
	}
	defer rows.Close()
	judged := 0
	for ; rows.Next(); judged++ {
		x, found, err := s.exportRow(rows, sel)
		if err != nil {
			return false, err
		}
		switch f.Upto = x.ID; {
		case found && x.Deleted:
			f.Deleted++
		case found:
			f.Count++
		}
	}
	return judged < limit, pg.Fault(rows.Err())
}

// maxExportPage bounds the bytes of a page of a file.
const maxExportPage = 4 << 20

// ReadExport returns a page of a file in the order of ids, after the given
// one, from among limit resources. next is the id that the next page is after,
// empty at the end; a page may be empty before it.
func (s *Store) ReadExport(ctx context.Context, j *record.Job, f *record.JobFile, deleted bool, after string, limit int, sel record.Selection) (list []record.Stored, next string, err error) {
	q := &sqlText{}
	q.WriteString(`SELECT ` + exportColumns(sel))
	q.exported(j, f.Type, after, sel)
	q.WriteString(` AND d.id <= ` + q.arg(f.Upto) + ` AND (v.op = 'd') = ` + q.arg(deleted) + ` ORDER BY d.id LIMIT ` + q.arg(limit+1))
	rows, err := s.query(ctx, s.db, false, q.String(), q.args...)
	if err != nil {
		return nil, "", pg.Fault(err)
	}
	defer rows.Close()
	left, last, more := room(maxExportPage), "", false
	for judged := 0; rows.Next(); judged++ {
		x, found, err := s.exportRow(rows, sel)
		if err != nil {
			return nil, "", err
		}
		if more = judged == limit || found && !left.take(&x, sel.Outlined, len(list) == 0); more {
			break
		}
		if last = x.ID; found {
			list = append(list, x)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, "", pg.Fault(err)
	}
	rows.Close()
	if more {
		next = last
	}
	if !sel.Outlined {
		if err := s.Fill(ctx, nil, list); err != nil {
			return nil, "", err
		}
	}
	return list, next, s.name(ctx, s.db, list)
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
