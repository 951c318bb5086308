package subscription

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	// lease is how long a Subscription is left to a worker that may have
	// died; slack is what a delivery may take beside waiting for the receiver.
	lease = 30 * time.Second
	slack = 20 * time.Second
	// tries is how often a notification is sent before it is a dead letter:
	// with the pauses between, for about half a day.
	tries = 12
	// firstPause doubles with each try up to maxPause.
	firstPause = 2 * time.Second
	maxPause   = 3 * time.Hour
	// later is when an owner who may be told nothing is looked at again.
	later = time.Minute
)

// patience returns the pause after so many failures in a row. Its second half
// is by chance, so that receivers that fell together are not called together.
func patience(failures int) time.Duration {
	d := min(firstPause<<min(failures-1, 20), maxPause)
	return d/2 + rand.N(d/2) //nolint:gosec // nothing is secret about it
}

// Deliver sends what one Subscription waits for. Who claims a Subscription
// works alone on it, and only on its queue's head, so that events go out in
// order.
func (h *Hooks) Deliver(ctx context.Context) (moved bool, err error) {
	queued := h.Store.Queued()
	k, err := h.Store.Claim(ctx, h.Now(), h.Now().Add(-keepEvents), lease)
	if err != nil {
		return false, err
	}
	if k == nil {
		pause(ctx, queued, h.idle)
		return false, nil
	}
	r, err := h.serve(ctx, k)
	if err != nil {
		// Not the receiver's fault: it costs no try.
		r = Result{Failures: k.Failures, Due: h.Now().Add(firstPause)}
	}
	// What was sent is sent, even if the process is asked to stop now.
	settled := h.Store.Settle(context.WithoutCancel(ctx), k, r)
	return true, errors.Join(err, settled)
}

func (h *Hooks) serve(ctx context.Context, k *Kept) (Result, error) {
	now := h.Now()
	spec, err := h.spec(ctx, k)
	if err != nil {
		return Result{}, err
	}
	if spec.Timeout+slack > lease {
		if err := h.Store.Extend(ctx, k.ID, now.Add(spec.Timeout+slack)); err != nil {
			return Result{}, err
		}
	}
	// Whoever claims it next must not meet this worker.
	ctx, cancel := context.WithTimeout(ctx, spec.Timeout+slack)
	defer cancel()
	if !spec.End.IsZero() && !spec.End.After(now) || k.Status == Failed {
		return h.become(ctx, k, Result{}, Off, "")
	}
	act, reach, ok, err := h.reach(ctx, k.Owner)
	if err != nil {
		return Result{}, err
	}
	if !ok {
		return Result{Failures: k.Failures, Due: now.Add(later)}, nil
	}
	n := &Notification{
		Kind: Heartbeat, Base: h.Base, ID: k.ID, Topic: spec.Topic, Status: Active, Last: k.Last, Content: spec.Content,
	}
	if k.Status == Requested {
		n.Kind, n.Status = Handshake, Requested
		if spec.Channel == RestHook {
			if err := h.send(ctx, k, spec, n); err != nil {
				return h.failure(ctx, k, nil)
			}
		}
		return h.become(ctx, k, Result{Sent: now}, Active, "")
	}
	list, err := h.Store.Waiting(ctx, k.ID, spec.MaxCount)
	if err != nil {
		return Result{}, err
	}
	told, seen, withheld, err := h.story(act, list, reach)
	if err != nil {
		return Result{}, err
	}
	r := Result{Settled: map[State][]int64{Withheld: withheld}}
	if len(list) > 0 && len(told) == 0 {
		return r, nil
	}
	for _, t := range told {
		n.Kind, n.Last = Event, t.Number
		r.Settled[Open] = append(r.Settled[Open], t.Number)
	}
	n.Events = told
	if err := h.send(ctx, k, spec, n); err != nil {
		return h.failure(ctx, k, r.Settled[Open])
	}
	for _, x := range seen {
		h.Note(act, x.PatientID, h.Definitions.TypeOf(x.Type)+"/"+x.ID)
	}
	r.Sent = now
	return r, nil
}

