package records

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
)

// maxMerged bounds the resources that one merge moves: they are changed in one
// transaction and held in memory.
const maxMerged = 20_000

// errPreview makes the transaction of a preview end without a trace.
var errPreview = errors.New("a preview is not stored")

// merging is one merge while it is carried out.
type merging struct {
	r       *Records
	ctx     context.Context //nolint:containedctx // it lives as long as one request
	tx      *sql.Tx
	x       *record.Indexer
	preview bool
	// result is the Patient that the caller wants to remain, absent for none.
	result         fhir.Value
	source, target *record.Stored
	// open is the merge of the two that stands already: this one moves what
	// was written for the source since.
	open *record.Merge

	changes []*change
	held    int // bytes of what was filled
}

// Merge makes one record of two Patients'
// (https://hl7.org/fhir/R5/patient-operation-merge.html): everything that
// refers to the source refers to the target afterwards. The source stays, not
// active and with a link to the target. $unmerge undoes it. Repeated, it moves
// what was written for the source since, as a part of the same merge.
func (r *Records) Merge(ctx context.Context, req *recordsv1.OperationRequest) (*recordsv1.Resource, error) {
	p, err := readParameters(req, "source-patient", "source-patient-identifier", "target-patient", "target-patient-identifier", "result-patient", "preview")
	if err != nil {
		return nil, err
	}
	if caller.Deidentified(ctx) {
		return nil, fault.New(fault.Forbidden, "records without names cannot be changed", nil)
	}
	m := &merging{r: r, ctx: ctx}
	if m.preview, err = p.flag("preview"); err != nil {
		return nil, err
	}
	if m.x, err = r.store.Indexer(ctx); err != nil {
		return nil, err
	}
	if m.source, err = r.chosen(ctx, p, "source-patient"); err != nil {
		return nil, err
	}
	// Whose records were opened stands in the audit log also where the merge is refused.
	r.touch(ctx, m.source)
	if m.target, err = r.chosen(ctx, p, "target-patient"); err != nil {
		return nil, err
	}
	r.touch(ctx, m.target)
	if m.source.Key == m.target.Key {
		return nil, fault.New(fault.Unprocessable, "source-patient and target-patient are the same Patient", nil)
	}
	if v := p.get("result-patient").Get("resource"); v.Exists() {
		if err := m.wanted(v); err != nil {
			return nil, err
		}
	}
	err = r.store.InTx(ctx, func(tx *sql.Tx) error {
		m.tx, m.open, m.changes, m.held = tx, nil, nil, 0
		return m.run()
	})
	if err != nil && (!m.preview || !errors.Is(err, errPreview)) {
		return nil, r.dangling(ctx, err)
	}
	touched(r, ctx, m.changes)
	return m.answer(p)
}

// wanted checks the Patient that the caller wants to remain.
func (m *merging) wanted(v fhir.Value) error {
	parsed, err := m.r.parse("Patient", v.Raw())
	if err != nil {
		return fault.Of(err).In("result-patient")
	}
	if parsed.Get("id").Str() != m.target.ID {
		return fault.New(fault.Unprocessable, "result-patient must have the id of the target", nil).In("result-patient.id")
	}
	if !joins(parsed, "replaces", m.source.ID) {
		return fault.New(fault.Unprocessable, "result-patient must have a link of type replaces to the source", nil).In("result-patient.link")
	}
	m.result = parsed
	return nil
}

