package records

import (
	"context"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/record"
)

// follow makes Binaries follow what their securityContext names into another
// compartment, in the same transaction: whoever may read a document may read
// its content, and nobody else any more. Each gets a new version, so that the
// log tells of it and every version lies where it lay. Into the shared
// compartment nothing follows.
func (b *batch) follow(ctx context.Context) error {
	var moved []record.Ref
	leaders := map[record.Ref]int{}
	for i, c := range b.changes {
		if w := &b.writes[i]; c.old != nil && w.Op != "delete" && c.old.Patient != w.Patient && w.Patient != 0 && c.typ != "Binary" {
			ref := record.Ref{Type: c.number, Target: c.id}
			moved, leaders[ref] = append(moved, ref), i
		}
	}
	if len(moved) == 0 {
		return nil
	}
	refs, err := b.r.store.Following(ctx, b.tx, b.r.defs.Number("Binary"), moved)
	if err != nil {
		return err
	}
	// Those that the batch itself writes have found their place.
	var ask []record.Ref
	for _, ref := range refs {
		if !b.touches(ref) {
			ask = append(ask, ref)
		}
	}
	found, err := b.r.store.Lock(ctx, b.tx, ask, false)
	if err != nil {
		return err
	}
	for _, ref := range ask {
		if x := found[ref]; x != nil && !x.Deleted {
			if err := b.followed(ctx, x, leaders); err != nil {
				return err
			}
		}
	}
	return nil
}

// followed adds the version by which a Binary follows.
func (b *batch) followed(ctx context.Context, x *record.Stored, leaders map[record.Ref]int) error {
	doc, err := fhir.Parse(x.Body)
	if err != nil {
		return err
	}
	home, err := b.x.Home(doc.Root(), x.ID)
	if err != nil {
		return err
	}
	i, leads := leaders[home.Proxy]
	if !home.Proxied || !leads || x.Patient == b.writes[i].Patient {
		return nil
	}
	leader := b.changes[i]
	c := &change{verb: "update", typ: "Binary", number: x.Type, id: x.ID, given: x.ID, body: doc.Root(), trusted: true, old: x}
	w := record.Write{Type: x.Type, ID: x.ID, Key: x.Key, Patient: b.writes[i].Patient, Version: x.Version + 1, Updated: b.now, Op: "update"}
	w.Old = &record.Old{Patient: x.Patient}
	w.Old.Rows, w.Old.At = b.x.Extract(doc.Root())
	e := fhir.Edit(doc.Root())
	e.Stamp(doc.Root(), x.ID, w.Version, w.Updated)
	w.Body = e.Bytes()
	if w.Splices, err = x.Carried(w.Body); err != nil {
		return err
	}
	if err := b.r.store.CopyValues(ctx, b.tx, x.Patient, w.Patient, w.Splices); err != nil {
		return err
	}
	if doc, err = fhir.Parse(w.Body); err != nil {
		return err
	}
	w.Rows, w.At = b.x.Extract(doc.Root())
	c.stored = &record.Stored{
		Key: w.Key, Patient: w.Patient, PatientID: b.owners[i], Type: w.Type, ID: w.ID,
		Version: w.Version, Updated: w.Updated, Body: w.Body, Splices: w.Splices, Op: w.Op,
	}
	b.add(c, &w, b.owners[i], "")
	leader.also = append(leader.also, c)
	return nil
}
