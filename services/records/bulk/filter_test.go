package bulk_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/bulk"
	"github.com/yba-health/yba/services/records/recordstest"
)

// filters writes searches as parameters of a kick-off.
func filters(searches ...string) string {
	q := url.Values{"_typeFilter": searches}
	return q.Encode()
}

// crowd is three patients of two communes with all sorts of Observations.
func crowd(ctx context.Context, t testing.TB, r *recordstest.Service) {
	t.Helper()
	lines := []string{
		`{"resourceType":"Organization","id":"hq","name":"Sở","active":true}`,
		recordstest.Person("an", "Lê", "An", "1", "95012", "1950-03-04"),
		recordstest.Person("ba", "Trần", "Ba", "2", "95013", "1980-03"),
		recordstest.Person("chi", "Lê", "Chi", "3", "95013", "1950"),
	}
	for _, p := range []string{"an", "ba", "chi"} {
		for i, code := range []string{"8480-6", "8462-4", "8867-4"} {
			for year := range 3 {
				o := recordstest.Observation(fmt.Sprintf("o-%s-%d-%d", p, i, year), p, code, fmt.Sprintf("202%d-01-02", year+3), fmt.Sprintf("%d0.5", 6+i+year))
				if i == year {
					o = strings.Replace(o, `"final"`, `"amended"`, 1)
				}
				lines = append(lines, o)
			}
		}
	}
	if got := r.Load(ctx, t, lines...); got.GetFailed() > 0 {
		t.Fatal(got.GetErrors())
	}
}

// found is what searches of the same criteria find, each id once.
func found(ctx context.Context, t testing.TB, r *recordstest.Service, searches ...string) string {
	t.Helper()
	var ids []string
	for _, s := range searches {
		typ, criteria, _ := strings.Cut(s, "?")
		for _, id := range r.Find(ctx, t, typ, criteria+"&_count=1000").IDs {
			ids = append(ids, typ+"/"+id)
		}
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), " ")
}

func TestAnExportHasOfATypeWhatItsSearchesFind(t *testing.T) {
	r, ctx := recordstest.Open(t)
	crowd(ctx, t, r)
	some := 0
	for _, searches := range [][]string{
		{"Observation?code=8480-6"},
		{"Observation?code=http://loinc.org|8480-6,8867-4&status=amended"},
		{"Observation?status=amended", "Observation?date=ge2025&code=8867-4"},
		{"Observation?patient=Patient/an", "Observation?value-quantity=gt80|http://unitsofmeasure.org|mm[Hg]", "Patient?name=tran"},
		{"Observation?status:not=final", "Patient?birthdate=1950", "Organization?active=true"},
		{"Observation?code:missing=true", "Patient?family:exact=Lê"},
		{"Observation?_id=o-an-0-0,o-ba-1-1", "Patient?_lastUpdated=gt2020"},
		{"Observation?date=ap2024", "Patient?gender=male"},
		{"Observation?", "Patient?"},
	} {
		var types []string
		for _, s := range searches {
			typ, _, _ := strings.Cut(s, "?")
			types = append(types, typ)
		}
		slices.Sort(types)
		types = slices.Compact(types)
		for _, ctx := range []context.Context{ctx, recordstest.Nurse(t.Context(), "95012"), recordstest.Nurse(t.Context(), "95013")} {
			r.Enters = func(context.Context) (context.Context, error) { return ctx, nil }
			job := begin(ctx, t, r, "system", filters(searches...)+"&_type="+strings.Join(types, ","))
			m := completed(ctx, t, r, job)
			got, _ := lines(ctx, t, r, job)
			if want := found(ctx, t, r, searches...); idsOf(t, got) != want {
				t.Errorf("%v: %s, a search finds %s", searches, idsOf(t, got), want)
			}
			n := 0
			for _, o := range m.Output {
				n += o.Count
			}
			if n != len(got) {
				t.Errorf("%v: the manifest counts %d of %d", searches, n, len(got))
			}
			some += n
		}
	}
	if some < 100 {
		t.Errorf("the exports have %d resources, and prove little", some)
	}
}