// chosen returns the Patient that a parameter names by reference or by
// identifiers, within the caller's reach.
func (r *Records) chosen(ctx context.Context, p parameters, name string) (*record.Stored, error) {
	reach, err := r.reach(ctx)
	if err != nil {
		return nil, err
	}
	n := r.defs.Number("Patient")
	if ref := p.get(name).At("valueReference", "reference").Str(); ref != "" {
		id, ok := strings.CutPrefix(strings.TrimPrefix(ref, r.baseOf(ctx)+"/"), "Patient/")
		if !ok || !fhir.ValidID(id) {
			return nil, fault.New(fault.Invalid, "a reference to a Patient is expected", nil).In(name)
		}
		x, err := r.store.Read(ctx, nil, n, id, reach)
		if err == nil && x.Deleted {
			err = fault.New(fault.NotFound, "there is no such resource", nil)
		}
		return x, caller.Hidden(ctx, err)
	}
	var query []string
	for _, v := range p.all(name + "-identifier") {
		i := v.Get("valueIdentifier")
		system, value := i.Get("system").Str(), i.Get("value").Str()
		if system == "" || value == "" {
			return nil, fault.New(fault.Invalid, "an identifier with system and value is expected", nil).In(v.Path())
		}
		query = append(query, "identifier="+url.QueryEscape(escaped.Replace(system)+"|"+escaped.Replace(value)))
	}
	if len(query) == 0 {
		return nil, fault.Newf(fault.Invalid, "%s or %s-identifier is expected", name, name)
	}
	q, err := r.criteria(ctx, "Patient", strings.Join(query, "&"))
	if err != nil {
		return nil, err
	}
	page, err := r.store.Search(ctx, nil, q, reach)
	switch {
	case err != nil:
		return nil, err
	case len(page.Matches) == 0:
		return nil, caller.Hidden(ctx, fault.New(fault.NotFound, "there is no such resource", nil))
	case len(page.Matches) > 1:
		return nil, fault.New(fault.Unprocessable, "the identifiers are those of several Patients; name one by reference", nil).In(name + "-identifier")
	}
	return &page.Matches[0], nil
}

// escaped writes a text as a value of a search (https://hl7.org/fhir/R4/search.html#escaping).
var escaped = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `|`, `\|`, `$`, `\$`)

func (m *merging) run() error {
	r := m.r
	source, target := record.Ref{Type: m.source.Type, Target: m.source.ID}, record.Ref{Type: m.target.Type, Target: m.target.ID}
	// Locked as for a deletion: nobody begins to refer to the source meanwhile.
	// Two writers that wait for each other are sorted out by the database, and
	// the transaction runs again.
	found, err := r.store.Lock(m.ctx, m.tx, []record.Ref{source, target}, true)
	if err != nil {
		return err
	}
	m.source, m.target = found[source], found[target]
	if m.source == nil || m.target == nil || m.source.Deleted || m.target.Deleted {
		return caller.Hidden(m.ctx, fault.New(fault.NotFound, "there is no such resource", nil))
	}
	for _, x := range []*record.Stored{m.source, m.target} {
		if err := m.fill(x); err != nil {
			return err
		}
	}
	if m.open, err = r.store.OpenMerge(m.ctx, m.tx, m.source.Key); err != nil {
		return err
	}
	if err := m.collect(); err != nil {
		return err
	}
	if err := m.patients(); err != nil {
		return err
	}
	if err := r.attempt(m.ctx, m.tx, m.changes); err != nil {
		return err
	}
	kept := record.Merge{Source: m.source.Key, Target: m.target.Key, At: r.now().UTC().Truncate(time.Millisecond), By: caller.Author(m.ctx)}
	for _, c := range alongside(m.changes) {
		if c.stored.Version != c.old.Version {
			kept.Moved = append(kept.Moved, record.Moved{Key: c.old.Key, Before: c.old.Version, After: c.stored.Version})
		}
	}
	switch {
	case m.preview:
		return errPreview
	case m.open != nil:
		return r.store.ExtendMerge(m.ctx, m.tx, m.open, kept.Moved)
	}
	return r.store.KeepMerge(m.ctx, m.tx, kept)
}

