package bulk_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/recordstest"
)

func TestAnExportUntilATimeHasWhatWasWrittenBefore(t *testing.T) {
	r, ctx := recordstest.Open(t)
	day := func(n int) string { return time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC).Format(time.RFC3339) }
	for n := 1; n <= 4; n++ {
		r.Clock = func() time.Time { return time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC) }
		r.Load(ctx, t, fmt.Sprintf(`{"resourceType":"Organization","id":"o%d","name":"A"}`, n))
	}
	// o1 was changed on the fourth day, and o2 deleted.
	r.Load(ctx, t, `{"resourceType":"Organization","id":"o1","name":"B"}`)
	if _, err := r.Delete(ctx, &recordsv1.DeleteRequest{Type: "Organization", Id: "o2"}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ query, want, gone string }{
		{"_until=" + day(4), "Organization/o3", ""},
		{"_until=" + day(3), "", ""},
		{"_until=2026-03-05", "Organization/o1 Organization/o3 Organization/o4", ""},
		{"_since=" + day(4) + "&_until=2027", "Organization/o1 Organization/o4", "o2"},
		{"_since=" + day(3) + "&_until=" + day(4), "Organization/o3", ""},
		{"_until=2027&" + filters("Organization?name=b"), "Organization/o1", ""},
	} {
		job := begin(ctx, t, r, "system", tt.query)
		completed(ctx, t, r, job)
		got, deleted := lines(ctx, t, r, job)
		if idsOf(t, got) != tt.want || len(deleted) > 1 || strings.Contains(strings.Join(deleted, ""), "Organization/"+tt.gone+`"`) != (tt.gone != "") {
			t.Errorf("%s: %s and %v, want %s and %s", tt.query, idsOf(t, got), deleted, tt.want, tt.gone)
		}
	}
}

// TestElementsAreShownAsASearchShowsThem compares the lines with the entries
// of a search.
func TestElementsAreShownAsASearchShowsThem(t *testing.T) {
	r, ctx := recordstest.Open(t)
	crowd(ctx, t, r)
	// What is kept apart is read where it is shown only; content must be there.
	content, data := strings.Repeat("QUJD", 30_000), strings.Repeat("REVG", 30_000)
	got := r.Load(ctx, t, `{"resourceType":"DocumentReference","id":"d","status":"current","subject":{"reference":"Patient/an"},"description":"Ảnh","content":[{"attachment":{"contentType":"image/png","data":"`+content+`"}}]}`,
		`{"resourceType":"Binary","id":"b","contentType":"text/plain","data":"`+data+`"}`)
	if got.GetCreated() != 2 {
		t.Fatal(got.GetErrors())
	}
	for _, elements := range []string{"id", "name,Observation.subject", "Observation.code,Patient.birthDate", "description", "Binary.data"} {
		job := begin(ctx, t, r, "system", "_elements="+elements)
		m := completed(ctx, t, r, job)
		got, _ := lines(ctx, t, r, job)
		if n := len(got); n != 33 {
			t.Fatalf("%d lines", n)
		}
		shown := map[string]string{}
		for _, o := range m.Output {
			b, err := r.Search(ctx, &recordsv1.SearchRequest{Type: o.Type, Query: "_count=1000&_elements=" + elements})
			if err != nil {
				t.Fatal(err)
			}
			var x struct {
				Entry []struct{ Resource json.RawMessage }
			}
			if err := json.Unmarshal(b.GetBody(), &x); err != nil {
				t.Fatal(err)
			}
			for _, e := range x.Entry {
				shown[idOf(t, string(e.Resource))] = string(e.Resource)
			}
		}
		for _, l := range got {
			if l != shown[idOf(t, l)] || !strings.Contains(l, `"code":"SUBSETTED"`) {
				t.Errorf("%s: exported %.300s\nfound %.300s", elements, l, shown[idOf(t, l)])
			}
		}
		all := strings.Join(got, "")
		if !strings.Contains(all, content) || strings.Contains(all, data) != (elements == "Binary.data") || strings.Contains(all, "telecom") {
			t.Errorf("%s: %.300s", elements, all)
		}
	}
	both := begin(ctx, t, r, "system", "_type=Patient&_elements=Patient.name&_elements=gender")
	completed(ctx, t, r, both)
	if got, _ := lines(ctx, t, r, both); !strings.Contains(got[0], `"name"`) || !strings.Contains(got[0], `"gender"`) || strings.Contains(got[0], "birthDate") {
		t.Errorf("given twice: %s", got[0])
	}
}

