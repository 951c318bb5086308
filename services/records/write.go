package records

import (
	"bytes"
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/record"
)

// change is one write that a caller asks for.
type change struct {
	verb   string // create, update, delete
	typ    string
	number int16
	id     string // of create: given by the server
	// given is the id that a create has unless its condition matches.
	given string
	body  fhir.Value
	// ifMatch is the version that must be current, "" for any.
	ifMatch string
	// match are the criteria of a conditional create.
	match *record.Query
	// fullURL is how the other entries of a Bundle refer to it.
	fullURL string
	// place is where it stands in a Bundle, for errors.
	place string

	// What became of it.
	stored  *record.Stored
	created bool
	// settled: there is nothing to write.
	settled bool

	old *record.Stored
}

func (c *change) fail(err error) error {
	if c.place == "" {
		return err
	}
	f := fault.Of(err)
	if strings.HasPrefix(f.At, "Bundle.") {
		return f
	}
	return f.In(c.place)
}

// newID returns an id that no resource has; it begins with the time, so that
// index pages fill one after another.
func newID() (string, error) {
	u, err := uuid.NewV7()
	return u.String(), err
}

// parse reads and validates a resource of the given type.
func (r *Records) parse(typ string, body []byte) (fhir.Value, error) {
	doc, err := fhir.Parse(body)
	if err != nil {
		return fhir.Value{}, err
	}
	v := doc.Root()
	if got := v.Get("resourceType").Str(); got != typ {
		f := fault.Newf(fault.Invalid, "resourceType must be %s", typ)
		f.At = "resourceType"
		return v, f
	}
	return v, r.defs.Validate(v)
}

// Create stores a new resource (https://hl7.org/fhir/R4/http.html#create).
func (r *Records) Create(ctx context.Context, req *recordsv1.CreateRequest) (*recordsv1.Resource, error) {
	n, err := r.number(req.GetType())
	if err != nil {
		return nil, err
	}
	v, err := r.parse(req.GetType(), req.GetBody())
	if err != nil {
		return nil, err
	}
	c := &change{verb: "create", typ: req.GetType(), number: n, body: v}
	if c.id, err = newID(); err != nil {
		return nil, err
	}
	if req.GetIfNoneExist() != "" {
		if c.match, err = r.criteria(ctx, c.typ, req.GetIfNoneExist()); err != nil {
			return nil, err
		}
	}
	return r.single(ctx, c)
}

// criteria reads the search of a conditional create. It must name something
// that belongs to one resource only.
func (r *Records) criteria(ctx context.Context, typ, query string) (*record.Query, error) {
	x, err := r.store.Indexer(ctx)
	if err != nil {
		return nil, err
	}
	q, err := x.ParseQuery(typ, query, false)
	if err != nil {
		return nil, err
	}
	if len(q.Filters) == 0 {
		return nil, fault.New(fault.Invalid, "the condition names no search parameter, such as identifier=system|value", nil)
	}
	q.Count, q.Total, q.CountOnly, q.Cursor = 2, false, false, nil
	return q, nil
}

// Update replaces the current version, or creates the resource under the
// client's id (https://hl7.org/fhir/R4/http.html#update).
func (r *Records) Update(ctx context.Context, req *recordsv1.UpdateRequest) (*recordsv1.Resource, error) {
	n, err := r.number(req.GetType())
	if err != nil {
		return nil, err
	}
	v, err := r.parse(req.GetType(), req.GetBody())
	if err != nil {
		return nil, err
	}
	if err := sameID(v, req.GetId()); err != nil {
		return nil, err
	}
	return r.single(ctx, &change{verb: "update", typ: req.GetType(), number: n, id: req.GetId(), body: v, ifMatch: version(req.GetIfMatch())})
}

func sameID(v fhir.Value, id string) error {
	if !fhir.ValidID(id) {
		return fault.New(fault.Invalid, "an id has 1 to 64 letters, digits, hyphens and dots", nil)
	}
	if in := v.Get("id"); in.Exists() && in.Str() != id {
		f := fault.New(fault.Invalid, "the id in the resource is another one than in the address", nil)
		f.At = in.Path()
		return f
	}
	return nil
}

