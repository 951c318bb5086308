package records

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/postgres"
	"github.com/yba-health/yba/services/records/record"
)

// need is a literal reference that must lead to something.
type need struct {
	ref record.Ref
	at  fhir.Value
	by  *change
}

// collect notes what a body that is to be stored refers to. What the Bundle
// itself writes is there, and what it deletes is not.
func (b *batch) collect(c *change, resource fhir.Value) error {
	if c.trusted || !b.r.settings.written.has(c.typ) {
		return nil
	}
	for v := range resource.Strings() {
		if !v.Named("reference") { // in R4 this is always Reference.reference
			continue
		}
		ref, ok := b.x.Literal(v.Str())
		if misspelt(v.Str(), ok) {
			f := fault.New(fault.Unprocessable, "a reference to what is here is written Type/id or Type/id/_history/version", nil)
			f.At = v.Path()
			return f
		}
		if !ok {
			continue
		}
		writes, mine := b.touched[ref]
		switch {
		case mine && writes:
		case mine:
			return missing(v)
		default:
			b.wanted = append(b.wanted, need{ref, v, c})
		}
	}
	return nil
}

// misspelt reports whether a reference that is relative to this server cannot
// lead to anything on it (https://hl7.org/fhir/R4/references.html#literal).
func misspelt(reference string, literal bool) bool {
	if !literal {
		// A fragment, or an absolute URI, whose scheme ends before all else.
		i := strings.IndexAny(reference, ":/?#")
		return i < 0 || reference[i] != ':' && reference[0] != '#'
	}
	parts := strings.Split(reference, "/")
	return len(parts) != 2 && (len(parts) != 4 || parts[2] != "_history" || !fhir.ValidID(parts[3]))
}

func missing(at fhir.Value) error {
	return fault.New(fault.Unprocessable, "the reference leads to nothing that is here; write what it refers to first, or in the same transaction", nil).In(at.Path())
}

// ours notes what the changes write (true) and delete (false).
func (b *batch) ours() {
	b.touched = make(map[record.Ref]bool, len(b.list))
	for _, c := range b.list {
		if !c.settled {
			b.touched[record.Ref{Type: c.number, Target: c.id}] = c.verb != "delete"
		}
	}
}

// needed returns the references that the store must check, each once. What
// lies outside all compartments may be referred to by everybody; of the rest
// what is out of reach and what is absent answer alike.
func (b *batch) needed(ctx context.Context) (record.Needs, error) {
	var n record.Needs
	if len(b.wanted) == 0 {
		return n, nil
	}
	seen := make(map[record.Ref]bool, len(b.wanted))
	for _, w := range b.wanted {
		if !seen[w.ref] {
			seen[w.ref] = true
			n.Refs = append(n.Refs, w.ref)
		}
	}
	var err error
	n.Reach, err = b.r.reach(ctx)
	n.Reach.Shared = true
	return n, err
}

// danglingError is a write that failed because a reference leads to nothing.
type danglingError struct {
	wanted []need
	needs  record.Needs
	cause  error
}

func (e *danglingError) Error() string { return "a reference leads to nothing" }

func (e *danglingError) Unwrap() error { return e.cause }

func (b *batch) failed(err error, needs record.Needs) error {
	if postgres.Dangling(err) {
		return &danglingError{b.wanted, needs, err}
	}
	return err
}

// dangling names the place of the reference that made a write fail.
func (r *Records) dangling(ctx context.Context, err error) error {
	d, ok := errors.AsType[*danglingError](err)
	if !ok {
		return err
	}
	live, err := r.store.Live(ctx, d.needs)
	if err != nil {
		return err
	}
	for _, w := range d.wanted {
		if !live[w.ref] {
			return w.by.fail(missing(w.at))
		}
	}
	return record.ErrAgain // it has come in the meantime
}

// referred refuses to delete what others refer to. The targets are locked, so
// nobody begins to while the transaction runs.
func (b *batch) referred(ctx context.Context) error {
	var targets []record.Ref
	var except []int64
	var params []int16
	for _, c := range b.changes {
		if c.old != nil {
			except = append(except, c.old.Key) // what it refers to afterwards was collected
		}
		if c.verb != "delete" || !b.r.settings.deleted.has(c.typ) {
			continue
		}
		targets = append(targets, record.Ref{Type: c.number, Target: c.id})
		params = append(params, b.x.Referring(c.typ)...)
	}
	if len(targets) == 0 {
		return nil
	}
	slices.Sort(params)
	reach, err := b.r.reach(ctx)
	if err != nil {
		return err
	}
	list, err := b.r.store.Referrers(ctx, b.tx, slices.Compact(params), targets, except, reach)
	if err != nil || len(list) == 0 {
		return err
	}
	var names []string
	for _, x := range list {
		if x.Target == list[0].Target && x.Visible {
			names = append(names, b.r.defs.TypeOf(x.Type))
		}
	}
	who := "other resources"
	if len(names) > 0 {
		who = strings.Join(names, ", ")
	}
	f := fault.Newf(fault.Conflict, "it is still referred to by %s; delete or change those first, or in the same transaction", who)
	for _, c := range b.changes {
		if c.number == list[0].Target.Type && c.id == list[0].Target.Target {
			return c.fail(f)
		}
	}
	return f
}
