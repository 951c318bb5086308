package records

import (
	"context"
	"database/sql"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/services/records/record"
)

// batch turns changes into writes, in the steps that attempt lists.
type batch struct {
	r     *Records
	x     *record.Indexer
	tx    *sql.Tx
	list  []*change
	now   time.Time
	scope *guard.Scope

	// resolved are the entries by what they are referred to as.
	resolved map[string]*change
	// asked are the answers to conditional references, by their criteria.
	asked map[string]*change
	// gone is what the deletes delete, once a create has asked.
	gone map[record.Ref]bool
	// touched is what the changes write (true) and delete (false); wanted is
	// what they refer to besides.
	touched map[record.Ref]bool
	wanted  []need
	writes  []record.Write
	// of each write: the change, and the id of the Patient it belongs to.
	changes []*change
	owners  []string
	// proxies are, by the write, resources whose compartment it takes.
	proxies map[int]record.Ref
	// own is where a shared resource itself says it is (a household's commune).
	own []string
}

// compose makes the bytes and index rows of every write.
func (b *batch) compose(ctx context.Context) error {
	b.references()
	b.ours()
	keys, err := b.r.store.Keys(ctx, b.fresh())
	if err != nil {
		return err
	}
	b.writes = make([]record.Write, 0, len(b.list))
	for _, c := range b.list {
		if c.settled {
			continue
		}
		w := record.Write{Type: c.number, ID: c.id, Version: 1, Updated: b.now, Op: "create"}
		if c.old != nil {
			w.Key, w.Version = c.old.Key, c.old.Version+1
		} else {
			w.Key, keys = keys[0], keys[1:]
		}
		if err := b.one(ctx, c, &w); err != nil {
			return c.fail(err)
		}
	}
	return nil
}

func (b *batch) fresh() int {
	n := 0
	for _, c := range b.list {
		if !c.settled && c.old == nil {
			n++
		}
	}
	return n
}

func (b *batch) one(ctx context.Context, c *change, w *record.Write) error {
	var before fhir.Value
	if c.old != nil && !c.old.Deleted {
		doc, err := fhir.Parse(c.old.Body)
		if err != nil {
			return err
		}
		before = doc.Root()
		old := &record.Old{Patient: c.old.Patient}
		old.Rows, old.At = b.x.Extract(before)
		w.Old = old
		w.Op = "update"
	}
	if c.verb == "delete" {
		if c.old.Deleted {
			c.stored, c.settled = c.old, true
			return nil
		}
		w.Op, w.Patient, w.Body = "delete", c.old.Patient, nil
		b.add(c, w, c.old.PatientID, "")
		return nil
	}
	if w.Op == "update" {
		same, err := b.body(ctx, c, c.old.Version, c.old.Updated)
		if err != nil {
			return err
		}
		if c.old.Same(same, c.content.splices(len(same))) {
			// Nothing changes, so there is no new version.
			c.stored, c.settled = c.old, true
			return nil
		}
	}
	body, err := b.body(ctx, c, w.Version, w.Updated)
	if err != nil {
		return err
	}
	doc, err := fhir.Parse(body)
	if err != nil {
		return err
	}
	if before.Exists() && len(c.old.Splices) == 0 && c.content == nil && fhir.SameContent(before, doc.Root()) {
		// The same in other words: another order of members, other blanks.
		c.stored, c.settled = c.old, true
		return nil
	}
	if c.verb == "update" && fhir.Subsetted(doc.Root()) {
		return record.Partial()
	}
	if err := b.collect(c, doc.Root()); err != nil {
		return err
	}
	w.Body, w.Splices = body, c.content.splices(len(body))
	w.Rows, w.At = b.x.Extract(doc.Root())
	own := record.Commune(doc.Root())
	if c.typ == "Patient" {
		w.Commune = own
	}
	if record.Personal(c.typ) {
		if err := b.r.admit(ctx, c.body); err != nil {
			return err
		}
		b.add(c, w, "", "")
		c.created = w.Op == "create"
		return nil
	}
	home, err := b.x.Home(doc.Root(), c.id)
	switch {
	case err != nil:
		return err
	case home.Proxied:
		if b.proxies == nil {
			b.proxies = map[int]record.Ref{}
		}
		b.proxies[len(b.writes)] = home.Proxy
	case home.Nobodys:
		w.Patient = record.Closed
	}
	b.add(c, w, home.Patient, own)
	c.created = w.Op == "create"
	return nil
}

func (b *batch) body(ctx context.Context, c *change, version int64, at time.Time) ([]byte, error) {
	e := fhir.Edit(c.body)
	e.Stamp(c.body, c.id, version, at)
	if len(b.resolved) > 0 || conditional(c.body) || b.named(ctx, c.body) {
		if err := b.link(ctx, c, e); err != nil {
			return nil, err
		}
	}
	return e.Bytes(), nil
}

func (b *batch) add(c *change, w *record.Write, owner, own string) {
	b.writes = append(b.writes, *w)
	b.changes = append(b.changes, c)
	b.owners = append(b.owners, owner)
	b.own = append(b.own, own)
}
