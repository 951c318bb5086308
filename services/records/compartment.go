package records

import (
	"context"
	"errors"
	"slices"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
)

// compartments finds the compartment of every write and refuses those out of
// scope: the new compartment and the one the resource lay in before.
func (b *batch) compartments(ctx context.Context) error {
	made := map[string]record.Compartment{}
	for i, c := range b.changes {
		if c.typ == "Patient" && c.verb != "delete" {
			made[c.id] = record.Compartment{Key: b.writes[i].Key, ID: c.id, Commune: b.writes[i].Commune}
		}
	}
	there, err := b.existing(ctx, made)
	if err != nil {
		return err
	}
	for i, c := range b.changes {
		w := &b.writes[i]
		owner := b.owners[i]
		home, ok := made[owner]
		if old, was := there[owner]; was {
			if ok && !guard.Covers(b.scope, owner, old.Commune) {
				return c.fail(outside())
			}
			if !ok {
				home, ok = old, !old.Deleted || c.verb == "delete"
			}
			if c.typ == "Patient" {
				// Who lives in the commune may be written out of it.
				home.Commune = old.Commune
			}
		}
		if owner != "" && !ok {
			if !b.scope.GetAll() {
				return c.fail(outside())
			}
			doc, err := fhir.Parse(w.Body)
			if err != nil {
				return err
			}
			return c.fail(b.x.NotHere(doc.Root(), owner))
		}
		if record.Personal(c.typ) {
			home.Key = b.account(ctx, c)
		} else if closed := w.Patient == record.Closed; closed && !b.scope.GetAll() {
			return c.fail(outside())
		} else if closed {
			home.Key = record.Closed
		} else if err := b.allowed(c, owner, home.Commune, b.own[i]); err != nil {
			return c.fail(err)
		}
		if c.old != nil && c.old.PatientID != owner && !record.Personal(c.typ) && !guard.Covers(b.scope, c.old.PatientID, there[c.old.PatientID].Commune) {
			return c.fail(outside())
		}
		w.Patient = home.Key
		if c.verb == "delete" && c.typ == "Patient" {
			w.Patient = w.Key
		}
		c.stored = &record.Stored{
			Key: w.Key, Patient: w.Patient, PatientID: owner, Type: w.Type, ID: w.ID,
			Version: w.Version, Updated: w.Updated, Body: w.Body, Splices: w.Splices, Deleted: w.Op == "delete", Op: w.Op,
		}
	}
	for _, c := range b.list {
		if c.settled && c.stored == nil {
			for _, d := range b.list {
				if d.id == c.id && d.number == c.number && d.stored != nil {
					c.stored = d.stored
				}
			}
		}
	}
	return nil
}

// errLocks asks for a transaction: what a resource lies with must not move
// until the resource is stored.
var errLocks = errors.New("records: something has to be locked first")

// proxied finds where resources lie that lie where another does: Binaries
// with their securityContext, others with a Device or a Group as their
// subject. That may be written along.
func (b *batch) proxied(ctx context.Context) error {
	if len(b.proxies) == 0 {
		return nil
	}
	if b.tx == nil {
		return errLocks
	}
	var ask []record.Ref
	proxies := map[record.Ref]record.Ref{}
	for i, ref := range b.proxies {
		proxies[record.Ref{Type: b.changes[i].number, Target: b.changes[i].id}] = ref
		if !b.touches(ref) {
			ask = append(ask, ref)
		}
	}
	homes, err := b.r.store.Homes(ctx, b.tx, ask)
	if err != nil {
		return err
	}
	for i, c := range b.changes {
		if c.verb != "delete" {
			home := record.Home{Patient: b.owners[i], Nobodys: record.Personal(c.typ) || b.writes[i].Patient == record.Closed}
			if _, follows := b.proxies[i]; follows && c.old != nil {
				home.Patient = c.old.PatientID
			}
			homes[record.Ref{Type: c.number, Target: c.id}] = home
		}
	}
	b.x.Settle(homes, proxies)
	for i := range b.proxies {
		c := b.changes[i]
		home := homes[record.Ref{Type: c.number, Target: c.id}]
		switch {
		case home.Nobodys && !b.scope.GetAll():
			return c.fail(outside())
		case home.Nobodys && b.x.Content(c.number):
			return c.fail(record.NoContext())
		case home.Nobodys:
			b.writes[i].Patient = record.Closed
		}
		b.owners[i] = home.Patient
	}
	return nil
}

