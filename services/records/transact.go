package records

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// maxEntries bounds a Bundle.
const maxEntries = 5000

// maxAnswer bounds what the GETs of a Bundle bring along, in bytes.
const maxAnswer = 32 << 20

// entry is one entry of a batch or transaction.
type entry struct {
	place  string
	method string
	change *change
	// get is the address of a GET, without the base.
	get    string
	answer fhir.BundleEntry
	err    error
}

// Transact carries out a batch or transaction
// (https://hl7.org/fhir/R4/http.html#transaction): a transaction as a whole or
// not at all, a batch entry by entry.
func (r *Records) Transact(ctx context.Context, req *recordsv1.TransactRequest) (*recordsv1.Bundle, error) {
	doc, err := fhir.Parse(req.GetBundle())
	if err != nil {
		return nil, err
	}
	root := doc.Root()
	typ := root.Get("type").Str()
	if root.Get("resourceType").Str() != "Bundle" || typ != "batch" && typ != "transaction" {
		f := fault.New(fault.Invalid, "a Bundle of type batch or transaction is expected", nil)
		f.At = "Bundle.type"
		return nil, f
	}
	var list []*entry
	for v := range root.Get("entry").Items() {
		if len(list) == maxEntries {
			return nil, fault.Newf(fault.TooLarge, "a Bundle has at most %d entries", maxEntries)
		}
		e := &entry{place: v.Path()}
		if e.err = r.read(ctx, e, v); e.err != nil {
			if f := fault.Of(e.err); f.At == "" {
				e.err = f.In(e.place)
			}
			if typ == "transaction" {
				return nil, e.err
			}
		}
		list = append(list, e)
	}
	if typ == "transaction" {
		err = r.transaction(ctx, list)
	} else {
		r.batch(ctx, list)
	}
	if err != nil {
		return nil, err
	}
	b := fhir.Bundle{Type: typ + "-response"}
	for _, e := range list {
		b.Entry = append(b.Entry, e.answer)
	}
	return &recordsv1.Bundle{Body: b.JSON()}, nil
}

// read understands one entry.
func (r *Records) read(ctx context.Context, e *entry, v fhir.Value) error {
	request := v.Get("request")
	e.method = request.Get("method").Str()
	target := request.Get("url").Str()
	invalid := func(at fhir.Value, message string) error {
		f := fault.New(fault.Invalid, message, nil)
		f.At = at.Path()
		return f
	}
	if e.method == "GET" || e.method == "HEAD" {
		e.get = target
		return nil
	}
	// Who may send a Bundle may do in it what they may do without it.
	if op := operationOf[e.method]; op != "" {
		if _, err := r.enter(ctx, op); err != nil {
			return err
		}
	}
	path, query, _ := strings.Cut(target, "?")
	typ, id, hasID := strings.Cut(path, "/")
	n, err := r.number(typ)
	if err != nil {
		return invalid(request.Get("url"), "the address does not begin with a resource type")
	}
	c := &change{typ: typ, number: n, id: id, place: e.place, fullURL: v.Get("fullUrl").Str()}
	e.change = c
	resource := v.Get("resource")
	switch e.method {
	case "POST":
		c.verb = "create"
		if hasID || query != "" {
			return invalid(request.Get("url"), "a POST goes to a type")
		}
		if c.id, err = newID(); err != nil {
			return err
		}
		if cond := request.Get("ifNoneExist").Str(); cond != "" {
			if c.match, err = r.criteria(ctx, typ, cond); err != nil {
				f := fault.Of(err)
				f = fault.Newf(f.Class, "%s", f.Message)
				f.At = request.Get("ifNoneExist").Path()
				return f
			}
		}
	case "PUT":
		c.verb = "update"
		if !hasID || query != "" {
			return invalid(request.Get("url"), "a PUT goes to Type/id; conditional updates are not supported")
		}
		if err := sameID(resource, id); err != nil {
			return err
		}
	case "DELETE":
		c.verb = "delete"
		if !hasID || query != "" || !fhir.ValidID(id) {
			return invalid(request.Get("url"), "a DELETE goes to Type/id; conditional deletes are not supported")
		}
		c.ifMatch = version(request.Get("ifMatch").Str())
		return nil
	default:
		return invalid(request, "the method must be GET, POST, PUT or DELETE")
	}
	c.ifMatch = version(request.Get("ifMatch").Str())
	if resource.Get("resourceType").Str() != typ {
		return invalid(v, "the resource is of another type than the address")
	}
	c.body = resource
	return r.defs.Validate(resource)
}

var operationOf = map[string]string{"POST": "Create", "PUT": "Update", "DELETE": "Delete"}

// rank is the order of a transaction's verbs (https://hl7.org/fhir/R4/http.html#trules).
var rank = []string{"delete", "create", "update"}

