package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/yba-health/yba/pkg/fhirclient"
)

// prepared is a request whose every part but the body's reader is made before
// the clock starts: the generator shares the machine with the server.
type prepared struct {
	http.Request
	body []byte
}

// preparedRequests is how many different requests one line takes turns with.
const preparedRequests = 2000

func (b *bench) prepare(request func(i int) (method, path string, body []byte)) ([]prepared, error) {
	// A token lives for some minutes; each line begins with a new one.
	bearer, err := b.token()
	if err != nil {
		return nil, fmt.Errorf("no access token: %w", err)
	}
	b.bearer = bearer
	base := strings.TrimRight(b.url, "/") + "/fhir/R4/"
	header := http.Header{"Authorization": {"Bearer " + b.bearer}, "Accept": {fhirclient.MediaType}}
	withBody := header.Clone()
	withBody.Set("Content-Type", fhirclient.MediaType)
	out := make([]prepared, preparedRequests)
	for i := range out {
		method, path, body := request(i)
		u, err := url.Parse(base + path)
		if err != nil {
			return nil, err
		}
		out[i].Request = http.Request{Method: method, URL: u, Host: u.Host, Header: header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
		if body != nil {
			out[i].Header, out[i].ContentLength, out[i].body = withBody, int64(len(body)), body
		}
	}
	return out, nil
}

// errLimited means that the figures would be those of the limit.
var errLimited = errors.New("the server limits requests; start it for the measurement with --rate-limit 0")

// hammer sends requests over so many connections for the span and counts what
// came back; answers are read and dropped.
func (b *bench) hammer(ctx context.Context, name string, connections int, requests []prepared) (measure, error) {
	span, cancel := context.WithTimeout(ctx, b.span)
	defer cancel()
	var (
		all     []time.Duration
		failed  int
		limited bool
		mu      sync.Mutex
		group   sync.WaitGroup
		begin   = time.Now()
	)
	for w := range connections {
		group.Go(func() {
			var took []time.Duration
			errs, refused := 0, false
			buffer := make([]byte, 32<<10)
			for i := w * 7919; span.Err() == nil && !refused; i++ {
				d, err := b.send(span, buffer, &requests[i%len(requests)])
				switch {
				case err == nil:
					took = append(took, d)
				case errors.Is(err, errLimited):
					refused = true
				case span.Err() == nil:
					errs++
				}
			}
			mu.Lock()
			all, failed, limited = append(all, took...), failed+errs, limited || refused
			mu.Unlock()
		})
	}
	group.Wait()
	seconds := time.Since(begin).Seconds()
	if limited {
		return measure{}, errLimited
	}
	slices.Sort(all)
	at := func(share float64) float64 { return milliseconds(fhirclient.Percentile(all, share)) }
	return measure{
		Name: name, Connections: connections, Count: len(all), PerSecond: float64(len(all)) / seconds,
		P50: at(.5), P95: at(.95), P99: at(.99), Errors: failed,
	}, ctx.Err()
}

func (b *bench) send(ctx context.Context, buffer []byte, p *prepared) (time.Duration, error) {
	req := p.WithContext(ctx)
	if p.body != nil {
		req.Body = io.NopCloser(bytes.NewReader(p.body))
	}
	begin := time.Now()
	resp, err := b.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, buffer); err != nil {
		return 0, err
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		return 0, errLimited
	}
	if resp.StatusCode >= 300 {
		return 0, fmt.Errorf("status %d", resp.StatusCode)
	}
	return time.Since(begin), nil
}

// memory reads the server's resident memory.
func (b *bench) memory(ctx context.Context, name string) measure {
	return measure{Name: name, Bytes: int64(b.metric(ctx, "process_resident_memory_bytes"))}
}

// metric reads one figure from the server's metrics; 0 where they do not tell it.
func (b *bench) metric(ctx context.Context, name string) float64 {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(b.url, "/")+"/metrics", nil)
	if err != nil {
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+b.bearer)
	resp, err := b.http.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		return 0
	}
	for l := range strings.Lines(string(body)) {
		if rest, ok := strings.CutPrefix(l, name+" "); ok {
			if f, err := strconv.ParseFloat(strings.TrimSpace(rest), 64); err == nil {
				return f
			}
		}
	}
	return 0
}
