package rest

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	kithttp "github.com/go-kit/kit/transport/http"
	"github.com/klauspost/compress/gzip"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/kit"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/bulk"
	"github.com/yba-health/yba/services/records/caller"
)

// bulkOperation begins the canonicals of the bulk data operations.
const bulkOperation = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/"

// exportStatus is where an export's status is, below the base.
const exportStatus = "/$export-status"

// decodeExport reads the kick-off request, whose parameters stand in the
// address or in a Parameters resource.
func decodeExport(level string) kithttp.DecodeRequestFunc {
	return func(ctx context.Context, r *http.Request) (any, error) {
		asked, _ := ctx.Value(headersKey{}).(headers)
		if !prefers(asked.prefer, "respond-async") && r.Header.Get("Authorization") != "" {
			return nil, fault.New(fault.Invalid, "$export answers later: send Prefer: respond-async", nil)
		}
		base := caller.Base(ctx, "")
		req := &recordsv1.ExportRequest{
			Level: level, Group: r.PathValue("id"), Query: r.URL.RawQuery, Lenient: lenient(r),
			Request: base + strings.TrimPrefix(r.URL.RequestURI(), Prefix),
		}
		if r.Method != http.MethodPost {
			return req, nil
		}
		b, err := body(r, maxForm)
		if err != nil || len(b) == 0 {
			return req, err
		}
		more, err := parametersQuery(b)
		req.Query = strings.Trim(req.GetQuery()+"&"+more, "&")
		return req, err
	}
}

// parametersQuery turns a Parameters resource into a query.
func parametersQuery(body []byte) (string, error) {
	doc, err := fhir.Parse(body)
	if err != nil {
		return "", err
	}
	if doc.Root().Get("resourceType").Str() != "Parameters" {
		return "", fault.New(fault.Invalid, "the body is a Parameters resource, or nothing", nil).In("resourceType")
	}
	q := url.Values{}
	for p := range doc.Root().Get("parameter").Items() {
		value := "" // of what no parameter of ours has, which is refused by its name
		for name, v := range p.Members() {
			if strings.HasPrefix(name, "value") {
				value = v.Str()
			}
		}
		q.Add(p.Get("name").Str(), value)
	}
	return q.Encode(), nil
}

// prefers reports whether a Prefer header holds a token (RFC 7240).
func prefers(list []string, token string) bool {
	for _, h := range list {
		for part := range strings.FieldsFuncSeq(h, func(r rune) bool { return r == ',' || r == ';' }) {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

func encodeExport(ctx context.Context, w http.ResponseWriter, response any) error {
	x, ok := response.(*recordsv1.ExportResponse)
	if !ok {
		return errAnswer
	}
	base := caller.Base(ctx, "")
	w.Header().Set("Content-Location", base+exportStatus+"?job="+x.GetJob())
	issues := []fhir.Issue{{Severity: "information", Code: "informational", Diagnostics: "the export has begun"}}
	if list := x.GetIgnored(); len(list) > 0 {
		issues = append(issues, fhir.Issue{Severity: "warning", Code: "not-supported", Diagnostics: "ignored: " + strings.Join(list, ", ")})
	}
	return write(ctx, w, http.StatusAccepted, fhir.Outcome(issues...))
}

func decodeExportStatus(_ context.Context, r *http.Request) (any, error) {
	return &recordsv1.ExportStatusRequest{Job: r.URL.Query().Get("job")}, nil
}

func encodeExportStatus(ctx context.Context, w http.ResponseWriter, response any) error {
	x, ok := response.(*recordsv1.ExportStatusResponse)
	if !ok {
		return errAnswer
	}
	if !x.GetComplete() {
		w.Header().Set("X-Progress", x.GetProgress())
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	if t, err := time.Parse(fhir.InstantLayout, x.GetExpires()); err == nil {
		w.Header().Set("Expires", t.UTC().Format(http.TimeFormat))
	}
	return write(ctx, w, http.StatusOK, x.GetManifest())
}

func decodeExportCancel(_ context.Context, r *http.Request) (any, error) {
	return &recordsv1.ExportCancelRequest{Job: r.URL.Query().Get("job")}, nil
}

func encodeExportCancel(_ context.Context, w http.ResponseWriter, _ any) error {
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// streamExport sends a file page by page. Each page is an operation of its
// own behind the guard: a right that ends ends the download.
func streamExport(f *Face) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := f.before(r.Context(), r)
		asked := r.URL.Query()
		n, err := strconv.ParseInt(asked.Get("file"), 10, 32)
		if err != nil {
			n = -1 // which no file has
		}
		req := &recordsv1.ExportFileRequest{Job: asked.Get("job"), File: int32(n), Deleted: asked.Get("deleted") == "true"}
		var out io.WriteCloser
		for first := true; first || req.GetAfter() != ""; first = false {
			got, err := f.endpoints["ExportFile"](ctx, req)
			page, ok := got.(*recordsv1.ExportFileResponse)
			if err == nil && !ok {
				err = errAnswer
			}
			if err != nil && first {
				encodeError(ctx, err, w)
				return
			}
			if err != nil {
				// The head was sent already: only a broken connection tells
				// the client that the file is not whole.
				panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's own way to break a connection, and no other one works for HTTP/2
			}
			if first {
				out = begin(w, r)
			}
			if r.Method == http.MethodHead {
				return
			}
			if _, err := out.Write(page.GetLines()); err != nil {
				return // the client left
			}
			req = &recordsv1.ExportFileRequest{Job: req.GetJob(), File: req.GetFile(), Deleted: req.GetDeleted(), After: page.GetNext()}
		}
		_ = out.Close() // only what is whole has an end; a client that left is no error
	})
}

// begin writes the head of a file, and packs what follows where the client
// can unpack it: lines of JSON become a tenth.
func begin(w http.ResponseWriter, r *http.Request) io.WriteCloser {
	h := w.Header()
	h.Set("Content-Type", bulk.NDJSON)
	h.Set("Cache-Control", "no-store")
	kit.Vary(h, "Accept-Encoding")
	if r.Method == http.MethodHead || !kit.AcceptsGzip(r) {
		return plain{w}
	}
	h.Set("Content-Encoding", "gzip")
	gz, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is a known one
	return gz
}

// plain is a body that needs no end.
type plain struct{ io.Writer }

func (plain) Close() error { return nil }
