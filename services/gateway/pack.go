package gateway

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"

	"github.com/yba-health/yba/pkg/kit"
)

// leastPacked is from which size on an answer is packed, in bytes: less than
// that travels in one packet anyway.
const leastPacked = 1024

// packs reports whether what lies under a prefix is packed. It is where a
// bearer token is asked for, which no page of a stranger can add to a request.
// Sign-in pages and tokens are sent as they are: a browser adds its cookies to
// what a stranger's page asks for, and the length of a packed answer that
// holds a secret beside the stranger's own words tells the secret (BREACH).
func packs(prefix string) bool {
	return strings.HasPrefix(prefix, "/fhir/") || strings.HasPrefix(prefix, "/api/")
}

// packed sends answers by gzip to who takes them so: stations have slow lines,
// and JSON becomes a tenth. What packs itself or is packed already, parts of a
// content, and websockets pass as they are.
//
// Tags of versions stay: they are weak, and mean the same content however it
// is coded (RFC 9110 section 8.8.1).
func packed(next http.Handler) http.Handler {
	wrap, _ := gzhttp.NewWrapper( // the level is a known one
		gzhttp.MinSize(leastPacked), gzhttp.CompressionLevel(gzip.BestSpeed), gzhttp.ContentTypeFilter(packable))
	pack := wrap(whole(next))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !kit.AcceptsGzip(r) || r.Header.Get("Upgrade") != "":
			kit.Vary(w.Header(), "Accept-Encoding")
			next.ServeHTTP(w, r)
		case r.Method == http.MethodHead:
			kit.Vary(w.Header(), "Accept-Encoding")
			next.ServeHTTP(&headOnly{w}, r)
		default:
			pack(w, r)
		}
	})
}

// packable reports whether content of a type becomes smaller.
func packable(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch kind {
	case "application/json", "application/xml", "application/javascript":
		return true
	}
	return strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml")
}

// headOnly leaves out the length that a packed GET would not have either
// (RFC 9110 section 8.6). It names no coding: some proxies try to unpack the
// body that a HEAD does not have.
type headOnly struct{ http.ResponseWriter }

func (w *headOnly) WriteHeader(code int) {
	h := w.Header()
	n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	if err == nil && n >= leastPacked && h.Get("Content-Encoding") == "" && h.Get("Content-Range") == "" && packable(h.Get("Content-Type")) {
		h.Del("Content-Length")
		h.Del("Accept-Ranges")
	}
	w.ResponseWriter.WriteHeader(code)
}

// whole breaks the connection where an answer ends before the length that it
// had announced. Packing takes Content-Length away, by which the client would
// have seen it; a packed answer that breaks off has no end.
func whole(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m := &measured{ResponseWriter: w}
		next.ServeHTTP(m, r)
		if m.left > 0 {
			panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's own way to break a connection, and no other one works for HTTP/2
		}
	})
}

// measured counts down from the announced length.
type measured struct {
	http.ResponseWriter
	begun bool
	left  int64
}

func (m *measured) WriteHeader(code int) {
	if code >= http.StatusOK {
		m.begin()
	}
	m.ResponseWriter.WriteHeader(code)
}

func (m *measured) Write(b []byte) (int, error) {
	m.begin()
	n, err := m.ResponseWriter.Write(b)
	m.left -= int64(n)
	return n, err
}

func (m *measured) begin() {
	if m.begun {
		return
	}
	m.begun = true
	// Without a length nothing is left.
	m.left, _ = strconv.ParseInt(m.Header().Get("Content-Length"), 10, 64)
}

// Unwrap lets http.ResponseController reach flushing and deadlines.
func (m *measured) Unwrap() http.ResponseWriter { return m.ResponseWriter }