func TestWhatAnExportCannotJudgeIsRefusedByItsPlace(t *testing.T) {
	r, ctx := recordstest.Open(t)
	for _, tt := range []struct {
		level, query, at, says string
		// ignored is what a lenient request is told, empty where it is refused too.
		ignored string
	}{
		{"system", filters("Observation?colour=red"), "_typeFilter[0].colour", `"colour"`, "_typeFilter=Observation"},
		{"system", filters("Observation?status=final", "Observation?patient.name=an"), "_typeFilter[1]", `"patient"`, "_typeFilter=Observation"},
		{"system", filters("Patient?_has:Observation:patient:code=1"), "_typeFilter[0]", "alone", "_typeFilter=Patient"},
		{"system", filters("Patient?_sort=name"), "_typeFilter[0]", "_sort", "_typeFilter=Patient"},
		{"system", filters("Patient?_count=20"), "_typeFilter[0]", "_count", "_typeFilter=Patient"},
		{"system", filters("Patient?_elements=id"), "_typeFilter[0]", "_include", "_typeFilter=Patient"},
		{"system", filters("Observation?_include=Observation:subject"), "_typeFilter[0]", "_include", "_typeFilter=Observation"},
		{"system", filters("Patient?_text=x"), "_typeFilter[0]", "_text", "_typeFilter=Patient"},
		{"system", filters("Observation?code:in=http://a"), "_typeFilter[0]", `"code"`, "_typeFilter=Observation"},
		{"system", filters("Patient?_list=x"), "_typeFilter[0]", "", "_typeFilter=Patient"},
		{"system", filters("Observation?code-value-quantity=1$2"), "_typeFilter[0]", `"code-value-quantity"`, "_typeFilter=Observation"},
		{"patient", filters("Organization?name=x"), "_typeFilter[0]", "not among", "_typeFilter=Organization"},
		{"system", filters("Organization?name=x") + "&_type=Patient", "_typeFilter[0]", "not among", "_typeFilter=Organization"},
		{"system", filters("Observation?status=final", "Observation?date=yesterday"), "_typeFilter[1].date", "date such as", ""},
		{"system", filters("Nothing?a=b"), "_typeFilter[0]", "Type?criteria", ""},
		{"system", filters("status=final"), "_typeFilter[0]", "Type?criteria", ""},
		{"system", filters("Observation"), "_typeFilter[0]", "Type?criteria", ""},
		{"system", filters(""), "_typeFilter[0]", "Type?criteria", ""},
		{"system", filters("Patient?name=%zz"), "_typeFilter[0]", "URL-encoded", ""},
		{"system", strings.Repeat(filters("Patient?name=a")+"&", 51), "_typeFilter", "at most 50", ""},
		{"system", "_elements=Patient.name.family", "_elements", "top-level", ""},
		{"system", "_elements=Nothing.name", "_elements", "top-level", ""},
		{"system", "_until=soon", "_until", "date such as", ""},
		{"system", "_until=2026&_until=2027", "_until", "once", ""},
		{"system", "_since=2026&_since=2027", "_since", "once", ""},
		{"system", "_since=2026&_until=2026", "_until", "later than _since", ""},
		{"system", "_outputFormat=ndjson&_outputFormat=csv", "_outputFormat", "ndjson", ""},
		{"system", "_elements=%00", "", "UTF-8", ""},
		{"system", "%ff=1", "", "UTF-8", ""},
		{"system", "allowPartialManifests=true", "allowPartialManifests", "allowPartialManifests", "allowPartialManifests"},
		{"system", "organizeOutputBy=Patient", "organizeOutputBy", "organizeOutputBy", "organizeOutputBy"},
		{"patient", "patient=Patient/an&includeAssociatedData=LatestProvenanceResources", "includeAssociatedData", "patient", "includeAssociatedData patient"},
		{"patient", "_type=Organization,Patient", "_type", "_type=Organization", "_type=Organization"},
	} {
		_, err := r.Export(ctx, &recordsv1.ExportRequest{Level: tt.level, Query: tt.query})
		if f := fault.Of(err); f.Class != fault.Invalid || f.At != tt.at || !strings.Contains(f.Message, tt.says) {
			t.Errorf("%s: %s at %q: %s", tt.query, f.Class, f.At, f.Message)
		}
		resp, err := r.Export(ctx, &recordsv1.ExportRequest{Level: tt.level, Query: tt.query, Lenient: true})
		if got := strings.Join(resp.GetIgnored(), " "); got != tt.ignored || fault.Is(err, fault.Invalid) != (tt.ignored == "") {
			t.Errorf("lenient %s: ignored %q, %v", tt.query, got, err)
		}
	}
}

