package postgres

import (
	"context"
	"database/sql"

	"github.com/lib/pq"

	"github.com/yba-health/yba/services/coverage/readmodel"
)

// applyFacilities writes facilities and offers. They are few and carry no
// counters, so the database merges the versions.
func applyFacilities(ctx context.Context, tx *sql.Tx, generation int64, facts []readmodel.Fact) error {
	facilities, offers := map[string]readmodel.Facility{}, map[string]readmodel.Offer{}
	for _, f := range facts {
		if x := f.Facility; x != nil {
			merged := *x
			if old, ok := facilities[x.ID]; ok {
				merged = old.Merge(*x)
			}
			facilities[x.ID] = merged
		}
		if x := f.Offer; x != nil {
			merged := *x
			if old, ok := offers[x.ID]; ok {
				merged = old.Merge(*x)
			}
			offers[x.ID] = merged
		}
	}
	var rows columns
	for _, f := range facilities {
		rows.add(f.ID, f.Version, f.Commune, f.Created, f.Counted)
	}
	if err := rows.save(ctx, tx, generation, "facilities", "commune"); err != nil {
		return err
	}
	rows = columns{}
	for _, o := range offers {
		rows.add(o.ID, o.Version, o.Facility, o.Created, o.Counted)
	}
	return rows.save(ctx, tx, generation, "offers", "facility")
}

// columns are the rows of a table of facilities or offers, by column.
type columns struct {
	ids, of, created []string
	versions         []int64
	counted          []bool
}

func (c *columns) add(id string, version int64, of string, created readmodel.Day, counted bool) {
	c.ids, c.versions, c.of = append(c.ids, id), append(c.versions, version), append(c.of, of)
	c.created, c.counted = append(c.created, string(created)), append(c.counted, counted)
}

func (c *columns) save(ctx context.Context, tx *sql.Tx, generation int64, table, of string) error {
	if len(c.ids) == 0 {
		return nil
	}
	//nolint:gosec // table and column are constants of the callers
	_, err := tx.ExecContext(ctx, `
		INSERT INTO coverage.`+table+` AS t (generation, id, version, `+of+`, created, counted)
		SELECT $1::bigint, x.* FROM unnest($2::text[], $3::bigint[], $4::text[], $5::date[], $6::boolean[]) x
		ON CONFLICT (generation, id) DO UPDATE SET
			created = least(t.created, excluded.created), version = greatest(t.version, excluded.version),
			`+of+` = CASE WHEN excluded.version >= t.version THEN excluded.`+of+` ELSE t.`+of+` END,
			counted = CASE WHEN excluded.version >= t.version THEN excluded.counted ELSE t.counted END`,
		generation, pq.Array(c.ids), pq.Array(c.versions), pq.Array(c.of), pq.Array(c.created), pq.Array(c.counted))
	return err
}
