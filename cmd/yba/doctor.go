package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/services/access/audit"
	"github.com/yba-health/yba/services/access/postgres"
)

func doctorCommand(cfg *config.Config) *cobra.Command {
	cmd := &cobra.Command{Use: "doctor", Short: "Check an installation"}
	cmd.AddCommand(doctorAudit(cfg))
	return cmd
}

func doctorAudit(cfg *config.Config) *cobra.Command {
	var expect string
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Verify the audit log's chain of hashes",
		Long: "Verify the audit log's chain of hashes and name the first broken link. It prints the number and the hash of the\n" +
			"last entry: kept elsewhere and given as --expect another time, they show that the end was not cut off either.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			seq, hash, err := parseHead(expect)
			if err != nil {
				return err
			}
			return withAccounts(cmd.Context(), cfg, func(ctx context.Context, store *postgres.Store) error {
				c, err := verifyAudit(ctx, store, seq, hash)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "the audit log is whole: %d entries, head %d:%s\n", c.Seq, c.Seq, hex.EncodeToString(c.Hash))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&expect, "expect", "", "head that was printed earlier, NUMBER:HASH, which must still be part of the log")
	return cmd
}

func parseHead(s string) (seq int64, hash string, err error) {
	if s == "" {
		return 0, "", nil
	}
	number, hash, found := strings.Cut(s, ":")
	seq, err = strconv.ParseInt(number, 10, 64)
	if !found || err != nil || seq < 1 {
		return 0, "", errors.New("--expect is a head as `yba doctor audit` prints it, such as 120:9f86d0…")
	}
	return seq, strings.ToLower(hash), nil
}

// verifyAudit walks the whole log; the entry seq, unless 0, must have the hash.
func verifyAudit(ctx context.Context, store audit.Store, seq int64, hash string) (audit.Chain, error) {
	var c audit.Chain
	err := store.WalkAudit(ctx, func(e audit.Entry) error {
		if err := c.Next(e); err != nil {
			return err
		}
		if e.Seq == seq && hex.EncodeToString(e.Hash) != hash {
			return &audit.BrokenError{Seq: seq, What: "it is not the entry that was the head then: the log was written anew"}
		}
		return nil
	})
	if err == nil && c.Seq < seq {
		err = &audit.BrokenError{Seq: c.Seq + 1, What: fmt.Sprintf("the end is missing, up to entry %d", seq)}
	}
	return c, err
}
