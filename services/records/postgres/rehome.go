package postgres

import (
	"context"
	"database/sql"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
)

// placed is a version that lies in the shared compartment, or a Binary's
// current one, and where it lies by its own words.
type placed struct {
	key, version, now int64
	home              record.Home
	actor             string // who wrote the first version
	splices           []record.Splice
}

// rehome moves versions of a type within a range of ids to where a write would
// put them today. Rules of the compartments grew stricter over time, and what
// an older program stored for everybody may be about a person: nothing is ever
// moved into the shared compartment. The directory's rows are locked.
func (s *Store) rehome(ctx context.Context, tx *sql.Tx, x *record.Indexer, typ int16, after, last string) error {
	if !x.Movable(typ) {
		return nil
	}
	list, err := s.placed(ctx, tx, x, typ, after, last)
	if err != nil {
		return err
	}
	homes, err := s.keysOf(ctx, tx, typ, list)
	if err != nil {
		return err
	}
	var keys, versions, from, to, blobFrom, blobTo array
	var digests pq.ByteaArray
	for i := range list {
		p := &list[i]
		if homes[i] == p.now || homes[i] == 0 {
			continue
		}
		keys.int(p.key)
		versions.int(p.version)
		from.int(p.now)
		to.int(homes[i])
		for _, c := range p.splices {
			blobFrom.int(p.now)
			blobTo.int(homes[i])
			digests = append(digests, c.Digest[:])
		}
	}
	if len(keys.b) == 0 {
		return nil
	}
	_, err = tx.ExecContext(ctx, `WITH n AS MATERIALIZED (SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS n(key, version, was, patient)),
		v AS (UPDATE records.versions v SET patient = n.patient FROM n WHERE v.key = n.key AND v.version = n.version),
		d AS (UPDATE records.directory d SET patient = n.patient FROM n WHERE d.key = n.key AND d.version = n.version),
		c AS (UPDATE records.current c SET patient = n.patient FROM n WHERE c.patient = n.was AND c.key = n.key AND c.version = n.version)
		INSERT INTO records.blobs (patient, digest, part, encoding, body)
			SELECT DISTINCT n.patient, b.digest, b.part, b.encoding, b.body FROM unnest($5::bigint[], $6::bigint[], $7::bytea[]) AS n(was, patient, digest)
			JOIN records.blobs b ON b.patient = n.was AND b.digest = n.digest ON CONFLICT DO NOTHING`,
		keys.arg(), versions.arg(), from.arg(), to.arg(), blobFrom.arg(), blobTo.arg(), digests)
	return err
}

// placed reads what may have to move. A deletion lies where the version
// before it lies.
func (s *Store) placed(ctx context.Context, tx *sql.Tx, x *record.Indexer, typ int16, after, last string) ([]placed, error) {
	rows, err := tx.QueryContext(ctx, `SELECT d.id, v.key, v.version, v.patient, v.op::text, v.encoding, v.body,
			coalesce((SELECT f.actor FROM records.versions f WHERE f.key = v.key AND f.version = 1), '')
		FROM records.directory d JOIN records.versions v ON v.key = d.key
		WHERE d.type = $1 AND d.id > $2 AND d.id <= $3 AND (v.patient = 0 OR $4 AND v.version = d.version) ORDER BY v.key, v.version`,
		typ, after, last, x.Content(typ))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []placed
	for rows.Next() {
		var p placed
		var id, op string
		var encoding int16
		var body []byte
		if err := rows.Scan(&id, &p.key, &p.version, &p.now, &op, &encoding, &body, &p.actor); err != nil {
			return nil, err
		}
		if op == "d" {
			p.home = record.Home{Nobodys: true}
			if n := len(list); n > 0 && list[n-1].key == p.key {
				p.home = list[n-1].home
			} else if p.now != 0 {
				continue
			}
			list = append(list, p)
			continue
		}
		if body, p.splices, err = s.packer.unpack(body, encoding); err != nil {
			return nil, err
		}
		doc, err := fhir.Parse(body)
		if err != nil {
			return nil, err
		}
		if p.home, err = x.Home(doc.Root(), id); err != nil {
			// A write would be refused. Nobody knows whose it is.
			p.home = record.Home{Nobodys: true}
		}
		list = append(list, p)
	}
	return list, rows.Err()
}

// keysOf returns the key of the compartment that each belongs to. Whose
// Patient or context is not there lies in the closed one.
func (s *Store) keysOf(ctx context.Context, tx *sql.Tx, typ int16, list []placed) ([]int64, error) {
	var refs []record.Ref
	for i := range list {
		if list[i].home.Proxied {
			refs = append(refs, list[i].home.Proxy)
		}
	}
	contexts, err := s.Homes(ctx, tx, refs)
	if err != nil {
		return nil, err
	}
	var ids []string
	for i := range list {
		p := &list[i]
		if p.home.Proxied {
			home, found := contexts[p.home.Proxy]
			p.home = home
			p.home.Nobodys = home.Nobodys || !found
		}
		if p.home.Patient != "" {
			ids = append(ids, p.home.Patient)
		}
	}
	patients, err := s.PatientKeys(ctx, ids)
	if err != nil {
		return nil, err
	}
	keys := make([]int64, len(list))
	for i := range list {
		p := &list[i]
		key, found := patients[p.home.Patient]
		switch {
		case record.Personal(s.defs.TypeOf(typ)):
			keys[i] = record.Account(p.actor)
		case found:
			keys[i] = key
		case p.home.Nobodys || p.home.Patient != "":
			keys[i] = record.Closed
			if p.now != 0 {
				keys[i] = p.now // a Binary that lies with somebody stays there
			}
		}
	}
	return keys, nil
}

// sweep removes from the shared compartment the values that no version in it
// names any more. Whoever stores a value waits meanwhile: one that is there
// already is not stored again.
func (s *Store) sweep(ctx context.Context) error {
	var some bool
	if err := s.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM records.blobs WHERE patient = 0)`).Scan(&some); err != nil || !some {
		return pg.Fault(err)
	}
	return pg.Fault(pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `LOCK TABLE records.blobs IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return err
		}
		named, err := s.stillNamed(ctx, tx)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM records.blobs WHERE patient = 0 AND NOT digest = ANY($1::bytea[])`, named)
		return err
	}))
}

// stillNamed returns the digests of the values that versions in the shared
// compartment name.
func (s *Store) stillNamed(ctx context.Context, tx *sql.Tx) (pq.ByteaArray, error) {
	rows, err := tx.QueryContext(ctx, `SELECT encoding, body FROM records.versions WHERE patient = 0 AND encoding & $1 <> 0`, spliced)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := pq.ByteaArray{}
	for rows.Next() {
		var encoding int16
		var body []byte
		if err := rows.Scan(&encoding, &body); err != nil {
			return nil, err
		}
		_, splices, err := s.packer.unpack(body, encoding)
		if err != nil {
			return nil, err
		}
		for i := range splices {
			list = append(list, splices[i].Digest[:])
		}
	}
	return list, rows.Err()
}
