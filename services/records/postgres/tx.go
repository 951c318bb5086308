package postgres

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"slices"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
)

// InTx runs f in one transaction and announces it when it has committed.
// READ COMMITTED suffices: writers of one resource meet in its directory row,
// conditional creators in the row of their criteria. Where two create the
// same id at once, one runs again and sees the other's.
func (s *Store) InTx(ctx context.Context, f func(*sql.Tx) error) error {
	select {
	case s.writers <- struct{}{}:
		defer func() { <-s.writers }()
	case <-ctx.Done():
		return pg.Fault(ctx.Err())
	}
	for try := 1; ; try++ {
		err := pg.InTx(ctx, s.db, sql.LevelReadCommitted, f)
		if err == nil {
			s.Announce()
			return nil
		}
		if try == 5 || !raced(err) && !errors.Is(err, record.ErrAgain) {
			return err
		}
	}
}

// raced reports whether somebody else created the same id at the same time.
// A Patient's stands in two tables, and either may tell first.
func raced(err error) bool {
	return pg.Unique(err, "directory_pkey") || pg.Unique(err, "compartments_id_key")
}

// Lock locks the resources against other writers until the transaction ends
// and returns what is there, deletions included. Each call locks in one order;
// two transactions that call several times may still meet, and the one that
// PostgreSQL ends runs again. Only where something is to be deleted need those
// wait who write references to it.
func (s *Store) Lock(ctx context.Context, tx *sql.Tx, refs []record.Ref, deletes bool) (map[record.Ref]*record.Stored, error) {
	found := map[record.Ref]*record.Stored{}
	if len(refs) == 0 {
		return found, nil
	}
	var types, ids array
	for _, x := range refs {
		types.int(int64(x.Type))
		ids.text(x.Target)
	}
	strength := "NO KEY UPDATE"
	if deletes {
		strength = "UPDATE"
	}
	rows, err := tx.QueryContext(ctx, `SELECT d.type, d.id, d.key, d.patient, d.version, d.deleted FROM records.directory d
		WHERE (d.type, d.id) IN (SELECT * FROM unnest($1::smallint[], $2::text[])) ORDER BY d.type, d.id FOR `+strength+` OF d`, types.arg(), ids.arg())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		x := &record.Stored{}
		if err := rows.Scan(&x.Type, &x.ID, &x.Key, &x.Patient, &x.Version, &x.Deleted); err != nil {
			return nil, err
		}
		found[record.Ref{Type: x.Type, Target: x.ID}] = x
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	rows.Close()
	// A second statement, so that its snapshot sees what the lock waited for.
	list, err := s.readMany(ctx, tx, refs, record.Reach{All: true}, reading{lean: true})
	if err != nil {
		return nil, err
	}
	for i := range list {
		ref := record.Ref{Type: list[i].Type, Target: list[i].ID}
		// What was created between the two statements is not locked; taking
		// it for absent makes the insert fail and the transaction run again.
		if found[ref] != nil {
			found[ref] = &list[i]
		}
	}
	return found, s.nameDeleted(ctx, tx, found)
}

// nameDeleted fills PatientID of deletions, which ReadMany leaves out.
func (s *Store) nameDeleted(ctx context.Context, tx *sql.Tx, found map[record.Ref]*record.Stored) error {
	var list []record.Stored
	for _, x := range found {
		if x.Deleted {
			list = append(list, *x)
		}
	}
	if err := s.name(ctx, tx, list); err != nil {
		return err
	}
	for i := range list {
		found[record.Ref{Type: list[i].Type, Target: list[i].ID}].PatientID = list[i].PatientID
	}
	return nil
}

// Hold makes whoever uses the same criteria wait until the transaction ends.
func (s *Store) Hold(ctx context.Context, tx *sql.Tx, typ []int16, criteria []string) error {
	if len(criteria) == 0 {
		return nil
	}
	type key struct {
		typ    int16
		digest string
	}
	list := make([]key, len(criteria))
	for i, c := range criteria {
		sum := sha256.Sum256([]byte(c))
		list[i] = key{typ[i], string(sum[:16])}
	}
	slices.SortFunc(list, func(a, b key) int { return cmp.Or(cmp.Compare(a.typ, b.typ), cmp.Compare(a.digest, b.digest)) })
	list = slices.Compact(list)
	var types array
	digests := make(pq.ByteaArray, len(list))
	for i, k := range list {
		types.int(int64(k.typ))
		digests[i] = []byte(k.digest)
	}
	// The update that changes nothing is what locks a row that is there.
	_, err := tx.ExecContext(ctx, `INSERT INTO records.criteria (type, digest)
		SELECT * FROM unnest($1::smallint[], $2::bytea[]) AS n(type, digest) ORDER BY 1, 2
		ON CONFLICT (type, digest) DO UPDATE SET digest = excluded.digest`, types.arg(), digests)
	return err
}

// Compartments returns the compartments of the given Patients, as they are now.
func (s *Store) Compartments(ctx context.Context, tx *sql.Tx, ids []string) (map[string]record.Compartment, error) {
	found := map[string]record.Compartment{}
	if len(ids) == 0 {
		return found, nil
	}
	rows, err := s.on(tx).QueryContext(ctx, `SELECT c.patient, c.id, c.commune, d.deleted FROM records.compartments c
		JOIN records.directory d ON d.type = $1 AND d.id = c.id WHERE c.id = ANY($2)`, s.defs.Number("Patient"), pq.Array(ids))
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	for rows.Next() {
		var c record.Compartment
		if err := rows.Scan(&c.Key, &c.ID, &c.Commune, &c.Deleted); err != nil {
			return nil, pg.Fault(err)
		}
		found[c.ID] = c
	}
	return found, pg.Fault(rows.Err())
}
