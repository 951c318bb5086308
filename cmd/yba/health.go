package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/yba-health/yba/pkg/config"
)

// healthCommand asks a running server whether it is ready, for containers
// that have no other program to do so.
func healthCommand(cfg *config.Config) *cobra.Command {
	var url string
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a running server whether it is ready",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if url == "" {
				url = cfg.BaseURL()
			}
			return ready(cmd.Context(), url)
		},
	}
	cmd.Flags().StringVar(&url, "url", "", "address of the server (default: the configured one)")
	return cmd
}

func ready(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(url, "/")+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("no server answers at %s", url)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		reason, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return errors.New("not ready: " + strings.TrimSpace(string(reason)))
	}
	return nil
}