func (r *Records) transaction(ctx context.Context, list []*entry) error {
	var changes []*change
	var gets []*entry
	seen := map[string]bool{}
	urls := map[string]bool{}
	for _, e := range list {
		if e.change == nil {
			gets = append(gets, e)
			continue
		}
		key := e.change.typ + "/" + e.change.id
		if seen[key] {
			return fault.New(fault.Invalid, "two entries are about the same resource", nil).In(e.place)
		}
		if u := e.change.fullURL; u != "" && urls[u] {
			return fault.New(fault.Invalid, "two entries have the same fullUrl", nil).In(e.place)
		}
		seen[key], urls[e.change.fullURL] = true, true
		changes = append(changes, e.change)
	}
	slices.SortStableFunc(changes, func(a, b *change) int { return slices.Index(rank, a.verb) - slices.Index(rank, b.verb) })
	if len(changes) > 0 {
		var after func(*sql.Tx) error
		if err := r.write(ctx, changes, after); err != nil {
			return err
		}
	}
	for _, e := range list {
		if e.change != nil {
			r.respond(ctx, e)
		}
	}
	// GETs come last and change nothing, so they need not hold the locks.
	left := maxAnswer
	for _, e := range gets {
		if err := r.ask(ctx, e, &left); err != nil {
			r.refuse(e, err)
		}
	}
	return nil
}

func (r *Records) batch(ctx context.Context, list []*entry) {
	left := maxAnswer
	for _, e := range list {
		err := e.err
		switch {
		case err != nil:
		case e.change == nil:
			err = r.ask(ctx, e, &left)
		default:
			e.change.fullURL = "" // the entries of a batch do not refer to each other
			if err = r.write(ctx, []*change{e.change}, nil); err == nil {
				r.respond(ctx, e)
			}
		}
		if err != nil {
			r.refuse(e, err)
		}
	}
}

func (r *Records) respond(ctx context.Context, e *entry) {
	c := e.change
	base := r.baseOf(ctx)
	e.answer = fhir.BundleEntry{Status: "200 OK", ETag: etag(c.stored.Version)}
	if !c.stored.Updated.IsZero() {
		e.answer.LastModified = stamp(c.stored.Updated)
	}
	ref := c.typ + "/" + c.id
	e.answer.Location = ref + "/_history/" + strconv.FormatInt(c.stored.Version, 10)
	switch {
	case c.verb == "delete":
		e.answer.Status, e.answer.Location = "204 No Content", ""
		return
	case c.created:
		e.answer.Status = "201 Created"
	}
	e.answer.FullURL = base + "/" + ref
}

func (r *Records) refuse(e *entry, err error) {
	f := fault.Of(err)
	if f.At == "" {
		f = f.In(e.place)
	}
	e.answer = fhir.BundleEntry{Status: statusLine(f.Class), Outcome: outcome(f)}
}

// ask answers a GET as long as the Bundle's answer has room left.
func (r *Records) ask(ctx context.Context, e *entry, left *int) error {
	if *left <= 0 {
		return fault.New(fault.TooLarge, "the answers to the Bundle's other entries are large already; ask for this one by itself", nil)
	}
	err := r.get(ctx, e)
	*left -= len(e.answer.Resource)
	return err
}

// get answers a GET within a Bundle: a read or a search.
func (r *Records) get(ctx context.Context, e *entry) error {
	path, query, _ := strings.Cut(e.get, "?")
	parts := strings.Split(path, "/")
	op := "Read"
	switch {
	case len(parts) == 1:
		op = "Search"
	case len(parts) == 4:
		op = "ReadVersion"
	case len(parts) == 3:
		op = "Everything"
	}
	ctx, err := r.enter(ctx, op)
	if err != nil {
		return err
	}
	switch {
	case len(parts) == 1:
		b, err := r.Search(ctx, &recordsv1.SearchRequest{Type: parts[0], Query: query})
		if err != nil {
			return err
		}
		e.answer = fhir.BundleEntry{Resource: b.GetBody(), Status: "200 OK"}
		return nil
	case len(parts) == 2 && query == "":
		x, err := r.Read(ctx, &recordsv1.ReadRequest{Type: parts[0], Id: parts[1]})
		if err != nil {
			return err
		}
		e.answer = fhir.BundleEntry{
			FullURL: r.baseOf(ctx) + "/" + path, Resource: x.GetBody(), Status: "200 OK",
			ETag: etag(x.GetVersion()), LastModified: x.GetLastUpdated(),
		}
		return nil
	case len(parts) == 4 && parts[2] == "_history":
		x, err := r.ReadVersion(ctx, &recordsv1.ReadVersionRequest{Type: parts[0], Id: parts[1], Version: parts[3]})
		if err != nil {
			return err
		}
		e.answer = fhir.BundleEntry{Resource: x.GetBody(), Status: "200 OK", ETag: etag(x.GetVersion()), LastModified: x.GetLastUpdated()}
		return nil
	case len(parts) == 3 && parts[0] == "Patient" && parts[2] == "$everything":
		b, err := r.Everything(ctx, &recordsv1.EverythingRequest{Patient: parts[1], Query: query})
		if err != nil {
			return err
		}
		e.answer = fhir.BundleEntry{Resource: b.GetBody(), Status: "200 OK"}
		return nil
	}
	return fault.New(fault.Invalid, "a GET within a Bundle reads Type/id, searches Type?… or asks Patient/id/$everything", nil)
}
