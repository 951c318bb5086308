package records

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"github.com/yba-health/yba/pkg/guard"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/rest"
)

// doors lets each bearer reach what their scope says.
type doors struct {
	gate
	scopes map[string]*guard.Scope
	notes  chan *accessv1.AuditEntry
}

func (d doors) Authorize(_ context.Context, req *accessv1.AuthorizeRequest, _ ...grpc.CallOption) (*accessv1.Decision, error) {
	s := d.scopes[req.GetToken()]
	return &accessv1.Decision{Allowed: s != nil, Principal: &guard.Principal{Account: req.GetToken()}, Scope: s}, nil
}

func (d doors) Append(_ context.Context, r *accessv1.AppendRequest, _ ...grpc.CallOption) (*accessv1.AppendResponse, error) {
	for _, e := range r.GetEntries() {
		d.notes <- e
	}
	return &accessv1.AppendResponse{}, nil
}

// raw calls the FHIR face with a body of bytes.
func raw(h http.Handler, token, method, path string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, rest.Prefix+path, body)
	req.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

// posted stores content as a Binary and returns its id.
func posted(t testing.TB, h http.Handler, token string, content []byte, headers ...string) string {
	t.Helper()
	w := raw(h, token, "POST", "/Binary", bytes.NewReader(content), append([]string{"Content-Type", "application/pdf"}, headers...)...)
	if w.Code != 201 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	parts := strings.Split(w.Header().Get("Location"), "/")
	return parts[len(parts)-3]
}

func TestContentOfABinaryTravelsAsItIs(t *testing.T) {
	r, ctx, db := openDB(t)
	h := faceOf(t, r, gate{})
	p := personOf(ctx, t, r, "1")
	for name, size := range map[string]int{"small": 100, "the last that stays": 48 << 10, "the first that leaves": 48<<10 + 1, "large": 3<<20 + 5} {
		t.Run(name, func(t *testing.T) {
			content := scan(size, 7)
			id := posted(t, h, "good", content, "X-Security-Context", "Patient/"+p)
			if row, _, _ := rowSizes(ctx, t, db, id); (row < 4<<10) != (size > 48<<10 || size < 1000) {
				t.Errorf("the row has %d bytes", row)
			}
			w := raw(h, "good", "GET", "/Binary/"+id, nil)
			if w.Code != 200 || !bytes.Equal(w.Body.Bytes(), content) {
				t.Fatalf("%d: %d bytes of %d", w.Code, w.Body.Len(), size)
			}
			for name, want := range map[string]string{
				"Content-Type": "application/pdf", "Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff",
				"Content-Security-Policy": "sandbox; default-src 'none'", "ETag": `W/"1"`, "Cache-Control": "no-store",
				"Content-Length": strconv.Itoa(size), "X-Security-Context": "Patient/" + p, "Vary": "Accept",
			} {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s: %q", name, got)
				}
			}
			w = raw(h, "good", "GET", "/Binary/"+id, nil, "Accept", "application/fhir+json")
			var b struct {
				ResourceType, ID, ContentType string
				SecurityContext               struct{ Reference string }
				Data                          []byte
			}
			if err := json.Unmarshal(w.Body.Bytes(), &b); err != nil || w.Header().Get("Content-Length") != strconv.Itoa(w.Body.Len()) {
				t.Fatal(err, w.Header())
			}
			if b.ResourceType != "Binary" || b.ID != id || b.ContentType != "application/pdf" || b.SecurityContext.Reference != "Patient/"+p || !bytes.Equal(b.Data, content) {
				t.Errorf("the resource is %.200s", w.Body)
			}
			x, err := r.Read(ctx, &recordsv1.ReadRequest{Type: "Binary", Id: id})
			if err != nil || !bytes.Equal(x.GetBody(), w.Body.Bytes()) {
				t.Errorf("the stream differs from the read: %v", err)
			}
			if w := raw(h, "good", "GET", "/Binary/"+id+"/_history/1", nil, "Accept", "*/*"); !bytes.Equal(w.Body.Bytes(), content) {
				t.Errorf("vread: %d", w.Code)
			}
		})
	}
}

