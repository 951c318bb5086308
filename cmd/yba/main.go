// Command yba is the whole suite in one program: the services, the demo, and
// the tools of those who run it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/yba-health/yba/pkg/config"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	cmd := root() //nolint:contextcheck // ExecuteContext hands ctx to the command
	cmd.SetArgs(args)
	if err := cmd.ExecuteContext(ctx); err != nil {
		if errors.Is(err, context.Canceled) {
			return 130
		}
		fmt.Fprintln(os.Stderr, "yba: "+err.Error())
		return 1
	}
	return 0
}

func root() *cobra.Command {
	cfg := config.Default()
	var file string
	cmd := &cobra.Command{
		Use:           "yba",
		Short:         "The electronic health booklet of a province",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.PersistentFlags().StringVar(&file, "config", "", "configuration file (YAML)")
	cfg.Flags(cmd.PersistentFlags())
	cmd.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		// Flags were parsed into cfg already; file and environment come below
		// them, so they are read into the defaults and the flags set again.
		loaded := config.Default()
		if err := loaded.Load(file, os.Environ()); err != nil {
			return err
		}
		if err := loaded.Override(cmd.Flags()); err != nil {
			return err
		}
		cfg = loaded
		return nil
	}
	token := func(ctx context.Context, account string) (string, error) { return mintToken(ctx, &cfg, account) }
	cmd.AddCommand(
		serveCommand(&cfg), demoCommand(&cfg), migrateCommand(&cfg), healthCommand(&cfg),
		importCommand(&cfg, token), unitsCommand(&cfg), terminologyCommand(&cfg), coverageCommand(&cfg), benchCommand(&cfg, token),
		userCommand(&cfg), tokenCommand(&cfg), doctorCommand(&cfg), subscriptionsCommand(&cfg, token),
	)
	return cmd
}
