package bulk_test

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/bulk"
	"github.com/yba-health/yba/services/records/record"
	"github.com/yba-health/yba/services/records/recordstest"
)

// counts is what became of the lines: created, updated, unchanged, failed.
func counts(x *recordsv1.ImportResponse) [4]int64 {
	return [4]int64{x.GetCreated(), x.GetUpdated(), x.GetUnchanged(), x.GetFailed()}
}

func TestEachLineOfAnImportIsStoredByItself(t *testing.T) {
	r, ctx := recordstest.Open(t)
	an := recordstest.Person("an", "Lê", "An", "1", "95012", "1950")
	lines := []string{
		recordstest.Observation("o1", "an", "1", "2026", "1"), // before its Patient, in one piece
		an,
		``,
		`{"resourceType":"Observation","id":"bad"}`,
		`{`,
		recordstest.Observation("o2", "nobody", "1", "2026", "1"),
		strings.Replace(recordstest.Observation("o3", "x", "1", "2026", "1"), "Patient/x", "https://a.example/Patient/x", 1),
		`{"resourceType":"Organization","name":"without id","partOf":{"reference":"Organization?name=b"}}`,
		`{"resourceType":"Organization","id":"a b","name":"C"}`,
		`{"resourceType":"Unknown","id":"u"}`,
		recordstest.Observation("o1", "an", "1", "2026", "2"), // a second version
	}
	got := r.Load(ctx, t, lines...)
	if counts(got) != [4]int64{3, 1, 0, 6} {
		t.Errorf("created, updated, unchanged, failed: %v", counts(got))
	}
	var at []string
	for _, e := range got.GetErrors() {
		at = append(at, fmt.Sprintf("%d %s %s", e.GetLine(), e.GetClass(), e.GetAt()))
	}
	want := "4 invalid Observation, 5 invalid , 7 unprocessable Observation.subject.reference, 9 invalid id, 10 invalid resourceType, 6 unprocessable Observation.subject.reference"
	if strings.Join(at, ", ") != want {
		t.Errorf("errors %q, want %q", strings.Join(at, ", "), want)
	}
	x, err := r.Read(ctx, &recordsv1.ReadRequest{Type: "Observation", Id: "o1"})
	if err != nil || x.GetVersion() != 2 || !bytes.Contains(x.GetBody(), []byte(`"value":2`)) {
		t.Errorf("the second line about o1: %v %s", err, x.GetBody())
	}
	if f := r.Find(ctx, t, "Observation", "patient=an&code=1"); len(f.IDs) != 1 {
		t.Errorf("a search finds %v", f.IDs)
	}
	if f := r.Find(ctx, t, "Organization", "name=without"); len(f.IDs) != 1 || !bytes.Contains(f.Body, []byte(`"Organization?name=b"`)) {
		t.Errorf("a reference was changed: %s", f.Body)
	}
}

func TestImportingAFileTwiceChangesNothing(t *testing.T) {
	r, ctx := recordstest.Open(t)
	lines := []string{
		recordstest.Person("an", "Lê", "An", "1", "95012", "1950"),
		recordstest.Observation("o1", "an", "1", "2026", "1.50"),
		`{"resourceType":"Organization","id":"g","meta":{"versionId":"7","lastUpdated":"2001-01-01T00:00:00Z"},"name":"G"}`,
		// Its data is kept apart from the body.
		`{"resourceType":"Binary","id":"b","contentType":"image/png","data":"` + strings.Repeat("AbC/", 50_000) + `"}`,
	}
	if got := counts(r.Load(ctx, t, lines...)); got != [4]int64{4, 0, 0, 0} {
		t.Fatalf("first %v", got)
	}
	if got := counts(r.Load(ctx, t, lines...)); got != [4]int64{0, 0, 4, 0} {
		t.Errorf("second %v", got)
	}
	if got := counts(r.Load(ctx, t, `{"name":"G", "id":"g", "resourceType":"Organization"}`)); got != [4]int64{0, 0, 1, 0} {
		t.Errorf("in other words %v", got)
	}
	lines[1] = strings.Replace(lines[1], "1.50", "1.5", 1)
	if got := counts(r.Load(ctx, t, lines...)); got != [4]int64{0, 1, 3, 0} {
		t.Errorf("changed %v", got)
	}
	if f := r.Find(ctx, t, "Observation", "value-quantity=1.5&_total=accurate"); f.Total != 1 {
		t.Errorf("the index holds %d rows of the observation", f.Total)
	}
	if _, err := r.Delete(ctx, &recordsv1.DeleteRequest{Type: "Organization", Id: "g"}); err != nil {
		t.Fatal(err)
	}
	if got := counts(r.Load(ctx, t, lines...)); got != [4]int64{1, 0, 3, 0} {
		t.Errorf("after a deletion %v", got)
	}
	x, err := r.Read(ctx, &recordsv1.ReadRequest{Type: "Organization", Id: "g"})
	if err != nil || x.GetVersion() != 3 {
		t.Errorf("brought back as version %d: %v", x.GetVersion(), err)
	}
}

func TestOnlyWhoReachesEverythingImports(t *testing.T) {
	r, _ := recordstest.Open(t)
	_, err := r.Import(recordstest.Nurse(t.Context(), "95012"), &recordsv1.ImportRequest{Lines: []byte(`{"resourceType":"Organization","name":"A"}`)})
	if !fault.Is(err, fault.Forbidden) {
		t.Errorf("a nurse imported: %v", err)
	}
}

