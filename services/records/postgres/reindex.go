package postgres

import (
	"context"
	"database/sql"
	"errors"
	"hash/fnv"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/pkg/projection"
	"github.com/yba-health/yba/services/records/record"
)

// reindexBatch is how many resources are indexed again in one transaction,
// for which their writers wait.
const reindexBatch = 200

// Reindex makes the index rows of stored resources again where the program
// makes other ones than those that are there, until nothing is left, and puts
// on the way what lies for everybody where a write would put it today. Reads
// and writes go on: searches by a parameter whose rows are not complete are
// refused meanwhile, and a write replaces all rows of its resource. One
// process does the work; it goes on where another was stopped. All processes
// must be of one version: an older program would write older rows.
func (s *Store) Reindex(ctx context.Context) error {
	for {
		x, err := s.Indexer(ctx)
		if err != nil {
			return err
		}
		if x.Complete() {
			return nil
		}
		lock, err := projection.Hold(ctx, s.db, reindexLock())
		switch {
		case err != nil:
			return err
		case lock != nil:
			err = s.rebuild(ctx)
			lock.Release(ctx)
			if err != nil {
				return err
			}
		default:
			if err := pause(ctx, nil, time.Second); err != nil {
				return err
			}
		}
		if err := s.refresh(ctx); err != nil {
			return err
		}
	}
}

func reindexLock() int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("records.reindex"))
	return int64(h.Sum64()) //nolint:gosec // any number will do
}

// refresh reads again which parameters are complete.
func (s *Store) refresh(ctx context.Context) error {
	x, err := s.readDictionary(ctx)
	if err == nil {
		s.indexer.Store(x)
	}
	return err
}

// Progress is how far a type is indexed again.
type Progress struct {
	Type        string
	Done, Total int64
}