func TestContentIsNegotiated(t *testing.T) {
	r, ctx := open(t)
	h := faceOf(t, r, gate{})
	id := create(ctx, t, r, "Binary", `{"resourceType":"Binary","contentType":"text/html","data":"PGI+\nPC9i\r\n Pg=="}`).GetId()
	const content = "<b></b>"
	for _, c := range []struct {
		query, accept string
		status        int
		resource      bool
	}{
		{"", "", 200, false},
		{"", "*/*", 200, false},
		{"", "text/html", 200, false},
		{"", "application/json", 200, false},
		{"", "application/fhir+json", 200, true},
		{"", "application/fhir+json;fhirVersion=4.0", 200, true},
		{"", "application/fhir+xml", 406, false},
		{"?_format=json", "text/html", 200, true},
		{"?_format=text/html", "application/fhir+json", 200, false},
		{"?_format=xml", "", 406, false},
		{"?_summary=true", "application/fhir+json", 200, true},
		{"?colour=blue", "", 400, false},
	} {
		w := raw(h, "good", "GET", "/Binary/"+id+c.query, nil, "Accept", c.accept)
		switch {
		case w.Code != c.status:
			t.Errorf("%+v: %d %.100s", c, w.Code, w.Body)
		case c.status == 200 && c.resource != strings.Contains(w.Body.String(), `"resourceType":"Binary"`):
			t.Errorf("%+v: %.100s", c, w.Body)
		case c.status == 200 && !c.resource && w.Body.String() != content:
			t.Errorf("%+v: %q", c, w.Body)
		}
	}
}

func TestContentIsReadInPartsAndOnCondition(t *testing.T) {
	r, ctx := open(t)
	h := faceOf(t, r, gate{})
	content := scan(700_000, 8)
	id := posted(t, h, "good", content, "X-Security-Context", "Patient/"+personOf(ctx, t, r, "1"))
	for rng, want := range map[string][]byte{
		"bytes=0-9": content[:10], "bytes=262140-262150": content[262140:262151], "bytes=-7": content[len(content)-7:], "bytes=600000-": content[600000:],
	} {
		w := raw(h, "good", "GET", "/Binary/"+id, nil, "Range", rng)
		if w.Code != 206 || !bytes.Equal(w.Body.Bytes(), want) || !strings.HasSuffix(w.Header().Get("Content-Range"), "/700000") {
			t.Errorf("%s: %d, %d bytes, %s", rng, w.Code, w.Body.Len(), w.Header().Get("Content-Range"))
		}
	}
	if w := raw(h, "good", "GET", "/Binary/"+id, nil, "Range", "bytes=700000-"); w.Code != 416 {
		t.Errorf("beyond the end: %d", w.Code)
	}
	for _, accept := range []string{"", "application/fhir+json"} {
		if w := raw(h, "good", "GET", "/Binary/"+id, nil, "Accept", accept, "If-None-Match", `W/"1"`); w.Code != 304 || w.Body.Len() > 0 {
			t.Errorf("%q: %d with %d bytes", accept, w.Code, w.Body.Len())
		}
		if w := raw(h, "good", "GET", "/Binary/"+id, nil, "Accept", accept, "If-None-Match", `W/"2"`); w.Code != 200 {
			t.Errorf("%q: %d", accept, w.Code)
		}
		w := raw(h, "good", "HEAD", "/Binary/"+id, nil, "Accept", accept)
		if n, _ := strconv.Atoi(w.Header().Get("Content-Length")); w.Code != 200 || w.Body.Len() > 0 || n < len(content) {
			t.Errorf("HEAD %q: %d, %d bytes of %d", accept, w.Code, w.Body.Len(), n)
		}
	}
}

