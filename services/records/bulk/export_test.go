package bulk_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/pg/pgtest"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/bulk"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
	"github.com/yba-health/yba/services/records/recordstest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

var lastUpdated = regexp.MustCompile(`"lastUpdated":"[^"]*"`)

// metaOf is what the server sets, as a member of its own or within meta.
var metaOf = regexp.MustCompile(`,"meta":\{"versionId":"\d+","lastUpdated":"[^"]*"\}|"versionId":"\d+",|"lastUpdated":"[^"]*",|"versionId": "\d+",? ?|"lastUpdated": "[^"]*",? ?`)

var patientNamed = regexp.MustCompile(`"reference": "Patient/([^"/]+)"`)

type manifest struct {
	TransactionTime string
	Output, Deleted []struct {
		Type, URL string
		Count     int
	}
	Error []struct {
		Type, URL string
		Count     int
	}
}

// begin asks for an export.
func begin(ctx context.Context, t testing.TB, r *recordstest.Service, level, query string) string {
	t.Helper()
	group := ""
	if g, ok := strings.CutPrefix(level, "group/"); ok {
		level, group = "group", g
	}
	x, err := r.Export(ctx, &recordsv1.ExportRequest{Level: level, Group: group, Query: query, Request: "http://test/fhir/R4/$export"})
	if err != nil {
		t.Fatalf("%s %s: %v", level, query, err)
	}
	return x.GetJob()
}

// steps carries out at most n steps of whatever job is there.
func steps(ctx context.Context, t testing.TB, r *recordstest.Service, n int) {
	t.Helper()
	j, err := r.Store.ClaimJob(ctx, r.Lease)
	if err != nil || j == nil {
		t.Fatalf("no job: %v", err)
	}
	for i := 0; i < n && j.State == "active"; i++ {
		if err := bulk.Step(ctx, r.Bulk, j); err != nil {
			t.Fatal(err)
		}
	}
}

// completed runs a job to its end and returns its manifest.
func completed(ctx context.Context, t testing.TB, r *recordstest.Service, job string) manifest {
	t.Helper()
	steps(ctx, t, r, 1<<20)
	s, err := r.ExportStatus(ctx, &recordsv1.ExportStatusRequest{Job: job})
	if err != nil || !s.GetComplete() {
		t.Fatalf("status %v %v", s, err)
	}
	var m manifest
	if err := json.Unmarshal(s.GetManifest(), &m); err != nil {
		t.Fatalf("%v in %s", err, s.GetManifest())
	}
	return m
}

// lines downloads all files of a job in ctx: the resources and the deletions.
func lines(ctx context.Context, t testing.TB, r *recordstest.Service, job string) (output, deleted []string) {
	t.Helper()
	files, err := r.Store.Files(ctx, job)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		for _, gone := range []bool{false, true} {
			req := &recordsv1.ExportFileRequest{Job: job, File: int32(f.File), Deleted: gone}
			for {
				page, err := r.ExportFile(ctx, req)
				if err != nil {
					t.Fatal(err)
				}
				for l := range strings.Lines(string(page.GetLines())) {
					if gone {
						deleted = append(deleted, strings.TrimSpace(l))
					} else {
						output = append(output, strings.TrimSpace(l))
					}
				}
				if page.GetNext() == "" {
					break
				}
				req.After = page.GetNext()
			}
		}
	}
	return output, deleted
}

func idOf(t testing.TB, line string) string {
	t.Helper()
	var x struct{ ResourceType, ID string }
	if err := json.Unmarshal([]byte(line), &x); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	return x.ResourceType + "/" + x.ID
}

