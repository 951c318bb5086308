package postgres

import (
	"context"
	"database/sql"
	"time"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/access/relation"
)

const relationColumns = `id, account, patient, kind, starts, ends, reason, granted, granter`

var relationFields = relationColumns + `, ` + line("relations.patient")

// AddRelation implements relation.Store.
func (s *Store) AddRelation(ctx context.Context, r relation.Relation) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO access.relations (`+relationColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		r.ID, r.Account, r.Patient, r.Kind, r.From, nullTime(r.Until), r.Reason, r.Granted, r.Granter)
	return pg.Fault(err)
}

// EndRelation implements relation.Store.
func (s *Store) EndRelation(ctx context.Context, id string, now time.Time) error {
	// A relation that has not begun yet ends where it begins.
	return exactly(s.db.ExecContext(ctx, `UPDATE access.relations SET ends = least(coalesce(ends, $2), greatest($2, starts)) WHERE id = $1`, id, now))
}

// Relation implements relation.Store.
func (s *Store) Relation(ctx context.Context, id string) (relation.Relation, error) {
	all, err := s.relations(ctx, `id = $1`, id)
	if err == nil && len(all) == 0 {
		err = pg.Fault(sql.ErrNoRows)
	}
	if err != nil {
		return relation.Relation{}, err
	}
	return all[0], nil
}

// Relations implements relation.Store.
func (s *Store) Relations(ctx context.Context, accountID, patient string) ([]relation.Relation, error) {
	return s.relations(ctx, `($1 = '' OR account = $1) AND ($2 = '' OR patient = ANY(access.known($2)))`, accountID, patient)
}

// RelationsAt implements relation.Store.
func (s *Store) RelationsAt(ctx context.Context, accountID string, at time.Time) ([]relation.Relation, error) {
	return s.relations(ctx, `account = $1 AND starts <= $2 AND (ends IS NULL OR ends > $2)`, accountID, at)
}

func (s *Store) relations(ctx context.Context, where string, args ...any) ([]relation.Relation, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT `+relationFields+` FROM access.relations WHERE `+where+` ORDER BY starts DESC, id LIMIT 10000`, args...) //nolint:gosec // where is a constant of the callers
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	var all []relation.Relation
	for rows.Next() {
		var r relation.Relation
		var until sql.NullTime
		if err := rows.Scan(&r.ID, &r.Account, &r.Patient, &r.Kind, &r.From, &until, &r.Reason, &r.Granted, &r.Granter, (*pq.StringArray)(&r.Merged)); err != nil {
			return nil, pg.Fault(err)
		}
		r.Until = until.Time
		all = append(all, r)
	}
	return all, pg.Fault(rows.Err())
}
