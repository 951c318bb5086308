package records

import (
	"bytes"
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
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

	// resolved maps how entries are referred to, to "Type/id".
	resolved map[string]string
	writes   []record.Write
	// of each write: the change, and the id of the Patient it belongs to.
	changes []*change
	owners  []string
	// own is where a shared resource itself says it is (a household's commune).
	own []string
}

// matches finds what conditional creates would make again. Equal criteria
// wait for each other, and within one Bundle the first one wins.
func (b *batch) matches(ctx context.Context) error {
	var types []int16
	var criteria []string
	for _, c := range b.list {
		if c.match != nil {
			types, criteria = append(types, c.number), append(criteria, c.match.Canonical())
		}
	}
	if err := b.r.store.Hold(ctx, b.tx, types, criteria); err != nil {
		return err
	}
	first := map[string]*change{}
	for _, c := range b.list {
		if c.match == nil {
			continue
		}
		key := c.match.Canonical()
		if same := first[key]; same != nil {
			c.id, c.stored, c.settled = same.id, same.stored, true
			continue
		}
		first[key] = c
		x, err := b.find(ctx, c.match)
		if err != nil {
			return c.fail(err)
		}
		if x != nil {
			c.id, c.stored, c.settled = x.ID, x, true
		}
	}
	return nil
}

// find returns the only match of a condition, nil for none.
func (b *batch) find(ctx context.Context, q *record.Query) (*record.Stored, error) {
	page, err := b.r.store.Search(ctx, b.tx, q, record.Reach{All: true})
	if err != nil {
		return nil, err
	}
	switch len(page.Matches) {
	case 0:
		return nil, nil
	case 1:
		x := &page.Matches[0]
		reach, err := b.r.reach(ctx)
		if err != nil {
			return nil, err
		}
		if _, err := b.r.store.Read(ctx, b.tx, x.Type, x.ID, reach); err != nil {
			return nil, hidden(ctx, err)
		}
		return x, nil
	}
	return nil, fault.New(fault.Precondition, "the condition matches several resources", nil)
}

// references notes what the entries of a Bundle may be referred to as.
func (b *batch) references() {
	b.resolved = map[string]string{}
	for _, c := range b.list {
		if c.fullURL != "" && c.verb != "delete" {
			b.resolved[c.fullURL] = c.typ + "/" + c.id
		}
	}
}

// resolve returns what a reference becomes.
func (b *batch) resolve(ctx context.Context, at fhir.Value, reference string) (string, error) {
	if now, ok := b.resolved[reference]; ok {
		return now, nil
	}
	fail := func(message string) error {
		f := fault.New(fault.Unprocessable, message, nil)
		f.At = at.Path()
		return f
	}
	if strings.HasPrefix(reference, "urn:uuid:") && len(b.resolved) > 0 && strings.HasSuffix(at.Path(), ".reference") {
		return "", fail("the Bundle has no entry with this fullUrl")
	}
	typ, query, ok := strings.Cut(reference, "?")
	if !ok || b.r.defs.Number(typ) == 0 {
		return reference, nil
	}
	// https://hl7.org/fhir/R4/http.html#trules: conditional references
	q, err := b.r.criteria(ctx, typ, query)
	if err != nil {
		return "", fail("the conditional reference cannot be read: " + fault.Of(err).Message)
	}
	for _, c := range b.list {
		if c.match != nil && c.match.Canonical() == q.Canonical() {
			return c.typ + "/" + c.id, nil
		}
	}
	x, err := b.find(ctx, q)
	if err != nil {
		return "", err
	}
	if x == nil {
		return "", fail("the conditional reference matches nothing")
	}
	b.resolved[reference] = typ + "/" + x.ID
	return typ + "/" + x.ID, nil
}

// compose makes the bytes and index rows of every write.
func (b *batch) compose(ctx context.Context) error {
	b.references()
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
	if c.old != nil && !c.old.Deleted {
		doc, err := fhir.Parse(c.old.Body)
		if err != nil {
			return err
		}
		old := &record.Old{Patient: c.old.Patient}
		old.Rows, old.At = b.x.Extract(doc.Root())
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
		if bytes.Equal(same, c.old.Body) {
			// Nothing changes, so there is no new version.
			c.stored, c.settled = c.old, true
			return b.covers(ctx, c.old)
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
	w.Body = body
	w.Rows, w.At = b.x.Extract(doc.Root())
	own := record.Commune(doc.Root())
	if c.typ == "Patient" {
		w.Commune = own
	}
	b.add(c, w, b.x.Patient(doc.Root(), c.id), own)
	c.created = w.Op == "create"
	return nil
}

func (b *batch) body(ctx context.Context, c *change, version int64, at time.Time) ([]byte, error) {
	e := fhir.Edit(c.body)
	e.Stamp(c.body, c.id, version, at)
	if len(b.resolved) > 0 || conditional(c.body) {
		err := e.References(c.body, func(v fhir.Value, ref string) (string, error) { return b.resolve(ctx, v, ref) })
		if err != nil {
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
			return c.fail(fault.Newf(fault.Unprocessable, "the Patient that the %s belongs to is not here", c.typ))
		}
		if err := b.allowed(c, owner, home.Commune, b.own[i]); err != nil {
			return c.fail(err)
		}
		if c.old != nil && c.old.PatientID != owner && !guard.Covers(b.scope, c.old.PatientID, there[c.old.PatientID].Commune) {
			return c.fail(outside())
		}
		w.Patient = home.Key
		if c.verb == "delete" && c.typ == "Patient" {
			w.Patient = w.Key
		}
		c.stored = &record.Stored{
			Key: w.Key, Patient: w.Patient, PatientID: owner, Type: w.Type, ID: w.ID,
			Version: w.Version, Updated: w.Updated, Body: w.Body, Deleted: w.Op == "delete", Op: w.Op,
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
// reaches everything, and by a commune's nurse when it lies in her commune.
func (b *batch) allowed(c *change, owner, commune, own string) error {
	if owner == "" {
		if b.scope.GetAll() || own != "" && slices.Contains(b.scope.GetCommunes(), own) && (c.old == nil || b.mine(c.old)) {
			return nil
		}
		return outside()
	}
	if !guard.Covers(b.scope, owner, commune) {
		return outside()
	}
	return nil
}

// mine reports whether a shared resource lay in the scope's communes before.
func (b *batch) mine(old *record.Stored) bool {
	if old.Patient != 0 {
		return true // checked as a compartment
	}
	doc, err := fhir.Parse(old.Body)
	if err != nil {
		return false
	}
	return slices.Contains(b.scope.GetCommunes(), record.Commune(doc.Root()))
}

// covers checks the scope for a write that changes nothing.
func (b *batch) covers(ctx context.Context, x *record.Stored) error {
	if b.scope.GetAll() {
		return nil
	}
	there, err := b.r.store.Compartments(ctx, b.tx, []string{x.PatientID})
	if err != nil {
		return err
	}
	if x.PatientID != "" && guard.Covers(b.scope, x.PatientID, there[x.PatientID].Commune) || x.PatientID == "" && b.mine(x) {
		return nil
	}
	return outside()
}