func idsOf(t testing.TB, list []string) string {
	t.Helper()
	var ids []string
	for _, l := range list {
		ids = append(ids, idOf(t, l))
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// province is two patients of two communes, one observation each, Groups in
// the compartment of Ba, who is their first member, and what is shared.
func province(ctx context.Context, t testing.TB, r *recordstest.Service) {
	t.Helper()
	r.Load(ctx, t,
		`{"resourceType":"Organization","id":"hq","name":"Sở"}`,
		recordstest.Person("an", "Lê", "An", "1", "95012", "1950"),
		recordstest.Person("ba", "Lê", "Ba", "2", "95013", "1950"),
		recordstest.Observation("oan", "an", "1", "2026", "1"),
		recordstest.Observation("oba", "ba", "1", "2026", "1"),
		`{"resourceType":"Group","id":"g","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/ba"}},{"entity":{"reference":"Patient/an"},"inactive":true}]}`,
		`{"resourceType":"Group","id":"h","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/ba"}},{"entity":{"reference":"Patient/an"}}]}`)
}

func TestAnExportHoldsWhatItsLevelTypesAndScopeSay(t *testing.T) {
	r, ctx := recordstest.Open(t)
	province(ctx, t, r)
	a, b := recordstest.Nurse(t.Context(), "95012"), recordstest.Nurse(t.Context(), "95013")
	for _, tt := range []struct {
		ctx                context.Context
		level, query, want string
	}{
		{ctx, "system", "", "Group/g Group/h Observation/oan Observation/oba Organization/hq Patient/an Patient/ba"},
		{ctx, "system", "_type=Observation,Organization&_outputFormat=ndjson", "Observation/oan Observation/oba Organization/hq"},
		{ctx, "patient", "", "Group/g Group/h Observation/oan Observation/oba Patient/an Patient/ba"},
		{ctx, "group/g", "", "Group/g Group/h Observation/oba Patient/ba"},
		{ctx, "group/h", "_type=Patient", "Patient/an Patient/ba"},
		{a, "system", "", "Observation/oan Organization/hq Patient/an"},
		{a, "patient", "", "Observation/oan Patient/an"},
		{b, "group/h", "_type=Patient,Observation", "Observation/oba Patient/ba"},
	} {
		r.Enters = func(context.Context) (context.Context, error) { return tt.ctx, nil }
		job := begin(tt.ctx, t, r, tt.level, tt.query)
		m := completed(tt.ctx, t, r, job)
		got, _ := lines(tt.ctx, t, r, job)
		if idsOf(t, got) != tt.want {
			t.Errorf("%s?%s: %s, want %s", tt.level, tt.query, idsOf(t, got), tt.want)
		}
		n := 0
		for _, o := range m.Output {
			n += o.Count
		}
		if n != len(got) || m.Error == nil {
			t.Errorf("%s?%s: the manifest counts %d of %d: %v", tt.level, tt.query, n, len(got), m)
		}
	}
}

func TestAnExportIsOnlyForWhoAsked(t *testing.T) {
	r, ctx := recordstest.Open(t)
	province(ctx, t, r)
	a, b := recordstest.Nurse(t.Context(), "95012"), recordstest.Nurse(t.Context(), "95013")
	r.Enters = func(context.Context) (context.Context, error) { return a, nil }
	job := begin(a, t, r, "system", "")
	completed(a, t, r, job)
	var said []string
	for _, id := range []string{job, "5f0b2b8e-4f39-4a4a-9c29-3c1b38b1f1d3", "'"} {
		_, err1 := r.ExportStatus(b, &recordsv1.ExportStatusRequest{Job: id})
		_, err2 := r.ExportFile(b, &recordsv1.ExportFileRequest{Job: id, File: 1})
		_, err3 := r.ExportCancel(b, &recordsv1.ExportCancelRequest{Job: id})
		for _, err := range []error{err1, err2, err3} {
			said = append(said, fault.Of(err).Class.String()+fault.Of(err).Message)
		}
	}
	if slices.Sort(said); len(slices.Compact(said)) != 1 || !strings.HasPrefix(said[0], "forbidden") {
		t.Errorf("another nurse is told %q", slices.Compact(said))
	}
	// Who reaches everything may look, and sees what the asker could see.
	if got, _ := lines(ctx, t, r, job); idsOf(t, got) != "Observation/oan Organization/hq Patient/an" {
		t.Errorf("the importer downloads %s", idsOf(t, got))
	}
}

// TestARightThatEndsEndsTheExport takes the commune from the nurse, or the
// patient from the commune, before the count, and before the download.
func TestARightThatEndsEndsTheExport(t *testing.T) {
	r, ctx := recordstest.Open(t)
	province(ctx, t, r)
	a := recordstest.Nurse(t.Context(), "95012")
	poor := guard.WithScope(a, &guard.Scope{Shared: true, Communes: []string{"95013@2025-07-01"}})
	r.Enters = func(context.Context) (context.Context, error) { return poor, nil }
	job := begin(a, t, r, "patient", "")
	if m := completed(a, t, r, job); len(m.Output) != 0 {
		t.Errorf("counted with a scope that was lost, or found later: %v", m)
	}
	r.Enters = func(context.Context) (context.Context, error) { return a, nil }
	job = begin(a, t, r, "patient", "")
	completed(a, t, r, job)
	if got, _ := lines(poor, t, r, job); len(got) != 0 {
		t.Errorf("downloaded after the loss, or what was won: %v", got)
	}
	r.Load(ctx, t, recordstest.Person("an", "Lê", "An", "1", "95013", "1950"))
	if got, _ := lines(a, t, r, job); len(got) != 0 {
		t.Errorf("downloaded after the patient had moved: %v", got)
	}
	r.Enters = func(ctx context.Context) (context.Context, error) {
		return ctx, fault.New(fault.Forbidden, "no", nil)
	}
	job = begin(a, t, r, "patient", "")
	steps(a, t, r, 1<<20)
	if _, err := r.ExportStatus(a, &recordsv1.ExportStatusRequest{Job: job}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("the account has lost the operation: %v", err)
	}
}

func TestAnExportShowsTheMomentOfAsking(t *testing.T) {
	r, ctx := recordstest.Open(t)
	province(ctx, t, r)
	job := begin(ctx, t, r, "system", "_type=Organization,Observation")
	r.Load(ctx, t,
		`{"resourceType":"Organization","id":"hq","name":"later"}`,
		`{"resourceType":"Organization","id":"new","name":"later"}`)
	if _, err := r.Delete(ctx, &recordsv1.DeleteRequest{Type: "Observation", Id: "oan"}); err != nil {
		t.Fatal(err)
	}
	completed(ctx, t, r, job)
	got, deleted := lines(ctx, t, r, job)
	if idsOf(t, got) != "Observation/oan Observation/oba Organization/hq" || strings.Contains(strings.Join(got, ""), "later") || deleted != nil {
		t.Errorf("%v %v", got, deleted)
	}
}

func TestAnExportSinceATimeTellsWhatWasDeleted(t *testing.T) {
	r, ctx := recordstest.Open(t)
	r.Clock = func() time.Time { return time.Now().Add(-time.Hour) }
	province(ctx, t, r)
	since := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
	r.Clock = time.Now
	r.Load(ctx, t, `{"resourceType":"Organization","id":"new","name":"later"}`)
	if _, err := r.Delete(ctx, &recordsv1.DeleteRequest{Type: "Observation", Id: "oan"}); err != nil {
		t.Fatal(err)
	}
	job := begin(ctx, t, r, "system", "_since="+since)
	m := completed(ctx, t, r, job)
	got, deleted := lines(ctx, t, r, job)
	want := `{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"Observation/oan"}}]}`
	if idsOf(t, got) != "Organization/new" || len(deleted) != 1 || deleted[0] != want {
		t.Errorf("%v %v", got, deleted)
	}
	if len(m.Deleted) != 1 || m.Deleted[0].Type != "Bundle" || m.Deleted[0].Count != 1 || !strings.HasSuffix(m.Deleted[0].URL, "&deleted=true") {
		t.Errorf("the manifest says %v", m.Deleted)
	}
	// A nurse of the other commune is not told of it.
	b := recordstest.Nurse(t.Context(), "95013")
	r.Enters = func(context.Context) (context.Context, error) { return b, nil }
	job = begin(b, t, r, "system", "_since="+since)
	completed(b, t, r, job)
	if _, deleted := lines(b, t, r, job); deleted != nil {
		t.Errorf("a foreign deletion is told: %v", deleted)
	}
}

// holding writes an Organization and keeps its transaction open: it closes
// held and waits for release.
func holding(ctx context.Context, r *recordstest.Service, id string, held chan<- struct{}, release <-chan struct{}) error {
	x, err := r.Store.Indexer(ctx)
	if err != nil {
		return err
	}
	keys, err := r.Store.Keys(ctx, 1)
	if err != nil {
		return err
	}
	body := []byte(`{"resourceType":"Organization","id":"` + id + `","meta":{"versionId":"1"},"name":"late"}`)
	doc, err := fhir.Parse(body)
	if err != nil {
		return err
	}
	w := record.Write{Key: keys[0], Type: r.Bulk.Definitions.Number("Organization"), ID: id, Version: 1, Updated: r.Clock(), Op: "create", Body: body}
	w.Rows, w.At = x.Extract(doc.Root())
	return r.Store.InTx(ctx, func(tx *sql.Tx) error {
		err := r.Store.Put(ctx, tx, record.Author{Actor: "test"}, []record.Write{w}, record.Needs{})
		close(held)
		<-release
		return err
	})
}

// TestNothingCommittedLateFallsBetweenTwoExports holds a write open while an
// export is asked for; the next one since that time has it.
func TestNothingCommittedLateFallsBetweenTwoExports(t *testing.T) {
	r, ctx := recordstest.Open(t)
	held, release, written := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() { // ends when released
		written <- holding(ctx, r, "late", held, release)
	}()
	<-held
	job := begin(ctx, t, r, "system", "")
	m := completed(ctx, t, r, job)
	close(release)
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if len(m.Output) != 0 {
		t.Errorf("the export holds what was not committed: %v", m)
	}
	next := begin(ctx, t, r, "system", "_since="+m.TransactionTime)
	completed(ctx, t, r, next)
	if got, _ := lines(ctx, t, r, next); idsOf(t, got) != "Organization/late" {
		t.Errorf("the next export holds %s", idsOf(t, got))
	}
}

// TestAnotherProcessGoesOnWithAnExport leaves a job in the middle, as a kill
// does, and lets a service of its own on the same database go on.
func TestAnotherProcessGoesOnWithAnExport(t *testing.T) {
	r, ctx := recordstest.Open(t)
	r.Part, r.Lease = 3, 0
	var all []string
	for i := range 20 {
		all = append(all, fmt.Sprintf(`{"resourceType":"Organization","id":"o%02d","name":"A"}`, i))
	}
	r.Load(ctx, t, all...)
	job := begin(ctx, t, r, "system", "_type=Organization,Patient")
	steps(ctx, t, r, 4)
	s, err := r.ExportStatus(ctx, &recordsv1.ExportStatusRequest{Job: job})
	if err != nil || s.GetComplete() || s.GetProgress() != "9 resources found in 1 of 2 types" {
		t.Fatalf("%v %v", s, err)
	}
	if _, err := r.ExportFile(ctx, &recordsv1.ExportFileRequest{Job: job, File: 1}); !fault.Is(err, fault.NotFound) {
		t.Errorf("a file was given before its time: %v", err)
	}
	slow, err := r.Store.ClaimJob(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	other := recordstest.On(t, r.DB, r.DSN)
	other.Part = 3
	m := completed(ctx, t, other, job)
	got, _ := lines(ctx, t, other, job)
	if len(m.Output) != 7 || len(got) != 20 || len(strings.Split(idsOf(t, got), " ")) != 20 {
		t.Errorf("%d files, %d lines", len(m.Output), len(got))
	}
	// The first worker, which was only slow, changes nothing any more.
	if err := bulk.Count(ctx, r.Bulk, slow); err != nil {
		t.Error(err)
	}
	if files, _ := r.Store.Files(ctx, job); len(files) != 7 {
		t.Errorf("a slow worker added files: %v", files)
	}
}

func TestAWorkerLeavesAClaimedExportAlone(t *testing.T) {
	r, ctx := recordstest.Open(t)
	begin(ctx, t, r, "system", "")
	first, err := r.Store.ClaimJob(ctx, time.Minute)
	if err != nil || first == nil {
		t.Fatal(first, err)
	}
	if second, err := r.Store.ClaimJob(ctx, time.Minute); err != nil || second != nil {
		t.Errorf("claimed twice: %v %v", second, err)
	}
}

func TestACancelledExportIsGone(t *testing.T) {
	r, ctx := recordstest.Open(t)
	province(ctx, t, r)
	job := begin(ctx, t, r, "system", "")
	j, err := r.Store.ClaimJob(ctx, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := bulk.Step(ctx, r.Bulk, j); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ExportCancel(ctx, &recordsv1.ExportCancelRequest{Job: job}); err != nil {
		t.Fatal(err)
	}
	if err := bulk.Count(ctx, r.Bulk, j); err != nil {
		t.Errorf("its worker fails: %v", err)
	}
	if _, err := r.ExportStatus(ctx, &recordsv1.ExportStatusRequest{Job: job}); !fault.Is(err, fault.NotFound) {
		t.Errorf("it is still there: %v", err)
	}
	if files, err := r.Store.Files(ctx, job); len(files) != 0 || err != nil {
		t.Errorf("its files are still there: %v %v", files, err)
	}
}

func TestADeidentifiedExportNamesNobody(t *testing.T) {
	r, ctx := recordstest.Open(t)
	province(ctx, t, r)
	d := guard.WithScope(guard.WithPrincipal(t.Context(), &guard.Principal{Account: "dept"}), &guard.Scope{Deidentified: true})
	r.Enters = func(context.Context) (context.Context, error) { return d, nil }
	job := begin(d, t, r, "patient", "")
	completed(d, t, r, job)
	for _, ctx := range []context.Context{d, ctx} { // also who reaches everything gets what was asked for
		got, _ := lines(ctx, t, r, job)
		text := strings.Join(got, "\n")
		if len(got) != 6 || strings.Contains(text, "Lê") || strings.Contains(text, `"an"`) || strings.Contains(text, "Patient/an") || !strings.Contains(text, `"x`) {
			t.Errorf("%s", text)
		}
	}
	for _, level := range []string{"group/g", "system"} {
		group := strings.TrimPrefix(level, "group/")
		_, err := r.Export(d, &recordsv1.ExportRequest{Level: strings.Split(level, "/")[0], Group: group, Query: map[string]string{"system": "_since=2026"}[level]})
		if !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", level, err)
		}
	}
}

// TestExportAndImportGiveTheSameBytes exports everything, imports it into an
// empty database and exports it again.
func TestExportAndImportGiveTheSameBytes(t *testing.T) {
	files, _ := filepath.Glob("../../../../shared/data/fhir-r4-examples/*.json")
	if len(files) == 0 {
		t.Skip("../shared/data/fhir-r4-examples is absent")
	}
	r, ctx := recordstest.Open(t)
	var first []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// One line each; every digit and every escape stays.
		line := string(bytes.Join(bytes.Fields(text), []byte(" ")))
		first = append(first, strings.Replace(line, `{ "resourceType": "Parameters",`, `{ "resourceType": "Parameters", "id": "p",`, 1))
	}
	for _, m := range patientNamed.FindAllStringSubmatch(strings.Join(first, "\n"), -1) {
		if !strings.Contains(strings.Join(first, "\n"), `"resourceType": "Patient", "id": "`+m[1]+`"`) {
			first = append(first, `{ "resourceType": "Patient", "id": "`+m[1]+`" }`)
		}
	}
	slices.SortStableFunc(first, func(a, b string) int {
		return strings.Index(b, `"resourceType": "Patient"`) - strings.Index(a, `"resourceType": "Patient"`)
	})
	got := r.Load(ctx, t, first...)
	sent := map[string]string{}
	for _, l := range first {
		sent[idOf(t, l)] = l
	}
	whole := func(r *recordstest.Service) []string {
		job := begin(ctx, t, r, "system", "")
		completed(ctx, t, r, job)
		out, _ := lines(ctx, t, r, job)
		return out
	}
	here := whole(r)
	if int64(len(here)) != got.GetCreated() || len(here) < len(files)-3 {
		t.Fatalf("%d of %d files are exported: %v", len(here), len(files), got.GetErrors())
	}
	for _, l := range here {
		if a, b := metaOf.ReplaceAllString(sent[idOf(t, l)], ""), metaOf.ReplaceAllString(l, ""); a != b {
			t.Errorf("sent %.300s\ngot  %.300s", a, b)
		}
	}
	other, _ := recordstest.Open(t)
	if c := other.Load(ctx, t, here...); c.GetCreated() != int64(len(here)) {
		t.Fatalf("imported %v: %v", counts(c), c.GetErrors())
	}
	there := whole(other)
	for i := range here {
		// Only the time of writing is another one.
		a, b := lastUpdated.ReplaceAllString(here[i], ""), lastUpdated.ReplaceAllString(there[i], "")
		if a != b {
			t.Errorf("sent %.300s\ngot  %.300s", a, b)
		}
	}
}

// TestEachPatientOfAnExportIsNotedOnce counts what the audit log is told.
func TestEachPatientOfAnExportIsNotedOnce(t *testing.T) {
	r, ctx := recordstest.Open(t)
	province(ctx, t, r)
	job := begin(ctx, t, r, "system", "")
	completed(ctx, t, r, job)
	keys, err := r.Store.PatientKeys(ctx, []string{"an", "ba"})
	if err != nil {
		t.Fatal(err)
	}
	lines(ctx, t, r, job)
	for account, want := range map[string]int{caller.Author(ctx).Actor: 0, "another": 2} {
		first, err := r.Store.FirstRead(ctx, job, account, []int64{keys["an"], keys["ba"]})
		if err != nil || len(first) != want {
			t.Errorf("%s: %v are new, %v", account, first, err)
		}
	}
}
