// Package migrations holds the steps that bring the schema of stations up to date.
package migrations

import "embed"

// Files are the steps, for goose.
//
//go:embed *.sql
var Files embed.FS