func TestABinaryLiesInTheCompartmentOfItsSecurityContext(t *testing.T) {
	r, ctx := open(t)
	mine, theirs := personOf(ctx, t, r, "1"), personOf(ctx, t, r, "2")
	doc := create(ctx, t, r, "DocumentReference", document(theirs, "AAAA")).GetId()
	org := create(ctx, t, r, "Organization", `{"resourceType":"Organization","name":"Trạm y tế"}`).GetId()
	notes := make(chan *accessv1.AuditEntry, 1000)
	h := faceOf(t, r, doors{notes: notes, scopes: map[string]*guard.Scope{
		"all": {All: true, Shared: true}, "me": {Shared: true, Patients: []string{mine}}, "them": {Shared: true, Patients: []string{theirs}},
		"numbers": {Deidentified: true},
	}})
	content := scan(100_000, 9)
	for name, sc := range map[string]string{"a Patient": "Patient/" + theirs, "what is in a record": "DocumentReference/" + doc} {
		t.Run(name, func(t *testing.T) {
			id := posted(t, h, "them", content, "X-Security-Context", sc)
			if w := raw(h, "them", "GET", "/Binary/"+id, nil); !bytes.Equal(w.Body.Bytes(), content) {
				t.Fatalf("the owner gets %d", w.Code)
			}
			// There and not there, changed and unchanged must look alike.
			var first string
			for _, path := range []string{id, id + "/_history/1", "nothing", "nothing/_history/1"} {
				for _, headers := range [][]string{
					{},
					{"If-None-Match", `W/"1"`},
					{"If-None-Match", "*"},
					{"Range", "bytes=0-1"},
					{"If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"},
					{"Accept", "application/fhir+json"},
					{"Accept", "application/fhir+json", "If-None-Match", `W/"1"`},
				} {
					w := raw(h, "me", "GET", "/Binary/"+path, nil, headers...)
					got := strconv.Itoa(w.Code) + w.Body.String() + w.Header().Get("ETag") + w.Header().Get("Last-Modified") + w.Header().Get("Content-Disposition")
					if first == "" {
						first = got
					}
					if w.Code != 403 || got != first {
						t.Errorf("%s %v: %s", path, headers, got)
					}
				}
			}
			if w := raw(h, "numbers", "GET", "/Binary/"+id, nil); w.Code != 403 {
				t.Errorf("without names: %d", w.Code)
			}
			if w := raw(h, "numbers", "GET", "/Binary/"+id, nil, "Accept", "application/fhir+json"); strings.Contains(w.Body.String(), "data") {
				t.Errorf("without names: %s", w.Body)
			}
			if w := raw(h, "me", "PUT", "/Binary/"+id, bytes.NewReader(content), "Content-Type", "application/pdf", "X-Security-Context", "Patient/"+mine); w.Code != 403 {
				t.Errorf("another's Binary was taken: %d", w.Code)
			}
			if n := len(search(scoped(ctx, &guard.Scope{Shared: true, Patients: []string{mine}}), t, r, "Binary", "").ids); n != 0 {
				t.Errorf("%d in a search", n)
			}
		})
	}
	for name, c := range map[string]struct {
		token, context string
		status         int
	}{
		"another's record":                  {"me", "Patient/" + theirs, 403},
		"what is in another's record":       {"me", "DocumentReference/" + doc, 403},
		"what is not there":                 {"me", "DocumentReference/nothing", 403},
		"what is not there, for all":        {"all", "DocumentReference/nothing", 422},
		"a Patient who is not there":        {"all", "Patient/nobody", 422},
		"a Binary":                          {"all", "Binary/b", 422},
		"another server":                    {"all", "http://elsewhere/fhir/Patient/" + theirs, 422},
		"no reference":                      {"all", "somebody", 422},
		"a shared resource":                 {"all", "Organization/" + org, 201},
		"a shared resource, not for people": {"me", "Organization/" + org, 403},
		"nothing":                           {"all", "", 201},
		"nothing, not for people":           {"me", "", 403},
	} {
		w := raw(h, c.token, "POST", "/Binary", bytes.NewReader(content), "Content-Type", "application/pdf", "X-Security-Context", c.context)
		if w.Code != c.status {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	b, err := r.Transact(ctx, &recordsv1.TransactRequest{Bundle: []byte(`{"resourceType":"Bundle","type":"transaction","entry":[
		{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000001","resource":` + document(theirs, "AAAA") + `,"request":{"method":"POST","url":"DocumentReference"}},
		{"resource":{"resourceType":"Binary","contentType":"text/plain","securityContext":{"reference":"urn:uuid:00000000-0000-4000-8000-000000000001"},"data":"AAAA"},
		"request":{"method":"PUT","url":"Binary/together"}}]}`)})
	if err != nil {
		t.Fatal(err, b)
	}
	if w := raw(h, "me", "GET", "/Binary/together", nil); w.Code != 403 {
		t.Errorf("written with its context: %d", w.Code)
	}
	if w := raw(h, "them", "GET", "/Binary/together", nil); w.Code != 200 {
		t.Errorf("written with its context: %d %s", w.Code, w.Body)
	}
	resp, err := around(t, r).Import(ctx, &recordsv1.ImportRequest{Lines: []byte(`{"resourceType":"Binary","id":"imported","contentType":"text/plain","securityContext":{"reference":"DocumentReference/` + doc + `"},"data":"AAAA"}
{"resourceType":"Binary","id":"lost","contentType":"text/plain","securityContext":{"reference":"DocumentReference/nothing"},"data":"AAAA"}`)})
	if err != nil || resp.GetFailed() != 1 {
		t.Fatal(err, resp)
	}
	if w := raw(h, "me", "GET", "/Binary/imported", nil); w.Code != 403 {
		t.Errorf("imported: %d", w.Code)
	}
	if w := raw(h, "them", "GET", "/Binary/imported", nil); w.Code != 200 {
		t.Errorf("imported: %d %s", w.Code, w.Body)
	}
}

func TestContentIsReplacedAndDeleted(t *testing.T) {
	r, ctx := open(t)
	h := faceOf(t, r, gate{})
	p := personOf(ctx, t, r, "1")
	first, second := scan(100_000, 10), scan(200_000, 11)
	id := posted(t, h, "good", first, "X-Security-Context", "Patient/"+p)
	put := func(content []byte, headers ...string) *httptest.ResponseRecorder {
		return raw(h, "good", "PUT", "/Binary/"+id, bytes.NewReader(content), append([]string{"Content-Type", "application/pdf"}, headers...)...)
	}
	if w := put(first); w.Code != 200 || w.Header().Get("ETag") != `W/"1"` {
		t.Fatalf("the same content again: %d %s", w.Code, w.Header().Get("ETag"))
	}
	if w := put(second, "If-Match", `W/"7"`); w.Code != 412 {
		t.Errorf("an old version: %d", w.Code)
	}
	if w := put(second, "If-Match", `W/"1"`); w.Code != 200 || w.Header().Get("ETag") != `W/"2"` || w.Body.Len() > 0 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	w := raw(h, "good", "GET", "/Binary/"+id, nil)
	if !bytes.Equal(w.Body.Bytes(), second) || w.Header().Get("X-Security-Context") != "Patient/"+p {
		t.Errorf("after a PUT without a context it lies with %q", w.Header().Get("X-Security-Context"))
	}
	if n := len(search(scoped(ctx, &guard.Scope{Shared: true}), t, r, "Binary", "").ids); n != 0 {
		t.Error("it became a shared resource")
	}
	if w := raw(h, "good", "GET", "/Binary/"+id+"/_history/1", nil); !bytes.Equal(w.Body.Bytes(), first) {
		t.Errorf("version 1: %d", w.Code)
	}
	if w := raw(h, "good", "DELETE", "/Binary/"+id, nil); w.Code != 204 {
		t.Fatalf("%d", w.Code)
	}
	for _, accept := range []string{"", "application/fhir+json"} {
		if w := raw(h, "good", "GET", "/Binary/"+id, nil, "Accept", accept); w.Code != 410 {
			t.Errorf("deleted: %d", w.Code)
		}
	}
	if w := put(second); w.Code != 201 && w.Code != 200 {
		t.Errorf("after the deletion: %d %s", w.Code, w.Body)
	}
}

func TestEachReadAndWriteOfContentIsAudited(t *testing.T) {
	r, ctx := open(t)
	p := personOf(ctx, t, r, "1")
	notes := make(chan *accessv1.AuditEntry, 100)
	h := faceOf(t, r, doors{notes: notes, scopes: map[string]*guard.Scope{"me": {Patients: []string{p}}}})
	id := posted(t, h, "me", scan(100, 15), "X-Security-Context", "Patient/"+p)
	raw(h, "me", "GET", "/Binary/"+id, nil)
	raw(h, "me", "GET", "/Binary/nothing", nil)
	for _, want := range []string{"records.Create ok " + p + " Binary/" + id, "records.Read ok " + p + " Binary/" + id, "records.Read denied  Binary/nothing"} {
		e := <-notes
		if got := e.GetOperation() + " " + e.GetOutcome() + " " + e.GetPatient() + " " + e.GetTarget(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
