package records

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// matching asks for the matches of a Patient.
func matching(patient string, more ...string) *recordsv1.OperationRequest {
	list := append([]string{`{"name":"resource","resource":` + patient + `}`}, more...)
	return &recordsv1.OperationRequest{Type: "Patient", Body: []byte(`{"resourceType":"Parameters","parameter":[` + strings.Join(list, ",") + `]}`)}
}

// graded reads a Bundle as "id grade", the order kept.
func graded(t testing.TB, body []byte) []string {
	t.Helper()
	var b struct {
		Entry []struct {
			Resource struct{ ID string }
			Search   struct {
				Mode      string
				Score     float64
				Extension []struct{ URL, ValueCode string }
			}
		}
	}
	if err := json.Unmarshal(body, &b); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	var list []string
	last := 1.0
	for _, e := range b.Entry {
		s := e.Search
		if s.Mode != "match" || s.Score > last || s.Score < 0 || len(s.Extension) != 1 || s.Extension[0].URL != matchGrade {
			t.Errorf("the entry's search is %+v", s)
		}
		last = s.Score
		list = append(list, e.Resource.ID+" "+s.Extension[0].ValueCode)
	}
	return list
}

func TestMatchFindsThePersonAgain(t *testing.T) {
	r, ctx := open(t)
	hoa := create(ctx, t, r, "Patient", person("Nguyễn", "Thị Hoa", "099150000001", "95012", "1950-03-08")).GetId()
	create(ctx, t, r, "Patient", person("Nguyễn", "Thị Hoá", "099150000002", "95012", "1950-07-01"))
	create(ctx, t, r, "Patient", person("Trần", "Văn Bình", "099063000003", "95012", "1963-08-02"))
	address := `"address":[{"city":"Xã A","line":["Thôn 2"],"extension":[{"url":"` + fhir.ExtensionUnit + `","valueCoding":{"code":"95012","version":"2025-07-01"}}]}]`
	number := `"identifier":[{"system":"` + fhir.SystemCCCD + `","value":"099150000001"}]`
	for name, tt := range map[string]struct{ body, grade string }{
		"all the same":             {`{"resourceType":"Patient",` + number + `,"name":[{"text":"Nguyễn Thị Hoa"}],"birthDate":"1950-03-08"}`, "certain"},
		"no marks, year only":      {`{"resourceType":"Patient","name":[{"text":"NGUYEN THI HOA"}],"gender":"female","birthDate":"1950",` + address + `}`, "probable"},
		"initials and a whole day": {`{"resourceType":"Patient","name":[{"text":"N.T. Hoa"}],"gender":"female","birthDate":"1950-03-08",` + address + `}`, "probable"},
		"day and month swapped":    {`{"resourceType":"Patient","name":[{"text":"Nguyen Thi Hoa"}],"birthDate":"1950-08-03",` + address + `}`, "probable"},
		"family name last":         {`{"resourceType":"Patient","name":[{"family":"Hoa","given":["Nguyễn","Thị"]}],"birthDate":"1950-03-08",` + number + `}`, "certain"},
		"turned round":             {`{"resourceType":"Patient","name":[{"family":"Hoa","given":["Thị","Nguyễn"]}],"birthDate":"1950-03-08"}`, "probable"},
		"a card of the insurance":  {`{"resourceType":"Patient","identifier":[{"system":"` + fhir.SystemBHYT + `","value":"099 150 000 001"}],"name":[{"text":"Nguyen Thi Hoa"}],"birthDate":"1950"}`, "certain"},
		"the number alone":         {`{"resourceType":"Patient",` + number + `}`, "probable"},
		"the phone and the name":   {`{"resourceType":"Patient","name":[{"text":"Nguyễn Thị Hoa"}],"telecom":[{"value":"+84 9099150000001"}]}`, "possible"},
	} {
		b, err := r.Match(ctx, matching(tt.body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := graded(t, b.GetBody()); len(got) == 0 || got[0] != hoa+" "+tt.grade {
			t.Errorf("%s: %v, want %s", name, got, hoa+" "+tt.grade)
		}
	}
	b, err := r.Match(ctx, matching(`{"resourceType":"Patient","name":[{"text":"Nguyen Thi Hoa"}],"gender":"female","birthDate":"1950",`+address+`}`, `{"name":"count","valueInteger":1}`))
	if err != nil || len(graded(t, b.GetBody())) != 1 {
		t.Errorf("count: %v %s", err, b.GetBody())
	}
	for name, tt := range map[string]struct {
		body string
		want int
	}{
		"one is certain": {`{"resourceType":"Patient",` + number + `,"name":[{"text":"Nguyễn Thị Hoa"}],"birthDate":"1950-03-08"}`, 1},
		"none is":        {`{"resourceType":"Patient","name":[{"text":"Nguyễn Thị Hoa"}],"birthDate":"1950",` + address + `}`, 0},
	} {
		b, err := r.Match(ctx, matching(tt.body, `{"name":"onlyCertainMatches","valueBoolean":true}`))
		if err != nil || len(graded(t, b.GetBody())) != tt.want {
			t.Errorf("%s: %v %s", name, err, b.GetBody())
		}
	}
	twin := create(ctx, t, r, "Patient", person("Nguyễn", "Thị Hoa", "099150000001", "95012", "1950-03-08")).GetId()
	same := matching(`{"resourceType":"Patient",`+number+`,"name":[{"text":"Nguyễn Thị Hoa"}],"birthDate":"1950-03-08"}`, `{"name":"onlyCertainMatches","valueBoolean":true}`)
	if b, err := r.Match(ctx, same); err != nil || len(graded(t, b.GetBody())) != 0 {
		t.Errorf("of two certain ones one was chosen: %v %s", err, b.GetBody())
	}
	if _, err := r.Merge(ctx, pair(twin, hoa)); err != nil {
		t.Fatal(err)
	}
	if b, err := r.Match(ctx, same); err != nil || fmt.Sprint(graded(t, b.GetBody())) != "["+hoa+" certain]" {
		t.Errorf("a Patient that was merged into another is a match: %v %s", err, b.GetBody())
	}
	for name, req := range map[string]*recordsv1.OperationRequest{
		"nobody is given":    {Body: []byte(`{"resourceType":"Parameters"}`)},
		"a Group is given":   matching(`{"resourceType":"Group"}`),
		"count is no number": matching(`{"resourceType":"Patient"}`, `{"name":"count","valueString":"many"}`),
	} {
		if _, err := r.Match(ctx, req); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	odd := `{"resourceType":"Patient","identifier":[{"value":"a|b,c$"},{"system":"x"}],"name":[{"text":"` + strings.Repeat("ơ ", 600) + `"},{"family":"|"}],"birthDate":"x","telecom":[{"value":"+"}]}`
	if b, err := r.Match(ctx, matching(odd)); err != nil || len(graded(t, b.GetBody())) != 0 {
		t.Errorf("odd input: %v", err)
	}
}

func TestMatchTellsNothingOfPeopleOutOfReach(t *testing.T) {
	r, ctx := open(t)
	create(ctx, t, r, "Patient", person("Nguyễn", "Hoa", "099150000001", "95015", "1950-03-08"))
	own := create(ctx, t, r, "Patient", person("Nguyễn", "Hoa", "077150345678", "95012", "1950-03-08")).GetId()
	asked := matching(person("Nguyễn", "Hoa", "099150000001", "95015", "1950-03-08"))
	absent := matching(person("Nguyễn", "Hoa", "099150000003", "95015", "1950-03-08"))
	a := nurse(t.Context(), "95012")
	x, err := r.Match(a, asked)
	y, err2 := r.Match(a, absent)
	if err != nil || err2 != nil || string(x.GetBody()) != string(y.GetBody()) || strings.Count(string(x.GetBody()), "fullUrl") != 1 || !strings.Contains(string(x.GetBody()), own) {
		t.Errorf("%v %v: %s where nobody has the number: %s", err, err2, x.GetBody(), y.GetBody())
	}
	if b, err := r.Match(nurse(t.Context(), "95015"), asked); err != nil || len(graded(t, b.GetBody())) != 1 {
		t.Errorf("the other nurse: %v %s", err, b.GetBody())
	}
	if b, err := r.Match(ctx, asked); err != nil || len(graded(t, b.GetBody())) != 2 {
		t.Errorf("everybody: %v %s", err, b.GetBody())
	}
	if _, err := r.Match(scoped(t.Context(), &guard.Scope{Deidentified: true}), asked); !fault.Is(err, fault.Forbidden) {
		t.Error(err)
	}
}
