package records

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
)

// maxListed bounds the resources that the answer to $unmerge names one by one.
const maxListed = 1000

// Unmerge undoes a merge: what the merge changed and nobody changed since gets
// back the bytes it had. What was changed or created since stays where it is
// and is listed, for a person to decide. It is an operation of this server:
// FHIR has none for it.
func (r *Records) Unmerge(ctx context.Context, req *recordsv1.OperationRequest) (*recordsv1.Resource, error) {
	p, err := readParameters(req, "source-patient", "target-patient")
	if err != nil {
		return nil, err
	}
	if caller.Deidentified(ctx) {
		return nil, fault.New(fault.Forbidden, "records without names cannot be changed", nil)
	}
	u := &unmerging{merging: merging{r: r, ctx: ctx}}
	if u.x, err = r.store.Indexer(ctx); err != nil {
		return nil, err
	}
	if u.source, err = r.chosen(ctx, p, "source-patient"); err != nil {
		return nil, err
	}
	r.touch(ctx, u.source)
	if u.target, err = r.chosen(ctx, p, "target-patient"); err != nil {
		return nil, err
	}
	r.touch(ctx, u.target)
	err = r.store.InTx(ctx, func(tx *sql.Tx) error {
		u.tx, u.changes, u.held, u.kept, u.later = tx, nil, 0, nil, nil
		return u.run()
	})
	if err != nil {
		return nil, r.dangling(ctx, err)
	}
	touched(r, ctx, u.changes)
	return u.answer(p), nil
}

// unmerging is the undoing of a merge while it is carried out.
type unmerging struct {
	merging
	merge  *record.Merge
	before map[int64]*record.Stored
	// kept was changed since the merge, later was created since then.
	kept, later []record.Stored
}

func (u *unmerging) run() error {
	r := u.r
	none := fault.New(fault.Conflict, "there is no merge of these two Patients that could be undone", nil)
	var err error
	if u.merge, err = r.store.OpenMerge(u.ctx, u.tx, u.source.Key); err != nil {
		return err
	}
	if u.merge == nil || u.merge.Target != u.target.Key {
		return none
	}
	next, err := r.store.OpenMerge(u.ctx, u.tx, u.target.Key)
	if err != nil {
		return err
	}
	if next != nil {
		return fault.New(fault.Conflict, "the target itself was merged into another Patient afterwards; undo that merge first", nil)
	}
	reach, err := r.reach(u.ctx)
	if err != nil {
		return err
	}
	if u.before, err = r.store.Before(u.ctx, u.tx, u.merge, reach); err != nil {
		return err
	}
	refs := make([]record.Ref, 0, len(u.merge.Moved))
	for _, m := range u.merge.Moved {
		x := u.before[m.Key]
		if x == nil {
			return outside()
		}
		refs = append(refs, record.Ref{Type: x.Type, Target: x.ID})
	}
	found, err := r.store.Lock(u.ctx, u.tx, refs, false)
	if err != nil {
		return err
	}
	for i, m := range u.merge.Moved {
		if err := u.restore(found[refs[i]], m); err != nil {
			return err
		}
	}
	if err := r.attempt(u.ctx, u.tx, u.changes); err != nil {
		return err
	}
	if err := u.mine(); err != nil {
		return err
	}
	if u.later, err = r.store.Since(u.ctx, u.tx, u.target.Key, u.merge.At, maxListed, reach); err != nil {
		return err
	}
	return r.store.CloseMerge(u.ctx, u.tx, u.merge, r.now().UTC().Truncate(time.Millisecond), caller.Author(u.ctx))
}

// mine leaves in kept what is within the caller's reach: what was moved into
// another's record since the merge is not named.
func (u *unmerging) mine() error {
	scope := guard.ScopeOf(u.ctx)
	if scope.GetAll() {
		return nil
	}
	var ids []string
	for i := range u.kept {
		ids = append(ids, u.kept[i].PatientID)
	}
	there, err := u.r.store.Compartments(u.ctx, u.tx, ids)
	if err != nil {
		return err
	}
	u.kept = slices.DeleteFunc(u.kept, func(x record.Stored) bool {
		return x.Patient != 0 && !guard.Covers(scope, x.PatientID, there[x.PatientID].Commune)
	})
	return nil
}

// restore gives back to a locked resource what it was before the merge.
func (u *unmerging) restore(x *record.Stored, m record.Moved) error {
	if x != nil && u.before[m.Key] != nil {
		if follows, err := u.follows(u.before[m.Key], u.source.ID); err != nil || follows {
			return err
		}
	}
	for _, v := range []*record.Stored{u.before[m.Key], x} {
		if v == nil || v.Deleted {
			continue
		}
		if err := u.fill(v); err != nil {
			return err
		}
	}
	before, err := parsed(u.before[m.Key].Body)
	if err != nil {
		return err
	}
	switch {
	case x == nil:
		return fault.New(fault.Internal, "a resource of the merge is not in the directory", nil)
	case x.Version == m.After:
		u.change(x, before)
		return nil
	case x.Deleted || x.Key != u.source.Key && x.Key != u.target.Key:
		u.kept = append(u.kept, *x)
		return nil
	}
	// A Patient that was changed since keeps that; only what the merge did goes.
	now, err := parsed(x.Body)
	if err != nil {
		return err
	}
	source, target := u.before[u.source.Key], u.before[u.target.Key]
	if source == nil || target == nil {
		return fault.New(fault.Internal, "the notes of a merge do not name both Patients", nil)
	}
	was, err := parsed(source.Body)
	if err != nil {
		return err
	}
	had, err := parsed(target.Body)
	if err != nil {
		return err
	}
	var gave []fhir.Value
	for i := range was.Get("identifier").Items() {
		if !holds(had, i) {
			gave = append(gave, i)
		}
	}
	if x.Key == u.source.Key {
		now, err = unlinked(now, before, u.target.ID, "replaced-by", nil, gave)
	} else {
		now, err = unlinked(now, before, u.source.ID, "replaces", gave, nil)
	}
	if err != nil {
		return err
	}
	u.change(x, now)
	return nil
}

// answer lists what the operation did not decide.
func (u *unmerging) answer(p parameters) *recordsv1.Resource {
	back := 0
	var result []byte
	for _, c := range alongside(u.changes) {
		if c.typ != "Patient" && c.stored.Version != c.old.Version {
			back++
		}
		if c.stored.Key == u.source.Key {
			result = c.stored.Body
		}
	}
	issues := []fhir.Issue{{Severity: "information", Code: "informational", Diagnostics: "undone: " + counted(back) + " are as they were before the merge"}}
	for _, list := range []struct {
		of  []record.Stored
		why string
	}{{u.kept, "was changed since the merge"}, {u.later, "was created since the merge"}} {
		for i := range list.of[:min(len(list.of), maxListed)] {
			x := &list.of[i]
			ref := u.r.defs.TypeOf(x.Type) + "/" + x.ID
			issues = append(issues, fhir.Issue{Severity: "warning", Code: "incomplete", Diagnostics: ref + " " + list.why + " and stays where it is; decide whose it is"})
		}
		if len(list.of) >= maxListed {
			issues = append(issues, fhir.Issue{Severity: "warning", Code: "incomplete", Diagnostics: "there are more that " + list.why + "; see the history of the target's compartment"})
		}
	}
	return merged(p.root, fhir.Outcome(issues...), result)
}
