package records

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// load imports lines.
func load(ctx context.Context, t testing.TB, r *Records, lines ...string) *recordsv1.ImportResponse {
	t.Helper()
	resp, err := r.Import(ctx, &recordsv1.ImportRequest{Lines: []byte(strings.Join(lines, "\n"))})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// counts is what became of the lines: created, updated, unchanged, failed.
func counts(x *recordsv1.ImportResponse) [4]int64 {
	return [4]int64{x.GetCreated(), x.GetUpdated(), x.GetUnchanged(), x.GetFailed()}
}

func withID(body, id string) string {
	return strings.Replace(strings.Join(strings.Fields(body), " "), `",`, `","id":"`+id+`",`, 1)
}

func TestEachLineOfAnImportIsStoredByItself(t *testing.T) {
	r, ctx := open(t)
	an := withID(person("Lê", "An", "1", "95012", "1950"), "an")
	lines := []string{
		withID(observation("an", "1", "2026", "1"), "o1"), // before its Patient, in one piece
		an,
		``,
		`{"resourceType":"Observation","id":"bad"}`,
		`{`,
		withID(observation("nobody", "1", "2026", "1"), "o2"),
		withID(strings.Replace(observation("x", "1", "2026", "1"), "Patient/x", "https://a.example/Patient/x", 1), "o3"),
		`{"resourceType":"Organization","name":"without id","partOf":{"reference":"Organization?name=b"}}`,
		`{"resourceType":"Organization","id":"a b","name":"C"}`,
		`{"resourceType":"Unknown","id":"u"}`,
		withID(observation("an", "1", "2026", "2"), "o1"), // a second version
	}
	got := load(ctx, t, r, lines...)
	if counts(got) != [4]int64{3, 1, 0, 6} {
		t.Errorf("created, updated, unchanged, failed: %v", counts(got))
	}
	var at []string
	for _, e := range got.GetErrors() {
		at = append(at, fmt.Sprintf("%d %s %s", e.GetLine(), e.GetClass(), e.GetAt()))
	}
	want := "4 invalid Observation, 5 invalid , 7 unprocessable Observation.subject.reference, 9 invalid id, 10 invalid resourceType, 6 unprocessable "
	if strings.Join(at, ", ") != want {
		t.Errorf("errors %q, want %q", strings.Join(at, ", "), want)
	}
	x, err := r.Read(ctx, &recordsv1.ReadRequest{Type: "Observation", Id: "o1"})
	if err != nil || x.GetVersion() != 2 || !bytes.Contains(x.GetBody(), []byte(`"value":2`)) {
		t.Errorf("the second line about o1: %v %s", err, x.GetBody())
	}
	if f := search(ctx, t, r, "Observation", "patient=an&code=1"); len(f.ids) != 1 {
		t.Errorf("a search finds %v", f.ids)
	}
	if f := search(ctx, t, r, "Organization", "name=without"); len(f.ids) != 1 || !bytes.Contains(f.body, []byte(`"Organization?name=b"`)) {
		t.Errorf("a reference was changed: %s", f.body)
	}
}

func TestImportingAFileTwiceChangesNothing(t *testing.T) {
	r, ctx := open(t)
	lines := []string{
		withID(person("Lê", "An", "1", "95012", "1950"), "an"),
		withID(observation("an", "1", "2026", "1.50"), "o1"),
		`{"resourceType":"Organization","id":"g","meta":{"versionId":"7","lastUpdated":"2001-01-01T00:00:00Z"},"name":"G"}`,
	}
	if got := counts(load(ctx, t, r, lines...)); got != [4]int64{3, 0, 0, 0} {
		t.Fatalf("first %v", got)
	}
	if got := counts(load(ctx, t, r, lines...)); got != [4]int64{0, 0, 3, 0} {
		t.Errorf("second %v", got)
	}
	lines[1] = strings.Replace(lines[1], "1.50", "1.5", 1)
	if got := counts(load(ctx, t, r, lines...)); got != [4]int64{0, 1, 2, 0} {
		t.Errorf("changed %v", got)
	}
	if f := search(ctx, t, r, "Observation", "value-quantity=1.5&_total=accurate"); f.total != 1 {
		t.Errorf("the index holds %d rows of the observation", f.total)
	}
	if _, err := r.Delete(ctx, &recordsv1.DeleteRequest{Type: "Organization", Id: "g"}); err != nil {
		t.Fatal(err)
	}
	if got := counts(load(ctx, t, r, lines...)); got != [4]int64{1, 0, 2, 0} {
		t.Errorf("after a deletion %v", got)
	}
	x, err := r.Read(ctx, &recordsv1.ReadRequest{Type: "Organization", Id: "g"})
	if err != nil || x.GetVersion() != 3 {
		t.Errorf("brought back as version %d: %v", x.GetVersion(), err)
	}
}

func TestOnlyWhoReachesEverythingImports(t *testing.T) {
	r, _ := open(t)
	_, err := r.Import(nurse(t.Context(), "95012"), &recordsv1.ImportRequest{Lines: []byte(`{"resourceType":"Organization","name":"A"}`)})
	if !fault.Is(err, fault.Forbidden) {
		t.Errorf("a nurse imported: %v", err)
	}
}

// TestWhatTheDatabaseRefusesCostsOneLine sends a text that fhir.Parse takes
// and PostgreSQL does not.
func TestWhatTheDatabaseRefusesCostsOneLine(t *testing.T) {
	r, ctx := open(t)
	var lines []string
	for i := range 20 {
		name := "A"
		if i == 7 {
			name = `B\u0000C`
		}
		lines = append(lines, fmt.Sprintf(`{"resourceType":"Organization","id":"o%d","name":"%s"}`, i, name))
	}
	got := load(ctx, t, r, lines...)
	if got.GetCreated()+got.GetFailed() != 20 || got.GetFailed() > 1 {
		t.Errorf("%v %v", counts(got), got.GetErrors())
	}
	if n := search(ctx, t, r, "Organization", "_total=accurate").total; int64(n) != got.GetCreated() {
		t.Errorf("%d of %d are there", n, got.GetCreated())
	}
}

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
		w := call("POST", "/fhir/R4/$import", string(tt.body), append([]string{"Content-Type", ndjson}, tt.headers...)...)
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