// become gives the Subscription another status.
func (h *Hooks) become(ctx context.Context, k *Kept, r Result, status, why string) (Result, error) {
	x, err := h.setStatus(ctx, k, status, why)
	if err == nil && x != nil {
		r.Status, r.Version, r.Body = status, x.GetVersion(), x.GetBody()
	}
	return r, err
}

// failure counts a failed try; after the last one what was to be sent is a
// dead letter and the Subscription waits for its owner.
func (h *Hooks) failure(ctx context.Context, k *Kept, numbers []int64) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, err // this server stops, which is not the receiver's fault
	}
	h.failed.Inc()
	r := Result{Failures: k.Failures + 1}
	r.Due = h.Now().Add(patience(r.Failures))
	if r.Failures < tries {
		return r, nil
	}
	r.Settled = map[State][]int64{Dead: numbers}
	return h.become(ctx, k, r, Failed, "the receiver did not take a notification; mend it and write the status requested")
}

// send posts a notification. Errors name no address: it may hold what belongs
// to the receiver only.
func (h *Hooks) send(ctx context.Context, k *Kept, spec *Spec, n *Notification) error {
	if err := h.callable(spec.Endpoint); err != nil {
		return err
	}
	installation, err := h.Store.Secret(ctx, "subscriptions")
	if err != nil {
		return err
	}
	body := n.JSON()
	ctx, cancel := context.WithTimeout(ctx, spec.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, spec.Endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for _, x := range spec.Headers {
		req.Header.Add(x[0], x[1])
	}
	req.Header.Set("Content-Type", "application/fhir+json; charset=utf-8")
	req.Header.Set(Signature, Sign(Secret(installation, k.ID), h.Now(), body))
	resp, err := h.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	// A short answer lets the connection be used again; nobody reads a long one.
	_, _ = io.CopyN(io.Discard, resp.Body, 16<<10)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return errors.New("the receiver refused")
	}
	h.delivered.Inc()
	return nil
}

// caller makes the client of rest-hooks: no proxy, no redirects, and no
// address that is not public. The address is looked at when it is dialled,
// after the name was resolved, so that a name cannot change its mind.
func (h *Hooks) caller() *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !h.open(at.Addr()) {
			return errClosed
		}
		return nil
	}}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second, MaxIdleConns: 100, MaxIdleConnsPerHost: 2,
			IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 32 << 10, ForceAttemptHTTP2: true,
		},
	}
}

// callable refuses endpoints that are never called: http, unless it stays on
// this machine and the setting allows that, and addresses that are not public.
func (h *Hooks) callable(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return errors.New("the endpoint is not an address")
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if err != nil && strings.EqualFold(u.Hostname(), "localhost") {
		ip, err = netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
	}
	if err == nil && !h.open(ip) {
		return errClosed
	}
	if u.Scheme != "https" && (err != nil || !ip.Unmap().IsLoopback()) {
		return errors.New("the endpoint must be https")
	}
	return nil
}

var errClosed = errors.New("the endpoint's address is not a public one; the setting hook-networks allows others")

// closed are networks that look public and are not
// (https://www.iana.org/assignments/iana-ipv4-special-registry and the like for IPv6);
// the last three carry an IPv4 address that would be reached through them.
var closed = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("fec0::/10"), netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"),
}

func (h *Hooks) open(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	within := func(p netip.Prefix) bool { return p.Contains(ip) }
	if slices.ContainsFunc(h.private, within) {
		return true
	}
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !slices.ContainsFunc(closed, within)
}

// keepEvents is how long events can be asked for again, and how long a
// Subscription that failed waits to be mended.
const keepEvents = 30 * 24 * time.Hour

// Tend drops what is old and counts the queue.
func (h *Hooks) Tend(ctx context.Context) (moved bool, err error) {
	if err := h.Store.Purge(ctx, h.Now().Add(-keepEvents)); err != nil {
		return false, err
	}
	q, err := h.Store.Queue(ctx)
	if err != nil {
		return false, err
	}
	h.queue.WithLabelValues("waiting").Set(float64(q.Waiting))
	h.queue.WithLabelValues("dead").Set(float64(q.Dead))
	pause(ctx, nil, 15*time.Second)
	return false, nil
}
