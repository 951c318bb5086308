package postgres

import (
	"context"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
	termstore "github.com/yba-health/yba/services/records/terminology/postgres"
)

// Terms returns the store of code systems and value sets, which also uses the
// CodeSystems and ValueSets that are stored here.
func (s *Store) Terms() *termstore.Store { return s.terms }

// canonicals finds stored CodeSystems and ValueSets. They lie in no compartment.
type canonicals struct{ s *Store }

// Canonicals returns ids and versions of resources by url, the last written first.
func (c canonicals) Canonicals(ctx context.Context, typ, url string) ([]termstore.Canonical, error) {
	x, err := c.s.Indexer(ctx)
	if err != nil {
		return nil, err
	}
	q := &sqlText{}
	q.WriteString(`SELECT c.id, c.version FROM records.uris u JOIN records.current c ON c.patient = u.patient AND c.key = u.key
		WHERE u.param = ` + q.arg(x.Number(typ, "url")) + ` AND u.uri = ` + q.arg(record.Clip(url)) + ` AND ` + q.reach("u.patient", record.Reach{Shared: true}) +
		` ORDER BY c.updated DESC, c.key DESC`)
	rows, err := c.s.query(ctx, c.s.db, true, q.String(), q.args...)
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	var list []termstore.Canonical
	for rows.Next() {
		var x termstore.Canonical
		if err := rows.Scan(&x.ID, &x.Version); err != nil {
			return nil, pg.Fault(err)
		}
		list = append(list, x)
	}
	return list, pg.Fault(rows.Err())
}

// Body returns the current version of a resource.
func (c canonicals) Body(ctx context.Context, typ, id string) ([]byte, error) {
	x, err := c.s.Read(ctx, nil, c.s.defs.Number(typ), id, record.Reach{Shared: true})
	if err != nil {
		return nil, err
	}
	if x.Deleted {
		return nil, fault.New(fault.Gone, "the resource was deleted while it was read", nil)
	}
	return x.Body, nil
}
