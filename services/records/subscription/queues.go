package subscription

import (
	"context"
	"math"
	"net/url"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// maxQueues bounds the Subscriptions, and the dead letters, in one answer to
// who runs the installation.
const maxQueues = 1000

// SubscriptionQueues tells who runs the installation how deliveries stand.
// The caller's scope plays no part, since nothing of a record is told: of
// criteria and endpoints, which may name people, only the host.
func (h *Hooks) SubscriptionQueues(ctx context.Context, req *recordsv1.SubscriptionQueuesRequest) (*recordsv1.SubscriptionQueuesResponse, error) {
	list, err := h.Store.Queues(ctx, req.GetId(), req.GetFailed(), maxQueues)
	if err != nil {
		return nil, err
	}
	if req.GetId() != "" && len(list) == 0 {
		return nil, noQueue()
	}
	out := &recordsv1.SubscriptionQueuesResponse{}
	for i := range list {
		q := &list[i]
		out.Queues = append(out.Queues, &recordsv1.SubscriptionQueue{
			Id: q.ID, Owner: q.Owner, Status: q.Status, Channel: q.Channel, Host: h.host(ctx, &q.Kept), Waiting: q.Waiting, Dead: q.Dead,
			Failures: int64(q.Failures), Sent: moment(q.Sent), Due: moment(q.Due),
		})
	}
	if req.GetId() == "" {
		return out, nil
	}
	letters, err := h.Store.Events(ctx, req.GetId(), 0, math.MaxInt64, Dead, maxQueues)
	for _, e := range letters {
		out.Queues[0].DeadLetters = append(out.Queues[0].DeadLetters, &recordsv1.DeadLetter{Number: e.Number, Time: fhir.Instant(e.At)})
	}
	return out, err
}

func noQueue() error { return fault.New(fault.NotFound, "there is no such Subscription", nil) }

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fhir.Instant(t)
}

// host returns where a rest-hook goes, without the path, which may hold what
// belongs to the receiver only.
func (h *Hooks) host(ctx context.Context, k *Kept) string {
	spec, err := h.spec(ctx, k)
	if err != nil {
		return ""
	}
	u, err := url.Parse(spec.Endpoint)
	if err != nil {
		return ""
	}
	return u.Host
}

// SubscriptionRevive lets a Subscription that failed shake hands again, as if
// its owner had written requested. What its owner turned off stays off.
func (h *Hooks) SubscriptionRevive(ctx context.Context, req *recordsv1.SubscriptionReviveRequest) (*recordsv1.SubscriptionReviveResponse, error) {
	k, err := h.Store.Get(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	if k == nil {
		return nil, noQueue()
	}
	guard.Touch(ctx, "", "Subscription/"+k.ID)
	if k.Status == Off {
		return nil, fault.New(fault.Conflict, "the Subscription is off; only its owner turns it on, by writing the status requested", nil)
	}
	out := &recordsv1.SubscriptionReviveResponse{Status: k.Status}
	if req.GetResend() {
		if out.Queued, err = h.Store.Resend(ctx, k.ID, req.GetNumbers()); err != nil {
			return nil, err
		}
	}
	if k.Status == Failed {
		x, err := h.setStatus(ctx, k, Requested, "")
		if err != nil {
			return nil, err
		}
		if x == nil {
			return nil, fault.New(fault.Conflict, "the Subscription was changed by its owner just now; look at it again", nil)
		}
		out.Status = Requested
	}
	return out, nil
}
