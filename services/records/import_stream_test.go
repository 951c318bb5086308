package records

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/bulk"
)

func TestAnImportStreamsOverHTTP(t *testing.T) {
	r, ctx := open(t)
	call := overHTTP(t, r)
	var file bytes.Buffer
	const n = 2*pieceLines + 7
	for i := range n {
		if i == pieceLines+1 {
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
	if got := search(ctx, t, r, "Organization", "_total=accurate").total; got != n-1 {
		t.Errorf("%d are there", got)
	}
}

func TestALineMayNotBeLongerThanAResource(t *testing.T) {
	p := newPieces(strings.NewReader(strings.Repeat("x", maxResource+2)))
	if _, err := p.read(); !fault.Is(err, fault.TooLarge) {
		t.Errorf("%v", err)
	}
}

func FuzzPieces(f *testing.F) {
	f.Add([]byte("a\n\nb\r\nc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := newPieces(bytes.NewReader(b))
		var all []byte
		for {
			got, err := p.read()
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == 0 {
				break
			}
			all = append(all, got...)
		}
		if lines := int64(bytes.Count(b, []byte("\n"))) + 1; !bytes.Equal(all, b) || p.next > lines+1 || p.next < lines {
			t.Errorf("%q became %q, the next line is %d of %d", b, all, p.next, lines)
		}
	})
}