// TestALenientExportTellsWhatItIgnored exports the type of an ignored filter
// whole, and says so in the manifest.
func TestALenientExportTellsWhatItIgnored(t *testing.T) {
	r, ctx := recordstest.Open(t)
	province(ctx, t, r)
	resp, err := r.Export(ctx, &recordsv1.ExportRequest{Level: "system", Lenient: true, Query: "colour=red&_type=Observation,Patient&" +
		filters("Observation?code=none", "Observation?patient.name=x", "Patient?name=ba")})
	if err != nil {
		t.Fatal(err)
	}
	m := completed(ctx, t, r, resp.GetJob())
	if got, _ := lines(ctx, t, r, resp.GetJob()); idsOf(t, got) != "Observation/oan Observation/oba Patient/ba" {
		t.Errorf("%v", got)
	}
	page, err := r.ExportFile(ctx, &recordsv1.ExportFileRequest{Job: resp.GetJob()})
	if err != nil || len(m.Error) != 1 || m.Error[0].Type != "OperationOutcome" || m.Error[0].Count != 2 || !strings.HasSuffix(m.Error[0].URL, "&file=0") {
		t.Fatalf("%v %v", m.Error, err)
	}
	told := strings.Split(strings.TrimSpace(string(page.GetLines())), "\n")
	if len(told) != 2 || !strings.Contains(told[0], `"ignored: _typeFilter=Observation"`) || !strings.Contains(told[1], `"ignored: colour"`) {
		t.Errorf("%q", told)
	}
	job := begin(ctx, t, r, "system", "_type=Patient")
	completed(ctx, t, r, job)
	if _, err := r.ExportFile(ctx, &recordsv1.ExportFileRequest{Job: job}); !fault.Is(err, fault.NotFound) {
		t.Errorf("an export that ignored nothing has a file of errors: %v", err)
	}
}

// TestPagesOfPartsAreBounded exports parts that have to hold long values: what
// is in them is known only when they are written.
func TestPagesOfPartsAreBounded(t *testing.T) {
	r, ctx := recordstest.Open(t)
	content := strings.Repeat("QUJD", 750_000)
	for i := range 4 {
		r.Make(ctx, t, "DocumentReference", fmt.Sprintf(`{"resourceType":"DocumentReference","status":"current","description":"%d","content":[{"attachment":{"contentType":"image/png","data":"%s"}}]}`, i, content))
	}
	job := begin(ctx, t, r, "system", "_type=DocumentReference&_elements=id")
	completed(ctx, t, r, job)
	req := &recordsv1.ExportFileRequest{Job: job, File: 1}
	var sizes []int
	for more := true; more; more = req.GetAfter() != "" {
		page, err := r.ExportFile(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, strings.Count(string(page.GetLines()), content))
		req.After = page.GetNext()
	}
	if !slices.Equal(sizes, []int{2, 2}) {
		t.Errorf("the pages have %v documents of 3 MB", sizes)
	}
}
