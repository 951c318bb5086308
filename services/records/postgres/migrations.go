package postgres

import (
	"embed"
	"io/fs"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations returns the goose migrations of schema "records".
func Migrations() fs.FS {
	// The folder is embedded, so it is there.
	sub, _ := fs.Sub(files, "migrations")
	return sub
}
