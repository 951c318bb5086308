package records

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

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

func TestALineThatIsTooLongCostsItselfOnly(t *testing.T) {
	p := newPieces(io.MultiReader(strings.NewReader("a\n"), io.LimitReader(blanks{}, maxLine), strings.NewReader("\nb\n")))
	out, long, err := p.read()
	if err != nil || string(out) != "a\n\nb\n" || !slices.Equal(long, []int64{2}) || p.next != 4 {
		t.Errorf("%q %v %v, the next line is %d", out, long, err, p.next)
	}
	p = newPieces(io.MultiReader(io.LimitReader(blanks{}, maxLine-1), strings.NewReader("\nb")))
	if out, long, err := p.read(); err != nil || len(out) != maxLine || long != nil {
		t.Errorf("the longest line: %d bytes, %v %v", len(out), long, err)
	}
}

// blanks is a text without an end.
type blanks struct{}

func (blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestAnImportTakesTheByteOrderMarkAndTellsErrorsInTheOrderOfLines(t *testing.T) {
	r, _ := open(t)
	call := overHTTP(t, r)
	body := "\ufeff" + `{"resourceType":"Organization","id":"a","name":"A"}
{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/none"}}
no JSON
{"resourceType":"Organization","id":"b","name":"B","meta":{"tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}]}}
\ufeff{"resourceType":"Organization","id":"c","name":"C"}
`
	for _, typ := range []string{bulk.NDJSON, "application/ndjson", "Application/X-NDJSON; charset=utf-8"} {
		w := call("POST", "/fhir/R4/$import", body, "Content-Type", typ)
		var got []string
		for _, m := range regexp.MustCompile(`line \d+`).FindAllString(w.Body.String(), -1) {
			got = append(got, m)
		}
		if s := strings.Join(got, ","); w.Code != 200 || s != "line 2,line 3,line 4,line 5" || !strings.Contains(w.Body.String(), "SUBSETTED") {
			t.Errorf("%s: %d %s", typ, w.Code, w.Body)
		}
	}
}

func FuzzPieces(f *testing.F) {
	f.Add([]byte("a\n\nb\r\nc"))
	f.Add([]byte("\ufeff{}\n\ufeff{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := newPieces(bytes.NewReader(b))
		var all []byte
		for {
			got, _, err := p.read()
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == 0 {
				break
			}
			all = append(all, got...)
		}
		b = bytes.TrimPrefix(b, []byte("\ufeff"))
		if lines := int64(bytes.Count(b, []byte("\n"))) + 1; !bytes.Equal(all, b) || p.next > lines+1 || p.next < lines {
			t.Errorf("%q became %q, the next line is %d of %d", b, all, p.next, lines)
		}
	})
}
