package records

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/kit"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/rest"
)

// maxEntries bounds a Bundle.
const maxEntries = 5000

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
	entries := slices.Collect(root.Get("entry").Items())
	if len(entries) > maxEntries {
		return nil, fault.Newf(fault.TooLarge, "a Bundle has at most %d entries", maxEntries)
	}
	list := make([]*entry, 0, len(entries))
	for i, v := range entries {
		// Value.Path counts the items before it, which adds up here.
		e := &entry{place: "Bundle.entry[" + strconv.Itoa(i) + "]"}
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
		err = r.transaction(ctx, list, req.GetPrefer())
	} else {
		r.batch(ctx, list, req.GetPrefer())
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

// rank is the order of a transaction's verbs (https://hl7.org/fhir/R4/http.html#trules).
var rank = map[string]int{"delete": 0, "create": 1, "update": 2, "patch": 2}

func (r *Records) transaction(ctx context.Context, list []*entry, prefer string) error {
	var changes []*change
	urls := map[string]bool{}
	within, methods := ctx, map[string]bool{}
	for _, e := range list {
		if e.change == nil {
			continue
		}
		if u := e.change.fullURL; u != "" && urls[u] {
			return fault.New(fault.Invalid, "two entries have the same fullUrl", nil).In(e.place)
		}
		urls[e.change.fullURL] = true
		if !methods[e.method] {
			methods[e.method] = true
			within = narrowed(within, e.scope)
		}
		changes = append(changes, e.change)
	}
	if len(urls) == 1 && urls[""] { // no entry can be meant
		for _, c := range changes {
			if err := misled(c, placeholder, noEntry); err != nil {
				return err
			}
		}
	}
	slices.SortStableFunc(changes, func(a, b *change) int { return rank[a.verb] - rank[b.verb] })
	if len(changes) > 0 {
		if err := r.write(within, changes); err != nil {
			return err
		}
	}
	left := maxAnswer
	for _, e := range list {
		if e.change != nil {
			if err := r.respond(within, e, prefer, &left); err != nil {
				return err
			}
		}
	}
	// GETs come last and change nothing, so they need not hold the locks.
	for _, e := range list {
		if e.change != nil {
			continue
		}
		if err := r.ask(ctx, e, &left); err != nil {
			r.refuse(e, err)
		}
	}
	return nil
}

// misled refuses a body that refers to what it cannot.
func misled(c *change, names func(reference string) bool, message string) error {
	for v := range c.body.Strings() {
		if v.Named("reference") && names(v.Str()) {
			f := fault.New(fault.Unprocessable, message, nil)
			f.At = v.Path()
			return c.fail(f)
		}
	}
	return nil
}

// placeholder reports whether a reference only means something in a Bundle.
func placeholder(reference string) bool {
	return strings.HasPrefix(reference, "urn:uuid:") || strings.HasPrefix(reference, "urn:oid:")
}

func (r *Records) batch(ctx context.Context, list []*entry, prefer string) {
	left := maxAnswer
	created := map[string]bool{}
	for _, e := range list {
		if e.change != nil && e.change.fullURL != "" && e.change.verb == "create" {
			created[e.change.fullURL] = true
		}
	}
	for _, e := range list {
		err := e.err
		switch {
		case err != nil:
		case e.change == nil:
			err = r.ask(ctx, e, &left)
		default:
			// https://hl7.org/fhir/R4/http.html#brules
			e.change.fullURL = ""
			if len(created) > 0 {
				err = misled(e.change, func(reference string) bool { return created[reference] },
					"the entries of a batch cannot refer to what others of them create; send a transaction")
			}
			within := narrowed(ctx, e.scope)
			if err == nil {
				err = r.write(within, []*change{e.change})
			}
			if err == nil {
				err = r.respond(within, e, prefer, &left)
			}
		}
		if err != nil {
			r.refuse(e, err)
		}
	}
}

// respond tells what became of a change, with the resource where the caller
// prefers that (https://hl7.org/fhir/R4/http.html#ops) and the answer has room.
func (r *Records) respond(ctx context.Context, e *entry, prefer string, left *int) error {
	c := e.change
	if c.verb == "delete" {
		e.answer = fhir.BundleEntry{Status: "204 No Content"}
		if c.stored != nil && c.match == nil {
			e.answer.ETag = fhir.ETag(c.stored.Version)
		}
		switch {
		case c.match != nil:
			e.answer.Status, e.answer.Outcome = "200 OK", fhir.Inform(strconv.Itoa(c.deleted())+" deleted")
		case prefer == "OperationOutcome":
			e.answer.Status, e.answer.Outcome = "200 OK", fhir.Inform(strconv.Itoa(c.deleted())+" deleted")
		}
		return nil
	}
	e.answer = fhir.BundleEntry{Status: "200 OK", ETag: fhir.ETag(c.stored.Version)}
	if !c.stored.Updated.IsZero() {
		e.answer.LastModified = fhir.Instant(c.stored.Updated)
	}
	if c.created {
		e.answer.Status = "201 Created"
	}
	e.answer.Location = c.reference() + "/_history/" + strconv.FormatInt(c.stored.Version, 10)
	e.answer.FullURL = r.baseOf(ctx) + "/" + c.reference()
	switch prefer {
	case "OperationOutcome":
		e.answer.Outcome = fhir.Inform("stored")
	case "representation":
		if *left > 0 {
			body, _, err := r.shown(ctx, c.stored)
			if err != nil {
				return err
			}
			e.answer.Resource = body
			*left -= len(body)
		}
	}
	return nil
}

func (r *Records) refuse(e *entry, err error) {
	f := fault.Of(err)
	if f.At == "" {
		f = f.In(e.place)
	}
	e.answer = fhir.BundleEntry{Status: statusLine(f.Class), Outcome: rest.OutcomeOf(f)}
}

func statusLine(c fault.Class) string {
	code := kit.StatusOf[c]
	return strconv.Itoa(code) + " " + http.StatusText(code)
}
