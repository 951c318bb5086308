package records

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
)

// write carries out all changes or none.
func (r *Records) write(ctx context.Context, list []*change) error {
	if caller.Deidentified(ctx) {
		return fault.New(fault.Forbidden, "records without names cannot be changed", nil)
	}
	plain := true
	for _, c := range list {
		c.given = c.id
		plain = plain && c.verb == "create" && c.match == nil && !conditional(c.body) && c.content.splices(0) == nil
	}
	err := errLocks
	if plain {
		// New ids only: one statement, which is a transaction by itself.
		err = r.attempt(ctx, nil, list)
	}
	if errors.Is(err, errLocks) {
		err = r.store.InTx(ctx, func(tx *sql.Tx) error {
			for _, c := range list {
				c.reset()
			}
			return r.attempt(ctx, tx, list)
		})
	}
	if err != nil {
		return r.dangling(ctx, err)
	}
	for _, c := range list {
		for _, x := range append([]*change{c}, c.also...) {
			if x.stored != nil {
				r.touch(ctx, x.stored)
			}
		}
	}
	return nil
}

// conditional reports whether the text may hold a conditional reference.
func conditional(v fhir.Value) bool { return bytes.IndexByte(v.Raw(), '?') >= 0 }

func (r *Records) attempt(ctx context.Context, tx *sql.Tx, list []*change) error {
	x, err := r.store.Indexer(ctx)
	if err != nil {
		return err
	}
	b := &batch{r: r, x: x, tx: tx, list: slices.Clone(list), now: r.now().UTC().Truncate(time.Millisecond), scope: guard.ScopeOf(ctx)}
	for _, step := range []func(context.Context) error{b.matches, b.lock, b.compose, b.distinct, b.proxied, b.compartments, b.follow, b.contents, b.referred} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	needs, err := b.needed(ctx)
	if err != nil {
		return err
	}
	if err := r.store.Put(ctx, tx, caller.Author(ctx), b.writes, needs); err != nil {
		return b.failed(err, needs)
	}
	return nil
}

// lock locks what is updated, patched or deleted and checks the conditions on
// its version.
func (b *batch) lock(ctx context.Context) error {
	var refs []record.Ref
	seen := map[record.Ref]bool{}
	deletes := false
	for _, c := range b.list {
		if c.verb == "create" || c.settled {
			continue
		}
		ref := record.Ref{Type: c.number, Target: c.id}
		if seen[ref] {
			// https://hl7.org/fhir/R4/http.html#trules
			return c.fail(fault.New(fault.Invalid, "two entries are about the same resource", nil))
		}
		seen[ref] = true
		refs = append(refs, ref)
		deletes = deletes || c.verb == "delete"
	}
	if len(refs) == 0 {
		return nil
	}
	found, err := b.r.store.Lock(ctx, b.tx, refs, deletes)
	if err != nil {
		return err
	}
	for _, c := range b.list {
		if c.verb == "create" || c.settled {
			continue
		}
		c.old = found[record.Ref{Type: c.number, Target: c.id}]
		if c.matched > 0 && (c.old == nil || c.old.Version != c.matched) {
			return record.ErrAgain
		}
	}
	// Before anything else is said of a resource: whether it is there, deleted
	// or of another version is nobody's business out of reach.
	if err := b.within(ctx); err != nil {
		return err
	}
	for _, c := range b.list {
		if c.verb == "create" || c.settled {
			continue
		}
		if err := b.check(c); err != nil {
			return c.fail(caller.Hidden(ctx, err))
		}
		if c.verb == "patch" {
			if err := b.patched(ctx, c); err != nil {
				return c.fail(err)
			}
		}
		if c.content != nil {
			if err := b.replaces(c); err != nil {
				return c.fail(err)
			}
		}
	}
	return nil
}

// check compares what was locked with what the caller expects.
func (b *batch) check(c *change) error {
	absent := fault.New(fault.NotFound, "there is no such resource", nil)
	if len(c.ifMatch) > 0 && !current(c.ifMatch, c.old) {
		if c.old == nil && !b.scope.GetAll() {
			return b.beyond(c)
		}
		return fault.New(fault.Precondition, "somebody changed the resource since you read it: read it again", nil)
	}
	if current(c.ifNoneMatch, c.old) {
		return fault.New(fault.Precondition, "the resource is there already in a version that If-None-Match excludes", nil)
	}
	switch {
	case c.verb == "delete" && c.old == nil && b.scope.GetAll():
		// What is not there need not be deleted (https://hl7.org/fhir/R4/http.html#delete);
		// whoever does not reach everything is not told that it is absent.
		c.settled = true
		return nil
	case c.verb == "delete" && c.old == nil, c.verb == "patch" && c.old == nil:
		return absent
	case c.verb == "patch" && c.old.Deleted:
		return fault.New(fault.Gone, "the resource was deleted; its history is kept", nil)
	case c.verb == "update" && c.match != nil && c.matched == 0 && c.live():
		return fault.New(fault.Conflict, "the condition matches nothing, and the id in the resource is another one's", nil)
	case c.verb == "update" && c.old == nil && !b.r.settings.updateCreate && (c.match == nil || c.own):
		// https://hl7.org/fhir/R4/http.html#upsert
		if !b.scope.GetAll() {
			return absent
		}
		return fault.New(fault.Unsupported, "an update cannot create a resource here; create it by POST", nil)
	case c.verb == "update" && c.old == nil && !b.scope.GetAll() && (c.match == nil || c.own) && b.guessable(c):
		return b.beyond(c)
	}
	return nil
}

// guessable reports whether the caller chose an id under which nothing new may
// be stored: whoever tried such ids would learn which of them are taken.
func (b *batch) guessable(c *change) bool {
	return c.verb == "update" && b.r.settings.updateCreate && b.r.settings.randomIDs && !random(c.id)
}

// random reports whether an id is a UUID with enough random bits that nobody
// guesses it (RFC 9562 sections 5.4 and 5.7).
func random(id string) bool {
	u, err := uuid.Parse(id)
	return err == nil && len(id) == 36 && u.Variant() == uuid.RFC4122 && (u.Version() == 4 || u.Version() == 7)
}

// beyond refuses what is out of reach, or absent, in the same words.
func (b *batch) beyond(c *change) error {
	if b.guessable(c) {
		return fault.New(fault.Forbidden, "there is no such record that you may reach; what you create under an id of your own has a UUID of version 4 or 7", nil)
	}
	return outside()
}
