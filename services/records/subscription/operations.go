package subscription

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
)

const (
	// tokenLife is how long a token opens a websocket.
	tokenLife = time.Minute
	// listed bounds the events and Subscriptions in one answer.
	listed = 100
)

// reached returns a Subscription that lies within the caller's scope.
func (h *Hooks) reached(ctx context.Context, id string) (*Kept, *Spec, error) {
	reach, err := h.Reach(ctx)
	if err != nil {
		return nil, nil, err
	}
	if caller.Deidentified(ctx) {
		return nil, nil, caller.Hidden(ctx, fault.New(fault.NotFound, "there is no such Subscription", nil))
	}
	x, err := h.Store.Read(ctx, nil, h.Definitions.Number("Subscription"), id, reach)
	if err == nil && x.Deleted {
		err = fault.New(fault.NotFound, "there is no such Subscription", nil)
	}
	if err != nil {
		return nil, nil, caller.Hidden(ctx, err)
	}
	k, err := h.Store.Get(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if k == nil { // the projection is on its way
		k = &Kept{ID: id}
	}
	// The resource is as it is now, whatever the projection has seen of it.
	k.Version, k.Body = x.Version, x.Body
	spec, err := h.spec(ctx, k)
	if err != nil {
		return nil, nil, err
	}
	k.Status = spec.Status
	return k, spec, nil
}

func (h *Hooks) standing(k *Kept, spec *Spec, base string) Notification {
	return Notification{
		Kind: QueryStatus, Base: base, ID: k.ID, Topic: spec.Topic, Status: k.Status, Last: k.Last, Content: spec.Content,
	}
}

// SubscriptionStatus tells how Subscriptions stand
// (http://hl7.org/fhir/uv/subscriptions-backport/STU1.1/OperationDefinition-backport-subscription-status.html).
func (h *Hooks) SubscriptionStatus(ctx context.Context, req *recordsv1.SubscriptionStatusRequest) (*recordsv1.Bundle, error) {
	q, err := url.ParseQuery(req.GetQuery())
	if err != nil {
		return nil, fault.New(fault.Invalid, "the query is not URL-encoded", nil)
	}
	ids, states := listOf(q["id"]), listOf(q["status"])
	if req.GetId() != "" {
		ids = []string{req.GetId()}
	}
	if len(ids) == 0 {
		if ids, err = h.own(ctx); err != nil {
			return nil, err
		}
	}
	if len(ids) > listed {
		return nil, fault.Newf(fault.Invalid, "at most %d Subscriptions are told of at once; name them with id", listed)
	}
	var list []Notification
	for _, id := range ids {
		k, spec, err := h.reached(ctx, id)
		if err != nil {
			return nil, err
		}
		if len(states) == 0 || slices.Contains(states, k.Status) {
			list = append(list, h.standing(k, spec, caller.Base(ctx, h.Base)))
		}
	}
	return &recordsv1.Bundle{Body: Statuses(list)}, nil
}

// own returns the ids of the Subscriptions within the caller's scope.
func (h *Hooks) own(ctx context.Context) ([]string, error) {
	reach, err := h.Reach(ctx)
	if err != nil || caller.Deidentified(ctx) {
		return nil, err
	}
	x, err := h.Store.Indexer(ctx)
	if err != nil {
		return nil, err
	}
	q, err := x.ParseQuery("Subscription", "_count="+strconv.Itoa(listed+1), false)
	if err != nil {
		return nil, err
	}
	list, err := h.Search(ctx, q, reach)
	if err != nil {
		return nil, err
	}
	var ids []string
	for i := range list {
		ids = append(ids, list[i].ID)
	}
	return ids, nil
}

// listOf reads parameters that may be repeated and hold lists.
func listOf(values []string) []string {
	var out []string
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}

// SubscriptionEvents repeats events, so that a receiver finds what it missed
// (http://hl7.org/fhir/uv/subscriptions-backport/STU1.1/OperationDefinition-backport-subscription-events.html).
func (h *Hooks) SubscriptionEvents(ctx context.Context, req *recordsv1.SubscriptionEventsRequest) (*recordsv1.Bundle, error) {
	q, err := url.ParseQuery(req.GetQuery())
	if err != nil {
		return nil, fault.New(fault.Invalid, "the query is not URL-encoded", nil)
	}
	k, spec, err := h.reached(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	since, until := int64(0), int64(math.MaxInt64)
	for name, values := range q {
		switch name {
		case "eventsSinceNumber":
			since, err = strconv.ParseInt(values[0], 10, 64)
			since-- // the first one to be told
		case "eventsUntilNumber":
			until, err = strconv.ParseInt(values[0], 10, 64)
		case "content":
			// Less than the Subscription's own content may be asked for, not more.
			if want := values[0]; want != Empty && want != spec.Content && (want != IDOnly || spec.Content == Empty) {
				return nil, fault.New(fault.Invalid, "the content is empty, id-only or full-resource, and not more than the Subscription's own", nil).In(name)
			}
			spec = &Spec{Topic: spec.Topic, Content: values[0]}
		default:
			return nil, fault.New(fault.Invalid, "eventsSinceNumber, eventsUntilNumber and content are known", nil)
		}
		if err != nil {
			return nil, fault.New(fault.Invalid, "a number of an event is expected", nil).In(name)
		}
	}
	list, err := h.Store.Events(ctx, k.ID, since, until, "", listed)
	if err != nil {
		return nil, err
	}
	reach, err := h.Reach(ctx)
	if err != nil {
		return nil, err
	}
	n := h.standing(k, spec, caller.Base(ctx, h.Base))
	n.Kind = QueryEvent
	var seen []*record.Stored
	if n.Events, seen, _, err = h.story(ctx, list, reach); err != nil {
		return nil, err
	}
	for _, x := range seen {
		guard.Touch(ctx, x.PatientID, h.Definitions.TypeOf(x.Type)+"/"+x.ID)
	}
	return &recordsv1.Bundle{Body: n.JSON()}, nil
}

// SubscriptionToken returns a token that opens a websocket once
// (http://hl7.org/fhir/uv/subscriptions-backport/STU1.1/OperationDefinition-backport-subscription-get-ws-binding-token.html).
func (h *Hooks) SubscriptionToken(ctx context.Context, req *recordsv1.SubscriptionTokenRequest) (*recordsv1.Resource, error) {
	k, spec, err := h.reached(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	if spec.Channel != WebSocket || k.Status == Off {
		return nil, fault.New(fault.Unprocessable, "only a Subscription with the channel websocket that is not off has tokens", nil)
	}
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return nil, err
	}
	token := base64.RawURLEncoding.EncodeToString(raw)
	until := h.Now().Add(tokenLife)
	if err := h.Store.Issue(ctx, digest(token), k.ID, caller.Author(ctx).Actor, until); err != nil {
		return nil, err
	}
	return &recordsv1.Resource{Type: "Parameters", Body: []byte(`{"resourceType":"Parameters","parameter":[{"name":"token","valueString":"` + token +
		`"},{"name":"expiration","valueDateTime":"` + fhir.Instant(until) + `"},{"name":"subscription","valueString":` + fhir.Quote(k.ID) +
		`},{"name":"websocket-url","valueUrl":` + fhir.Quote("ws"+strings.TrimPrefix(caller.Base(ctx, h.Base), "http")+SocketPath) + `}]}`)}, nil
}

// digest is what is kept of a token.
func digest(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// SubscriptionSecret returns the secret that a Subscription's notifications
// are signed with.
func (h *Hooks) SubscriptionSecret(ctx context.Context, req *recordsv1.SubscriptionSecretRequest) (*recordsv1.Resource, error) {
	k, _, err := h.reached(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	installation, err := h.Store.Secret(ctx, "subscriptions")
	if err != nil {
		return nil, err
	}
	return &recordsv1.Resource{Type: "Parameters", Body: []byte(`{"resourceType":"Parameters","parameter":[{"name":"secret","valueString":"` +
		Secret(installation, k.ID) + `"}]}`)}, nil
}

// SubscriptionDeadLetters lists the numbers and times of events that the
// receiver did not take.
func (h *Hooks) SubscriptionDeadLetters(ctx context.Context, req *recordsv1.SubscriptionDeadLettersRequest) (*recordsv1.Resource, error) {
	k, _, err := h.reached(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	list, err := h.Store.Events(ctx, k.ID, 0, math.MaxInt64, Dead, listed)
	if err != nil {
		return nil, err
	}
	letters := make([]string, len(list))
	for i, e := range list {
		letters[i] = `{"name":"dead-letter","part":[{"name":"event-number","valueString":"` +
			strconv.FormatInt(e.Number, 10) + `"},{"name":"timestamp","valueInstant":"` + fhir.Instant(e.At) + `"}]}`
	}
	body := `{"resourceType":"Parameters"}`
	if len(letters) > 0 {
		body = `{"resourceType":"Parameters","parameter":[` + strings.Join(letters, ",") + `]}`
	}
	return &recordsv1.Resource{Type: "Parameters", Body: []byte(body)}, nil
}

// SubscriptionResend puts dead letters back into the queue. They go out, in
// the order of their numbers, once the Subscription is active.
func (h *Hooks) SubscriptionResend(ctx context.Context, req *recordsv1.SubscriptionResendRequest) (*recordsv1.Resource, error) {
	k, _, err := h.reached(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	n, err := h.Store.Resend(ctx, k.ID, req.GetNumbers())
	if err != nil {
		return nil, err
	}
	h.wake()
	return &recordsv1.Resource{Type: "Parameters", Body: []byte(`{"resourceType":"Parameters","parameter":[{"name":"queued","valueInteger":` + strconv.FormatInt(n, 10) + `}]}`)}, nil
}
