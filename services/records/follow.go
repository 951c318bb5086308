package records

import (
	"context"
	"database/sql"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/record"
)

// follow makes what lies with others follow them into another compartment, in
// the same transaction.
func (b *batch) follow(ctx context.Context) error {
	moves := map[record.Ref]record.Move{}
	places := map[record.Ref]int{}
	for i, c := range b.changes {
		w := &b.writes[i]
		// What is new under an id of the caller's may have been referred to by
		// what was imported before.
		fresh := c.old == nil && c.verb == "update" && b.x.Leads(c.number)
		if w.Op == "delete" || !fresh && (c.old == nil || c.old.Patient == w.Patient) {
			continue
		}
		m := record.Move{To: w.Patient, Fresh: fresh, PatientID: b.owners[i]}
		if !fresh {
			m.From = c.old.Patient
		}
		ref := record.Ref{Type: c.number, Target: c.id}
		moves[ref], places[ref] = m, i
	}
	list, err := b.r.following(ctx, b.tx, b.now, moves, b.touches, b.scope.GetAll())
	for _, f := range list {
		x, w := f.Old, f.Write
		c := &change{verb: "update", typ: b.r.defs.TypeOf(x.Type), number: x.Type, id: x.ID, given: x.ID, trusted: true, old: x}
		leader := b.changes[places[f.Leader]]
		c.stored = &record.Stored{
			Key: w.Key, Patient: w.Patient, PatientID: moves[f.Leader].PatientID, Type: w.Type, ID: w.ID,
			Version: w.Version, Updated: w.Updated, Body: w.Body, Splices: w.Splices, Op: w.Op,
		}
		places[record.Ref{Type: x.Type, Target: x.ID}] = len(b.changes)
		b.add(c, &w, moves[f.Leader].PatientID, "")
		leader.also = append(leader.also, c)
	}
	return err
}

// following returns the writes by which resources follow others that move:
// what has a Device or a Group as its subject, and Binaries what their
// securityContext names, also where that follows itself. Whoever may read a
// document may read its content, and nobody else any more. Each gets a new
// version, so that the log tells of it and every version lies where it lay.
// Into the shared compartment nothing follows. written tells what finds its
// place by itself. moves grows by what follows.
func (r *Records) following(ctx context.Context, tx *sql.Tx, now time.Time, moves map[record.Ref]record.Move, written func(record.Ref) bool, all bool) ([]record.Follower, error) {
	if len(moves) == 0 {
		return nil, nil
	}
	x, err := r.store.Indexer(ctx)
	if err != nil {
		return nil, err
	}
	var out []record.Follower
	binary := r.defs.Number("Binary")
	for _, step := range []struct {
		params []int16
		typ    int16
		leads  func(ref record.Ref, m record.Move) bool
	}{
		{x.Subjects(), 0, func(ref record.Ref, _ record.Move) bool { return x.Leads(ref.Type) }},
		{[]int16{record.Unindexed}, binary, func(ref record.Ref, m record.Move) bool { return ref.Type != binary && !m.Fresh }},
	} {
		var moved []record.Ref
		for ref, m := range moves {
			// Whoever does not reach everything takes nothing along that lay
			// elsewhere: it was never theirs to place.
			if m.To != 0 && step.leads(ref, m) && (all || !m.Fresh) {
				moved = append(moved, ref)
			}
		}
		if len(moved) == 0 {
			continue
		}
		refs, err := r.store.Following(ctx, tx, step.params, step.typ, moved, maxMerged+1)
		if err != nil {
			return nil, err
		}
		if len(refs) > maxMerged {
			return nil, fault.Newf(fault.TooLarge, "more than %d resources would move along into another record", maxMerged)
		}
		var ask []record.Ref
		for _, ref := range refs {
			if _, moves := moves[ref]; !moves && !written(ref) {
				ask = append(ask, ref)
			}
		}
		found, err := r.store.Lock(ctx, tx, ask, false)
		if err != nil {
			return nil, err
		}
		for _, ref := range ask {
			old := found[ref]
			if old == nil || old.Deleted {
				continue
			}
			f, err := r.follower(ctx, tx, x, now, old, moves, all)
			if err != nil {
				return nil, err
			}
			if f != nil {
				moves[ref] = record.Move{From: old.Patient, To: f.Write.Patient, PatientID: moves[f.Leader].PatientID}
				out = append(out, *f)
			}
		}
	}
	return out, nil
}

// follower returns the version by which a locked resource follows, nil where
// it lies with none of what moves, or where that goes already.
func (r *Records) follower(ctx context.Context, tx *sql.Tx, x *record.Indexer, now time.Time, old *record.Stored, moves map[record.Ref]record.Move, all bool) (*record.Follower, error) {
	doc, err := fhir.Parse(old.Body)
	if err != nil {
		return nil, err
	}
	home, err := x.Home(doc.Root(), old.ID)
	if err != nil {
		return nil, err
	}
	m, leads := moves[home.Proxy]
	if !home.Proxied || !leads || m.To == 0 || old.Patient == m.To || !all && old.Patient != m.From {
		return nil, nil
	}
	w := record.Write{Type: old.Type, ID: old.ID, Key: old.Key, Patient: m.To, Version: old.Version + 1, Updated: now, Op: "update"}
	w.Old = &record.Old{Patient: old.Patient}
	w.Old.Rows, w.Old.At = x.Extract(doc.Root())
	e := fhir.Edit(doc.Root())
	e.Stamp(doc.Root(), old.ID, w.Version, w.Updated)
	w.Body = e.Bytes()
	if w.Splices, err = old.Carried(w.Body); err != nil {
		return nil, err
	}
	if err := r.store.CopyValues(ctx, tx, old.Patient, w.Patient, w.Splices); err != nil {
		return nil, err
	}
	if doc, err = fhir.Parse(w.Body); err != nil {
		return nil, err
	}
	w.Rows, w.At = x.Extract(doc.Root())
	return &record.Follower{Leader: home.Proxy, Old: old, Write: w}, nil
}
