package subscription

import (
	"bytes"
	"context"
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
)

// Deps are what Subscriptions work with.
type Deps struct {
	Store       Store
	Definitions *fhir.Definitions
	Now         func() time.Time
	Log         *slog.Logger
	Metrics     prometheus.Registerer
	// Base is the public address of /fhir/R4.
	Base string
	// Networks may be called although they are not public (10.2.0.0/16).
	Networks []string
	// Act returns a context in which the owner of a Subscription acts with
	// the scope that it has by now for being told of events.
	Act func(ctx context.Context, owner string) (context.Context, error)
	// Note writes one disclosure to the audit log.
	Note func(ctx context.Context, patient, target string)
	// Reach turns the scope of the operation into keys.
	Reach func(ctx context.Context) (record.Reach, error)
	// Whole returns a resource's body with the values that are kept apart.
	Whole func(ctx context.Context, x *record.Stored) ([]byte, error)
	// Search returns a page of what matches.
	Search func(ctx context.Context, q *record.Query, r record.Reach) ([]record.Stored, error)
	// Update writes a resource.
	Update func(ctx context.Context, req *recordsv1.UpdateRequest) (*recordsv1.Resource, error)
}

// Hooks follows the log for Subscriptions and delivers what it finds. Those of
// its methods that are operations bear the names of the proto.
type Hooks struct {
	Deps

	private []netip.Prefix
	client  *http.Client

	delivered, failed prometheus.Counter
	queue             *prometheus.GaugeVec

	// idle is the longest wait for what another process may have done, breath
	// the shortest between two looks at a log in which nobody found anything.
	idle, breath time.Duration

	mu    sync.Mutex
	specs map[string]keptSpec

	// ahead is how far the log was read beyond the stored cursor without
	// finding anything, and when the cursor was stored.
	ahead struct {
		from, at Place
		saved    time.Time
	}
}

// maxSpecs bounds how many Subscriptions are kept as they were understood.
const maxSpecs = 10_000

type keptSpec struct {
	version int64
	spec    *Spec
}

// New makes the operations. Follow, Tend and Deliver do the work that nobody
// waits for, each one step.
func New(d Deps) (*Hooks, error) {
	private, err := networks(d.Networks)
	if err != nil {
		return nil, err
	}
	m := promauto.With(d.Metrics)
	h := &Hooks{
		Deps: d, private: private, specs: map[string]keptSpec{}, idle: idle, breath: breath,
		delivered: m.NewCounter(prometheus.CounterOpts{Name: "yba_subscription_notifications_total", Help: "Notifications that receivers took."}),
		failed:    m.NewCounter(prometheus.CounterOpts{Name: "yba_subscription_failures_total", Help: "Tries of notifications that failed."}),
		queue:     m.NewGaugeVec(prometheus.GaugeOpts{Name: "yba_subscription_events", Help: "Events that wait, and dead letters."}, []string{"state"}),
	}
	h.client = h.caller()
	return h, nil
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

// Admit refuses a Subscription that cannot be delivered. The server alone says
// that one is active or failed: a changed endpoint must shake hands again.
func (h *Hooks) Admit(ctx context.Context, v fhir.Value) error {
	x, err := h.Store.Indexer(ctx)
	if err != nil {
		return err
	}
	if guard.PrincipalOf(ctx).GetService() == "records" {
		return nil
	}
	s, err := Read(h.Definitions, x, v)
	if err != nil {
		return err
	}
	if s.Status != Requested && s.Status != Off {
		return refuse(v.Get("status"), "write the status requested or off; the server sets active and error itself")
	}
	if s.Channel == RestHook {
		if err := h.callable(s.Endpoint); err != nil {
			return refuse(v.At("channel", "endpoint"), err.Error())
		}
	}
	return nil
}

// spec returns what a Subscription says.
func (h *Hooks) spec(ctx context.Context, k *Kept) (*Spec, error) {
	h.mu.Lock()
	kept, ok := h.specs[k.ID]
	h.mu.Unlock()
	if ok && kept.version == k.Version {
		return kept.spec, nil
	}
	x, err := h.Store.Indexer(ctx)
	if err != nil {
		return nil, err
	}
	doc, err := fhir.Parse(k.Body)
	if err != nil {
		return nil, err
	}
	s, err := Read(h.Definitions, x, doc.Root())
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
func (h *Hooks) reach(ctx context.Context, owner string) (_ context.Context, reach record.Reach, ok bool, err error) {
	ctx, err = h.Act(ctx, owner)
	if fault.Is(err, fault.Forbidden) || fault.Is(err, fault.Unauthenticated) {
		return ctx, reach, false, nil
	}
	if err != nil || caller.Deidentified(ctx) {
		return ctx, reach, false, err
	}
	reach, err = h.Reach(ctx)
	return ctx, reach, err == nil, err
}

// told reads what an event is about, as it is now and within reach; ok is
// false when the owner may not know of it any more.
func (h *Hooks) told(ctx context.Context, e *Queued, reach record.Reach) (t Told, x *record.Stored, ok bool, err error) {
	x, err = h.Store.Read(ctx, nil, e.Type, e.ID, reach)
	if fault.Is(err, fault.NotFound) {
		return t, nil, false, nil
	}
	if err != nil {
		return t, nil, false, err
	}
	t = Told{Number: e.Number, At: e.At, Type: h.Definitions.TypeOf(e.Type), ID: e.ID, Op: e.Op, Version: e.Version}
	if !x.Deleted {
		if t.Body, err = h.Whole(ctx, x); err != nil {
			return t, nil, false, err
		}
	}
	return t, x, true, nil
}

// maxNotification bounds the bodies in one notification, in bytes.
const maxNotification = 24 << 20

// story reads events for a notification until it is full. withheld are
// numbers of events that may not be told any more.
func (h *Hooks) story(ctx context.Context, list []Queued, reach record.Reach) (told []Told, seen []*record.Stored, withheld []int64, err error) {
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
func (h *Hooks) setStatus(ctx context.Context, k *Kept, status, why string) (*recordsv1.Resource, error) {
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
	x, err := h.Update(ctx, &recordsv1.UpdateRequest{Type: "Subscription", Id: k.ID, Body: bytes.Clone(e.Bytes()), IfMatch: strconv.FormatInt(k.Version, 10)})
	if fault.Is(err, fault.Precondition) || fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return x, err
}
