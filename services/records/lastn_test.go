package records

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

func TestLastNReturnsTheLatestOfEachCode(t *testing.T) {
	r, ctx := open(t)
	p := create(ctx, t, r, "Patient", person("Lê", "An", "1", "95012", "1950")).GetId()
	other := create(ctx, t, r, "Patient", person("Lê", "Ba", "2", "95015", "1950")).GetId()
	ids := map[string]string{}
	put := func(name, body string) { ids[name] = create(ctx, t, r, "Observation", body).GetId() }
	for i := range 3 {
		put(fmt.Sprintf("weight%d", i), observation(p, "29463-7", fmt.Sprintf("2026-01-0%d", i+1), "60"))
		put(fmt.Sprintf("pulse%d", i), strings.Replace(observation(p, "8867-4", fmt.Sprintf("2026-02-0%d", i+1), "70"), `"status"`,
			`"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],"status"`, 1))
	}
	put("tie", observation(p, "29463-7", "2026-01-03", "61"))
	put("wrong", strings.Replace(observation(p, "29463-7", "2026-05-01", "600"), `"final"`, `"entered-in-error"`, 1))
	put("translated", strings.Replace(observation(p, "29463-7", "2026-01-02", "60"), `"coding":[`, `"coding":[{"system":"http://local","code":"kg"},`, 1))
	put("local", strings.Replace(observation(p, "kg", "2026-01-09", "60"), "http://loinc.org", "http://local", 1))
	put("text0", `{"resourceType":"Observation","status":"final","code":{"text":"Vòng eo"},"subject":{"reference":"Patient/`+p+`"},"effectiveDateTime":"2026-01-01"}`)
	put("text1", `{"resourceType":"Observation","status":"final","code":{"text":"vòng eo"},"subject":{"reference":"Patient/`+p+`"},"effectiveDateTime":"2026-01-02"}`)
	put("foreign", observation(other, "29463-7", "2026-06-01", "60"))
	a := nurse(t.Context(), "95012")
	for query, want := range map[string][]string{
		"patient=" + p: {"pulse2", "local", "weight2", "tie", "text1"},
		"subject=Patient/" + p + "&code=8867-4&max=2":      {"pulse2", "pulse1"},
		"patient=" + p + "&category=vital-signs":           {"pulse2"},
		"patient=" + p + "&code=29463-7&max=3":             {"weight2", "tie", "translated", "weight1"},
		"patient=" + p + "&status=entered-in-error":        {"wrong"},
		"patient=" + p + "&code=29463-7&date=lt2026-01-02": {"weight0"},
		"patient=" + other:                                 {},
		"patient=nobody":                                   {},
	} {
		b, err := r.LastN(a, &recordsv1.OperationRequest{Type: "Observation", Query: query})
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		got := bundle(t, b.GetBody()).ids
		var names []string
		for _, id := range got {
			for name, x := range ids {
				if x == id {
					names = append(names, name)
				}
			}
		}
		sorted := slices.Sorted(slices.Values(names))
		if slices.Sort(want); !slices.Equal(sorted, want) || len(names) > 0 && query == "patient="+p && names[0] != "pulse2" {
			t.Errorf("%s: %v, want %v", query, names, want)
		}
	}
	body := `{"resourceType":"Parameters","parameter":[{"name":"max","valuePositiveInt":1},{"name":"subject","valueReference":{"reference":"Patient/` + p + `"}},{"name":"code","valueString":"8867-4"}]}`
	if b, err := r.LastN(a, &recordsv1.OperationRequest{Body: []byte(body)}); err != nil || !slices.Equal(bundle(t, b.GetBody()).ids, []string{ids["pulse2"]}) {
		t.Errorf("%v %s", err, b.GetBody())
	}
	// Of several people each has a latest one.
	b, err := r.LastN(ctx, &recordsv1.OperationRequest{Query: "code=http://loinc.org|29463-7&patient=" + p + "," + other})
	if err != nil || !slices.Equal(slices.Sorted(slices.Values(bundle(t, b.GetBody()).ids)), slices.Sorted(slices.Values([]string{ids["weight2"], ids["tie"], ids["foreign"]}))) {
		t.Errorf("two people: %v %s", err, b.GetBody())
	}
	for _, query := range []string{"patient:missing=true", "subject:not=" + p, "max=1&max=2&patient=" + p, "", "max=1", "patient=" + p + "&max=0", "patient=" + p + "&max=x", "patient=" + p + "&colour=red", "patient=%zz", "max=1001&patient=" + p} {
		if _, err := r.LastN(a, &recordsv1.OperationRequest{Query: query}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", query, err)
		}
	}
	if _, err := r.LastN(scoped(t.Context(), &guard.Scope{Deidentified: true}), &recordsv1.OperationRequest{Query: "patient=" + p}); !fault.Is(err, fault.Forbidden) {
		t.Error(err)
	}
}
