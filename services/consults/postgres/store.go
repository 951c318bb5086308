// Package postgres keeps consultations in PostgreSQL, in the schema consults.
// Each change of a consultation notifies the channel "consults" with
// "<doctor>/<consultation>" when it is committed.
package postgres

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"io/fs"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/consults/consult"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations returns the schema's migrations.
func Migrations() fs.FS {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		// The path is a constant that fs.ValidPath accepts.
		return files
	}
	return sub
}

// Channel is what LISTEN names.
const Channel = "consults"

// Store implements consult.Store.
type Store struct{ db *sql.DB }

var _ consult.Store = (*Store)(nil)

// New returns a store on a migrated database.
func New(db *sql.DB) *Store { return &Store{db} }

// PutDoctor implements consult.Store.
func (s *Store) PutDoctor(ctx context.Context, d consult.DoctorOffer) error {
	hours, err := json.Marshal(d.Hours)
	if err != nil {
		return err
	}
	_, err = s.db.ExecContext(ctx, `
		INSERT INTO consults.doctors (id, practitioner, name, specialty, facility, facility_name, hours, slot_minutes)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (id) DO UPDATE SET practitioner = excluded.practitioner, name = excluded.name, specialty = excluded.specialty,
			facility = excluded.facility, facility_name = excluded.facility_name, hours = excluded.hours, slot_minutes = excluded.slot_minutes`,
		d.ID, d.Practitioner, d.Name, d.Specialty, d.Facility, d.FacilityName, string(hours), int64(d.Slot/time.Minute))
	return pg.Fault(err)
}

const doctorColumns = `id, practitioner, name, specialty, facility, facility_name, hours, slot_minutes`

type row interface{ Scan(...any) error }

func scanDoctor(r row) (consult.DoctorOffer, error) {
	var d consult.DoctorOffer
	var hours []byte
	var minutes int64
	if err := r.Scan(&d.ID, &d.Practitioner, &d.Name, &d.Specialty, &d.Facility, &d.FacilityName, &hours, &minutes); err != nil {
		return d, pg.Fault(err)
	}
	d.Slot = time.Duration(minutes) * time.Minute
	return d, json.Unmarshal(hours, &d.Hours)
}

// Doctor implements consult.Store.
func (s *Store) Doctor(ctx context.Context, id string) (consult.DoctorOffer, error) {
	return scanDoctor(s.db.QueryRowContext(ctx, `SELECT `+doctorColumns+` FROM consults.doctors WHERE id = $1`, id))
}

// Doctors implements consult.Store.
func (s *Store) Doctors(ctx context.Context, specialty string) ([]consult.DoctorOffer, error) {
	return query(ctx, s.db, scanDoctor, `SELECT `+doctorColumns+` FROM consults.doctors WHERE $1 = '' OR specialty = $1 ORDER BY name, id`, specialty)
}

func query[T any](ctx context.Context, db *sql.DB, scan func(row) (T, error), q string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, pg.Fault(rows.Err())
}

// Taken implements consult.Store.
func (s *Store) Taken(ctx context.Context, doctor string, from, until time.Time) ([]consult.Interval, error) {
	return query(ctx, s.db, func(r row) (consult.Interval, error) {
		var i consult.Interval
		return i, pg.Fault(r.Scan(&i.Start, &i.End))
	}, `SELECT start, until FROM consults.consultations
		WHERE doctor = $1 AND start < $3 AND until > $2 AND NOT soon AND status NOT IN ('cancelled', 'missed')`, doctor, from, until)
}

// PutSeat implements consult.Store.
func (s *Store) PutSeat(ctx context.Context, t consult.SeatToken) error {
	return pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM consults.seats WHERE expires < now()`); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO consults.seats (hash, consultation, account, role, principal, expires) VALUES ($1, $2, $3, $4, $5, $6)`,
			t.Hash, t.Consultation, t.Account, string(t.Role), t.Principal, t.Expires)
		return err
	})
}

// RevokeSeats implements consult.Store.
func (s *Store) RevokeSeats(ctx context.Context, consultation, account string) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM consults.seats WHERE consultation = $1 AND ($2 = '' OR account = $2)`, consultation, account)
	return pg.Fault(err)
}

// Say implements consult.Store.
func (s *Store) Say(ctx context.Context, m consult.Message) (consult.Message, error) {
	err := s.db.QueryRowContext(ctx, `
		INSERT INTO consults.chat AS c (consultation, account, id, name, role, body, at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (consultation, account, id) DO UPDATE SET id = c.id RETURNING name, role, body, at`,
		m.Consultation, m.Account, m.ID, m.Name, string(m.Role), m.Text, m.At).Scan(&m.Name, (*string)(&m.Role), &m.Text, &m.At)
	return m, pg.Fault(err)
}

// Chat implements consult.Store.
func (s *Store) Chat(ctx context.Context, consultation string, limit int) ([]consult.Message, error) {
	return query(ctx, s.db, func(r row) (consult.Message, error) {
		m := consult.Message{Consultation: consultation}
		return m, pg.Fault(r.Scan(&m.ID, &m.Account, &m.Name, (*string)(&m.Role), &m.Text, &m.At))
	}, `SELECT id, account, name, role, body, at FROM
		(SELECT * FROM consults.chat WHERE consultation = $1 ORDER BY seq DESC LIMIT $2) AS latest ORDER BY seq`, consultation, int64(limit))
}

func notify(ctx context.Context, tx *sql.Tx, c *consult.Consultation) error {
	_, err := tx.ExecContext(ctx, `SELECT pg_notify($1, $2)`, Channel, c.Doctor+"/"+c.ID)
	return err
}

func uniqueSlot(err error) error {
	if pg.Unique(err, "consultations_slot") {
		return slotTaken(err)
	}
	return err
}

func slotTaken(cause error) error {
	return fault.New(fault.Conflict, "this time has just been taken; choose another one", cause).In("start")
}