// Indexing returns the types that are being indexed again; none is the rule.
// Devices and Groups come first and Binaries last: others go where their
// subjects went, and those where their contexts did.
func (s *Store) Indexing(ctx context.Context) ([]Progress, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT type, done, total FROM records.indexing ORDER BY type = $1, type NOT IN ($2, $3), total, type`,
		s.defs.Number("Binary"), s.defs.Number("Device"), s.defs.Number("Group"))
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	var list []Progress
	for rows.Next() {
		var typ int16
		var p Progress
		if err := rows.Scan(&typ, &p.Done, &p.Total); err != nil {
			return nil, pg.Fault(err)
		}
		p.Type = s.defs.TypeOf(typ)
		list = append(list, p)
	}
	return list, pg.Fault(rows.Err())
}

func (s *Store) rebuild(ctx context.Context) error {
	list, err := s.Indexing(ctx)
	if err != nil || len(list) == 0 {
		return err
	}
	if err := s.byKey(ctx); err != nil {
		return pg.Fault(err)
	}
	for _, p := range list {
		begun := time.Now()
		s.log.Info("search parameters are indexed again", "type", p.Type, "resources", p.Total, "done", p.Done)
		for more := true; more; {
			if more, err = s.reindex(ctx, s.defs.Number(p.Type)); err != nil {
				return err
			}
			if err := s.refresh(ctx); err != nil {
				return err
			}
		}
		s.log.Info("search parameters are complete", "type", p.Type, "seconds", time.Since(begun).Seconds())
	}
	if err := s.sweep(ctx); err != nil {
		return err
	}
	for _, t := range indexTables {
		if _, err := s.db.ExecContext(ctx, `DROP INDEX IF EXISTS records.`+t+`_key`); err != nil {
			return pg.Fault(err)
		}
	}
	return nil
}

// byKey adds indexes by which a resource's rows are found, for as long as
// they are made again. One that was left unfinished is made anew.
func (s *Store) byKey(ctx context.Context) error {
	for _, t := range indexTables {
		var valid sql.NullBool
		err := s.db.QueryRowContext(ctx, `SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)`, "records."+t+"_key").Scan(&valid)
		switch {
		case err == nil && valid.Bool:
			continue
		case err == nil:
			if _, err := s.db.ExecContext(ctx, `DROP INDEX records.`+t+`_key`); err != nil {
				return err
			}
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		if _, err := s.db.ExecContext(ctx, `CREATE INDEX CONCURRENTLY `+t+`_key ON records.`+t+` (key)`); err != nil {
			return err
		}
	}
	return nil
}

// reindex makes the rows of the next resources of a type again; more tells
// that there may be others. After the last one the type's parameters are ready.
func (s *Store) reindex(ctx context.Context, typ int16) (more bool, err error) {
	x, err := s.Indexer(ctx)
	if err != nil {
		return false, err
	}
	err = pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		var after string
		if err := tx.QueryRowContext(ctx, `SELECT after FROM records.indexing WHERE type = $1`, typ).Scan(&after); err != nil {
			return err
		}
		// Writers of these resources wait, so that what is read is what is indexed.
		var n int
		var last sql.NullString
		if err := tx.QueryRowContext(ctx, `SELECT count(*), max(id) FROM (SELECT id FROM records.directory
			WHERE type = $1 AND id > $2 ORDER BY id LIMIT $3 FOR UPDATE) d`, typ, after, reindexBatch).Scan(&n, &last); err != nil {
			return err
		}
		if more = n > 0; !more {
			_, err := tx.ExecContext(ctx, `WITH d AS (DELETE FROM records.indexing WHERE type = $1)
				UPDATE records.params SET ready = true WHERE type = $2 AND NOT ready`, typ, s.defs.TypeOf(typ))
			return err
		}
		if err := s.rehome(ctx, tx, x, typ, after, last.String); err != nil {
			return err
		}
		writes, err := s.again(ctx, tx, x, typ, after, last.String)
		if err != nil {
			return err
		}
		if err := s.replace(ctx, tx, writes); err != nil {
			return err
		}
		// What is created meanwhile may come on the way, too.
		_, err = tx.ExecContext(ctx, `UPDATE records.indexing SET after = $2, done = done + $3, total = greatest(total, done + $3) WHERE type = $1`, typ, last.String, n)
		return err
	})
	return more, pg.Fault(err)
}

// again reads the current resources of a type within a range of ids and
// extracts their rows.
func (s *Store) again(ctx context.Context, tx *sql.Tx, x *record.Indexer, typ int16, after, last string) ([]record.Write, error) {
	q := &sqlText{}
	q.WriteString(`SELECT ` + currentColumns + ` FROM records.directory d JOIN records.current c ON c.patient = d.patient AND c.key = d.key
		WHERE d.type = ` + q.arg(typ) + ` AND d.id > ` + q.arg(after) + ` AND d.id <= ` + q.arg(last) + ` AND NOT d.deleted`)
	list, _, err := s.current(ctx, tx, reading{lean: true}, q)
	if err != nil {
		return nil, err
	}
	writes := make([]record.Write, 0, len(list))
	for i := range list {
		doc, err := fhir.Parse(list[i].Body)
		if err != nil {
			return nil, err
		}
		w := record.Write{Type: typ, ID: list[i].ID, Key: list[i].Key, Patient: list[i].Patient, Op: "update"}
		w.Rows, w.At = x.Extract(doc.Root())
		writes = append(writes, w)
	}
	return writes, nil
}

// replace puts the writes' rows in the place of all rows that the resources have.
func (s *Store) replace(ctx context.Context, tx *sql.Tx, writes []record.Write) error {
	if len(writes) == 0 {
		return nil
	}
	if err := s.learnSystems(ctx, writes); err != nil {
		return err
	}
	w := &statement{}
	var patients, keys, dates array
	for i := range writes {
		patients.int(writes[i].Patient)
		keys.int(writes[i].Key)
		dates.int(writes[i].At)
	}
	s.clear(w, keys)
	w.part("at AS (UPDATE records.current c SET at = n.at FROM unnest(" + w.arg(patients.arg()) + "::bigint[], " + w.arg(keys.arg()) + "::bigint[], " +
		w.arg(dates.arg()) + "::bigint[]) AS n(patient, key, at) WHERE c.patient = n.patient AND c.key = n.key AND c.at <> n.at)")
	s.index(w, writes)
	_, err := tx.ExecContext(ctx, "WITH "+strings.Join(w.parts, ",\n")+"\nSELECT 1", w.args...) //nolint:gosec // the parts are ours, the values are parameters
	return err
}