func TestTypesWithoutAFilterAreExportedWhole(t *testing.T) {
	r, ctx := recordstest.Open(t)
	province(ctx, t, r)
	r.Load(ctx, t, strings.Replace(recordstest.Observation("old", "ba", "2", "2020", "2"), `"final"`, `"amended"`, 1))
	for _, tt := range []struct{ level, query, want string }{
		{"system", filters("Observation?status=amended"), "Group/g Group/h Observation/old Organization/hq Patient/an Patient/ba"},
		{"patient", filters("Patient?name=an", "Observation?date=2020"), "Group/g Group/h Observation/old Patient/an"},
		{"group/g", filters("Observation?code=1"), "Group/g Group/h Observation/oba Patient/ba"},
		{"group/g", filters("Observation?code=1", "Group?code=none") + "&_type=Observation,Group", "Observation/oba"},
		// A list parted by commas, as Bulk Data 1 wrote it; those within a search part values.
		{"system", filters("Observation?code=2,3&status=final,amended,Patient?name=ba,Organization?name=none,Group?type=animal"), "Observation/old Patient/ba"},
	} {
		job := begin(ctx, t, r, tt.level, tt.query)
		completed(ctx, t, r, job)
		if got, _ := lines(ctx, t, r, job); idsOf(t, got) != tt.want {
			t.Errorf("%s?%s: %s, want %s", tt.level, tt.query, idsOf(t, got), tt.want)
		}
	}
}

// TestAFilterJudgesTheMomentOfAsking changes what would be found before the
// count, and again before the download.
func TestAFilterJudgesTheMomentOfAsking(t *testing.T) {
	r, ctx := recordstest.Open(t)
	province(ctx, t, r)
	change := func(id, status string) {
		r.Load(ctx, t, strings.Replace(recordstest.Observation(id, "an", "1", "2026", "1"), `"final"`, `"`+status+`"`, 1))
	}
	change("was", "amended")
	change("later", "final")
	job := begin(ctx, t, r, "system", filters("Observation?status=amended"))
	change("was", "final")
	change("later", "amended")
	change("new", "amended")
	m := completed(ctx, t, r, job)
	change("was", "cancelled")
	if _, err := r.Delete(ctx, &recordsv1.DeleteRequest{Type: "Observation", Id: "later"}); err != nil {
		t.Fatal(err)
	}
	got, _ := lines(ctx, t, r, job)
	if i := slices.IndexFunc(got, func(l string) bool { return strings.Contains(l, "Observation") }); i < 0 || idOf(t, got[i]) != "Observation/was" || strings.Count(strings.Join(got, ""), `"Observation"`) != 1 {
		t.Errorf("%v", got)
	}
	for _, o := range m.Output {
		if o.Type == "Observation" && o.Count != 1 {
			t.Errorf("the manifest counts %d", o.Count)
		}
	}
}

// TestAFilterLosesWhatTheScopeLost takes the patient away after the count.
func TestAFilterLosesWhatTheScopeLost(t *testing.T) {
	r, ctx := recordstest.Open(t)
	province(ctx, t, r)
	a := recordstest.Nurse(t.Context(), "95012")
	r.Enters = func(context.Context) (context.Context, error) { return a, nil }
	job := begin(a, t, r, "patient", filters("Observation?code=1", "Patient?name=an,ba"))
	completed(a, t, r, job)
	if got, _ := lines(a, t, r, job); idsOf(t, got) != "Observation/oan Patient/an" {
		t.Errorf("%v", got)
	}
	r.Load(ctx, t, recordstest.Person("an", "Lê", "An", "1", "95013", "1950"))
	if got, _ := lines(a, t, r, job); len(got) != 0 {
		t.Errorf("downloaded after the patient had moved: %v", got)
	}
	b := recordstest.Nurse(t.Context(), "95013")
	if _, err := r.ExportFile(b, &recordsv1.ExportFileRequest{Job: job, File: 1}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("the nurse where the patient is now: %v", err)
	}
}

