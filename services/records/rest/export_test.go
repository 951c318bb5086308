package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
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
		{"GET", "/$export", "", append(async, "Authorization", "Bearer bad"), 401},
		{"GET", "/$export-status?job=1", "", nil, 404},
		{"GET", "/$export-file?job=1&file=1", "", nil, 404},
	} {
		if w := call(tt.method, "/fhir/R4"+tt.path, tt.body, tt.headers...); w.Code != tt.status || w.Code >= 400 && !strings.Contains(w.Body.String(), "OperationOutcome") {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, w.Code, w.Body)
		}
	}
	for j, err := r.Store.ClaimJob(ctx, time.Minute); j != nil || err != nil; j, err = r.Store.ClaimJob(ctx, time.Minute) {
		if err := r.Store.RemoveJob(ctx, j.ID); err != nil {
			t.Fatal(err)
		}
	}
	w := call("GET", "/fhir/R4/$export?_type=Organization", "", async...)
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
		Output []struct{ URL string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil || w.Code != 200 || w.Header().Get("Expires") == "" || len(m.Output) != 3 {
		t.Fatalf("%v %d %v %s", err, w.Code, w.Header(), w.Body)
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
	if w := call("DELETE", status, ""); w.Code != 202 {
		t.Errorf("cancelling: %d %s", w.Code, w.Body)
	}
	if w := call("GET", status, ""); w.Code != 404 {
		t.Errorf("after cancelling: %d", w.Code)
	}
}
