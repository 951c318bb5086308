package bulk

import (
	"bytes"
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

// NDJSON is the media type of a file with a resource in each line
// (https://hl7.org/fhir/R4/nd-json.html).
const NDJSON = "application/fhir+ndjson"

// MaxErrors bounds how many failed lines are named in one answer.
const MaxErrors = 100

// line is one resource of an NDJSON file on its way into the store.
type line struct {
	number int64
	text   []byte
	typ    string
	// write is the line as the first version of its resource.
	write record.Write
	// owner is the id of the Patient in whose compartment it lies.
	owner string
	// closed tells that it lies in the closed one.
	closed bool
	// proxy is the resource whose compartment it takes, if proxied.
	proxy   record.Ref
	proxied bool
}

func (l *line) ref() record.Ref { return record.Ref{Type: l.write.Type, Target: l.write.ID} }

// importing is one call of Import.
type importing struct {
	b    *Bulk
	x    *record.Indexer
	by   record.Author
	now  time.Time
	resp *recordsv1.ImportResponse
}

// Import stores a piece of an NDJSON file. Each line is an update by its own
// id, which may create it, or a create when it has none. A line is stored by
// itself or not at all, and a line that fails stops no other; references stay
// as they are. Lines that are new go into one transaction, the others into a
// second one.
func (b *Bulk) Import(ctx context.Context, req *recordsv1.ImportRequest) (*recordsv1.ImportResponse, error) {
	if !guard.ScopeOf(ctx).GetAll() {
		return nil, fault.New(fault.Forbidden, "only who may write every record may import files", nil)
	}
	x, err := b.Store.Indexer(ctx)
	if err != nil {
		return nil, err
	}
	im := &importing{b: b, x: x, by: caller.Author(ctx), now: b.Now().UTC().Truncate(time.Millisecond), resp: &recordsv1.ImportResponse{}}
	for _, lines := range im.read(req) {
		if err := im.store(ctx, lines); err != nil {
			return nil, err
		}
	}
	return im.resp, nil
}

// read parses and validates the lines. What stands twice in the piece comes
// into a later round, so that its versions follow each other.
func (im *importing) read(req *recordsv1.ImportRequest) [][]*line {
	var rounds [][]*line
	times := map[record.Ref]int{}
	number := max(req.GetFirst(), 1) - 1
	for text := range bytes.Lines(req.GetLines()) {
		number++
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		l := &line{number: number, text: text}
		if err := im.compose(l); err != nil {
			im.fail(l, err)
			continue
		}
		n := times[l.ref()]
		times[l.ref()]++
		if n == len(rounds) {
			rounds = append(rounds, nil)
		}
		rounds[n] = append(rounds[n], l)
	}
	return rounds
}

func (im *importing) fail(l *line, err error) {
	im.resp.Failed++
	if len(im.resp.GetErrors()) < MaxErrors {
		f := fault.Of(err)
		im.resp.Errors = append(im.resp.Errors, &recordsv1.ImportError{Line: l.number, Class: f.Class.String(), Message: f.Message, At: f.At})
	}
}

// compose makes the bytes and index rows of a line.
func (im *importing) compose(l *line) error {
	doc, err := fhir.Parse(l.text)
	if err != nil {
		return err
	}
	v := doc.Root()
	l.typ = v.Get("resourceType").Str()
	w := &l.write
	if w.Type = im.b.Definitions.Number(l.typ); w.Type == 0 {
		return fault.New(fault.Invalid, "a line is one resource of FHIR R4", nil).In("resourceType")
	}
	if record.Personal(l.typ) {
		return fault.Newf(fault.Unprocessable, "a %s belongs to the account that writes it; write it by itself", l.typ).In("resourceType")
	}
	if fhir.Subsetted(v) {
		return record.Partial()
	}
	if err := im.b.Valid(v); err != nil {
		return err
	}
	if id := v.Get("id"); id.Exists() {
		w.ID = id.Str()
	} else if w.ID, err = record.NewID(); err != nil {
		return err
	}
	if !fhir.ValidID(w.ID) {
		return fault.New(fault.Invalid, "an id has 1 to 64 letters, digits, hyphens and dots", nil).In("id")
	}
	home, err := im.x.Home(v, w.ID)
	if err != nil {
		return err
	}
	l.owner, l.proxied, l.proxy, l.closed = home.Patient, home.Proxied, home.Proxy, home.Nobodys
	if l.typ == "Patient" {
		w.Commune = record.Commune(v)
	}
	// Neither id nor what Stamp sets has index rows, so that the text as it
	// was sent serves for them.
	w.Rows, w.At = im.x.Extract(v)
	w.Version, w.Updated, w.Op = 1, im.now, "create"
	w.Body = restamp(v, w.ID, 1, im.now)
	return nil
}

// restamp returns the resource with the server's id and meta.
func restamp(v fhir.Value, id string, version int64, at time.Time) []byte {
	e := fhir.Edit(v)
	e.Stamp(v, id, version, at)
	return e.Bytes()
}

// store writes lines, of which no two are about the same resource.
func (im *importing) store(ctx context.Context, lines []*line) error {
	refs := make([]record.Ref, len(lines))
	for i, l := range lines {
		refs[i] = l.ref()
	}
	known, err := im.b.Store.Known(ctx, refs)
	if err != nil {
		return err
	}
	var fresh, again []*line
	for _, l := range lines {
		// What lies with another resource is stored while that is locked, and
		// what others may lie with while they are.
		if known[l.ref()] || l.proxied || im.x.Leads(l.write.Type) {
			again = append(again, l)
		} else {
			fresh = append(fresh, l)
		}
	}
	// Whoever is halved off still comes after what it belongs to.
	for _, list := range [][]*line{fresh, again} {
		slices.SortStableFunc(list, func(a, b *line) int { return im.turn(a) - im.turn(b) })
	}
	if err := im.attempt(ctx, fresh, im.add); err != nil {
		return err
	}
	return im.attempt(ctx, again, im.replace)
}

// turn is when a line is stored: Patients come first, then what others may lie
// with, and Binaries last.
func (im *importing) turn(l *line) int {
	switch {
	case l.typ == "Patient":
		return 0
	case im.x.Leads(l.write.Type):
		return 1
	case im.x.Content(l.write.Type):
		return 3
	}
	return 2
}

// attempt carries out all lines at once. Where the database refuses them, it
// halves them until the line that it refuses is found. Each half is placed
// again: the Patient of a line may be the one that was refused.
func (im *importing) attempt(ctx context.Context, lines []*line, f func(context.Context, []*line) error) error {
	if len(lines) == 0 {
		return nil
	}
	lines, err := im.place(ctx, lines)
	if err != nil || len(lines) == 0 {
		return err
	}
	err = f(ctx, lines)
	switch {
	case err == nil:
		for _, l := range lines {
			guard.Touch(ctx, l.owner, "")
		}
		return nil
	case ctx.Err() != nil || fault.Is(err, fault.Unavailable):
		return err
	case len(lines) == 1:
		im.fail(lines[0], err)
		return nil
	}
	half := len(lines) / 2
	if err := im.attempt(ctx, lines[:half], f); err != nil {
		return err
	}
	return im.attempt(ctx, lines[half:], f)
}

// add stores lines that were not there a moment ago.
func (im *importing) add(ctx context.Context, lines []*line) error {
	writes := make([]record.Write, len(lines))
	for i, l := range lines {
		writes[i] = l.write
	}
	raced, err := im.b.Store.Add(ctx, im.by, writes)
	if raced {
		// Somebody created one of them since. If that is a Patient, the others
		// lie in the compartment of that one. It ends: fewer are new each time.
		return im.store(ctx, lines)
	}
	if err == nil {
		im.resp.Created += int64(len(lines))
	}
	return err
}

// replace stores lines of which some are there already.
func (im *importing) replace(ctx context.Context, lines []*line) error {
	refs := make([]record.Ref, len(lines))
	for i, l := range lines {
		refs[i] = l.ref()
	}
	var created, updated, unchanged int64
	err := im.b.Store.InTx(ctx, func(tx *sql.Tx) error {
		created, updated, unchanged = 0, 0, 0
		found, err := im.b.Store.Lock(ctx, tx, refs, false)
		if err != nil {
			return err
		}
		if err := im.again(ctx, tx, lines, found); err != nil {
			return err
		}
		writes := make([]record.Write, 0, len(lines))
		for _, l := range lines {
			w, err := im.next(l, found[l.ref()])
			switch {
			case err != nil:
				return err
			case w == nil:
				unchanged++
				continue
			case w.Op == "update":
				updated++
			default:
				created++
			}
			writes = append(writes, *w)
		}
		if writes, err = im.follow(ctx, tx, lines, writes); err != nil {
			return err
		}
		return im.b.Store.Put(ctx, tx, im.by, writes, record.Needs{})
	})
	if err == nil {
		im.resp.Created += created
		im.resp.Updated += updated
		im.resp.Unchanged += unchanged
	}
	return err
}

// next makes the version that follows old, nil where it would be the same.
func (im *importing) next(l *line, old *record.Stored) (*record.Write, error) {
	w := l.write
	if old == nil {
		return &w, nil
	}
	w.Key, w.Version = old.Key, old.Version+1
	doc, err := fhir.Parse(l.text)
	if err != nil {
		return nil, err
	}
	if !old.Deleted {
		same := restamp(doc.Root(), w.ID, old.Version, old.Updated)
		if old.Same(same, nil) {
			return nil, nil
		}
		before, err := fhir.Parse(old.Body)
		if err != nil {
			return nil, err
		}
		if stamped, err := fhir.Parse(same); err != nil || len(old.Splices) == 0 && fhir.SameContent(before.Root(), stamped.Root()) {
			return nil, err
		}
		w.Op, w.Old = "update", &record.Old{Patient: old.Patient}
		w.Old.Rows, w.Old.At = im.x.Extract(before.Root())
	}
	w.Body = restamp(doc.Root(), w.ID, w.Version, im.now)
	return &w, nil
}
