package postgres

import (
	"context"
	"database/sql"
	"time"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/consults/consult"
)

// claim takes or renews the lease of rooms, except those that another living
// owner holds. The database's clock counts, since processes' clocks differ.
const claim = `INSERT INTO consults.rooms AS r (consultation, owner, expires)
	SELECT unnest($1::uuid[]), $2, now() + $3 * interval '1 second'
	ON CONFLICT (consultation) DO UPDATE SET owner = excluded.owner, expires = excluded.expires
		WHERE r.owner = excluded.owner OR r.expires < now()
	RETURNING consultation::text`

// UseSeat implements consult.Store.
func (s *Store) UseSeat(ctx context.Context, hash []byte, owner string, now time.Time) (consult.SeatToken, error) {
	t := consult.SeatToken{Hash: hash}
	err := pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		var role string
		err := tx.QueryRowContext(ctx, `DELETE FROM consults.seats WHERE hash = $1 AND expires >= $2
			RETURNING consultation::text, account, role, principal, expires`, hash, now).
			Scan(&t.Consultation, &t.Account, &role, &t.Principal, &t.Expires)
		if err != nil {
			return err
		}
		t.Role = consult.Role(role)
		var id string
		err = pg.Fault(tx.QueryRowContext(ctx, claim, pq.StringArray{t.Consultation}, owner, int64(consult.LeaseLife/time.Second)).Scan(&id))
		if fault.Is(err, fault.NotFound) {
			return fault.New(fault.Unavailable, "this consultation's room is open on another server; connect again in a moment", err)
		}
		return err
	})
	return t, err
}

// HoldRooms implements consult.Store.
func (s *Store) HoldRooms(ctx context.Context, owner string, ids []string) (lost []string, err error) {
	held, err := query(ctx, s.db, func(r row) (string, error) {
		var id string
		return id, pg.Fault(r.Scan(&id))
	}, claim, pq.StringArray(ids), owner, int64(consult.LeaseLife/time.Second))
	if err != nil {
		return nil, err
	}
	here := map[string]bool{}
	for _, id := range held {
		here[id] = true
	}
	for _, id := range ids {
		if !here[id] {
			lost = append(lost, id)
		}
	}
	// A room that was claimed a moment ago is about to be opened.
	_, err = s.db.ExecContext(ctx, `DELETE FROM consults.rooms WHERE owner = $1 AND NOT consultation = ANY ($2::uuid[])
		AND expires < now() + $3 * interval '1 second'`, owner, pq.StringArray(ids), int64((consult.LeaseLife-consult.LeaseEvery)/time.Second))
	return lost, pg.Fault(err)
}

// ReleaseRooms implements consult.Store.
func (s *Store) ReleaseRooms(ctx context.Context, owner string) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM consults.rooms WHERE owner = $1`, owner)
	return pg.Fault(err)
}
