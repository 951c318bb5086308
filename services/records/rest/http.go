package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-kit/kit/endpoint"
	kithttp "github.com/go-kit/kit/transport/http"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/kit"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/binary"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
)

// Limits of what the FHIR face reads, in bytes.
const (
	maxBundle = 50 << 20
	maxForm   = 1 << 20
)

const (
	// Prefix is where the face is served.
	Prefix      = "/fhir/R4"
	contentType = fhirJSON + "; charset=utf-8"
)

// Deps are what the face speaks to.
type Deps struct {
	// Table lists the operations, which are called behind Guard.
	Table kit.Table
	Guard *guard.Guard
	// Public is the origin in links, empty for that of the request.
	Public string
	// Notifications serves the websockets of Subscriptions.
	Notifications http.Handler

	// Open opens a Binary for a caller who wants its raw content, or the
	// resource that may be larger than memory.
	Open func(ctx context.Context, id, version string, raw bool) (*binary.Content, error)
	// Upload stores raw content of at most MaxContent bytes as a Binary, under
	// an id or a new one.
	Upload     func(ctx context.Context, u *binary.Upload) (*recordsv1.Resource, error)
	MaxContent int64
	// Unchanged reports whether the caller has the version already.
	Unchanged func(req *recordsv1.ReadRequest, x *record.Stored) bool
}

// Face is FHIR's own REST face (https://hl7.org/fhir/R4/http.html). Each
// interaction calls the guarded endpoint of the table.
type Face struct {
	Deps

	endpoints map[string]endpoint.Endpoint
	// mux tells which methods an address has.
	mux *http.ServeMux
	// binaries are the endpoints of raw content.
	binaries map[string]endpoint.Endpoint
}

// New makes the face.
func New(d Deps) (*Face, error) {
	f := &Face{Deps: d, endpoints: map[string]endpoint.Endpoint{}, binaries: binaries(d)}
	for _, op := range d.Table.Operations {
		e, err := d.Table.Lookup(d.Guard, op.Method)
		if err != nil {
			return nil, err
		}
		f.endpoints[op.Method] = e
	}
	return f, nil
}

// refuse answers with a status that is HTTP's own business.
func refuse(ctx context.Context, w http.ResponseWriter, status int, message string) {
	// A client that left is no error.
	_ = write(ctx, w, status, fhir.Outcome(fhir.Issue{Severity: "error", Code: "not-supported", Diagnostics: message}))
}

// before carries the headers that answers depend on, and the address for links.
func (f *Face) before(ctx context.Context, r *http.Request) context.Context {
	base := f.Public
	if base == "" {
		scheme := "http"
		if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
			scheme = "https"
		}
		base = scheme + "://" + r.Host
	}
	ctx = kit.FromHTTP(ctx, r)
	ctx = context.WithValue(ctx, headersKey{}, headers{
		prefer: r.Header.Values("Prefer"), head: r.Method == http.MethodHead, conditional: r.PathValue("id") == "",
		pretty: strings.Contains(r.URL.RawQuery, "_pretty=true"),
	})
	return caller.WithBase(ctx, base+Prefix)
}

type headersKey struct{}

type headers struct {
	prefer []string
	head   bool
	// pretty: the answer is for a person to read.
	pretty bool
	// conditional: the address names criteria instead of an id.
	conditional bool
}

// preference returns what a Prefer header says of name (RFC 7240).
func preference(list []string, name string) string {
	for _, h := range list {
		for part := range strings.FieldsFuncSeq(h, func(r rune) bool { return r == ',' || r == ';' }) {
			if k, v, _ := strings.Cut(part, "="); strings.EqualFold(strings.TrimSpace(k), name) {
				return strings.Trim(strings.TrimSpace(v), `"`)
			}
		}
	}
	return ""
}

// body reads the body of whoever shows a token; for the others the guard's
// refusal needs none, and 50 MB of a stranger no memory.
func body(r *http.Request, limit int64) ([]byte, error) {
	if r.Header.Get("Authorization") == "" {
		return nil, nil
	}
	return kit.ReadBody(r, limit)
}

// posted reads the body of a POST; a GET of an operation has none.
func posted(r *http.Request) ([]byte, error) {
	if r.Method != http.MethodPost {
		return nil, nil
	}
	return body(r, record.MaxSize)
}

// decodeForm asks for one of the forms in which the server describes itself.
func decodeForm(form string) kithttp.DecodeRequestFunc {
	return func(context.Context, *http.Request) (any, error) {
		return &recordsv1.CapabilitiesRequest{Form: form}, nil
	}
}

func decodeRead(_ context.Context, r *http.Request) (any, error) {
	return &recordsv1.ReadRequest{
		Type: r.PathValue("type"), Id: r.PathValue("id"), Query: r.URL.RawQuery,
		IfNoneMatch: r.Header.Get("If-None-Match"), IfModifiedSince: r.Header.Get("If-Modified-Since"),
	}, nil
}

