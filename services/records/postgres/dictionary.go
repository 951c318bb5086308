package postgres

import (
	"context"
	"database/sql"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
)

// dictionary brings the parameters' dictionary up to the program and returns
// the indexer. A parameter that is new or has another digest is complete at
// once where there never were resources of its type; otherwise the type has to
// be indexed again, deletions included, whose history may have to move.
func (s *Store) dictionary(ctx context.Context) (*record.Indexer, error) {
	var types, codes, digests, numbers array
	for _, p := range record.Indexable(s.defs) {
		types.text(p.Type)
		codes.text(p.Code)
		digests.text(p.Digest)
		numbers.int(int64(s.defs.Number(p.Type)))
	}
	err := pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		// Two processes that start together come one after the other.
		if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtext('records.dictionary'))`); err != nil {
			return err
		}
		var same bool
		if err := tx.QueryRowContext(ctx, `SELECT NOT EXISTS (SELECT FROM unnest($1::text[], $2::text[], $3::text[]) AS n(type, code, digest)
			LEFT JOIN records.params p USING (type, code) WHERE p.digest IS DISTINCT FROM n.digest)`,
			types.arg(), codes.arg(), digests.arg()).Scan(&same); err != nil || same {
			return err
		}
		// ORDER BY makes PostgreSQL use the index: it takes a type that nothing is
		// of for one that is found soon, and read the directory for each parameter.
		if _, err := tx.ExecContext(ctx, `WITH n AS (
				SELECT n.*, (SELECT d.id FROM records.directory d WHERE d.type = n.number ORDER BY d.type, d.id LIMIT 1) IS NOT NULL AS used
				FROM unnest($1::text[], $2::text[], $3::text[], $4::smallint[]) AS n(type, code, digest, number)),
			stale AS (INSERT INTO records.params AS p (type, code, digest, ready)
				SELECT type, code, digest, NOT used FROM n
				WHERE NOT EXISTS (SELECT FROM records.params o WHERE o.type = n.type AND o.code = n.code AND o.digest = n.digest)
				ORDER BY type, code
				ON CONFLICT (type, code) DO UPDATE SET digest = excluded.digest, ready = excluded.ready
				RETURNING p.type, p.ready)
			INSERT INTO records.indexing (type, total)
			SELECT t.number, (SELECT count(*) FROM records.directory d WHERE d.type = t.number)
			FROM (SELECT DISTINCT n.number FROM stale JOIN n USING (type) WHERE NOT stale.ready) t
			ON CONFLICT (type) DO UPDATE SET after = '', done = 0, total = excluded.total`,
			types.arg(), codes.arg(), digests.arg(), numbers.arg()); err != nil {
			return err
		}
		return nil
	})
	if err != nil {
		return nil, pg.Fault(err)
	}
	return s.readDictionary(ctx)
}

func (s *Store) readDictionary(ctx context.Context) (*record.Indexer, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT p.id, p.type, p.code, p.ready, COALESCE(100 * i.done / GREATEST(i.total, 1), 0)
		FROM records.params p JOIN unnest($1::text[]) WITH ORDINALITY AS t(type, number) USING (type)
		LEFT JOIN records.indexing i ON i.type = t.number`, pq.Array(s.defs.Types))
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	numbers, building := map[string]int16{}, map[int16]int{}
	for rows.Next() {
		var id int16
		var typ, code string
		var ready bool
		var done int
		if err := rows.Scan(&id, &typ, &code, &ready, &done); err != nil {
			return nil, pg.Fault(err)
		}
		numbers[typ+"."+code] = id
		if !ready {
			building[id] = min(done, 99)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, pg.Fault(err)
	}
	secret, err := s.Secret(ctx, "cursors")
	if err != nil {
		return nil, err
	}
	x := record.NewIndexer(s.defs, numbers)
	x.Base = s.Base
	if x.Seals, err = record.NewSeals(secret); err != nil {
		return nil, err
	}
	return x.Rebuilding(building), nil
}
