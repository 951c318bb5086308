package postgres

import (
	"context"
	"database/sql"
	"slices"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/pkg/units"
)

const (
	beginning  = "-infinity"
	maxUnknown = 100
)

// begin is a Date as PostgreSQL has it; it has a word for "no beginning".
func begin(d units.Date) string {
	if d == "" {
		return beginning
	}
	return d.String()
}

func date(s string) units.Date {
	if s == beginning {
		return ""
	}
	return units.Date(s)
}

// ImportUnits implements stations.UnitStore.
func (s *Store) ImportUnits(ctx context.Context, list []units.Unit, successions []units.Succession) (unknown []units.Key, err error) {
	err = pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		// Imports follow one another, so that the check for two units of one
		// code in force on one day sees what the other import did.
		if _, err := tx.ExecContext(ctx, `LOCK TABLE stations.units, stations.successions IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return err
		}
		if err := putUnits(ctx, tx, list); err != nil {
			return err
		}
		var err error
		unknown, err = putSuccessions(ctx, tx, successions)
		return err
	})
	return unknown, err
}

func putUnits(ctx context.Context, tx *sql.Tx, list []units.Unit) error {
	if len(list) == 0 {
		return nil
	}
	var code, from, to, level, name, nameEn, kind, parent []string
	for _, u := range list {
		code, from, to = append(code, string(u.Code)), append(from, begin(u.From)), append(to, u.To.String())
		level, name, nameEn = append(level, string(u.Level)), append(name, u.Name), append(nameEn, u.NameEn)
		kind, parent = append(kind, u.Kind), append(parent, string(u.Parent))
	}
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO stations.units (code, valid_from, valid_to, level, name, name_en, kind, parent)
		SELECT c, f::date, nullif(t, '')::date, l, n, e, k, p
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[]) AS x (c, f, t, l, n, e, k, p)
		ON CONFLICT (code, valid_from) DO UPDATE SET valid_to = EXCLUDED.valid_to, level = EXCLUDED.level,
			name = EXCLUDED.name, name_en = EXCLUDED.name_en, kind = EXCLUDED.kind, parent = EXCLUDED.parent`,
		pq.Array(code), pq.Array(from), pq.Array(to), pq.Array(level), pq.Array(name), pq.Array(nameEn), pq.Array(kind), pq.Array(parent)); err != nil {
		return err
	}
	var twice string
	err := tx.QueryRowContext(ctx, `
		SELECT a.code FROM stations.units a JOIN stations.units b
			ON b.code = a.code AND b.valid_from > a.valid_from AND coalesce(a.valid_to, 'infinity') >= b.valid_from
		WHERE a.code = ANY($1) ORDER BY 1 LIMIT 1`, pq.Array(code)).Scan(&twice)
	if err == nil {
		return fault.Newf(fault.Invalid, "two units with the code %s would be in force on one day: give the older one its last day (valid_to) first", twice).In("units")
	}
	if err != sql.ErrNoRows {
		return err
	}
	return nil
}

