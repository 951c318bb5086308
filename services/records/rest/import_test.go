package rest_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/bulk"
	"github.com/yba-health/yba/services/records/recordstest"
	"github.com/yba-health/yba/services/records/rest"
)

func TestAnImportStreamsOverHTTP(t *testing.T) {
	r, ctx := recordstest.Open(t)
	call := r.Calls(t)
	var file bytes.Buffer
	const n = 2*rest.PieceLines + 7
	for i := range n {
		if i == rest.PieceLines+1 {
			file.WriteString("{\"resourceType\":\"Organization\"\n")
			continue
		}
		fmt.Fprintf(&file, `{"resourceType":"Organization","id":"o%d","name":"Trạm %d"}`+"\r\n", i, i)
	}
	var packed bytes.Buffer
	gz := gzip.NewWriter(&packed)
	_, _ = gz.Write(file.Bytes())
	_ = gz.Close()
	for _, tt := range []struct {
		body    []byte
		headers []string
		status  int
		holds   []string
	}{
		{packed.Bytes(), []string{"Content-Encoding", "gzip"}, 200, []string{`"created","valueInteger":2006}`, `"failed","valueInteger":1}`, "line 1002: "}},
		{file.Bytes(), nil, 200, []string{`"unchanged","valueInteger":2006}`}},
		{bytes.TrimRight(file.Bytes(), "\r\n"), nil, 200, []string{`"unchanged","valueInteger":2006}`}},
		{packed.Bytes()[:packed.Len()/2], []string{"Content-Encoding", "gzip"}, 400, []string{"OperationOutcome"}},
		{file.Bytes(), []string{"Content-Encoding", "gzip"}, 400, []string{"no gzip"}},
		{file.Bytes(), []string{"Content-Encoding", "br"}, 415, nil},
		{file.Bytes(), []string{"Content-Type", "application/fhir+json"}, 415, nil},
		{file.Bytes(), []string{"Authorization", "Bearer bad"}, 401, nil},
		{nil, nil, 200, []string{`"created","valueInteger":0}`}},
	} {
		w := call("POST", "/fhir/R4/$import", string(tt.body), append([]string{"Content-Type", bulk.NDJSON}, tt.headers...)...)
		for _, s := range tt.holds {
			if !strings.Contains(w.Body.String(), s) {
				t.Errorf("%v: no %s in %s", tt.headers, s, w.Body)
			}
		}
		if doc, err := fhir.Parse(w.Body.Bytes()); w.Code != tt.status || err != nil || !doc.Root().Get("resourceType").Exists() {
			t.Errorf("%v: %d %s", tt.headers, w.Code, w.Body)
		}
	}
	if got := r.Find(ctx, t, "Organization", "_total=accurate").Total; got != n-1 {
		t.Errorf("%d are there", got)
	}
}
