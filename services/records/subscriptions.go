package records

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
	"github.com/yba-health/yba/services/records/subscription"
)

// hooks follows the log for Subscriptions and delivers what it finds.
type hooks struct {
	r     *Records
	store subscription.Store
	// act returns a context in which the owner of a Subscription acts with
	// the scope that it has by now for being told of events.
	act func(ctx context.Context, owner string) (context.Context, error)
	// note writes one disclosure to the audit log.
	note func(ctx context.Context, patient, target string)
	// private are networks that may be called although they are not public.
	private []netip.Prefix
	client  *http.Client
	log     *slog.Logger

	delivered, failed prometheus.Counter
	queue             *prometheus.GaugeVec

	// idle is the longest wait for what another process may have done, breath
	// the shortest between two looks at a log in which nobody found anything.
	idle, breath time.Duration

	mu    sync.Mutex
	specs map[string]keptSpec
	// queued is closed when events were queued here.
	queued chan struct{}

	// ahead is how far the log was read beyond the stored cursor without
	// finding anything, and when the cursor was stored.
	ahead struct {
		from, at subscription.Place
		saved    time.Time
	}
}

// maxSpecs bounds how many Subscriptions are kept as they were understood.
const maxSpecs = 10_000

type keptSpec struct {
	version int64
	spec    *subscription.Spec
}

func newHooks(r *Records, store subscription.Store, private []netip.Prefix, log *slog.Logger, reg prometheus.Registerer) *hooks {
	m := promauto.With(reg)
	h := &hooks{
		r: r, store: store, private: private, log: log, specs: map[string]keptSpec{}, idle: idle, breath: breath, queued: make(chan struct{}),
		delivered: m.NewCounter(prometheus.CounterOpts{Name: "yba_subscription_notifications_total", Help: "Notifications that receivers took."}),
		failed:    m.NewCounter(prometheus.CounterOpts{Name: "yba_subscription_failures_total", Help: "Tries of notifications that failed."}),
		queue:     m.NewGaugeVec(prometheus.GaugeOpts{Name: "yba_subscription_events", Help: "Events that wait, and dead letters."}, []string{"state"}),
	}
	h.client = h.caller()
	return h
}

// waiting returns a channel that is closed when events were queued.
func (h *hooks) waiting() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.queued
}

// wake calls those who deliver in this process; others look by themselves.
func (h *hooks) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.queued)
	h.queued = make(chan struct{})
}

// networks reads the setting hook-networks.
func networks(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, errors.New("hook-networks: a network such as 10.2.0.0/16 is expected")
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// account returns the compartment that an account's own resources lie in. It
// is below zero, where no Patient's is, and follows from the account's name,
// so that no lookup is needed.
func account(actor string) int64 {
	sum := sha256.Sum256([]byte("account/" + actor))
	return -1 - int64(binary.BigEndian.Uint64(sum[:8])>>1)
}

// subscribable refuses what cannot be delivered. The server alone says that a
// Subscription is active or failed: a changed endpoint must shake hands again.
func (r *Records) subscribable(ctx context.Context, c *change) error {
	x, err := r.store.Indexer(ctx)
	if err != nil {
		return err
	}
	if guard.PrincipalOf(ctx).GetService() == "records" {
		return nil
	}
	s, err := subscription.Read(r.defs, x, c.body)
	if err != nil {
		return err
	}
	if s.Status != subscription.Requested && s.Status != subscription.Off {
		f := fault.New(fault.Unprocessable, "write the status requested or off; the server sets active and error itself", nil)
		f.At = c.body.Get("status").Path()
		return f
	}
	if r.hooks != nil && s.Channel == subscription.RestHook {
		if err := r.hooks.callable(s.Endpoint); err != nil {
			f := fault.New(fault.Unprocessable, err.Error(), nil)
			f.At = c.body.At("channel", "endpoint").Path()
			return f
		}
	}
	return nil
}

// spec returns what a Subscription says.
func (h *hooks) spec(ctx context.Context, k *subscription.Kept) (*subscription.Spec, error) {
	h.mu.Lock()
	kept, ok := h.specs[k.ID]
	h.mu.Unlock()
	if ok && kept.version == k.Version {
		return kept.spec, nil
	}
	x, err := h.r.store.Indexer(ctx)
	if err != nil {
		return nil, err
	}
	doc, err := fhir.Parse(k.Body)
	if err != nil {
		return nil, err
	}
	s, err := subscription.Read(h.r.defs, x, doc.Root())
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.specs) >= maxSpecs {
		clear(h.specs)
	}
	h.specs[k.ID] = keptSpec{k.Version, s}
	return s, nil
}

