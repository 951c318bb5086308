package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/services/access/openid"
)

// maxTokenLife bounds tokens made on the machine: a forgotten one must end by itself.
const maxTokenLife = 24 * time.Hour

func tokenCommand(cfg *config.Config) *cobra.Command {
	var as string
	var life time.Duration
	cmd := &cobra.Command{
		Use:   "token --as NAME",
		Short: "Print a short-lived access token for an account",
		Long: "Print a short-lived access token for an account, for scripts and tests on this machine. It needs the data folder\n" +
			"and the database, and is written to the audit log. Use it as `Authorization: Bearer …`.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if life <= 0 || life > maxTokenLife {
				return fmt.Errorf("--for must be between 1s and %s", maxTokenLife)
			}
			token, err := mintTokenFor(cmd.Context(), cfg, as, life)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
			return err
		},
	}
	cmd.Flags().StringVar(&as, "as", "", "username of the account")
	cmd.Flags().DurationVar(&life, "for", openid.TokenLife, "how long the token can be used")
	_ = cmd.MarkFlagRequired("as") // the flag exists
	return cmd
}
