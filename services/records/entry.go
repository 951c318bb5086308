package records

import (
	"context"
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/services/records/record"
)

// entry is one entry of a batch or transaction.
type entry struct {
	place  string
	method string
	change *change
	// scope is what the caller reaches with the change's own operation.
	scope *guard.Scope
	// question is what an entry asks that changes nothing.
	question question
	answer   fhir.BundleEntry
	err      error
}

// operationOf is what the caller must have the right to.
var operationOf = map[string]string{"POST": "Create", "PUT": "Update", "PATCH": "Patch", "DELETE": "Delete"}

func invalidAt(v fhir.Value, message string) error {
	return fault.New(fault.Invalid, message, nil).In(v.Path())
}

// moved gives an error within a header or address of an entry its place.
func moved(v fhir.Value, err error) error {
	f := fault.Of(err)
	return fault.New(f.Class, f.Message, err).In(v.Path())
}

// read understands one entry.
func (r *Records) read(ctx context.Context, e *entry, v fhir.Value) error {
	if r.settings.validate {
		if err := r.defs.Entry(v); err != nil {
			return err
		}
	}
	request := v.Get("request")
	e.method = request.Get("method").Str()
	address := request.Get("url")
	local := r.local(ctx, address.Str())
	path, query, _ := strings.Cut(local, "?")
	if e.method == "GET" || e.method == "HEAD" || e.method == "POST" && strings.Contains(path, "$") {
		var known bool
		if e.question, known = questionOf(e.method, local, v); !known {
			return invalidAt(address, "an entry reads Type/id or Type/id/_history/version, lists a _history, searches Type?…, or calls an operation that changes nothing")
		}
		return nil
	}
	op := operationOf[e.method]
	if op == "" {
		return invalidAt(request, "the method must be GET, HEAD, POST, PUT, PATCH or DELETE")
	}
	// Who may send a Bundle may do in it what they may do without it.
	entered, err := r.enter(ctx, op)
	if err != nil {
		return err
	}
	e.scope = guard.ScopeOf(entered)
	typ, id, hasID := strings.Cut(path, "/")
	n, err := r.number(typ)
	if err != nil {
		return invalidAt(address, "the address does not begin with a resource type")
	}
	c := &change{typ: typ, number: n, id: id, place: e.place, fullURL: v.Get("fullUrl").Str()}
	e.change = c
	if c.ifMatch, err = tags(request.Get("ifMatch").Str(), "ifMatch"); err != nil {
		return moved(request.Get("ifMatch"), err)
	}
	if c.ifNoneMatch, err = tags(request.Get("ifNoneMatch").Str(), "ifNoneMatch"); err != nil {
		return moved(request.Get("ifNoneMatch"), err)
	}
	if e.method == "POST" {
		if hasID || query != "" {
			return invalidAt(address, "a POST goes to a type")
		}
		return r.readCreate(ctx, c, v)
	}
	if hasID == (query != "") || hasID && !fhir.ValidID(id) {
		return invalidAt(address, "the address is Type/id, or Type?criteria")
	}
	return r.readChange(ctx, c, v, query)
}

// local returns an address relative to the base, as the standard writes it;
// clients also send /Patient, and whole addresses of this server.
func (r *Records) local(ctx context.Context, address string) string {
	for _, base := range r.bases(ctx) {
		if rest, ok := strings.CutPrefix(address, base); ok && (rest == "" || rest[0] == '/' || rest[0] == '?') {
			address = rest
			break
		}
	}
	return strings.TrimPrefix(address, "/")
}

// narrowed returns a context whose scope lies within the context's own and
// another: an entry reaches no further than the Bundle, nor than its own
// operation does without one. What only one of them names as a person and the
// other by the commune is left out.
func narrowed(ctx context.Context, other *guard.Scope) context.Context {
	own := guard.ScopeOf(ctx)
	switch {
	case other.GetAll() || own == other:
		return ctx
	case own.GetAll():
		return guard.WithScope(ctx, other)
	}
	return guard.WithScope(ctx, &guard.Scope{
		Shared: own.GetShared() && other.GetShared(), Deidentified: own.GetDeidentified() || other.GetDeidentified(),
		Patients: both(own.GetPatients(), other.GetPatients()), Communes: both(own.GetCommunes(), other.GetCommunes()),
	})
}

// both returns what stands in both lists.
func both(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}

func (r *Records) readCreate(ctx context.Context, c *change, v fhir.Value) (err error) {
	c.verb = "create"
	if c.id, err = record.NewID(); err != nil {
		return err
	}
	if cond := v.Get("request").Get("ifNoneExist"); cond.Str() != "" {
		if c.match, err = r.criteria(ctx, c.typ, cond.Str()); err != nil {
			return moved(cond, err)
		}
	}
	return r.readBody(c, v)
}

func (r *Records) readBody(c *change, v fhir.Value) error {
	if c.body = v.Get("resource"); !c.body.Exists() {
		return invalidAt(v, "a resource is expected")
	}
	if c.body.Get("resourceType").Str() != c.typ {
		return invalidAt(v, "the resource is of another type than the address")
	}
	return r.valid(c.body)
}

// readChange reads what is about a resource that may be there.
func (r *Records) readChange(ctx context.Context, c *change, v fhir.Value, query string) (err error) {
	address := v.Get("request").Get("url")
	switch v.Get("request").Get("method").Str() {
	case "PUT":
		c.verb = "update"
		err = r.readBody(c, v)
	case "PATCH":
		c.verb = "patch"
		if c.patch, err = r.entryPatch(v.Get("resource")); err != nil {
			err = fault.Of(err).In(c.place + ".resource")
		}
	default:
		c.verb = "delete"
	}
	if err != nil {
		return err
	}
	if err = r.target(ctx, c, query); err != nil && !strings.HasPrefix(fault.Of(err).At, "Bundle.") {
		return moved(address, err)
	}
	return err
}
