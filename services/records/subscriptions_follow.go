package records

import (
	"context"
	"slices"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/record"
	"github.com/yba-health/yba/services/records/subscription"
)

const (
	followed = 500 // rows of the log in one step
	// saveEvery bounds how much of the log is looked at again after a
	// restart when nobody subscribes to what is in it.
	saveEvery = 10 * time.Second
)

// While a province is imported the log grows a thousand times a second; who
// subscribes to none of it looks at it ten times.
const (
	idle   = time.Second
	breath = 100 * time.Millisecond
)

// pause waits until something may be new.
func pause(ctx context.Context, rung <-chan struct{}, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-rung:
	case <-t.C:
	}
}

// follow takes one step along the log. It stores what Subscriptions say and
// the events for them in one transaction with the cursor.
func (h *hooks) follow(ctx context.Context) (moved bool, err error) {
	rung := h.store.Rung()
	stored, err := h.store.Cursor(ctx)
	if err != nil {
		return false, err
	}
	from := stored
	if h.ahead.from == stored && stored.Before(h.ahead.at) {
		from = h.ahead.at
	}
	s, err := h.step(ctx, from)
	if err != nil {
		return false, err
	}
	s.From = stored
	if len(s.Kept)+len(s.Events) == 0 && h.r.now().Sub(h.ahead.saved) < saveEvery {
		moved = from != s.To
		h.ahead.from, h.ahead.at = stored, s.To
		pause(ctx, rung, h.idle)
		pause(ctx, nil, h.breath)
		return moved, nil
	}
	moved, err = h.store.Take(ctx, *s)
	if moved {
		h.ahead.saved = h.r.now()
	}
	return moved, err
}

// following is a Subscription with what it says.
type following struct {
	kept *subscription.Kept
	spec *subscription.Spec
}

// step reads the log after a place. It ends with the first row that changes a
// Subscription, since what follows may be of another type or told to others.
func (h *hooks) step(ctx context.Context, from subscription.Place) (*subscription.Step, error) {
	live, err := h.store.Subscribed(ctx)
	if err != nil {
		return nil, err
	}
	own := h.r.defs.Number("Subscription")
	types := []int16{own}
	by := map[int16][]following{}
	for i := range live {
		spec, err := h.spec(ctx, &live[i])
		if err != nil {
			h.log.Warn("a Subscription cannot be read and is left out", "error", err)
			continue
		}
		for _, typ := range spec.Types() {
			n := h.r.defs.Number(typ)
			if by[n] == nil {
				types = append(types, n)
			}
			by[n] = append(by[n], following{&live[i], spec})
		}
	}
	list, to, err := h.store.Log(ctx, from, types, followed)
	if err != nil {
		return nil, err
	}
	s := &subscription.Step{To: to}
	owners := map[string]*rights{}
	for i := range list {
		row := &list[i]
		if row.Type == own {
			k, err := h.kept(ctx, row)
			if err != nil {
				return nil, err
			}
			s.Kept, s.To = append(s.Kept, *k), row.Place
			break
		}
		if s.Events, err = h.events(ctx, s.Events, row, by[row.Type], owners); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// kept reads a version of a Subscription from the log.
func (h *hooks) kept(ctx context.Context, row *subscription.Logged) (*subscription.Kept, error) {
	k := &subscription.Kept{ID: row.ID, Version: row.Version, Owner: row.Actor, Status: subscription.Off, Body: []byte("{}"), Began: row.Place}
	if row.Deleted {
		return k, nil
	}
	k.Body = row.Body
	spec, err := h.spec(ctx, k)
	if fault.Is(err, fault.Unprocessable) || fault.Is(err, fault.Invalid) {
		// It was written when other topics or filters were known, and is told nothing.
		h.log.Warn("a Subscription cannot be read and is off", "error", err)
		return k, nil
	}
	if err != nil {
		return nil, err
	}
	k.Status, k.Channel, k.Heartbeat, k.End = spec.Status, spec.Channel, spec.Heartbeat, spec.End
	return k, nil
}

// rights are what an owner reaches during one step.
type rights struct {
	reach record.Reach
	ok    bool
}

// events adds an event for each Subscription that is told of a row, and whose
// owner may know of it: what is not queued is not counted either.
func (h *hooks) events(ctx context.Context, out []subscription.Queued, row *subscription.Logged, list []following, owners map[string]*rights) ([]subscription.Queued, error) {
	c, moved, err := h.change(ctx, row, list)
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		ended := !f.spec.End.IsZero() && row.Updated.After(f.spec.End)
		if ended || !f.kept.Began.Before(row.Place) {
			continue
		}
		r, err := h.rights(ctx, f.kept.Owner, owners)
		if err != nil {
			return nil, err
		}
		seen := c
		if moved && !r.reach.All {
			// What it was in another's record must not decide what is told.
			seen = &subscription.Change{Type: c.Type, Op: c.Op, After: c.After}
		}
		if !r.ok || !f.spec.Matches(seen) {
			continue
		}
		ok, err := h.reachable(ctx, row, r)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, subscription.Queued{
				Subscription: f.kept.ID, Seq: row.Seq, At: row.Updated, Type: row.Type, ID: row.ID, Version: row.Version, Op: row.Op,
			})
		}
	}
	return out, nil
}

func (h *hooks) rights(ctx context.Context, owner string, owners map[string]*rights) (*rights, error) {
	r := owners[owner]
	if r == nil {
		r = &rights{}
		var err error
		if _, r.reach, r.ok, err = h.reach(ctx, owner); err != nil {
			return nil, err
		}
		owners[owner] = r
	}
	return r, nil
}

func (h *hooks) reachable(ctx context.Context, row *subscription.Logged, r *rights) (bool, error) {
	if r.reach.All {
		return true, nil
	}
	// Where the version lay counts as well as where the resource lies now.
	_, err := h.r.store.ReadVersion(ctx, row.Type, row.ID, row.Version, r.reach)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// change reads the versions on both sides of a row; moved tells that they lie
// in different compartments.
func (h *hooks) change(ctx context.Context, row *subscription.Logged, list []following) (c *subscription.Change, moved bool, err error) {
	x, err := h.r.store.Indexer(ctx)
	if err != nil {
		return nil, false, err
	}
	typ := h.r.defs.TypeOf(row.Type)
	c = &subscription.Change{Type: typ, Op: row.Op}
	if c.After, err = seen(x, &row.Stored); err != nil {
		return nil, false, err
	}
	if row.Version > 1 && slices.ContainsFunc(list, func(f following) bool { return f.spec.Needs(typ, row.Op) }) {
		before, err := h.r.store.ReadVersion(ctx, row.Type, row.ID, row.Version-1, record.Reach{All: true})
		if err != nil && !fault.Is(err, fault.NotFound) {
			return nil, false, err
		}
		if err == nil {
			moved = before.Patient != row.Patient
			if c.Before, err = seen(x, before); err != nil {
				return nil, false, err
			}
		}
	}
	return c, moved, nil
}

// seen returns a version as a search sees it, nil for a deletion.
func seen(x *record.Indexer, s *record.Stored) (*record.Version, error) {
	if s.Deleted {
		return nil, nil
	}
	doc, err := fhir.Parse(s.Body)
	if err != nil {
		return nil, err
	}
	v := &record.Version{ID: s.ID, Updated: s.Updated}
	v.Rows, _ = x.Extract(doc.Root())
	return v, nil
}
