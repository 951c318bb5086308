package records

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
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

func TestAnImportKeepsEveryCharacter(t *testing.T) {
	r, ctx := open(t)
	name := `a\tb\\N\\.\nc\r\\x41 \"d\" {,} đ`
	if got := load(ctx, t, r, `{"resourceType":"Organization","id":"a.b-c","name":"`+name+`"}`, `{"resourceType":"Organization","id":"o2","name":"\\."}`); got.GetCreated() != 2 {
		t.Fatalf("%v %v", counts(got), got.GetErrors())
	}
	x, err := r.Read(ctx, &recordsv1.ReadRequest{Type: "Organization", Id: "a.b-c"})
	if err != nil || !bytes.Contains(x.GetBody(), []byte(name)) {
		t.Errorf("%v %s", err, x.GetBody())
	}
	for _, query := range []string{"name:exact=" + url.QueryEscape("a\tb\\\\N\\\\.\nc\r\\\\x41 \"d\" {\\,} đ"), `name:exact=%5C%5C.`} {
		if f := search(ctx, t, r, "Organization", query); len(f.ids) != 1 {
			t.Errorf("%s finds %v", query, f.ids)
		}
	}
}

// Both files have the same Patient; whoever comes second lies in the first's
// compartment with what else the file has.
func TestImportsOfOnePatientAtOnceShareItsCompartment(t *testing.T) {
	r, ctx := open(t)
	an := withID(person("Lê", "An", "1", "95012", "1950"), "an")
	const files, each = 6, 20
	var wg sync.WaitGroup
	for f := range files {
		lines := []string{an}
		for i := range each {
			lines = append(lines, withID(observation("an", "1", "2026", "1"), fmt.Sprintf("o%d-%d", f, i)))
		}
		wg.Go(func() {
			got, err := r.Import(ctx, &recordsv1.ImportRequest{Lines: []byte(strings.Join(lines, "\n"))})
			if err != nil || got.GetFailed() > 0 || got.GetCreated()+got.GetUnchanged() != each+1 {
				t.Errorf("%v: %v %v", err, counts(got), got.GetErrors())
			}
		})
	}
	wg.Wait()
	if f := search(ctx, t, r, "Observation", "patient=an&_total=accurate&_count=1"); f.total != files*each {
		t.Errorf("the compartment holds %d", f.total)
	}
}

func TestAnImportKeepsLargeValuesAndTheLogSkipsThem(t *testing.T) {
	r, ctx := open(t)
	data := strings.Repeat("AbC/", 50_000)
	an := strings.TrimSuffix(withID(person("Lê", "An", "1", "95012", "1950"), "an"), "}") + `,"photo":[{"contentType":"image/png","data":"` + data + `"}]}`
	if got := load(ctx, t, r, an, strings.Replace(an, `"id":"an"`, `"id":"binh"`, 1)); got.GetCreated() != 2 {
		t.Fatalf("%v %v", counts(got), got.GetErrors())
	}
	for _, id := range []string{"an", "binh"} {
		if x, err := r.Read(ctx, &recordsv1.ReadRequest{Type: "Patient", Id: id}); err != nil || !bytes.Contains(x.GetBody(), []byte(data)) {
			t.Errorf("%s: %v, %d bytes", id, err, len(x.GetBody()))
		}
	}
	log, err := r.Changes(ctx, &recordsv1.ChangesRequest{Types: []string{"Practitioner"}})
	if err != nil || len(log.GetChanges()) != 0 {
		t.Fatalf("%v %d", err, len(log.GetChanges()))
	}
	if rest, err := r.Changes(ctx, &recordsv1.ChangesRequest{Cursor: log.GetCursor()}); err != nil || len(rest.GetChanges()) != 0 {
		t.Errorf("the cursor stays before %d rows: %v", len(rest.GetChanges()), err)
	}
}
