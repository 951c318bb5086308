package postgres

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/stations/ledger"
)

// Claim implements stations.Ledger.
func (s *Store) Claim(ctx context.Context, c ledger.Claim, stale time.Duration) (*ledger.Outcome, error) {
	// A new row, or one that was given up or left behind by this account with
	// this very request.
	r, err := s.db.ExecContext(ctx, `
		INSERT INTO stations.entries AS e (client_id, account, station, kind, digest, claimed_at)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (client_id) DO UPDATE SET claimed_at = EXCLUDED.claimed_at, station = EXCLUDED.station
		WHERE e.entered_at IS NULL AND e.claimed_at < $7
			AND e.account = EXCLUDED.account AND e.kind = EXCLUDED.kind AND e.digest = EXCLUDED.digest`,
		c.ClientID, c.Account, c.Station, c.Kind, c.Digest, c.At, c.At.Add(-stale))
	if err != nil {
		return nil, pg.Fault(err)
	}
	if n, err := r.RowsAffected(); err != nil || n == 1 {
		return nil, pg.Fault(err)
	}
	var o ledger.Outcome
	var account, kind string
	var digest []byte
	var entered sql.NullTime
	err = s.db.QueryRowContext(ctx, `SELECT account, kind, digest, entered_at, patient, text, answer FROM stations.entries WHERE client_id = $1`,
		c.ClientID).Scan(&account, &kind, &digest, &entered, &o.Patient, &o.Text, &o.Answer)
	switch {
	case errors.Is(err, sql.ErrNoRows), err == nil && !entered.Valid && account == c.Account && bytes.Equal(digest, c.Digest):
		return nil, fault.New(fault.Unavailable, "Mục này đang được ghi. Xin gửi lại sau ít giây.", nil).In("client_id")
	case err != nil:
		return nil, pg.Fault(err)
	case account != c.Account || kind != c.Kind || !bytes.Equal(digest, c.Digest):
		return nil, fault.New(fault.Conflict, "Mã gửi này đã dùng cho một mục khác. Xin mở lại biểu mẫu rồi nhập lại.", nil).In("client_id")
	}
	return &o, nil
}

// Finish implements stations.Ledger.
func (s *Store) Finish(ctx context.Context, c ledger.Claim, o ledger.Outcome) error {
	_, err := s.db.ExecContext(ctx, `UPDATE stations.entries SET entered_at = $2, patient = $3, text = $4, answer = $5
		WHERE client_id = $1 AND entered_at IS NULL`, c.ClientID, c.At, o.Patient, o.Text, o.Answer)
	return pg.Fault(err)
}

// Release implements stations.Ledger.
func (s *Store) Release(ctx context.Context, c ledger.Claim) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM stations.entries WHERE client_id = $1 AND entered_at IS NULL AND claimed_at = $2`, c.ClientID, c.At)
	return pg.Fault(err)
}

// Entered implements stations.Ledger.
func (s *Store) Entered(ctx context.Context, station string, from, until time.Time, limit int) ([]ledger.Entered, map[string]int, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT kind, patient, text, entered_at FROM stations.entries
		WHERE station = $1 AND entered_at >= $2 AND entered_at < $3 ORDER BY entered_at DESC, client_id`, station, from, until)
	if err != nil {
		return nil, nil, pg.Fault(err)
	}
	defer rows.Close()
	var list []ledger.Entered
	count := map[string]int{}
	for rows.Next() {
		var e ledger.Entered
		if err := rows.Scan(&e.Kind, &e.Patient, &e.Text, &e.At); err != nil {
			return nil, nil, pg.Fault(err)
		}
		count[e.Kind]++
		if len(list) < limit {
			list = append(list, e)
		}
	}
	return list, count, pg.Fault(rows.Err())
}