// collect gathers what refers to the source, locked, and makes it refer to
// the target.
func (m *merging) collect() error {
	reach, err := m.r.reach(m.ctx)
	if err != nil {
		return err
	}
	list, err := m.r.store.Bound(m.ctx, m.tx, m.source, m.x.Referring("Patient"), maxMerged+1, reach)
	if err != nil {
		return err
	}
	if len(list) > maxMerged {
		return fault.Newf(fault.TooLarge, "more than %d resources belong to the source", maxMerged)
	}
	var refs []record.Ref
	for _, x := range list {
		if x.Key != m.target.Key {
			refs = append(refs, record.Ref{Type: x.Type, Target: x.ID})
		}
	}
	found, err := m.r.store.Lock(m.ctx, m.tx, refs, false)
	if err != nil {
		return err
	}
	b := &batch{r: m.r, scope: guard.ScopeOf(m.ctx)}
	for _, ref := range refs {
		x := found[ref]
		// A shared resource that is another's to change keeps its reference to
		// the source, which leads on to the target.
		if x == nil || x.Deleted || x.Patient == 0 && !b.scope.GetAll() && !b.mine(x) {
			continue
		}
		follows, err := m.follows(x, m.source.ID)
		if err != nil {
			return err
		}
		if follows {
			continue
		}
		if err := m.fill(x); err != nil {
			return err
		}
		body, err := rereferred(x.Body, m.source.ID, m.target.ID)
		if err != nil {
			return err
		}
		if m.r.defs.TypeOf(x.Type) == "Group" {
			if body, err = onceEach(body, x.Body, m.source.ID, m.target.ID); err != nil {
				return err
			}
		}
		m.change(x, body)
	}
	return nil
}

// maxHeld bounds the bytes of what a merge holds in memory.
const maxHeld = 256 << 20

// fill puts large values, which are kept by patient, back into a resource: it
// may move to another patient.
func (m *merging) fill(x *record.Stored) error {
	list := []record.Stored{*x}
	if err := m.r.store.Fill(m.ctx, m.tx, list); err != nil {
		return err
	}
	m.held += len(list[0].Body)
	if len(list[0].Splices) > 0 || m.held > maxHeld {
		return fault.New(fault.TooLarge, "the documents of the Patients are too large to be moved in one transaction; move the largest by hand first", nil)
	}
	*x = list[0]
	return nil
}

// change adds the change of a locked resource.
func (m *merging) change(x *record.Stored, body fhir.Value) {
	m.changes = append(m.changes, &change{
		verb: "update", typ: m.r.defs.TypeOf(x.Type), number: x.Type, id: x.ID, given: x.ID, body: body, trusted: true,
	})
}

// rereferred makes every reference to a Patient one to another Patient. The
// version in a reference goes: versions of the one are not those of the other.
func rereferred(body []byte, from, to string) (fhir.Value, error) {
	doc, err := fhir.Parse(body)
	if err != nil {
		return fhir.Value{}, err
	}
	e := fhir.Edit(doc.Root())
	old := "Patient/" + from
	for v := range doc.Root().Strings() {
		if !v.Named("reference") {
			continue
		}
		if s := v.Str(); s == old || strings.HasPrefix(s, old+"/_history/") {
			e.Replace(v, fhir.Quote("Patient/"+to))
		}
	}
	return parsed(e.Bytes())
}

func parsed(b []byte) (fhir.Value, error) {
	doc, err := fhir.Parse(b)
	if err != nil {
		return fhir.Value{}, err
	}
	return doc.Root(), nil
}

// alongside returns the changes with what each brings along.
func alongside(list []*change) []*change {
	var all []*change
	for _, c := range list {
		all = append(append(all, c), c.also...)
	}
	return all
}

// touched notes the patients of what was changed for the audit log, each with
// the types of what was changed.
func touched(r *Records, ctx context.Context, list []*change) { //nolint:revive // the context belongs to the call below
	seen := map[[2]string]bool{}
	for _, c := range alongside(list) {
		k := [2]string{c.stored.PatientID, c.typ}
		switch {
		case c.typ == "Patient":
			r.touch(ctx, c.stored)
		case !seen[k]:
			seen[k] = true
			guard.Touch(ctx, k[0], c.typ)
		}
	}
}

// answer is the Parameters resource that the operation answers with.
func (m *merging) answer(p parameters) (*recordsv1.Resource, error) {
	moved := 0
	var result []byte
	for _, c := range alongside(m.changes) {
		if c.stored.Version != c.old.Version && c.typ != "Patient" {
			moved++
		}
		if c.stored.Key == m.target.Key {
			result = c.stored.Body
		}
	}
	done := "merged"
	if m.preview {
		done = "a preview; nothing was stored"
	}
	outcome := fhir.Outcome(fhir.Issue{Severity: "information", Code: "informational", Diagnostics: done + ": " + counted(moved) + " of the source refer to the target"})
	return merged(p.root, outcome, result), nil
}
