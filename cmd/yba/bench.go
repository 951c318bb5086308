package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/fhirclient"
)

// benchAccount is whom `yba bench` acts as.
const benchAccount = importAccount

// measure is one line of the table.
type measure struct {
	Name        string  `json:"name"`
	Connections int     `json:"connections,omitempty"`
	Count       int     `json:"count,omitempty"`
	PerSecond   float64 `json:"per_second,omitempty"`
	P50         float64 `json:"p50_ms,omitempty"`
	P95         float64 `json:"p95_ms,omitempty"`
	P99         float64 `json:"p99_ms,omitempty"`
	Errors      int     `json:"errors,omitempty"`
	Bytes       int64   `json:"bytes,omitempty"`
	// Processor time for one request, in microseconds: of the server and of
	// its private PostgreSQL. Other work on the machine does not change it.
	ServerCPU   float64 `json:"server_cpu_us,omitempty"`
	DatabaseCPU float64 `json:"database_cpu_us,omitempty"`
	// Growth is the median over that of the same line before the store was filled.
	Growth float64 `json:"growth,omitempty"`
}

// benchCommand measures a running server on this machine. tokenSource returns
// an access token for an account.
func benchCommand(cfg *config.Config, tokenSource func(ctx context.Context, account string) (string, error)) *cobra.Command {
	b := bench{span: 10 * time.Second}
	var asJSON bool
	var tokenFile, account, only string
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure a running server on this machine",
		Long: "Import a folder of transaction bundles and measure reads, searches, $everything and creates;\n" +
			"with --fill bring the store to so many resources by the same bundles and measure all of it again.\n" +
			"The server must be on this machine, and should hold nothing of value: the measurement writes to it.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if b.url == "" {
				b.url = cfg.BaseURL()
			}
			if err := loopbackOnly(b.url); err != nil {
				return err
			}
			var err error
			if b.only, err = regexp.Compile(only); err != nil {
				return fmt.Errorf("--only: %w", err)
			}
			b.database = filepath.Join(cfg.Data, postgresFolder)
			b.token = func() (string, error) { return tokenSource(cmd.Context(), account) }
			if tokenFile != "" {
				b.token = tokenFrom(tokenFile)
			}
			table, err := b.run(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(table)
			}
			return printTable(cmd.OutOrStdout(), table)
		},
	}
	f := cmd.Flags()
	f.StringVar(&b.url, "url", "", "address of the server (default: the configured one); loopback only")
	f.StringVar(&b.data, "bundles", "../shared/data/synthea-r4", "folder of transaction bundles to import")
	f.StringVar(&tokenFile, "token-file", "", "file with an access token")
	f.StringVar(&account, "as", benchAccount, "account to act as when there is no token file")
	f.DurationVar(&b.span, "for", b.span, "how long each line is measured")
	f.IntVar(&b.fill, "fill", 0, "bring the store to so many resources and measure again, or measure one that holds them; 0: do not")
	f.StringVar(&only, "only", "", "regular expression of the lines to measure")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// loopbackOnly refuses other machines: a load generator is no toy to point at
// somebody's hospital.
func loopbackOnly(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return fmt.Errorf("%q is no address such as http://localhost:8080", address)
	}
	ip := net.ParseIP(u.Hostname())
	if u.Hostname() == "localhost" || (ip != nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("bench measures a server on this machine only, and %s is another", u.Hostname())
}

// bench is one measurement.
type bench struct {
	url, data string
	// database is the folder of the server's private PostgreSQL.
	database string
	token    func() (string, error)
	span     time.Duration
	fill     int
	only     *regexp.Regexp

	bearer string
	http   *http.Client
}