func decodeVersion(_ context.Context, r *http.Request) (any, error) {
	return &recordsv1.ReadVersionRequest{Type: r.PathValue("type"), Id: r.PathValue("id"), Version: r.PathValue("version"), Query: r.URL.RawQuery}, nil
}

func decodeHistory(_ context.Context, r *http.Request) (any, error) {
	return &recordsv1.HistoryRequest{Type: r.PathValue("type"), Id: r.PathValue("id"), Query: r.URL.RawQuery}, nil
}

func decodeCreate(_ context.Context, r *http.Request) (any, error) {
	b, err := body(r, record.MaxSize)
	return &recordsv1.CreateRequest{Type: r.PathValue("type"), Body: b, IfNoneExist: r.Header.Get("If-None-Exist")}, err
}

func decodeUpdate(_ context.Context, r *http.Request) (any, error) {
	b, err := body(r, record.MaxSize)
	if err != nil {
		return nil, err
	}
	// Required of a client (https://hl7.org/fhir/R4/http.html#update); what
	// does not parse is refused behind the guard.
	if doc, err := fhir.Parse(b); err == nil && r.PathValue("id") != "" && !doc.Root().Get("id").Exists() {
		return nil, fault.New(fault.Invalid, "the resource must have the id of the address", nil).In("id")
	}
	return &recordsv1.UpdateRequest{
		Type: r.PathValue("type"), Id: r.PathValue("id"), Query: criteriaOf(r), Body: b,
		IfMatch: r.Header.Get("If-Match"), IfNoneMatch: r.Header.Get("If-None-Match"),
	}, err
}

// criteriaOf returns the criteria of a conditional interaction; with an id
// the query is no matter of the interaction.
func criteriaOf(r *http.Request) string {
	if r.PathValue("id") != "" {
		return ""
	}
	return r.URL.RawQuery
}

func decodePatch(_ context.Context, r *http.Request) (any, error) {
	b, err := body(r, record.MaxSize)
	return &recordsv1.PatchRequest{
		Type: r.PathValue("type"), Id: r.PathValue("id"), Query: criteriaOf(r), Body: b,
		ContentType: r.Header.Get("Content-Type"), IfMatch: r.Header.Get("If-Match"),
	}, err
}

func decodeDelete(_ context.Context, r *http.Request) (any, error) {
	return &recordsv1.DeleteRequest{Type: r.PathValue("type"), Id: r.PathValue("id"), Query: criteriaOf(r), IfMatch: r.Header.Get("If-Match")}, nil
}

func decodeSearch(_ context.Context, r *http.Request) (any, error) {
	return searchOf(r, r.URL.RawQuery), nil
}

// searchOf reads where a search goes: /{type}, /{compartment}/{id}/{type}, or
// every type, in a compartment written "*".
func searchOf(r *http.Request, query string) *recordsv1.SearchRequest {
	typ := r.PathValue("type")
	if typ == "*" {
		typ = ""
	}
	return &recordsv1.SearchRequest{
		Type: typ, Query: query, Lenient: lenient(r), Compartment: r.PathValue("compartment"), CompartmentId: r.PathValue("id"),
	}
}

func lenient(r *http.Request) bool {
	return preference(r.Header.Values("Prefer"), "handling") == "lenient"
}

// decodeSearchForm reads a search from a form, whose parameters do not stand in logs.
func decodeSearchForm(_ context.Context, r *http.Request) (any, error) {
	form, err := body(r, maxForm)
	if err != nil {
		return nil, err
	}
	query := string(form)
	if r.URL.RawQuery != "" {
		query = strings.Trim(query+"&"+r.URL.RawQuery, "&")
	}
	return searchOf(r, query), nil
}

func decodeEverything(_ context.Context, r *http.Request) (any, error) {
	b, err := posted(r)
	return &recordsv1.EverythingRequest{Patient: r.PathValue("id"), Query: r.URL.RawQuery, Body: b}, err
}

func decodeTransact(_ context.Context, r *http.Request) (any, error) {
	b, err := body(r, maxBundle)
	return &recordsv1.TransactRequest{Bundle: b, Prefer: preference(r.Header.Values("Prefer"), "return")}, err
}

// write sends a body; HEAD sends its headers only.
func write(ctx context.Context, w http.ResponseWriter, status int, body []byte) error {
	return writeAs(ctx, w, contentType, status, body)
}

func writeAs(ctx context.Context, w http.ResponseWriter, mime string, status int, body []byte) error {
	asked, _ := ctx.Value(headersKey{}).(headers)
	if asked.pretty {
		// Indenting keeps every string and number as it is.
		var b bytes.Buffer
		if err := json.Indent(&b, body, "", "  "); err == nil {
			body = b.Bytes()
		}
	}
	h := w.Header()
	h.Set("Content-Type", mime)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	// What is read here belongs to a person and to nobody's cache.
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if asked.head {
		return nil
	}
	_, err := w.Write(body)
	return err
}
