package fhirclient

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/yba-health/yba/pkg/fault"
)

// MediaType is FHIR's JSON media type (R4 http.html section 3.1.0.1.10).
const MediaType = "application/fhir+json"

// maxAnswer bounds an answer kept in memory, in bytes.
const maxAnswer = 256 << 20

// Options says which server and how hard to try. Base is needed; the rest has defaults.
type Options struct {
	// Base is the server's root, such as http://localhost:8080. The FHIR API
	// is expected at FHIRPath below it.
	Base string
	// FHIRPath is where the FHIR API lies below Base; default "/fhir/R4".
	FHIRPath string
	// Token returns a bearer token. It is asked once, and again when the
	// server answers 401. Nil sends none.
	Token func() (string, error)
	// Connections is how many idle connections are kept; default 4.
	Connections int
	// Attempts is how often a request is sent at most; default 8.
	Attempts int
	// Backoff is the wait before the second attempt; it doubles up to 5 s,
	// with jitter. Default 100 ms.
	Backoff time.Duration
	// Timeout bounds one attempt; default 2 minutes.
	Timeout time.Duration
}

// Client is safe for use by many goroutines.
type Client struct {
	base, fhir *url.URL
	opts       Options
	http       *http.Client

	mu    sync.Mutex
	token string
}

// New checks the options and returns a client. It sends nothing.
func New(o Options) (*Client, error) {
	base, err := url.Parse(strings.TrimRight(o.Base, "/"))
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fault.Newf(fault.Invalid, "%q is no address such as http://localhost:8080", o.Base)
	}
	// JoinPath makes relative paths below an empty one.
	base.Path = cmp.Or(base.Path, "/")
	o.FHIRPath = cmp.Or(o.FHIRPath, "/fhir/R4")
	o.Connections = cmp.Or(o.Connections, 4)
	o.Attempts = cmp.Or(o.Attempts, 8)
	o.Backoff = cmp.Or(o.Backoff, 100*time.Millisecond)
	o.Timeout = cmp.Or(o.Timeout, 2*time.Minute)
	return &Client{
		base: base, fhir: base.JoinPath(o.FHIRPath), opts: o,
		http: &http.Client{
			Transport: &http.Transport{
				Proxy:               http.ProxyFromEnvironment,
				MaxIdleConns:        o.Connections,
				MaxIdleConnsPerHost: o.Connections,
				MaxConnsPerHost:     o.Connections,
				IdleConnTimeout:     time.Minute,
				// Bundles go over loopback or a LAN more often than not;
				// compressing them costs more than it saves.
				DisableCompression: true,
			},
			// A redirect would carry the token to another address.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Close ends the idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// request is one call, kept so that it can be sent again.
type request struct {
	method      string
	url         *url.URL
	body        []byte
	contentType string
	accept      string
	header      http.Header
}

// answer is what came back, whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// errFateUnknown marks an error after which the server may or may not have
// carried out what was asked.
var errFateUnknown = errors.New("the connection was lost before the answer came")

// FateUnknown reports whether the request that failed with err may have been
// carried out all the same.
func FateUnknown(err error) bool { return errors.Is(err, errFateUnknown) }

// do sends r until an answer comes that is final. Every status below 400 is
// success; others become fault errors.
func (c *Client) do(ctx context.Context, r request) (answer, error) {
	var last error
	renewed := false
	for attempt := 1; ; attempt++ {
		a, err := c.once(ctx, r)
		var pause time.Duration
		switch {
		case err != nil:
			if ctx.Err() != nil {
				return answer{}, lost(r, context.Cause(ctx))
			}
			if !refused(err) && !idempotent(r.method) {
				return answer{}, lost(r, err)
			}
			last = unreachable(c.base.Host, err)
		case a.status == http.StatusUnauthorized && c.opts.Token != nil && !renewed:
			renewed = true
			c.forget()
			continue
		case a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable:
			last = errorOf(a)
			pause = retryAfter(a.header)
		case a.status >= 300:
			return a, errorOf(a)
		default:
			return a, nil
		}
		if attempt >= c.opts.Attempts {
			return a, last
		}
		if err := wait(ctx, max(pause, c.pause(attempt))); err != nil {
			return answer{}, fault.New(fault.Unavailable, "stopped while waiting to try again", errors.Join(err, last))
		}
	}
}

func (c *Client) once(ctx context.Context, r request) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.method, r.url.String(), bytes.NewReader(r.body))
	if err != nil {
		return answer{}, err
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	if r.body != nil {
		req.Header.Set("Content-Type", r.contentType)
	} else {
		req.Body = http.NoBody
	}
	req.Header.Set("Accept", r.accept)
	token, err := c.bearer()
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return answer{}, err
	}
	if len(body) > maxAnswer {
		return answer{}, fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	return answer{resp.StatusCode, resp.Header, body}, nil
}

func (c *Client) bearer() (string, error) {
	if c.opts.Token == nil {
		return "", nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token == "" {
		t, err := c.opts.Token()
		if err != nil {
			return "", &tokenError{err}
		}
		c.token = t
	}
	return c.token, nil
}

func (c *Client) forget() {
	c.mu.Lock()
	c.token = ""
	c.mu.Unlock()
}

// tokenError says that no request was sent because no token could be had.
type tokenError struct{ error }

func (e *tokenError) Unwrap() error { return e.error }

// refused reports whether the server cannot have seen the request.
func refused(err error) bool {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return true
	}
	if _, ok := errors.AsType[*tokenError](err); ok {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

func idempotent(method string) bool {
	return method == http.MethodGet || method == http.MethodPut || method == http.MethodDelete
}

func lost(r request, cause error) error {
	if idempotent(r.method) {
		return fault.New(fault.Unavailable, "the request was stopped", cause)
	}
	return fault.New(fault.Unavailable,
		"the connection was lost before the answer came; whether it was carried out is unknown",
		errors.Join(errFateUnknown, cause))
}

func unreachable(host string, cause error) error {
	if t, ok := errors.AsType[*tokenError](cause); ok {
		return fault.New(fault.Unauthenticated, "no access token could be had: "+t.Error(), t.error)
	}
	return fault.New(fault.Unavailable, "no answer from "+host+"; is `yba serve` running there?", cause)
}

// pause is the wait after the given attempt: doubled each time, at most 5 s,
// between half and the whole of it so that many clients do not come back at once.
func (c *Client) pause(attempt int) time.Duration {
	d := min(c.opts.Backoff<<min(attempt-1, 16), 5*time.Second)
	return d/2 + rand.N(d/2+1) //nolint:gosec // nothing secret hangs on the spread
}

// retryAfter reads the seconds form of Retry-After (RFC 9110 section 10.2.3),
// bounded so that a mistaken server cannot stop an import for an hour.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(n)*time.Second, 30*time.Second)
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
