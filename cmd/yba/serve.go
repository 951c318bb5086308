package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/obs"
)

func serveCommand(cfg *config.Config) *cobra.Command {
	return &cobra.Command{
		Use:   "serve [service…]",
		Short: "Run the suite, or only the named services",
		Long: "Run every service in one process, or only the named ones. Services in other\n" +
			"processes are found by --peers (gRPC) and --edges (HTTP, for the gateway).\n\nServices: " + serviceNames() + ".",
		RunE: func(cmd *cobra.Command, args []string) error {
			log, err := obs.Logger(os.Stderr, cfg.LogLevel, cfg.LogFormat)
			if err != nil {
				return err
			}
			s, err := newSuite(cmd.Context(), cfg, log, args)
			if err != nil {
				return err
			}
			if err := s.start(cmd.Context()); err != nil {
				return errors.Join(err, s.stop(cmd.Context()))
			}
			log.Info("ready", "url", cfg.BaseURL())
			return errors.Join(s.wait(cmd.Context()), s.stop(cmd.Context()))
		},
	}
}

// lock makes sure that one process uses the data folder.
func lock(cfg *config.Config) (release func(), err error) {
	// The account that PostgreSQL runs under must be able to walk through.
	if err := os.MkdirAll(cfg.Data, 0o755); err != nil { //nolint:gosec // as said above
		return nil, fmt.Errorf("the data folder %s cannot be made: %w; choose another with YBA_DATA", cfg.Data, err)
	}
	f, err := os.OpenFile(filepath.Join(cfg.Data, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the data folder %s cannot be written: %w; choose another with YBA_DATA", cfg.Data, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("another yba uses the data folder %s: stop it first, or choose another folder with YBA_DATA", cfg.Data)
	}
	return func() { _ = f.Close() }, nil
}

func migrateCommand(cfg *config.Config) *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database's schemas up to date",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := obs.Logger(os.Stderr, cfg.LogLevel, cfg.LogFormat)
			if err != nil {
				return err
			}
			dsn, stop, err := openDatabase(cmd.Context(), cfg, log)
			if err != nil {
				return err
			}
			return errors.Join(migrate(cmd.Context(), dsn, modules, log), stop())
		},
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// background is the context of what must outlive the request to stop.
func background(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }
