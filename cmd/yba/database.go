package main

import (
	"context"
	"log/slog"
	"path/filepath"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/pg"
)

// postgresFolder is where the private server's cluster lies in the data folder.
const postgresFolder = "postgres"

// openDatabase returns the URL of the suite's database for a command: the
// configured one, that of a running server's private PostgreSQL, or of one
// that is started for the command. stop must be called at the end.
func openDatabase(ctx context.Context, cfg *config.Config, log *slog.Logger) (dsn string, stop func() error, err error) {
	if cfg.DatabaseURL != "" {
		return cfg.DatabaseURL, func() error { return nil }, nil
	}
	dir := filepath.Join(cfg.Data, postgresFolder)
	if dsn, running := pg.EmbeddedURL(dir); running {
		return dsn, func() error { return nil }, nil
	}
	e, err := pg.StartEmbedded(ctx, pg.EmbeddedOptions{Dir: dir, Log: log})
	if err != nil {
		return "", nil, err
	}
	return e.URL, e.Stop, nil
}
