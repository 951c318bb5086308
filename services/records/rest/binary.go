package rest

import (
	"context"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-kit/kit/endpoint"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/kit"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/binary"
)

// uploadWait is how long the sender of content may pause.
const uploadWait = 2 * time.Minute

// binaries are the guarded endpoints of raw content. They have the rights of
// the operations whose names they bear, and their place in the audit log.
func binaries(d Deps) map[string]endpoint.Endpoint {
	read := func(ctx context.Context, request any) (any, error) {
		q, ok := request.(*binaryRequest)
		if !ok {
			return nil, errAnswer
		}
		return d.Open(ctx, q.id, q.version, q.raw)
	}
	store := func(ctx context.Context, request any) (any, error) {
		u, ok := request.(*binary.Upload)
		if !ok {
			return nil, errAnswer
		}
		return d.Upload(ctx, u)
	}
	list := map[string]endpoint.Endpoint{}
	for name, e := range map[string]endpoint.Endpoint{"Read": read, "ReadVersion": read, "Create": store, "Update": store} {
		list[name] = d.Guard.Middleware("records."+name, guard.Rules{})(e)
	}
	return list
}

// binaryRequest asks for a Binary.
type binaryRequest struct {
	id, version string
	raw         bool
}

// GetType and GetId name the resource in the audit log.
func (*binaryRequest) GetType() string { return "Binary" }

// GetId is the id of the address.
func (q *binaryRequest) GetId() string { return q.id } //nolint:revive,staticcheck // the name that the guard looks for

// readBinary answers a read of a Binary with its content, unless the resource
// is asked for (https://hl7.org/fhir/R4/binary.html#rest).
func readBinary(f *Face, operation string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resource, part := asksResource(r)
		if r.PathValue("type") != "Binary" || part {
			next.ServeHTTP(w, r)
			return
		}
		kit.Vary(w.Header(), "Accept")
		ctx := f.before(r.Context(), r)
		resp, err := f.binaries[operation](ctx, &binaryRequest{r.PathValue("id"), r.PathValue("version"), !resource})
		if err != nil {
			encodeError(ctx, err, w)
			return
		}
		b, ok := resp.(*binary.Content)
		if !ok {
			encodeError(ctx, errAnswer, w)
			return
		}
		h := w.Header()
		h.Set("ETag", fhir.ETag(b.Version))
		h.Set("Cache-Control", "no-store")
		if resource {
			serveResource(ctx, f, w, r, b)
			return
		}
		serveContent(ctx, w, r, b)
	})
}

// asksResource reports whether the request names a FHIR format, and whether
// it wants a part of the resource, or a format that is refused as elsewhere.
func asksResource(r *http.Request) (resource, part bool) {
	accept := strings.ToLower(strings.Join(r.Header.Values("Accept"), ","))
	resource = strings.Contains(accept, "fhir")
	refused := resource && !strings.Contains(accept, "json")
	if r.URL.RawQuery == "" {
		return resource, refused
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return false, true
	}
	for name, v := range query {
		if name != "_format" {
			return false, true
		}
		format := strings.ToLower(v[0])
		resource = strings.Contains(format, "fhir") || format == "json" || format == "application/json" || format == "text/json"
		refused = !resource && !strings.Contains(format, "/") || resource && !strings.Contains(format, "json")
	}
	return resource, refused
}

// serveContent sends the content itself. It comes from users and must never
// run in the origin of the apps: it is a download, of the stated type, and
// should a browser show it nevertheless, without scripts and origin.
func serveContent(ctx context.Context, w http.ResponseWriter, r *http.Request, b *binary.Content) {
	content, err := b.Open(ctx)
	if err != nil {
		w.Header().Del("ETag")
		encodeError(ctx, err, w)
		return
	}
	h := w.Header()
	kind := "application/octet-stream"
	if t, _ := rawType(b.MIME); t != "" {
		kind = b.MIME
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", "attachment")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if b.Context != "" && !strings.ContainsAny(b.Context, "\r\n") {
		h.Set("X-Security-Context", b.Context)
	}
	// Ranges, conditions and HEAD (RFC 9110 sections 13 and 14).
	http.ServeContent(&outcomes{ResponseWriter: w, ctx: ctx}, r, "", b.Updated, content)
}