func TestADeletionIsToldWhereWhatWasDeletedIsFound(t *testing.T) {
	r, ctx := recordstest.Open(t)
	r.Clock = func() time.Time { return time.Now().Add(-time.Hour) }
	crowd(ctx, t, r)
	since := "&_since=" + time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
	r.Clock = time.Now
	for _, id := range []string{"o-an-0-0", "o-an-0-1", "o-ba-0-0"} {
		if _, err := r.Delete(ctx, &recordsv1.DeleteRequest{Type: "Observation", Id: id}); err != nil {
			t.Fatal(err)
		}
	}
	b := recordstest.Nurse(t.Context(), "95013")
	for _, tt := range []struct {
		ctx    context.Context
		filter string
		want   []string
	}{
		{ctx, "Observation?status=amended", []string{"o-an-0-0", "o-ba-0-0"}},
		{ctx, "Observation?status=final", []string{"o-an-0-1"}},
		{ctx, "Observation?code=none", nil},
		{b, "Observation?status=amended,final", []string{"o-ba-0-0"}},
	} {
		r.Enters = func(context.Context) (context.Context, error) { return tt.ctx, nil }
		job := begin(tt.ctx, t, r, "system", filters(tt.filter)+since)
		m := completed(tt.ctx, t, r, job)
		got, deleted := lines(tt.ctx, t, r, job)
		n := 0
		for _, d := range m.Deleted {
			n += d.Count
		}
		if len(got) != 0 || n != len(tt.want) || len(deleted) != n {
			t.Errorf("%s: %v %v, counted %d", tt.filter, got, deleted, n)
		}
		for _, id := range tt.want {
			if !strings.Contains(strings.Join(deleted, ""), `"Observation/`+id+`"`) {
				t.Errorf("%s: %s is not among %v", tt.filter, id, deleted)
			}
		}
	}
}

