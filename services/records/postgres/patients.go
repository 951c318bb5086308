package postgres

import (
	"context"
	"database/sql"
	"sync"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
)

// patients remembers which key belongs to which Patient's id. A pair never
// changes, so it needs no invalidation.
type patients struct {
	mu   sync.RWMutex
	keys map[string]int64
	ids  map[int64]string
}

const maxPatients = 200_000

func (p *patients) keep(id string, key int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.keys) >= maxPatients {
		clear(p.keys)
		clear(p.ids)
	}
	p.keys[id], p.ids[key] = key, id
}

func (p *patients) key(id string) (int64, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	k, ok := p.keys[id]
	return k, ok
}

// PatientKeys returns the keys of the Patients that exist; the others are
// left out.
func (s *Store) PatientKeys(ctx context.Context, ids []string) (map[string]int64, error) {
	found := make(map[string]int64, len(ids))
	var ask []string
	for _, id := range ids {
		if k, ok := s.patients.key(id); ok {
			found[id] = k
		} else {
			ask = append(ask, id)
		}
	}
	if len(ask) == 0 {
		return found, nil
	}
	rows, err := s.db.QueryContext(ctx, `SELECT id, patient FROM records.compartments WHERE id = ANY($1)`, pq.Array(ask))
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var key int64
		if err := rows.Scan(&id, &key); err != nil {
			return nil, pg.Fault(err)
		}
		found[id] = key
		s.patients.keep(id, key)
	}
	return found, pg.Fault(rows.Err())
}

// name fills PatientID of what was read.
func (s *Store) name(ctx context.Context, q querier, list []record.Stored) error {
	var ask []int64
	s.patients.mu.RLock()
	for i := range list {
		if k := list[i].Patient; k > 0 { // below 0 is an account
			if list[i].PatientID = s.patients.ids[k]; list[i].PatientID == "" {
				ask = append(ask, k)
			}
		}
	}
	s.patients.mu.RUnlock()
	if len(ask) == 0 {
		return nil
	}
	rows, err := q.QueryContext(ctx, `SELECT id, patient FROM records.compartments WHERE patient = ANY($1)`, pq.Array(ask))
	if err != nil {
		return pg.Fault(err)
	}
	defer rows.Close()
	found := map[int64]string{}
	for rows.Next() {
		var id string
		var key int64
		if err := rows.Scan(&id, &key); err != nil {
			return pg.Fault(err)
		}
		found[key] = id
		s.patients.keep(id, key)
	}
	for i := range list {
		if id, ok := found[list[i].Patient]; ok {
			list[i].PatientID = id
		}
	}
	return pg.Fault(rows.Err())
}

// Homes returns in which compartments resources lie; what is not there, or
// deleted, is left out. Within a transaction they stay there until it ends.
func (s *Store) Homes(ctx context.Context, tx *sql.Tx, refs []record.Ref) (map[record.Ref]record.Home, error) {
	var types, ids array
	for _, x := range refs {
		types.int(int64(x.Type))
		ids.text(x.Target)
	}
	if tx != nil {
		// A statement of its own, so that the next one sees what it waited for.
		if _, err := tx.ExecContext(ctx, `SELECT FROM records.directory d WHERE (d.type, d.id) IN (SELECT * FROM unnest($1::smallint[], $2::text[]))
			ORDER BY d.type, d.id FOR SHARE`, types.arg(), ids.arg()); err != nil {
			return nil, err
		}
	}
	rows, err := s.on(tx).QueryContext(ctx, `SELECT d.type, d.id, coalesce(c.id, ''), d.patient <> 0 AND c.id IS NULL
		FROM unnest($1::smallint[], $2::text[]) AS n(type, id) JOIN records.directory d ON d.type = n.type AND d.id = n.id
		LEFT JOIN records.compartments c ON c.patient = d.patient WHERE NOT d.deleted`, types.arg(), ids.arg())
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	found := map[record.Ref]record.Home{}
	for rows.Next() {
		var ref record.Ref
		var home record.Home
		if err := rows.Scan(&ref.Type, &ref.Target, &home.Patient, &home.Nobodys); err != nil {
			return nil, pg.Fault(err)
		}
		found[ref] = home
	}
	return found, pg.Fault(rows.Err())
}
