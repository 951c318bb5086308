package gateway_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/yba-health/yba/services/gateway"
)

var page = []byte(`{"resourceType":"Bundle","entry":[` + strings.Repeat(`{"resource":{"resourceType":"Observation","status":"final"}},`, 100) + `{}]}`)

// answers is the edge in front of a service that answers as the test says.
func answers(t *testing.T, h http.HandlerFunc) http.Handler {
	t.Helper()
	return edge(t, func(o *gateway.Options) {
		o.Reg = prometheus.NewRegistry()
		o.Routes = nil
		for _, p := range []string{"/fhir/R4", "/api/stations", "/oauth", "/signin"} {
			o.Routes = append(o.Routes, gateway.Route{Prefix: p, Handler: h, Service: "any"})
		}
	})
}

func asking(encoding string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Accept-Encoding", encoding) }
}

func unpack(t *testing.T, b []byte) []byte {
	t.Helper()
	gz, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(gz)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAnswersArePackedForWhoTakesThemSo(t *testing.T) {
	const fhirJSON = "application/fhir+json; charset=utf-8"
	for _, tt := range []struct {
		name, path, accept, kind string
		body                     []byte
		headers                  map[string]string
		packed                   bool
	}{
		{"a page", "/fhir/R4/Observation", "gzip, deflate, br", fhirJSON, page, nil, true},
		{"an operation", "/api/stations/v1/Sync", "gzip", "application/json", page, nil, true},
		{"a text", "/fhir/R4/Binary/1", "gzip", "text/plain; charset=utf-8", page, nil, true},
		{"a CDA document", "/fhir/R4/Binary/1", "br;q=1, gzip;q=0.8", "application/hl7-v3+xml", page, nil, true},
		{"not asked for", "/fhir/R4/Observation", "", fhirJSON, page, nil, false},
		{"refused", "/fhir/R4/Observation", "gzip;q=0, identity", fhirJSON, page, nil, false},
		{"another coding", "/fhir/R4/Observation", "br", fhirJSON, page, nil, false},
		{"one packet", "/fhir/R4/Patient/1", "gzip", fhirJSON, page[:1000], nil, false},
		{"a picture", "/fhir/R4/Binary/1", "gzip", "image/jpeg", page, nil, false},
		{"a scan", "/fhir/R4/Binary/1", "gzip", "application/dicom", page, nil, false},
		{"what says no type", "/fhir/R4/Binary/1", "gzip", "scan", page, nil, false},
		{"a file of an export that nobody asked to pack", "/fhir/R4/$export-file", "gzip", "application/fhir+ndjson", page, nil, false},
		{"what is packed already", "/fhir/R4/x", "gzip", fhirJSON, page, map[string]string{"Content-Encoding": "br"}, false},
		{"a part of a content", "/fhir/R4/Binary/1", "gzip", "text/plain", page, map[string]string{"Content-Range": "bytes 0-9/99"}, false},
		{"a token", "/oauth/token", "gzip", "application/json", page, nil, false},
		{"a sign-in page", "/signin", "gzip", "text/html", page, nil, false},
	} {
		for _, announced := range []bool{true, false} {
			h := answers(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.kind)
				w.Header().Set("ETag", `W/"7"`)
				for k, v := range tt.headers {
					w.Header().Set(k, v)
				}
				if announced {
					w.Header().Set("Content-Length", strconv.Itoa(len(tt.body)))
				}
				_, _ = w.Write(tt.body)
			})
			w := get(h, tt.path, asking(tt.accept))
			got := w.Body.Bytes()
			if packed := w.Header().Get("Content-Encoding") == "gzip"; packed != tt.packed {
				t.Errorf("%s, length announced %t: packed %t", tt.name, announced, packed)
				continue
			} else if packed {
				if got = unpack(t, got); w.Header().Get("Content-Length") != "" || w.Body.Len() > len(page)/5 {
					t.Errorf("%s: %d bytes, %v", tt.name, w.Body.Len(), w.Header())
				}
			}
			if !bytes.Equal(got, tt.body) || w.Header().Get("ETag") != `W/"7"` {
				t.Errorf("%s: %d of %d bytes, %v", tt.name, len(got), len(tt.body), w.Header())
			}
			if open := !strings.HasPrefix(tt.path, "/oauth") && !strings.HasPrefix(tt.path, "/signin"); open != (w.Header().Get("Vary") == "Accept-Encoding") {
				t.Errorf("%s: Vary is %q", tt.name, w.Header().Values("Vary"))
			}
		}
	}
}

func TestAnswersWithoutABodyStayWithoutOne(t *testing.T) {
	h := answers(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `W/"7"`)
		if strings.HasSuffix(r.URL.Path, "/same") {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		if strings.HasSuffix(r.URL.Path, "/gone") {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "application/fhir+json")
		w.Header().Set("Content-Length", r.URL.Query().Get("length"))
		w.WriteHeader(http.StatusOK)
	})
	server := httptest.NewServer(h)
	defer server.Close()
	for _, tt := range []struct {
		method, path string
		status       int
		length       int64
	}{
		{"GET", "/fhir/R4/same", 304, 0},
		{"GET", "/fhir/R4/gone", 204, 0},
		{"HEAD", "/fhir/R4/page?length=6000", 200, -1}, // as long as a packed GET says it is
		{"HEAD", "/fhir/R4/page?length=600", 200, 600},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, server.URL+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", "gzip")
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != tt.status || len(b) > 0 || resp.ContentLength != tt.length ||
			resp.Header.Get("Content-Encoding") != "" || resp.Header.Get("ETag") != `W/"7"` || resp.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s %s: %d, length %d, %q, %v, %v", tt.method, tt.path, resp.StatusCode, resp.ContentLength, b, resp.Header, err)
		}
	}
}

func TestAPackedAnswerThatBreaksOffIsSeenToBreakOff(t *testing.T) {
	h := answers(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", strconv.Itoa(len(page)*2))
		_, _ = w.Write(page) // and then the database goes away
	})
	server := httptest.NewServer(h)
	defer server.Close()
	for _, accept := range []string{"gzip", "identity"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/fhir/R4/Binary/1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", accept)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			continue // broken before anything was sent
		}
		_, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil {
			t.Errorf("with %s the half looks like the whole", accept)
		}
	}
}

func TestAStreamIsPackedPieceByPiece(t *testing.T) {
	read := make(chan struct{})
	front := httptest.NewServer(answers(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
			if err := control.Flush(); err != nil {
				t.Error(err)
			}
			select {
			case <-read: // the next one is written when this one has arrived
			case <-r.Context().Done():
				return
			}
		}
	}))
	defer front.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front.URL+"/api/stations/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	gz, err := gzip.NewReader(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		b := make([]byte, len("data: 0\n\n"))
		if _, err := io.ReadFull(gz, b); err != nil || string(b) != fmt.Sprintf("data: %d\n\n", i) {
			t.Fatalf("%q %v", b, err)
		}
		read <- struct{}{}
	}
}
