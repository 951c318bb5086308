package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
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
}

// benchCommand measures a running server on this machine. tokenSource returns
// an access token for an account.
func benchCommand(cfg *config.Config, tokenSource func(ctx context.Context, account string) (string, error)) *cobra.Command {
	b := bench{span: 10 * time.Second}
	var asJSON bool
	var tokenFile, account string
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure a running server on this machine",
		Long: "Import a folder of transaction bundles and measure reads, searches, $everything and creates.\n" +
			"The server must be on this machine, and should hold nothing of value: the measurement writes to it.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if b.url == "" {
				b.url = cfg.BaseURL()
			}
			if err := loopbackOnly(b.url); err != nil {
				return err
			}
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
	token     func() (string, error)
	span      time.Duration

	bearer string
	http   *http.Client
}

// target is what the reads ask for, taken from what the import wrote.
type target struct {
	reads     []string
	patients  []string
	codeOf    map[string]string
	newBodies [][]byte
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

	say("import")
	imported, err := b.load(ctx, client)
	if err != nil {
		return nil, err
	}
	table = append(table, imported...)
	lines, err := b.loadLines(ctx, client)
	if err != nil {
		return nil, err
	}
	table = append(table, lines...)
	t, err := b.targets(ctx, client)
	if err != nil {
		return nil, err
	}
	for _, l := range []struct {
		name        string
		connections int
		request     func(i int) (method, path string, body []byte)
	}{
		{"read by id", 16, func(i int) (string, string, []byte) {
			return http.MethodGet, t.reads[i%len(t.reads)], nil
		}},
		{"search Observation by patient and code, 20 newest", 16, func(i int) (string, string, []byte) {
			p := t.patients[i%len(t.patients)]
			return http.MethodGet, "Observation?patient=" + p + "&code=" + url.QueryEscape(t.codeOf[p]) + "&_sort=-date&_count=20", nil
		}},
		{"search Condition by patient and clinical status", 16, func(i int) (string, string, []byte) {
			return http.MethodGet, "Condition?patient=" + t.patients[i%len(t.patients)] + "&clinical-status=active", nil
		}},
		{"Patient/$everything", 4, func(i int) (string, string, []byte) {
			return http.MethodGet, "Patient/" + t.patients[i%len(t.patients)] + "/$everything", nil
		}},
		{"create Observation, durable", 32, func(i int) (string, string, []byte) {
			return http.MethodPost, "Observation", t.newBodies[i%len(t.newBodies)]
		}},
	} {
		say(l.name)
		prepared, err := b.prepare(l.request)
		if err != nil {
			return nil, err
		}
		m, err := b.hammer(ctx, l.name, l.connections, prepared)
		if err != nil {
			return nil, err
		}
		table = append(table, m)
	}
	return append(table, b.memory(ctx, "resident memory, after the load")), nil
}

// load imports the folder over 4 connections, always anew.
func (b *bench) load(ctx context.Context, client *fhirclient.Client) ([]measure, error) {
	files, err := bundleFiles(b.data)
	if err != nil {
		return nil, fmt.Errorf("%w; name a folder of transaction bundles with --bundles", err)
	}
	l := fhirclient.Load{Client: client, Connections: 4}
	sum, err := l.Run(ctx, readBundles(files))
	if err != nil {
		return nil, err
	}
	ms := func(share float64) float64 { return milliseconds(sum.Percentile(share)) }
	seconds := sum.Took.Seconds()
	return []measure{
		{
			Name: "import, bundles", Connections: 4, Count: sum.Bundles, PerSecond: float64(sum.Bundles) / seconds,
			P50: ms(.5), P95: ms(.95), P99: ms(.99), Errors: len(sum.Failed),
		},
		{Name: "import, resources", Connections: 4, Count: sum.Resources, PerSecond: sum.PerSecond()},
	}, nil
}

// targets asks for patients and for one of each one's observations, so that
// every later search has something to find.
func (b *bench) targets(ctx context.Context, client *fhirclient.Client) (target, error) {
	t := target{codeOf: map[string]string{}}
	for body, err := range client.Search(ctx, "Patient", url.Values{"_count": {"100"}, "_sort": {"-_lastUpdated"}}) {
		if err != nil {
			return t, fmt.Errorf("looking for patients: %w", err)
		}
		var p struct {
			ResourceType, ID string
		}
		if err := json.Unmarshal(body, &p); err != nil || p.ResourceType != "Patient" {
			return t, errors.New("a search for Patient returned something else")
		}
		if err := b.observations(ctx, client, p.ID, &t); err != nil {
			return t, err
		}
		if len(t.patients) == 100 {
			break
		}
	}
	if len(t.patients) == 0 {
		return t, errors.New("the server has no patient with observations to measure with")
	}
	return t, nil
}

func (b *bench) observations(ctx context.Context, client *fhirclient.Client, patient string, t *target) error {
	n := 0
	for body, err := range client.Search(ctx, "Observation", url.Values{"patient": {patient}, "_count": {"20"}}) {
		if err != nil {
			return fmt.Errorf("looking for observations: %w", err)
		}
		var o struct {
			ID   string
			Code struct {
				Coding []struct{ System, Code string }
			}
		}
		if err := json.Unmarshal(body, &o); err != nil {
			return fmt.Errorf("an observation cannot be read: %w", err)
		}
		if len(o.Code.Coding) == 0 {
			continue
		}
		t.reads = append(t.reads, "Observation/"+o.ID)
		t.codeOf[patient] = o.Code.Coding[0].System + "|" + o.Code.Coding[0].Code
		if n++; n == 20 {
			break
		}
	}
	if n > 0 {
		t.patients = append(t.patients, patient)
		t.reads = append(t.reads, "Patient/"+patient)
		t.newBodies = append(t.newBodies, fmt.Appendf(nil, `{"resourceType":"Observation","status":"final",`+
			`"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],`+
			`"code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},"subject":{"reference":"Patient/%s"},`+
			`"effectiveDateTime":"2026-01-02T08:00:00+07:00","valueQuantity":{"value":72,"unit":"/min","system":"http://unitsofmeasure.org","code":"/min"}}`, patient))
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func printTable(out io.Writer, table []measure) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tconnections\tcount\tper second\tp50 ms\tp95 ms\tp99 ms\terrors")
	for _, m := range table {
		switch {
		case m.Bytes > 0:
			fmt.Fprintf(w, "%s\t\t%.0f MB\n", m.Name, float64(m.Bytes)/1e6)
		case m.Connections == 0:
			fmt.Fprintf(w, "%s\t\tnot told\n", m.Name)
		case m.P50 == 0:
			fmt.Fprintf(w, "%s\t%d\t%d\t%.0f\n", m.Name, m.Connections, m.Count, m.PerSecond)
		default:
			fmt.Fprintf(w, "%s\t%d\t%d\t%.0f\t%.2f\t%.2f\t%.2f\t%d\n", m.Name, m.Connections, m.Count, m.PerSecond, m.P50, m.P95, m.P99, m.Errors)
		}
	}
	return w.Flush()
}
