// Package postgres keeps the tables of stations.
package postgres

import "database/sql"

// Store keeps the tables of stations; what each method promises stands in the
// service's store.go.
type Store struct{ db *sql.DB }

// New returns a store on db, whose schema is up to date.
func New(db *sql.DB) *Store { return &Store{db} }