// outcomes makes an OperationOutcome of what http.ServeContent refuses in
// plain text.
type outcomes struct {
	http.ResponseWriter
	ctx     context.Context
	refused bool
}

// refusals are what it may refuse.
var refusals = map[int]string{
	http.StatusRequestedRangeNotSatisfiable: "the range lies outside the content",
	http.StatusPreconditionFailed:           "the content is of another version than the request wants",
}

func (w *outcomes) WriteHeader(status int) {
	message := refusals[status]
	if message == "" {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.refused = true
	w.Header().Del("Content-Disposition")
	refuse(w.ctx, w.ResponseWriter, status, message)
}

func (w *outcomes) Write(b []byte) (int, error) {
	if w.refused {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// serveResource sends the resource, part by part where it is large.
func serveResource(ctx context.Context, f *Face, w http.ResponseWriter, r *http.Request, b *binary.Content) {
	h := w.Header()
	h.Set("Last-Modified", b.Updated.UTC().Format(http.TimeFormat))
	conditions := &recordsv1.ReadRequest{IfNoneMatch: r.Header.Get("If-None-Match"), IfModifiedSince: r.Header.Get("If-Modified-Since")}
	if r.PathValue("version") == "" && f.Unchanged(conditions, b.Stored) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", contentType)
	length := int64(len(b.Body))
	for _, s := range b.Splices {
		length += s.Len()
	}
	h.Set("Content-Length", strconv.FormatInt(length, 10))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		// What is cut short is shorter than its length, which the client sees.
		_ = b.Write(ctx, w)
	}
}

// storeBinary stores raw content as a Binary, unless it is a resource.
func storeBinary(f *Face, operation string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, raw := rawType(r.Header.Get("Content-Type"))
		if r.PathValue("type") != "Binary" || !raw {
			next.ServeHTTP(w, r)
			return
		}
		ctx := f.before(r.Context(), r)
		if r.Header.Get("Content-Range") != "" {
			// A part must not be taken for the whole (RFC 9110 section 14.5).
			refuse(ctx, w, http.StatusBadRequest, "content is sent whole, without Content-Range")
			return
		}
		limit := f.MaxContent
		if r.ContentLength > limit && r.Header.Get("Authorization") != "" {
			encodeError(ctx, fault.Newf(fault.TooLarge, "the content is larger than %d bytes", limit), w)
			return
		}
		resp, err := f.binaries[operation](ctx, &binary.Upload{
			Type: "Binary", ID: r.PathValue("id"), MIME: r.Header.Get("Content-Type"), Context: r.Header.Get("X-Security-Context"),
			IfMatch: r.Header.Get("If-Match"), IfNoneMatch: r.Header.Get("If-None-Match"), IfNoneExist: r.Header.Get("If-None-Exist"),
			Body: &steady{http.MaxBytesReader(w, r.Body, limit), http.NewResponseController(w)},
		})
		if err == nil {
			err = encodeWrite(ctx, w, resp)
		}
		if err != nil {
			encodeError(ctx, err, w)
		}
	})
}

// steady reads from a sender who may be slow but must not pause.
type steady struct {
	from    io.Reader
	control *http.ResponseController
}

func (p *steady) Read(b []byte) (int, error) {
	// Where the deadline cannot be moved, the server's own stays.
	_ = p.control.SetReadDeadline(time.Now().Add(uploadWait))
	return p.from.Read(b)
}

// rawType reads the Content-Type of raw content. FHIR's own formats are no
// raw content: they are parsed, or refused.
func rawType(header string) (kind string, raw bool) {
	kind, _, err := mime.ParseMediaType(header)
	if err != nil || !strings.Contains(kind, "/") {
		return "", false
	}
	return kind, !strings.Contains(kind, "fhir") && kind != "application/json" && kind != "text/json"
}
