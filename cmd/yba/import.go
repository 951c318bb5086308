package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhirclient"
)

// importAccount is whom `yba import` acts as when no token file is given.
const importAccount = "importer"

// importCommand loads a folder of transaction bundles through the FHIR API,
// like any client. tokenSource returns an access token for an account.
func importCommand(cfg *config.Config, tokenSource func(ctx context.Context, account string) (string, error)) *cobra.Command {
	var o importOptions
	var tokenFile, account string
	cmd := &cobra.Command{
		Use:   "import DIR",
		Short: "Load a folder of FHIR transaction bundles; goes on where it stopped",
		Long: "Load the transaction bundles (*.json) of a folder through the FHIR API of a running server.\n" +
			"What the server acknowledged is noted in the data folder, so that the same command goes on\n" +
			"where it stopped. Nothing is loaded twice.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.dir = args[0]
			if o.url == "" {
				o.url = cfg.BaseURL()
			}
			o.token = func() (string, error) { return tokenSource(cmd.Context(), account) }
			if tokenFile != "" {
				o.token = tokenFrom(tokenFile)
			}
			journal, err := cfg.Folder("import")
			if err != nil {
				return err
			}
			o.journals = journal
			return o.run(cmd, os.Stdout, os.Stderr)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.url, "url", "", "address of the server (default: the configured one)")
	f.StringVar(&tokenFile, "token-file", "", "file with an access token; read again when the token has expired")
	f.StringVar(&account, "as", importAccount, "account to act as when there is no token file")
	f.IntVar(&o.connections, "connections", 4, "bundles, or pieces of files, on their way at the same time")
	f.BoolVar(&o.lines, "ndjson", false, "load NDJSON files (*.ndjson), a resource in each line, instead of bundles")
	f.BoolVar(&o.restart, "restart", false, "forget what was loaded before and load everything")
	return cmd
}

func tokenFrom(path string) func() (string, error) {
	return func() (string, error) {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("the token file cannot be read: %w", err)
		}
		return strings.TrimSpace(string(b)), nil
	}
}

// importOptions is one import.
type importOptions struct {
	dir, url, journals string
	token              func() (string, error)
	connections        int
	restart            bool
	// lines: the folder holds NDJSON instead of bundles.
	lines bool
}

func (o importOptions) run(cmd *cobra.Command, out io.Writer, status *os.File) error {
	find := bundleFiles
	if o.lines {
		find = lineFiles
	}
	files, err := find(o.dir)
	if err != nil {
		return err
	}
	path, err := journalPath(o.journals, o.dir, o.url)
	if err != nil {
		return err
	}
	journal, err := fhirclient.OpenJournal(path, o.restart)
	if err != nil {
		return err
	}
	client, err := fhirclient.New(fhirclient.Options{Base: o.url, Token: o.token, Connections: o.connections})
	if err != nil {
		return errors.Join(err, journal.Close())
	}
	defer client.Close()
	bundles := readBundles(files)
	if o.lines {
		bundles = readLines(files)
	}
	p := newProgress(status, "import", len(files))
	load := fhirclient.Load{Client: client, Connections: o.connections, Journal: journal, Each: p.each}
	sum, err := load.Run(cmd.Context(), bundles)
	p.finish()
	report(out, sum)
	err = errors.Join(err, journal.Close())
	switch {
	case err != nil:
		return fmt.Errorf("the import stopped: %w; the same command goes on from here", err)
	case len(sum.Failed) > 0:
		return fmt.Errorf("%d of %d bundles could not be loaded", len(sum.Failed), len(files))
	}
	return nil
}

// bundleFiles lists the folder's bundles, those that others refer to first
// (Synthea writes hospitals and practitioners into files of their own).
func bundleFiles(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*.json"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("there is no *.json file in %s", dir)
	}
	var first, rest []string
	for _, f := range files {
		if isFirst(f) {
			first = append(first, f)
		} else {
			rest = append(rest, f)
		}
	}
	return append(first, rest...), nil
}

func isFirst(file string) bool {
	name := filepath.Base(file)
	return strings.HasPrefix(name, "hospitalInformation") || strings.HasPrefix(name, "practitionerInformation") ||
		strings.HasPrefix(name, "facilities")
}

// escapeGlob keeps brackets and stars in a folder's name from being patterns.
func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(s)
}

// readBundles reads the files one at a time, so that a folder larger than the
// memory can be loaded.
func readBundles(files []string) iter.Seq2[fhirclient.Bundle, error] {
	return func(yield func(fhirclient.Bundle, error) bool) {
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				err = fmt.Errorf("a bundle cannot be read: %w", err)
			}
			if !yield(fhirclient.Bundle{Name: filepath.Base(f), Body: b, First: isFirst(f)}, err) || err != nil {
				return
			}
		}
	}
}

// journalPath names the journal after the folder and the server, since another
// server has not got what this one acknowledged.
func journalPath(journals, dir, url string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	h := sha256.Sum256([]byte(abs + "\n" + strings.TrimRight(url, "/")))
	return filepath.Join(journals, hex.EncodeToString(h[:8])+".jsonl"), nil
}

func report(out io.Writer, s fhirclient.Summary) {
	fmt.Fprintf(out, "%d bundles, %d resources in %.1f s: %.0f resources/s\n", s.Bundles, s.Resources, s.Took.Seconds(), s.PerSecond())
	if s.Bundles > 0 {
		fmt.Fprintf(out, "one bundle: p50 %s, p99 %s\n", round(s.Percentile(.5)), round(s.Percentile(.99)))
	}
	if s.Skipped > 0 {
		fmt.Fprintf(out, "%d bundles were loaded before\n", s.Skipped)
	}
	if s.Found > 0 {
		fmt.Fprintf(out, "%d bundles were found on the server although their acknowledgement had been lost\n", s.Found)
	}
	for _, f := range s.Failed {
		e := fault.Of(f.Err)
		place, reason := "", e.Message
		if n := fhirclient.EntryOf(f.Err); n >= 0 {
			place = fmt.Sprintf(" entry %d", n)
		}
		if e.At != "" {
			reason = e.At + ": " + reason
		}
		fmt.Fprintf(out, "failed: %s%s: %s: %s\n", f.Name, place, e.Class, reason)
	}
}

func round(d time.Duration) time.Duration {
	if d > 10*time.Millisecond {
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}
