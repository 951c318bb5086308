package subscription

import (
	"context"
	"slices"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/services/records/record"
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

// Follow takes one step along the log. It stores what Subscriptions say and
// the events for them in one transaction with the cursor.
func (h *Hooks) Follow(ctx context.Context) (moved bool, err error) {
	rung := h.Store.Rung()
	stored, err := h.Store.Cursor(ctx)
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
	if len(s.Kept)+len(s.Events) == 0 && h.Now().Sub(h.ahead.saved) < saveEvery {
		moved = from != s.To
		h.ahead.from, h.ahead.at = stored, s.To
		pause(ctx, rung, h.idle)
		pause(ctx, nil, h.breath)
		return moved, nil
	}
	moved, err = h.Store.Take(ctx, *s)
	if moved {
		h.ahead.saved = h.Now()
		h.wake()
	}
	return moved, err
}

// following is a Subscription with what it says.
type following struct {
	kept *Kept
	spec *Spec
}

// step reads the log after a place. It ends with the first row that changes a
// Subscription, since what follows may be of another type or told to others.
func (h *Hooks) step(ctx context.Context, from Place) (*Step, error) {
	live, err := h.Store.Subscribed(ctx)
	if err != nil {
		return nil, err
	}
	own := h.Definitions.Number("Subscription")
	types := []int16{own}
	by := map[int16][]following{}
	for i := range live {
		spec, err := h.spec(ctx, &live[i])
		if err != nil {
			h.Log.Warn("a Subscription cannot be read and is left out", "error", err)
			continue
		}
		for _, typ := range spec.Types() {
			n := h.Definitions.Number(typ)
			if by[n] == nil {
				types = append(types, n)
			}
			by[n] = append(by[n], following{&live[i], spec})
		}
	}
	list, to, err := h.Store.Log(ctx, from, types, followed)
	if err != nil {
		return nil, err
	}
	s := &Step{To: to}
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
func (h *Hooks) kept(ctx context.Context, row *Logged) (*Kept, error) {
	k := &Kept{ID: row.ID, Version: row.Version, Owner: row.Actor, Status: Off, Body: []byte("{}"), Began: row.Place}
	if row.Deleted {
		return k, nil
	}
	k.Body = row.Body
	spec, err := h.spec(ctx, k)
	if fault.Is(err, fault.Unprocessable) || fault.Is(err, fault.Invalid) {
		// It was written when other topics or filters were known, and is told nothing.
		h.Log.Warn("a Subscription cannot be read and is off", "error", err)
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
func (h *Hooks) events(ctx context.Context, out []Queued, row *Logged, list []following, owners map[string]*rights) ([]Queued, error) {
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
			seen = &Change{Type: c.Type, Op: c.Op, After: c.After}
		}
		if !r.ok || !f.spec.Matches(seen) {
			continue
		}
		ok, err := h.reachable(ctx, row, r)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, Queued{
				Subscription: f.kept.ID, Seq: row.Seq, At: row.Updated, Type: row.Type, ID: row.ID, Version: row.Version, Op: row.Op,
			})
		}
	}
	return out, nil
}

func (h *Hooks) rights(ctx context.Context, owner string, owners map[string]*rights) (*rights, error) {
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

func (h *Hooks) reachable(ctx context.Context, row *Logged, r *rights) (bool, error) {
	if r.reach.All {
		return true, nil
	}
	// Where the version lay counts as well as where the resource lies now.
	_, err := h.Store.ReadVersion(ctx, row.Type, row.ID, row.Version, r.reach)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// change reads the versions on both sides of a row; moved tells that they lie
// in different compartments.
func (h *Hooks) change(ctx context.Context, row *Logged, list []following) (c *Change, moved bool, err error) {
	x, err := h.Store.Indexer(ctx)
	if err != nil {
		return nil, false, err
	}
	typ := h.Definitions.TypeOf(row.Type)
	c = &Change{Type: typ, Op: row.Op}
	if c.After, err = x.Seen(&row.Stored); err != nil {
		return nil, false, err
	}
	if row.Version > 1 && slices.ContainsFunc(list, func(f following) bool { return f.spec.Needs(typ, row.Op) }) {
		before, err := h.Store.ReadVersion(ctx, row.Type, row.ID, row.Version-1, record.Reach{All: true})
		if err != nil && !fault.Is(err, fault.NotFound) {
			return nil, false, err
		}
		if err == nil {
			moved = before.Patient != row.Patient
			if c.Before, err = x.Seen(before); err != nil {
				return nil, false, err
			}
		}
	}
	return c, moved, nil
}