// TestWhatTheDatabaseRefusesCostsOneLine sends a text that fhir.Parse takes
// and PostgreSQL does not.
func TestWhatTheDatabaseRefusesCostsOneLine(t *testing.T) {
	r, ctx := recordstest.Open(t)
	var lines []string
	for i := range 20 {
		name := "A"
		if i == 7 {
			name = `B\u0000C`
		}
		lines = append(lines, fmt.Sprintf(`{"resourceType":"Organization","id":"o%d","name":"%s"}`, i, name))
	}
	got := r.Load(ctx, t, lines...)
	if got.GetCreated()+got.GetFailed() != 20 || got.GetFailed() > 1 {
		t.Errorf("%v %v", counts(got), got.GetErrors())
	}
	if n := r.Find(ctx, t, "Organization", "_total=accurate").Total; int64(n) != got.GetCreated() {
		t.Errorf("%d of %d are there", n, got.GetCreated())
	}
}

func TestAnImportKeepsEveryCharacter(t *testing.T) {
	r, ctx := recordstest.Open(t)
	name := `a\tb\\N\\.\nc\r\\x41 \"d\" {,} đ`
	if got := r.Load(ctx, t, `{"resourceType":"Organization","id":"a.b-c","name":"`+name+`"}`, `{"resourceType":"Organization","id":"o2","name":"\\."}`); got.GetCreated() != 2 {
		t.Fatalf("%v %v", counts(got), got.GetErrors())
	}
	x, err := r.Read(ctx, &recordsv1.ReadRequest{Type: "Organization", Id: "a.b-c"})
	if err != nil || !bytes.Contains(x.GetBody(), []byte(name)) {
		t.Errorf("%v %s", err, x.GetBody())
	}
	for _, query := range []string{"name:exact=" + url.QueryEscape("a\tb\\\\N\\\\.\nc\r\\\\x41 \"d\" {\\,} đ"), `name:exact=%5C%5C.`} {
		if f := r.Find(ctx, t, "Organization", query); len(f.IDs) != 1 {
			t.Errorf("%s finds %v", query, f.IDs)
		}
	}
}

// Both files have the same Patient; whoever comes second lies in the first's
// compartment with what else the file has.
func TestImportsOfOnePatientAtOnceShareItsCompartment(t *testing.T) {
	r, ctx := recordstest.Open(t)
	an := recordstest.Person("an", "Lê", "An", "1", "95012", "1950")
	const files, each = 6, 20
	var wg sync.WaitGroup
	for f := range files {
		lines := []string{an}
		for i := range each {
			lines = append(lines, recordstest.Observation(fmt.Sprintf("o%d-%d", f, i), "an", "1", "2026", "1"))
		}
		wg.Go(func() {
			got, err := r.Import(ctx, &recordsv1.ImportRequest{Lines: []byte(strings.Join(lines, "\n"))})
			if err != nil || got.GetFailed() > 0 || got.GetCreated()+got.GetUnchanged() != each+1 {
				t.Errorf("%v: %v %v", err, counts(got), got.GetErrors())
			}
		})
	}
	wg.Wait()
	if f := r.Find(ctx, t, "Observation", "patient=an&_total=accurate&_count=1"); f.Total != files*each {
		t.Errorf("the compartment holds %d", f.Total)
	}
}

func TestAnImportKeepsLargeValuesAndTheLogSkipsThem(t *testing.T) {
	r, ctx := recordstest.Open(t)
	data := strings.Repeat("AbC/", 50_000)
	an := strings.TrimSuffix(recordstest.Person("an", "Lê", "An", "1", "95012", "1950"), "}") + `,"photo":[{"contentType":"image/png","data":"` + data + `"}]}`
	if got := r.Load(ctx, t, an, strings.Replace(an, `"id":"an"`, `"id":"binh"`, 1)); got.GetCreated() != 2 {
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

// stale is a store that once does not know what is there, as if it had been
// asked before it was written.
type stale struct {
	bulk.Store
	asked atomic.Bool
}

func (s *stale) Known(ctx context.Context, refs []record.Ref) (map[record.Ref]bool, error) {
	if !s.asked.Swap(true) {
		return nil, nil
	}
	return s.Store.Known(ctx, refs)
}

func (s *stale) PatientKeys(ctx context.Context, ids []string) (map[string]int64, error) {
	if !s.asked.Load() {
		return nil, nil
	}
	return s.Store.PatientKeys(ctx, ids)
}

// TestAnImportThatLosesARaceFindsTheRightCompartment imports a Patient whom
// another import has just stored: what comes with the Patient must lie in the
// compartment that is there.
func TestAnImportThatLosesARaceFindsTheRightCompartment(t *testing.T) {
	r, ctx := recordstest.Open(t)
	an := recordstest.Person("an", "Lê", "An", "1", "95012", "1950")
	r.Load(ctx, t, an)
	r.Bulk.Store = &stale{Store: r.Store}
	got := r.Load(ctx, t, an, recordstest.Observation("o1", "an", "1", "2026", "1"))
	if counts(got) != [4]int64{1, 0, 1, 0} {
		t.Errorf("created, updated, unchanged, failed: %v %v", counts(got), got.GetErrors())
	}
	if x := r.Find(recordstest.Nurse(t.Context(), "95012"), t, "Observation", "patient=an"); len(x.IDs) != 1 {
		t.Error("the observation lies in a compartment that nobody has")
	}
}
