package postgres

import (
	"context"
	"database/sql"
	"time"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/stations/due"
)

// Cursor implements stations.DueStore.
func (s *Store) Cursor(ctx context.Context) (string, error) {
	var c string
	err := s.db.QueryRowContext(ctx, `SELECT cursor FROM stations.projections WHERE name = 'due'`).Scan(&c)
	return c, pg.Fault(err)
}

// Apply implements stations.DueStore.
func (s *Store) Apply(ctx context.Context, from, to string, c due.Changes) (bool, error) {
	moved := false
	err := pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `UPDATE stations.projections SET cursor = $2 WHERE name = 'due' AND cursor = $1`, from, to)
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		moved = n == 1
		if err != nil || !moved {
			return err
		}
		return applyDue(ctx, tx, c)
	})
	return moved, err
}

func applyDue(ctx context.Context, tx *sql.Tx, c due.Changes) error {
	var patient, commune, birth []string
	for _, x := range c.Children {
		patient, commune, birth = append(patient, x.Patient), append(commune, x.Commune), append(birth, x.Birth.Format(time.DateOnly))
	}
	var id, of, vaccine, on []string
	var dose []int64
	for _, g := range c.Given {
		id, of, vaccine = append(id, g.Immunization), append(of, g.Patient), append(vaccine, g.Vaccine)
		dose, on = append(dose, int64(g.Dose)), append(on, g.On.Format(time.DateOnly))
	}
	for _, step := range []struct {
		n     int
		query string
		args  []any
	}{
		{len(c.RemovedChildren), `DELETE FROM stations.children WHERE patient = ANY($1)`, []any{pq.Array(c.RemovedChildren)}},
		{len(c.RemovedGiven), `DELETE FROM stations.given WHERE immunization = ANY($1)`, []any{pq.Array(c.RemovedGiven)}},
		{
			len(patient), `INSERT INTO stations.children (patient, commune, birth)
			SELECT * FROM unnest($1::text[], $2::text[], $3::text[]::date[])
			ON CONFLICT (patient) DO UPDATE SET commune = EXCLUDED.commune, birth = EXCLUDED.birth`,
			[]any{pq.Array(patient), pq.Array(commune), pq.Array(birth)},
		},
		{
			len(id), `INSERT INTO stations.given (immunization, patient, vaccine, dose, on_day)
			SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[]::date[])
			ON CONFLICT (immunization) DO UPDATE SET patient = EXCLUDED.patient, vaccine = EXCLUDED.vaccine, dose = EXCLUDED.dose, on_day = EXCLUDED.on_day`,
			[]any{pq.Array(id), pq.Array(of), pq.Array(vaccine), pq.Array(dose), pq.Array(on)},
		},
	} {
		if step.n == 0 {
			continue
		}
		if _, err := tx.ExecContext(ctx, step.query, step.args...); err != nil {
			return err
		}
	}
	return nil
}

// Children implements stations.DueStore.
func (s *Store) Children(ctx context.Context, communes []string, from, until time.Time) ([]due.Child, map[string][]due.Given, error) {
	rows, err := s.db.QueryContext(ctx, `
		SELECT c.patient, c.commune, c.birth, coalesce(g.immunization, ''), coalesce(g.vaccine, ''), coalesce(g.dose, 0), coalesce(g.on_day, c.birth)
		FROM stations.children c LEFT JOIN stations.given g ON g.patient = c.patient
		WHERE c.commune = ANY($1) AND c.birth BETWEEN $2::text::date AND $3::text::date
		ORDER BY c.patient`, pq.Array(communes), from.Format(time.DateOnly), until.Format(time.DateOnly))
	if err != nil {
		return nil, nil, pg.Fault(err)
	}
	defer rows.Close()
	var list []due.Child
	given := map[string][]due.Given{}
	for rows.Next() {
		var c due.Child
		var g due.Given
		if err := rows.Scan(&c.Patient, &c.Commune, &c.Birth, &g.Immunization, &g.Vaccine, &g.Dose, &g.On); err != nil {
			return nil, nil, pg.Fault(err)
		}
		if len(list) == 0 || list[len(list)-1].Patient != c.Patient {
			list = append(list, c)
		}
		if g.Immunization != "" {
			g.Patient = c.Patient
			given[c.Patient] = append(given[c.Patient], g)
		}
	}
	return list, given, pg.Fault(rows.Err())
}
