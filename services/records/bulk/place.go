package bulk

import (
	"context"
	"database/sql"
	"maps"
	"slices"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/services/records/record"
)

// place gives each line its compartment and a key; what belongs to a Patient
// that is neither here nor among the lines fails. A Patient that is here has
// the key that it always had.
func (im *importing) place(ctx context.Context, lines []*line) ([]*line, error) {
	keys, err := im.b.Store.Keys(ctx, len(lines))
	if err != nil {
		return nil, err
	}
	lines, without, err := im.proxies(ctx, nil, lines, nil)
	if err != nil {
		return nil, err
	}
	for _, l := range without {
		im.fail(l, record.NoContext())
	}
	owners := make(map[string]struct{}, len(lines))
	for _, l := range lines {
		if l.owner != "" {
			owners[l.owner] = struct{}{}
		}
	}
	homes, err := im.b.Store.PatientKeys(ctx, slices.Collect(maps.Keys(owners)))
	if err != nil {
		return nil, err
	}
	for i, l := range lines {
		l.write.Key = keys[i]
		if l.typ == "Patient" && homes[l.write.ID] == 0 {
			homes[l.write.ID] = keys[i]
		}
	}
	placed := make([]*line, 0, len(lines))
	for _, l := range lines {
		if !l.in(homes) {
			im.fail(l, im.absent(l))
			continue
		}
		placed = append(placed, l)
	}
	return placed, nil
}

// in puts the line into its compartment, and reports whether that is there.
func (l *line) in(homes map[string]int64) bool {
	l.write.Patient = homes[l.owner]
	if l.closed {
		l.write.Patient = record.Closed
	}
	return l.owner == "" || l.write.Patient != 0
}

// absent refuses a line whose Patient is not here.
func (im *importing) absent(l *line) error {
	doc, err := fhir.Parse(l.text)
	if err != nil {
		return err
	}
	return im.x.NotHere(doc.Root(), l.owner)
}

// proxies gives lines the Patients of what they lie with, which stands in the
// same piece of the file or was written before. In a transaction it stays
// there, and what a line lay with is told by found. A Binary whose context
// lies nowhere is refused; what has a subject that is not here is nobody's
// until that comes.
func (im *importing) proxies(ctx context.Context, tx *sql.Tx, lines []*line, found map[record.Ref]*record.Stored) (kept, without []*line, err error) {
	var ask []record.Ref
	asked := map[record.Ref]record.Ref{}
	for _, l := range lines {
		if l.proxied {
			asked[l.ref()] = l.proxy
		}
	}
	if len(asked) == 0 {
		return lines, nil, nil
	}
	homes := map[record.Ref]record.Home{}
	for _, l := range lines {
		home := record.Home{Patient: l.owner, Nobodys: l.closed}
		if l.proxied {
			home = record.Home{}
			if old := found[l.ref()]; old != nil {
				home.Patient = old.PatientID
			}
		}
		homes[l.ref()] = home
	}
	for _, proxy := range asked {
		if _, along := homes[proxy]; !along {
			ask = append(ask, proxy)
		}
	}
	there, err := im.b.Store.Homes(ctx, tx, ask)
	if err != nil {
		return nil, nil, err
	}
	maps.Copy(homes, there)
	im.x.Settle(homes, asked)
	for _, l := range lines {
		if l.proxied {
			home := homes[l.ref()]
			if home.Nobodys && im.x.Content(l.write.Type) {
				without = append(without, l)
				continue
			}
			l.owner, l.closed = home.Patient, home.Nobodys
		}
		kept = append(kept, l)
	}
	return kept, without, nil
}

// again places what lies with others once more, now that those are locked:
// they may have moved since.
func (im *importing) again(ctx context.Context, tx *sql.Tx, lines []*line, found map[record.Ref]*record.Stored) error {
	_, without, err := im.proxies(ctx, tx, lines, found)
	if err != nil {
		return err
	}
	if len(without) > 0 {
		return record.NoContext()
	}
	var owners []string
	for _, l := range lines {
		if l.proxied && l.owner != "" {
			owners = append(owners, l.owner)
		}
	}
	homes, err := im.b.Store.PatientKeys(ctx, owners)
	if err != nil {
		return err
	}
	for _, l := range lines {
		if l.proxied && !l.in(homes) {
			return im.absent(l)
		}
	}
	return nil
}

// follow adds the writes by which others follow what moves, or what they were
// imported before.
func (im *importing) follow(ctx context.Context, tx *sql.Tx, lines []*line, writes []record.Write) ([]record.Write, error) {
	owners, along := map[record.Ref]string{}, map[record.Ref]bool{}
	for _, l := range lines {
		owners[l.ref()], along[l.ref()] = l.owner, true
	}
	moves := map[record.Ref]record.Move{}
	for i := range writes {
		w := &writes[i]
		ref := record.Ref{Type: w.Type, Target: w.ID}
		switch {
		case w.Old != nil && w.Old.Patient != w.Patient:
			moves[ref] = record.Move{From: w.Old.Patient, To: w.Patient, PatientID: owners[ref]}
		case w.Old == nil && im.x.Leads(w.Type):
			moves[ref] = record.Move{To: w.Patient, Fresh: true, PatientID: owners[ref]}
		}
	}
	list, err := im.b.Following(ctx, tx, im.now, moves, func(ref record.Ref) bool { return along[ref] }, true)
	for i := range list {
		writes = append(writes, list[i].Write)
		guard.Touch(ctx, moves[list[i].Leader].PatientID, "")
	}
	return writes, err
}
