package rest_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yba-health/yba/services/records/bulk"
	"github.com/yba-health/yba/services/records/recordstest"
)

func TestAnExportOverHTTP(t *testing.T) {
	r, ctx := recordstest.Open(t)
	r.Part = 2
	var all []string
	for i := range 5 {
		all = append(all, fmt.Sprintf(`{"resourceType":"Organization","id":"o%d","name":"A"}`, i))
	}
	r.Load(ctx, t, all...)
	call := r.Calls(t)
	async := []string{"Prefer", "respond-async"}
	for _, tt := range []struct {
		method, path, body string
		headers            []string
		status             int
	}{
		{"GET", "/$export", "", nil, 400},
		{"GET", "/$export?colour=red", "", async, 400},
		{"GET", "/$export?colour=red", "", []string{"Prefer", "respond-async, handling=lenient"}, 202},
		{"GET", "/$export?_outputFormat=csv", "", async, 400},
		{"GET", "/$export?_since=yesterday", "", async, 400},
		{"GET", "/$export?_type=Nothing", "", async, 400},
		{"GET", "/Patient/$export?_type=Organization", "", async, 400},
		{"GET", "/Patient/$export?_type=Observation", "", async, 202},
		{"GET", "/Group/nobody/$export", "", async, 404},
		{"POST", "/$export", `{"resourceType":"Parameters","parameter":[{"name":"_since","valueInstant":"2020-01-01T00:00:00Z"}]}`, async, 202},
		{"POST", "/$export", `{"resourceType":"Parameters","parameter":[{"name":"colour","valueString":"red"}]}`, async, 400},
		{"POST", "/$export", `{"resourceType":"Parameters","parameter":[{"name":"patient","valueReference":{"reference":"Patient/p"}}]}`, async, 400},
		{"POST", "/$export", `{"resourceType":"Parameters","parameter":[{"name":"colour","part":[{"name":"red","valueBoolean":true}]}]}`, async, 400},
		{"POST", "/$export", `{"resourceType":"Parameters","parameter":[{"name":"_since"}]}`, async, 400},
		{"POST", "/$export", `{"resourceType":"Parameters","parameter":[{"name":"_until","valueInstant":"2020-01-01T00:00:00+07:00"},
			{"name":"_elements","valueString":"id,Patient.name"},{"name":"_typeFilter","valueString":"Patient?gender=male&birthdate=gt1950"},{"name":"_typeFilter","valueString":"Patient?gender=female"}]}`, async, 202},
		{"POST", "/$export", `{"resourceType":"Parameters","parameter":[{"name":"_typeFilter","valueString":"Observation?patient.name=a"}]}`, async, 400},
		{"POST", "/Patient/$export?_elements=a.b.c", `{"resourceType":"Parameters"}`, async, 400},
		{"GET", "/$export?_typeFilter=Patient%3Fgender%3Dmale%26birthdate%3Dgt1950&_typeFilter=Patient%3Fgender%3Dfemale&_elements=id", "", async, 202},
		{"GET", "/$export?_typeFilter=Observation%3F_sort%3Ddate", "", async, 400},
		{"GET", "/$export?_typeFilter=Observation%3F_sort%3Ddate", "", []string{"Prefer", "respond-async, handling=lenient"}, 202},
		{"GET", "/$export?allowPartialManifests=true", "", async, 400},
		{"GET", "/$export", "", append(async, "Authorization", "Bearer bad"), 401},
		{"GET", "/$export-status?job=1", "", nil, 404},
		{"GET", "/$export-file?job=1&file=1", "", nil, 404},
	} {
		if w := call(tt.method, "/fhir/R4"+tt.path, tt.body, tt.headers...); w.Code != tt.status || w.Code >= 400 && !strings.Contains(w.Body.String(), "OperationOutcome") {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, w.Code, w.Body)
		}
	}
	if w := call("GET", "/fhir/R4/$export?colour=red&_type=Patient,Nothing&_outputFormat=application/fhir+ndjson", "", "Prefer", "respond-async, handling=lenient"); w.Code != 202 ||
		!strings.Contains(w.Body.String(), "ignored: _type=Nothing, colour") {
		t.Errorf("a lenient request is told %d %s", w.Code, w.Body)
	}
	if w := call("GET", "/fhir/R4/$export?colour=red", "", async...); !strings.Contains(w.Body.String(), "does not know colour") {
		t.Errorf("an unknown parameter is answered %s", w.Body)
	}
	if w := call("GET", "/fhir/R4/$export?_typeFilter=Patient%3Fname%3Da&_typeFilter=Observation%3Fsubject.name%3Da", "", async...); !strings.Contains(w.Body.String(), `"expression":["_typeFilter[1]"]`) {
		t.Errorf("a chain is answered %s", w.Body)
	}
	for j, err := r.Store.ClaimJob(ctx, time.Minute); j != nil || err != nil; j, err = r.Store.ClaimJob(ctx, time.Minute) {
		if err := r.Store.RemoveJob(ctx, j.ID); err != nil {
			t.Fatal(err)
		}
	}
	w := call("POST", "/fhir/R4/$export?_type=Organization&organizeOutputBy=Patient",
		`{"resourceType":"Parameters","parameter":[{"name":"_typeFilter","valueString":"Organization?name=a"}]}`, "Prefer", "respond-async, handling=lenient")
	_, status, ok := strings.Cut(w.Header().Get("Content-Location"), "http://example.com")
	if w.Code != 202 || !ok {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	if w := call("GET", status, ""); w.Code != 202 || w.Header().Get("X-Progress") == "" || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	working, stop := context.WithCancel(ctx)
	var worker sync.WaitGroup
	worker.Go(func() { r.Work(working) })
	defer worker.Wait()
	defer stop()
	for late := time.After(time.Minute); w.Code == 202; w = call("GET", status, "") {
		select {
		case <-late:
			t.Fatal("the export is never complete")
		case <-time.After(20 * time.Millisecond):
		}
	}
	var m struct {
		Request       string
		Output, Error []struct{ URL string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil || w.Code != 200 || w.Header().Get("Expires") == "" || len(m.Output) != 3 {
		t.Fatalf("%v %d %v %s", err, w.Code, w.Header(), w.Body)
	}
	if m.Request != "http://example.com/fhir/R4/$export?_type=Organization&organizeOutputBy=Patient" || len(m.Error) != 1 {
		t.Errorf("%+v", m)
	} else if w := call("GET", strings.TrimPrefix(m.Error[0].URL, "http://example.com"), ""); w.Code != 200 || strings.Count(w.Body.String(), "ignored: organizeOutputBy") != 1 {
		t.Errorf("what was ignored: %d %s", w.Code, w.Body)
	}
	if w := call("GET", strings.TrimPrefix(m.Output[0].URL, "http://example.com")+"x", ""); w.Code != 404 {
		t.Errorf("a file without a number: %d", w.Code)
	}
	n := 0
	for _, o := range m.Output {
		w := call("GET", strings.TrimPrefix(o.URL, "http://example.com"), "", "Accept", bulk.NDJSON)
		if n += strings.Count(w.Body.String(), "\n"); w.Code != 200 || w.Header().Get("Content-Type") != bulk.NDJSON {
			t.Errorf("%d %v", w.Code, w.Header())
		}
	}
	if n != 5 {
		t.Errorf("%d lines", n)
	}
	file := strings.TrimPrefix(m.Output[0].URL, "http://example.com")
	whole := call("GET", file, "").Body.String()
	for accept, packed := range map[string]bool{"gzip": true, "br, GZIP;q=0.5": true, "gzip;q=0": false, "gzip; q=0.000": false, "identity": false} {
		w := call("GET", file, "", "Accept-Encoding", accept)
		var in io.Reader = w.Body
		if (w.Header().Get("Content-Encoding") == "gzip") != packed || w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: %v", accept, w.Header())
		} else if packed {
			gz, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			in = gz
		}
		if b, err := io.ReadAll(in); err != nil || string(b) != whole {
			t.Errorf("%s: %v, %d bytes instead of %d", accept, err, len(b), len(whole))
		}
	}
	if w := call("DELETE", status, ""); w.Code != 202 {
		t.Errorf("cancelling: %d %s", w.Code, w.Body)
	}
	if w := call("GET", status, ""); w.Code != 404 {
		t.Errorf("after cancelling: %d", w.Code)
	}
}
