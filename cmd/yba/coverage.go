package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/yba-health/yba/pkg/config"
	coveragev1 "github.com/yba-health/yba/proto/gen/yba/coverage/v1"
)

// coverageCommand is for the health department's figures: it speaks to a
// running suite as an administrator.
func coverageCommand(cfg *config.Config) *cobra.Command {
	var call coverageCall
	cmd := &cobra.Command{
		Use:   "coverage",
		Short: "Tell how the coverage figures stand, or build them from the log again",
	}
	cmd.PersistentFlags().StringVar(&call.url, "url", "", "the suite's address; empty: the configured public one")
	cmd.PersistentFlags().StringVar(&call.tokenFile, "token-file", "", "file with an administrator's access token")
	cmd.PersistentPreRunE = func(c *cobra.Command, args []string) error {
		// Cobra runs only the nearest of these, so the configuration's is called here.
		if root := c.Root().PersistentPreRunE; root != nil {
			if err := root(c, args); err != nil {
				return err
			}
		}
		call.url = cmp.Or(call.url, cfg.BaseURL())
		return call.readToken()
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "status",
			Short: "Tell up to when the figures count",
			Args:  cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				p, err := call.do(cmd.Context(), "GetProgress")
				if err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), progressLine(p))
				return nil
			},
		},
		&cobra.Command{
			Use:   "rebuild",
			Short: "Build the figures from the log again; the old ones answer until it is done",
			Args:  cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return call.rebuild(cmd.Context(), cmd.OutOrStdout(), time.Second)
			},
		},
	)
	return cmd
}

type coverageCall struct{ url, tokenFile, token string }

func (c *coverageCall) readToken() error {
	if c.tokenFile == "" {
		return errors.New("say with --token-file where an administrator's access token is")
	}
	b, err := os.ReadFile(c.tokenFile)
	if err != nil {
		return fmt.Errorf("token file: %w", err)
	}
	if c.token = strings.TrimSpace(string(b)); c.token == "" {
		return fmt.Errorf("token file %s is empty", c.tokenFile)
	}
	return nil
}

func (c *coverageCall) rebuild(ctx context.Context, out io.Writer, every time.Duration) error {
	p, err := c.do(ctx, "Rebuild")
	for err == nil && p.GetRebuilding() {
		fmt.Fprintln(out, progressLine(p))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
		p, err = c.do(ctx, "GetProgress")
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(out, progressLine(p))
	return nil
}

func progressLine(p *coveragev1.Progress) string {
	state := "complete"
	if p.GetRebuilding() {
		state = "rebuilding"
	}
	return fmt.Sprintf("%s: %d changes applied, counted up to %s", state, p.GetApplied(), cmp.Or(p.GetAsOf(), "(nothing yet)"))
}

// do calls an operation that takes nothing and answers a Progress.
func (c *coverageCall) do(ctx context.Context, method string) (*coveragev1.Progress, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(c.url, "/")+"/api/coverage/v1/"+method, bytes.NewReader([]byte("{}")))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		var refused struct {
			Error struct{ Message string }
		}
		// A proxy in between may answer without our body; then the status tells.
		_ = json.Unmarshal(body, &refused)
		return nil, fmt.Errorf("%s: %s", method, cmp.Or(refused.Error.Message, res.Status))
	}
	p := &coveragev1.Progress{}
	if err := protojson.Unmarshal(body, p); err != nil {
		return nil, fmt.Errorf("%s answered something else; is %s the suite's address? %w", method, c.url, err)
	}
	return p, nil
}