// touches reports whether the batch itself writes or deletes a resource.
func (b *batch) touches(ref record.Ref) bool {
	return slices.ContainsFunc(b.changes, func(c *change) bool { return c.number == ref.Type && c.id == ref.Target })
}

func outside() error {
	return fault.New(fault.Forbidden, "there is no such record that you may reach", nil)
}

// existing reads the compartments that the writes touch. With the scope of
// everything the remembered keys suffice; otherwise where people live now
// decides.
func (b *batch) existing(ctx context.Context, made map[string]record.Compartment) (map[string]record.Compartment, error) {
	var ids []string
	want := func(id string, isNew bool) {
		if id != "" && !isNew && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for i, c := range b.changes {
		_, isMade := made[b.owners[i]]
		want(b.owners[i], isMade && c.old == nil)
		if c.old != nil {
			want(c.old.PatientID, false)
		}
	}
	for id := range made {
		if i := slices.IndexFunc(b.changes, func(c *change) bool { return c.typ == "Patient" && c.id == id }); b.changes[i].old != nil {
			want(id, false)
		}
	}
	if !b.scope.GetAll() {
		return b.r.store.Compartments(ctx, b.tx, ids)
	}
	keys, err := b.r.store.PatientKeys(ctx, ids)
	there := make(map[string]record.Compartment, len(keys))
	for id, key := range keys {
		there[id] = record.Compartment{Key: key, ID: id}
	}
	return there, err
}

// allowed decides one write. A shared resource may be written by whoever
// reaches everything, and by a commune's nurse when it lies in her commune. A
// definition, such as a CodeSystem, holds for everybody and lies nowhere.
func (b *batch) allowed(c *change, owner, commune, own string) error {
	if owner == "" {
		if b.scope.GetAll() || own != "" && b.x.Number(c.typ, "url") == 0 && slices.Contains(b.scope.GetCommunes(), own) && (c.old == nil || b.mine(c.old)) {
			return nil
		}
		return outside()
	}
	if !guard.Covers(b.scope, owner, commune) {
		return outside()
	}
	return nil
}

// account returns the compartment of what belongs to an account: that of
// whoever made it, also when another may change it.
func (b *batch) account(ctx context.Context, c *change) int64 {
	if c.old != nil {
		return c.old.Patient
	}
	return record.Account(caller.Author(ctx).Actor)
}

// mine reports whether a shared resource lay in the scope's communes before.
func (b *batch) mine(old *record.Stored) bool {
	if old.Patient != 0 { // a patient's was checked as such, the closed one is nobody's
		return old.Patient != record.Closed
	}
	doc, err := fhir.Parse(old.Body)
	if err != nil {
		return false
	}
	return slices.Contains(b.scope.GetCommunes(), record.Commune(doc.Root()))
}

// within refuses to change what lies out of the scope now.
func (b *batch) within(ctx context.Context) error {
	if b.scope.GetAll() {
		return nil
	}
	var ids []string
	for _, c := range b.list {
		if c.old != nil && c.old.PatientID != "" {
			ids = append(ids, c.old.PatientID)
		}
	}
	there, err := b.r.store.Compartments(ctx, b.tx, ids)
	if err != nil {
		return err
	}
	for _, c := range b.list {
		if c.old == nil {
			continue
		}
		owner := c.old.PatientID
		if record.Personal(c.typ) {
			if c.old.Patient != record.Account(caller.Author(ctx).Actor) {
				return c.fail(b.beyond(c))
			}
			continue
		}
		if owner != "" && !guard.Covers(b.scope, owner, there[owner].Commune) || owner == "" && !b.mine(c.old) {
			return c.fail(b.beyond(c))
		}
	}
	return nil
}
