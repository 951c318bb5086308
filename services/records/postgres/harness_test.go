package postgres

import (
	"database/sql"
	"log/slog"
	"testing"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/pg/pgtest"
)

// newStore returns a store on a database of its own.
func newStore(t testing.TB) (*Store, *sql.DB) {
	t.Helper()
	db, dsn := pgtest.New(t, pgtest.Schema{Service: "records", Migrations: Migrations()})
	defs, err := fhir.R4()
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(db, dsn, defs, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s, db
}