func putSuccessions(ctx context.Context, tx *sql.Tx, list []units.Succession) ([]units.Key, error) {
	if len(list) == 0 {
		return nil, nil
	}
	var oldCode, oldFrom, newCode, newFrom, extent []string
	for _, x := range list {
		oldCode, oldFrom = append(oldCode, string(x.Old.Code)), append(oldFrom, begin(x.Old.From))
		newCode, newFrom = append(newCode, string(x.New.Code)), append(newFrom, begin(x.New.From))
		extent = append(extent, string(x.Extent))
	}
	rows, err := tx.QueryContext(ctx, `
		WITH given AS (
			SELECT * FROM unnest($1::text[], $2::text[]::date[], $3::text[], $4::text[]::date[], $5::text[])
				AS x (old_code, old_from, new_code, new_from, extent)
		), joined AS (
			SELECT g.old_code, g.new_code, g.new_from, g.extent,
				CASE WHEN g.old_from > '-infinity' THEN g.old_from ELSE coalesce(o.valid_from, '-infinity') END AS old_from,
				o.code IS NULL AS no_old, n.code IS NULL AS no_new
			FROM given g
			LEFT JOIN stations.units o ON o.code = g.old_code AND CASE WHEN g.old_from > '-infinity' THEN o.valid_from = g.old_from
				ELSE o.valid_from < g.new_from AND coalesce(o.valid_to, 'infinity') >= g.new_from - 1 END
			LEFT JOIN stations.units n ON n.code = g.new_code AND n.valid_from = g.new_from
		), put AS (
			INSERT INTO stations.successions (old_code, old_from, new_code, new_from, extent)
			SELECT old_code, old_from, new_code, new_from, extent FROM joined
			ON CONFLICT (old_code, old_from, new_code, new_from) DO UPDATE SET extent = EXCLUDED.extent
		)
		SELECT DISTINCT * FROM (
			SELECT old_code, old_from::text FROM joined WHERE no_old
			UNION ALL SELECT new_code, new_from::text FROM joined WHERE no_new
		) AS missing ORDER BY 1, 2 LIMIT $6`,
		pq.Array(oldCode), pq.Array(oldFrom), pq.Array(newCode), pq.Array(newFrom), pq.Array(extent), maxUnknown)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var unknown []units.Key
	for rows.Next() {
		var code, from string
		if err := rows.Scan(&code, &from); err != nil {
			return nil, err
		}
		unknown = append(unknown, units.Key{Code: units.Code(code), From: date(from)})
	}
	return slices.Clip(unknown), rows.Err()
}

const unitColumns = `code, valid_from::text, coalesce(valid_to::text, ''), level, name, name_en, kind, parent`

type scanner interface{ Scan(...any) error }

func scanUnit(row scanner) (units.Unit, error) {
	var u units.Unit
	var from, to string
	err := row.Scan(&u.Code, &from, &to, &u.Level, &u.Name, &u.NameEn, &u.Kind, &u.Parent)
	u.From, u.To = date(from), units.Date(to)
	return u, err
}

// Units implements stations.UnitStore.
func (s *Store) Units(ctx context.Context, level units.Level, parent units.Code, on units.Date) ([]units.Unit, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT `+unitColumns+` FROM stations.units
		WHERE ($1 = '' OR level = $1) AND ($2 = '' OR parent = $2)
			AND valid_from <= $3::text::date AND coalesce(valid_to, 'infinity') >= $3::text::date
		ORDER BY code`, string(level), string(parent), begin(on))
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	var list []units.Unit
	for rows.Next() {
		u, err := scanUnit(rows)
		if err != nil {
			return nil, pg.Fault(err)
		}
		list = append(list, u)
	}
	return list, pg.Fault(rows.Err())
}

// Unit implements stations.UnitStore.
func (s *Store) Unit(ctx context.Context, key units.Key) (units.Unit, error) {
	u, err := scanUnit(s.db.QueryRowContext(ctx, `SELECT `+unitColumns+` FROM stations.units
		WHERE code = $1 AND valid_from = $2::text::date`, string(key.Code), begin(key.From)))
	return u, pg.Fault(err)
}

// Successions implements stations.UnitStore.
func (s *Store) Successions(ctx context.Context, old, young units.Code) ([]units.Succession, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT old_code, old_from::text, new_code, new_from::text, extent FROM stations.successions
		WHERE ($1 = '' OR old_code = $1) AND ($2 = '' OR new_code = $2)
		ORDER BY new_code, new_from, old_code, old_from`, string(old), string(young))
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	var list []units.Succession
	for rows.Next() {
		var x units.Succession
		var oldFrom, newFrom string
		if err := rows.Scan(&x.Old.Code, &oldFrom, &x.New.Code, &newFrom, &x.Extent); err != nil {
			return nil, pg.Fault(err)
		}
		x.Old.From, x.New.From = date(oldFrom), date(newFrom)
		list = append(list, x)
	}
	return list, pg.Fault(rows.Err())
}
