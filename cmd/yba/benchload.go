package main

import (
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

	"github.com/valyala/fasthttp"

	"github.com/yba-health/yba/pkg/fhirclient"
)

// prepared is a request that was made before the clock starts. The generator
// shares the machine with the server, and net/http's client, which hands every
// request and answer between goroutines, costs half of what the server does:
// fasthttp's sends and reads on the worker's own.
type prepared = fasthttp.Request

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
	out := make([]prepared, preparedRequests)
	for i := range out {
		method, path, body := request(i)
		r := &out[i]
		r.Header.SetMethod(method)
		r.SetRequestURI(base + path)
		r.Header.Set("Authorization", "Bearer "+b.bearer)
		r.Header.Set("Accept", fhirclient.MediaType)
		if body != nil {
			r.Header.SetContentType(fhirclient.MediaType)
			r.SetBodyRaw(body)
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
	address, err := url.Parse(b.url)
	if err != nil {
		return measure{}, err
	}
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
			// One client each: a connection of its own, and no lock among them.
			client := fasthttp.HostClient{Addr: address.Host, MaxConns: 1, NoDefaultUserAgentHeader: true, ReadBufferSize: 32 << 10, MaxIdemponentCallAttempts: 1, ReadTimeout: time.Minute}
			defer client.CloseIdleConnections()
			var (
				took    []time.Duration
				errs    int
				refused bool
				answer  fasthttp.Response
			)
			for i := w * 7919; span.Err() == nil && !refused; i++ {
				sent := time.Now()
				err := client.Do(&requests[i%len(requests)], &answer)
				switch status := answer.StatusCode(); {
				case err == nil && status < 300:
					took = append(took, time.Since(sent))
				case err == nil && status == fasthttp.StatusTooManyRequests:
					refused = true
				default:
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
