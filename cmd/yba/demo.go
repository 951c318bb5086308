package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/obs"
	"github.com/yba-health/yba/pkg/province"
)

// demoState is what the demo keeps beside the data: whether the province is
// loaded, and with which accounts.
type demoState struct {
	People   int           `json:"people"`
	Seed     uint64        `json:"seed"`
	Today    time.Time     `json:"today"`
	Password string        `json:"password"`
	Loaded   bool          `json:"loaded"`
	Accounts []demoAccount `json:"accounts"`
}

type demoAccount struct {
	Role     string `json:"role"`
	Username string `json:"username"`
	Password string `json:"password"`
	Name     string `json:"name"`
	What     string `json:"what"`
	App      string `json:"app"`
}

func demoCommand(cfg *config.Config) *cobra.Command {
	var people int
	var seed uint64
	flags := func(cmd *cobra.Command) {
		cmd.Flags().IntVar(&people, "people", 5000, "how many people live in the province")
		cmd.Flags().Uint64Var(&seed, "seed", 1, "which province; the same seed makes the same one")
	}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the whole suite with an invented province, on this machine only",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := onlyHere(cfg.Listen); err != nil {
				return err
			}
			// Everybody here is the same address.
			cfg.RateLimit = 0
			return demo(cmd.Context(), cfg, people, seed)
		},
	}
	flags(cmd)
	var url string
	load := &cobra.Command{
		Use:   "load",
		Short: "Load the invented province into a running suite",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if url == "" {
				url = cfg.BaseURL()
			}
			return loadDemo(cmd.Context(), cfg, people, seed, url)
		},
	}
	flags(load)
	load.Flags().StringVar(&url, "url", "", "address of the server (default: the configured one)")
	reset := &cobra.Command{
		Use:   "reset",
		Short: "Throw the demo's data away",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return resetDemo(cfg, cmd.OutOrStdout()) },
	}
	cmd.AddCommand(load, reset)
	return cmd
}

// resetDemo removes a data folder that holds the demo and nothing else, and
// that no server uses.
func resetDemo(cfg *config.Config, out io.Writer) error {
	if _, err := os.Stat(statePath(cfg)); errors.Is(err, os.ErrNotExist) {
		fmt.Fprintf(out, "%s holds no demo data; nothing was removed.\n", cfg.Data)
		return nil
	}
	release, err := lock(cfg)
	if err != nil {
		return err
	}
	defer release()
	if err := os.RemoveAll(cfg.Data); err != nil {
		return fmt.Errorf("the data folder could not be removed whole: %w", err)
	}
	fmt.Fprintf(out, "The demo's data in %s are gone.\n", cfg.Data)
	return nil
}

// onlyHere refuses to show the demo, whose passwords are printed, to others.
func onlyHere(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("listen address %q must look like localhost:8080", address)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return errors.New("the demo serves this machine only: give --listen localhost:PORT, or run `yba serve` for others")
}

func demo(ctx context.Context, cfg *config.Config, people int, seed uint64) error {
	if cfg.LogLevel == "info" {
		cfg.LogLevel = "warn"
	}
	log, err := obs.Logger(os.Stderr, cfg.LogLevel, cfg.LogFormat)
	if err != nil {
		return err
	}
	s, err := newSuite(ctx, cfg, log, nil)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "Starting…")
	if err := s.start(ctx); err != nil {
		return errors.Join(err, s.stop(ctx))
	}
	if err := loadDemo(ctx, cfg, people, seed, cfg.BaseURL()); err != nil {
		if ctx.Err() != nil {
			fmt.Fprintln(os.Stderr, "Stopped; the next start goes on loading.")
			return s.stop(ctx)
		}
		return errors.Join(err, s.stop(ctx))
	}
	state, err := readState(cfg)
	if err != nil {
		return errors.Join(err, s.stop(ctx))
	}
	state.show(os.Stdout, cfg.BaseURL())
	err = s.wait(ctx)
	fmt.Fprintln(os.Stderr, "Stopping…")
	return errors.Join(err, s.stop(ctx))
}

// show prints the addresses and the accounts.
func (d *demoState) show(out io.Writer, url string) {
	fmt.Fprintf(out, "\nY Bạ · %s\n\n", url)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "Ai · Who\tTài khoản\tMật khẩu\tTên\tMở · Open")
	for _, a := range d.Accounts {
		open := url + "/" + a.App + "/"
		if a.App == "" {
			open = "yba token --as " + a.Username
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", a.What, a.Username, a.Password, a.Name, open)
	}
	_ = w.Flush()
	fmt.Fprintf(out, "\nFHIR R4: %s/fhir/R4/metadata · Ctrl-C dừng · stops\n", url)
}

func statePath(cfg *config.Config) string { return filepath.Join(cfg.Data, "demo.json") }

// readState returns the state of the demo; a new one has a fresh password.
func readState(cfg *config.Config) (*demoState, error) {
	b, err := os.ReadFile(statePath(cfg))
	if errors.Is(err, os.ErrNotExist) {
		word, err := password()
		return &demoState{Password: word}, err
	}
	if err != nil {
		return nil, err
	}
	var d demoState
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w; `make demo-reset` starts over", statePath(cfg), err)
	}
	return &d, nil
}

func (d *demoState) write(cfg *config.Config) error {
	b, err := json.MarshalIndent(d, "", "  ") //nolint:gosec // the passwords of the demo are printed too; the file is its owner's
	if err != nil {
		return err
	}
	// Written beside and renamed, so that a kill leaves the old one or the new one.
	tmp := statePath(cfg) + ".new"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("the data folder cannot be written: %w; choose another with YBA_DATA", err)
	}
	return os.Rename(tmp, statePath(cfg))
}

// password makes a password that is easy to type: it protects invented data on
// one machine, and is another on each.
func password() (string, error) {
	words := []string{"lua", "song", "nui", "bien", "tre", "sen", "mai", "dua", "cau", "gao", "cam", "buoi", "trau", "nghe", "rung", "mua"}
	out := ""
	for range 3 {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(words))))
		if err != nil {
			return "", err
		}
		out += words[n.Int64()] + "-"
	}
	n, err := rand.Int(rand.Reader, big.NewInt(9000))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s%d", out, 1000+n.Int64()), nil
}

// appOf says which app opens for a role.
var appOf = map[string]string{
	"patient": "patient", "guardian": "patient", "nurse": "station", "doctor": "clinic",
	"specialist": "clinic", "department": "department",
}

// tell lists the province's accounts for the table.
func (d *demoState) tell(p *province.Province) {
	d.Accounts = nil
	for _, a := range p.Accounts {
		role := a.Create.GetRoles()[0]
		d.Accounts = append(d.Accounts, demoAccount{
			Role: role, Username: a.Create.GetUsername(), Password: d.Password,
			Name: a.Create.GetName(), What: a.What + " · " + a.WhatEn, App: appOf[role],
		})
	}
}