// reach returns what the owner may be told by now; ok is false when that is
// nothing: the account is disabled, has no such right, or sees no persons.
func (h *hooks) reach(ctx context.Context, owner string) (_ context.Context, reach record.Reach, ok bool, err error) {
	ctx, err = h.act(ctx, owner)
	if fault.Is(err, fault.Forbidden) || fault.Is(err, fault.Unauthenticated) {
		return ctx, reach, false, nil
	}
	if err != nil || caller.Deidentified(ctx) {
		return ctx, reach, false, err
	}
	reach, err = h.r.reach(ctx)
	return ctx, reach, err == nil, err
}

// told reads what an event is about, as it is now and within reach; ok is
// false when the owner may not know of it any more.
func (h *hooks) told(ctx context.Context, e *subscription.Queued, reach record.Reach) (t subscription.Told, x *record.Stored, ok bool, err error) {
	x, err = h.r.store.Read(ctx, nil, e.Type, e.ID, reach)
	if fault.Is(err, fault.NotFound) {
		return t, nil, false, nil
	}
	if err != nil {
		return t, nil, false, err
	}
	t = subscription.Told{Number: e.Number, At: e.At, Type: h.r.defs.TypeOf(e.Type), ID: e.ID, Op: e.Op, Version: e.Version}
	if !x.Deleted {
		if t.Body, err = h.r.whole(ctx, x); err != nil {
			return t, nil, false, err
		}
	}
	return t, x, true, nil
}

// maxNotification bounds the bodies in one notification, in bytes.
const maxNotification = 24 << 20

// story reads events for a notification until it is full. withheld are
// numbers of events that may not be told any more.
func (h *hooks) story(ctx context.Context, list []subscription.Queued, reach record.Reach) (told []subscription.Told, seen []*record.Stored, withheld []int64, err error) {
	size := 0
	for i := range list {
		t, x, ok, err := h.told(ctx, &list[i], reach)
		if err != nil {
			return nil, nil, nil, err
		}
		if !ok {
			withheld = append(withheld, list[i].Number)
			continue
		}
		if size += len(t.Body); size > maxNotification && len(told) > 0 {
			break
		}
		told, seen = append(told, t), append(seen, x)
	}
	return told, seen, withheld, nil
}

// setStatus writes a version of the Subscription with another status, as the
// service itself. Where its owner changed it meanwhile, nothing is written
// and nil is returned.
func (h *hooks) setStatus(ctx context.Context, k *subscription.Kept, status, why string) (*recordsv1.Resource, error) {
	ctx = guard.WithScope(guard.As(guard.WithPrincipal(ctx, nil), "records"), &guard.Scope{All: true, Shared: true})
	doc, err := fhir.Parse(k.Body)
	if err != nil {
		return nil, err
	}
	e := fhir.Edit(doc.Root())
	e.Put(doc.Root(), "status", fhir.Quote(status))
	if why != "" {
		e.Put(doc.Root(), "error", fhir.Quote(why))
	}
	x, err := h.r.Update(ctx, &recordsv1.UpdateRequest{Type: "Subscription", Id: k.ID, Body: bytes.Clone(e.Bytes()), IfMatch: strconv.FormatInt(k.Version, 10)})
	if fault.Is(err, fault.Precondition) || fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return x, err
}