// Delete marks the resource as deleted; its history stays. Deleting what is
// deleted already changes nothing.
func (r *Records) Delete(ctx context.Context, req *recordsv1.DeleteRequest) (*recordsv1.Resource, error) {
	n, err := r.number(req.GetType())
	if err != nil {
		return nil, err
	}
	if !fhir.ValidID(req.GetId()) {
		return nil, hidden(ctx, fault.New(fault.NotFound, "there is no such resource", nil))
	}
	return r.single(ctx, &change{verb: "delete", typ: req.GetType(), number: n, id: req.GetId(), ifMatch: version(req.GetIfMatch())})
}

func (r *Records) single(ctx context.Context, c *change) (*recordsv1.Resource, error) {
	if err := r.write(ctx, []*change{c}, nil); err != nil {
		return nil, err
	}
	a, err := r.answer(ctx, c.stored, "")
	if err != nil {
		return nil, err
	}
	a.Created = c.created
	return a, nil
}

// write carries out all changes or none. after, if given, runs in the same
// transaction.
func (r *Records) write(ctx context.Context, list []*change, after func(*sql.Tx) error) error {
	if deidentified(ctx) {
		return fault.New(fault.Forbidden, "records without names cannot be changed", nil)
	}
	plain := after == nil
	for _, c := range list {
		plain = plain && c.verb == "create" && c.match == nil && !conditional(c.body)
	}
	for _, c := range list {
		c.given = c.id
	}
	var err error
	if plain {
		// New ids only: one statement, which is a transaction by itself.
		err = r.attempt(ctx, nil, list)
	} else {
		err = r.store.InTx(ctx, func(tx *sql.Tx) error {
			for _, c := range list {
				c.stored, c.old, c.created, c.settled = nil, nil, false, false
				if c.verb == "create" {
					c.id = c.given
				}
			}
			if err := r.attempt(ctx, tx, list); err != nil {
				return err
			}
			if after != nil {
				return after(tx)
			}
			return nil
		})
	}
	if err != nil {
		return err
	}
	for _, c := range list {
		r.touch(ctx, c.stored)
	}
	return nil
}

// conditional reports whether the text may hold a conditional reference.
func conditional(v fhir.Value) bool { return bytes.IndexByte(v.Raw(), '?') >= 0 }

func (r *Records) attempt(ctx context.Context, tx *sql.Tx, list []*change) error {
	x, err := r.store.Indexer(ctx)
	if err != nil {
		return err
	}
	b := &batch{r: r, x: x, tx: tx, list: list, now: r.now().UTC().Truncate(time.Millisecond), scope: guard.ScopeOf(ctx)}
	for _, step := range []func(context.Context) error{b.matches, b.lock, b.compose, b.compartments} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return r.store.Put(ctx, tx, author(ctx), b.writes)
}

// lock locks what is updated or deleted and checks If-Match.
func (b *batch) lock(ctx context.Context) error {
	var refs []record.Ref
	for _, c := range b.list {
		if c.verb != "create" {
			refs = append(refs, record.Ref{Type: c.number, Target: c.id})
		}
	}
	if len(refs) == 0 {
		return nil
	}
	found, err := b.r.store.Lock(ctx, b.tx, refs)
	if err != nil {
		return err
	}
	for _, c := range b.list {
		if c.verb != "create" {
			c.old = found[record.Ref{Type: c.number, Target: c.id}]
		}
	}
	// Before anything else is said of a resource: whether it is there, deleted
	// or of another version is nobody's business out of reach.
	if err := b.within(ctx); err != nil {
		return err
	}
	for _, c := range b.list {
		if c.verb == "create" {
			continue
		}
		if err := b.check(c); err != nil {
			return c.fail(hidden(ctx, err))
		}
	}
	return nil
}

func (b *batch) check(c *change) error {
	if c.ifMatch != "" && (c.old == nil || c.old.Deleted || c.ifMatch != "*" && strconv.FormatInt(c.old.Version, 10) != c.ifMatch) {
		if c.old == nil && !b.scope.GetAll() {
			return fault.New(fault.NotFound, "there is no such resource", nil)
		}
		return fault.New(fault.Precondition, "somebody changed the resource since you read it: read it again", nil)
	}
	if c.verb == "delete" && c.old == nil {
		return fault.New(fault.NotFound, "there is no such resource", nil)
	}
	return nil
}