func (b *bench) run(ctx context.Context, status io.Writer) ([]measure, error) {
	client, err := fhirclient.New(fhirclient.Options{Base: b.url, Token: b.token, Connections: 32})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if b.bearer, err = b.token(); err != nil {
		return nil, fmt.Errorf("no access token: %w", err)
	}
	b.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}
	defer b.http.CloseIdleConnections()

	table := []measure{b.memory(ctx, "resident memory, idle")}
	say := func(what string) { fmt.Fprintln(status, "bench: "+what) }
	if b.fill > 0 {
		held, err := b.held(ctx, client)
		if err != nil {
			return nil, err
		}
		if held >= b.fill {
			say("the store is filled already")
			return b.measureFilled(ctx, client, table, say)
		}
	}
	if b.only.MatchString(importLine) {
		say(importLine)
		imported, err := b.load(ctx, client)
		if err != nil {
			return nil, err
		}
		lines, err := b.loadLines(ctx, client)
		if err != nil {
			return nil, err
		}
		table = append(append(table, imported...), lines...)
	}
	small, err := b.measureLines(ctx, client, nil, say)
	if err != nil {
		return nil, err
	}
	table = append(append(table, small...), b.memory(ctx, "resident memory, after the load"))
	if b.fill == 0 {
		return table, nil
	}
	say(fmt.Sprintf("filling the store to %d resources", b.fill))
	filled, patients, err := b.fillStore(ctx, client, say)
	if err != nil {
		return nil, err
	}
	large, err := b.measureLines(ctx, client, patients, say)
	if err != nil {
		return nil, err
	}
	for i := range large {
		if small[i].P50 > 0 {
			large[i].Growth = large[i].P50 / small[i].P50
		}
		large[i].Name += ", filled"
	}
	table = append(append(table, filled), large...)
	return append(table, b.memory(ctx, "resident memory, filled")), nil
}

// measureFilled measures the lines of a store that an earlier run has filled.
func (b *bench) measureFilled(ctx context.Context, client *fhirclient.Client, table []measure, say func(string)) ([]measure, error) {
	patients, err := b.somePatients(ctx, client)
	if err != nil {
		return nil, err
	}
	large, err := b.measureLines(ctx, client, patients, say)
	if err != nil {
		return nil, err
	}
	return append(append(table, large...), b.memory(ctx, "resident memory, filled")), nil
}

// importLine names what load measures.
const importLine = "import"

// load imports the folder over 4 connections, always anew.
func (b *bench) load(ctx context.Context, client *fhirclient.Client) ([]measure, error) {
	files, err := bundleFiles(b.data)
	if err != nil {
		return nil, fmt.Errorf("%w; name a folder of transaction bundles with --bundles", err)
	}
	l := fhirclient.Load{Client: client, Connections: 4}
	before := b.processors(ctx)
	sum, err := l.Run(ctx, readBundles(files))
	if err != nil {
		return nil, err
	}
	ms := func(share float64) float64 { return milliseconds(sum.Percentile(share)) }
	seconds := sum.Took.Seconds()
	resources := measure{Name: importLine + ", resources", Connections: 4, Count: sum.Resources, PerSecond: sum.PerSecond()}
	resources.spent(before, b.processors(ctx))
	return []measure{{
		Name: importLine + ", bundles", Connections: 4, Count: sum.Bundles, PerSecond: float64(sum.Bundles) / seconds,
		P50: ms(.5), P95: ms(.95), P99: ms(.99), Errors: len(sum.Failed),
	}, resources}, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func printTable(out io.Writer, table []measure) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tconnections\tcount\tper second\tp50 ms\tp95 ms\tp99 ms\terrors\tserver µs\tdatabase µs\tgrowth of p50")
	for _, m := range table {
		switch {
		case m.Bytes > 0:
			fmt.Fprintf(w, "%s\t\t%.0f MB\n", m.Name, float64(m.Bytes)/1e6)
		case m.Connections == 0:
			fmt.Fprintf(w, "%s\t\tnot told\n", m.Name)
		case m.P50 == 0:
			fmt.Fprintf(w, "%s\t%d\t%d\t%.0f\t\t\t\t%d\t%s\t%s\n", m.Name, m.Connections, m.Count, m.PerSecond, m.Errors, known(m.ServerCPU, "%.0f"), known(m.DatabaseCPU, "%.0f"))
		default:
			fmt.Fprintf(w, "%s\t%d\t%d\t%.0f\t%.2f\t%.2f\t%.2f\t%d\t%s\t%s\t%s\n", m.Name, m.Connections, m.Count, m.PerSecond, m.P50, m.P95, m.P99, m.Errors,
				known(m.ServerCPU, "%.0f"), known(m.DatabaseCPU, "%.0f"), known(m.Growth, "%.2f"))
		}
	}
	return w.Flush()
}

// known leaves the column empty where a figure was not measured.
func known(v float64, format string) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf(format, v)
}
