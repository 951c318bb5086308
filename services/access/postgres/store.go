// Package postgres keeps the tables of access, in the schema "access".
package postgres

import (
	"database/sql"
	"embed"
	"io/fs"
	"sync"

	"github.com/yba-health/yba/pkg/pg"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the schema's migrations.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return migrations // unreachable: the folder is embedded above
	}
	return sub
}

// Store implements access.Store on PostgreSQL.
type Store struct {
	db *sql.DB
	// audit lets one batch of this process at a time wait for the log's lock.
	audit sync.Mutex
}

// New returns a store on db.
func New(db *sql.DB) *Store { return &Store{db: db} }

// exactly turns "no row was changed" into fault.NotFound.
func exactly(res sql.Result, err error) error {
	if err != nil {
		return pg.Fault(err)
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		err = sql.ErrNoRows
	}
	return pg.Fault(err)
}