// TestADeletionIsNotJudgedByAnothersRecord gives what was deleted another home
// than its deletion has, as putting old versions where they belong may do.
func TestADeletionIsNotJudgedByAnothersRecord(t *testing.T) {
	r, ctx := recordstest.Open(t)
	province(ctx, t, r)
	r.Load(ctx, t, `{"resourceType":"Location","id":"gone","name":"A"}`)
	if _, err := r.Delete(ctx, &recordsv1.DeleteRequest{Type: "Location", Id: "gone"}); err != nil {
		t.Fatal(err)
	}
	keys, err := r.Store.PatientKeys(ctx, []string{"ba"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.DB.ExecContext(ctx, `UPDATE records.versions SET patient = $1 WHERE id = 'gone' AND version = 1`, keys["ba"]); err != nil {
		t.Fatal(err)
	}
	for commune, want := range map[string]int{"95012": 0, "95013": 1} {
		nurse := recordstest.Nurse(t.Context(), commune)
		r.Enters = func(context.Context) (context.Context, error) { return nurse, nil }
		job := begin(nurse, t, r, "system", "_since=2020&_type=Location&"+filters("Location?name=a"))
		m := completed(nurse, t, r, job)
		if _, deleted := lines(nurse, t, r, job); len(deleted) != want || len(m.Deleted) != want {
			t.Errorf("%s: %v, in the manifest %v", commune, deleted, m.Deleted)
		}
	}
}

// TestAFilterDoesNotChangeWithTheTime asks for what is about a date, which
// grows with how long ago it was.
func TestAFilterDoesNotChangeWithTheTime(t *testing.T) {
	r, ctx := recordstest.Open(t)
	crowd(ctx, t, r)
	job := begin(ctx, t, r, "system", "_type=Observation&"+filters("Observation?date=ap2025-01-02&patient=an"))
	completed(ctx, t, r, job)
	r.Clock = func() time.Time { return time.Now().AddDate(100, 0, 0) }
	if got, _ := lines(ctx, t, r, job); idsOf(t, got) != "Observation/o-an-0-2 Observation/o-an-1-2 Observation/o-an-2-2" {
		t.Errorf("%s", idsOf(t, got))
	}
}

// TestAFilteredExportGoesOnElsewhere counts in small parts, in which nothing
// may be found, leaves the job in the middle, and reads pages that are empty.
func TestAFilteredExportGoesOnElsewhere(t *testing.T) {
	r, ctx := recordstest.Open(t)
	r.Part, r.Lease = 50, 0
	var all []string
	for i := range 120 {
		all = append(all, fmt.Sprintf(`{"resourceType":"Organization","id":"o%03d","name":"%c"}`, i, 'A'+i/10))
	}
	r.Load(ctx, t, all...)
	query := filters("Organization?name=a", "Organization?name=l") + "&_type=Organization&_elements=name&_until=2100"
	job := begin(ctx, t, r, "system", query)
	steps(ctx, t, r, 2)
	if s, err := r.ExportStatus(ctx, &recordsv1.ExportStatusRequest{Job: job}); err != nil || s.GetProgress() != "10 resources found in 0 of 1 types" {
		t.Fatalf("%v %v", s, err)
	}
	other := recordstest.On(t, r.DB, r.DSN)
	other.Part = 50
	m := completed(ctx, t, other, job)
	got, _ := lines(ctx, t, other, job)
	if len(m.Output) != 2 || m.Output[0].Count != 10 || m.Output[1].Count != 10 || len(got) != 20 || strings.Contains(strings.Join(got, ""), `"o010"`) || !strings.Contains(got[19], `"id":"o119"`) {
		t.Errorf("%v %v", m, got)
	}
	all = nil
	for i := range 2100 {
		all = append(all, fmt.Sprintf(`{"resourceType":"Location","id":"l%04d","name":"%d"}`, i, i))
	}
	r.Load(ctx, t, all...)
	r.Part = 50_000
	job = begin(ctx, t, r, "system", filters("Location?name=2099")+"&_type=Location")
	m = completed(ctx, t, r, job)
	page, err := r.ExportFile(ctx, &recordsv1.ExportFileRequest{Job: job, File: 1})
	if err != nil || len(page.GetLines()) != 0 || page.GetNext() != "l0999" {
		t.Errorf("the first page: %v %v", page, err)
	}
	if got, _ := lines(ctx, t, r, job); len(m.Output) != 1 || m.Output[0].Count != 1 || idsOf(t, got) != "Location/l2099" {
		t.Errorf("%v %v", m, got)
	}
}

func TestRecordsWithoutNamesAreNotFilteredByWhatNamesAPerson(t *testing.T) {
	r, ctx := recordstest.Open(t)
	crowd(ctx, t, r)
	blind := guard.WithScope(guard.WithPrincipal(t.Context(), &guard.Principal{Account: "dept"}), &guard.Scope{Deidentified: true})
	ask := func(ctx context.Context, query string) error {
		_, err := r.Export(ctx, &recordsv1.ExportRequest{Level: "system", Query: query})
		return err
	}
	for _, query := range []string{filters("Patient?name=an"), filters("Patient?_id=an"), filters("Patient?gender=female", "Observation?patient=an"), "_until=2030"} {
		if err := ask(blind, query); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", query, err)
		}
	}
	r.Enters = func(context.Context) (context.Context, error) { return blind, nil }
	job := begin(blind, t, r, "system", filters("Observation?status=amended")+"&_type=Observation&_elements=status")
	completed(blind, t, r, job)
	if got, _ := lines(blind, t, r, job); len(got) != 9 || strings.Contains(strings.Join(got, ""), "o-an") {
		t.Errorf("%v", got)
	}
	// Who has lost the names learns none from what was asked for before.
	named := guard.WithScope(guard.WithPrincipal(t.Context(), &guard.Principal{Account: "dept"}), &guard.Scope{Communes: []string{"95012@2025-07-01"}, Shared: true})
	r.Enters = func(context.Context) (context.Context, error) { return named, nil }
	job = begin(named, t, r, "system", filters("Patient?name=an")+"&_type=Patient")
	completed(named, t, r, job)
	if _, err := r.ExportFile(blind, &recordsv1.ExportFileRequest{Job: job, File: 1}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("downloaded without names: %v", err)
	}
	job = begin(named, t, r, "system", filters("Patient?name=an"))
	r.Enters = func(context.Context) (context.Context, error) { return blind, nil }
	steps(named, t, r, 1<<20)
	if _, err := r.ExportStatus(named, &recordsv1.ExportStatusRequest{Job: job}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("counted without names: %v", err)
	}
}

func FuzzSearches(f *testing.F) {
	f.Add("Observation?code=a,b,Patient?name=x,y")
	f.Add(",A?,B?,,C")
	f.Fuzz(func(t *testing.T, value string) {
		list := bulk.Searches(value)
		if strings.Join(list, ",") != value {
			t.Errorf("%q became %q", value, list)
		}
		for i, s := range list {
			if typ, _, ok := strings.Cut(s, "?"); i > 0 && (!ok || typ == "" || strings.Contains(typ, ",")) {
				t.Errorf("%q is no search of %q", s, value)
			}
		}
	})
}
