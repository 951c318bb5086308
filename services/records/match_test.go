package records

import (
	"slices"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/services/records/record"
)

// TestTheMatcherFindsWhatTheSearchFinds asks the same queries of the database
// and of each resource alone.
func TestTheMatcherFindsWhatTheSearchFinds(t *testing.T) {
	r, ctx := loose(t)
	p := create(ctx, t, r, "Patient", person("Nguyễn", "Hoà", "1", "95012", "1950-03-04")).GetId()
	q := create(ctx, t, r, "Patient", person("Lê", "Đào", "2", "95015", "1980-03")).GetId()
	create(ctx, t, r, "Patient", `{"resourceType":"Patient","meta":{"profile":["http://p/a|1"]},"active":false,"name":[{"family":"Trần"}],"deceasedBoolean":true}`)
	create(ctx, t, r, "Observation", observation(p, "8480-6", "2026-01-02", "120"))
	create(ctx, t, r, "Observation", observation(p, "8480-6", "2026-01-02T23:30:00+07:00", "120.50"))
	create(ctx, t, r, "Observation", observation(q, "8480-6", "2025", "119.5"))
	create(ctx, t, r, "Observation", strings.Replace(observation(q, "8867-4", "2026-02", "-3"), "mm[Hg]", "/min", 1))
	create(ctx, t, r, "Observation", `{"resourceType":"Observation","status":"amended","code":{"coding":[{"code":"x"},{"system":"http://a","code":"y"}]},
		"subject":{"reference":"Patient/`+q+`"},"valueString":"Tốt lắm","effectivePeriod":{"start":"2026-01-01"}}`)
	create(ctx, t, r, "Observation", `{"resourceType":"Observation","status":"final","code":{"text":"nothing but words"},"subject":{"reference":"Group/g"},
		"valueQuantity":{"value":0.12,"unit":"m","system":"http://unitsofmeasure.org","code":"m"},"effectiveDateTime":"2026-01-02T10:00:00+07:00"}`)
	create(ctx, t, r, "Observation", `{"resourceType":"Observation","status":"final","code":{"text":"bước"},"subject":{"reference":"Patient/`+p+`"},
		"valueQuantity":{"value":12.0,"unit":"centimét","system":"http://unitsofmeasure.org","code":"cm"},"effectivePeriod":{"end":"2025-12-31"}}`)
	create(ctx, t, r, "Observation", `{"resourceType":"Observation","status":"final","code":{"coding":[{"code":"z"}]},"subject":{"reference":"Patient/`+p+`"},"valueQuantity":{"value":12,"unit":"viên"}}`)
	create(ctx, t, r, "ValueSet", `{"resourceType":"ValueSet","status":"draft","url":"http://a/b","version":"1"}`)
	create(ctx, t, r, "ValueSet", `{"resourceType":"ValueSet","status":"active","url":"http://a/b/c"}`)
	create(ctx, t, r, "RiskAssessment", `{"resourceType":"RiskAssessment","status":"final","subject":{"reference":"Patient/`+p+`"},"prediction":[{"probabilityDecimal":0.85}]}`)

	x, err := r.store.Indexer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, query := range []string{
		"Patient?", "Patient?_id=" + p, "Patient?_id=" + p + "," + q, "Patient?name=nguyen", "Patient?name=hoa", "Patient?name:exact=Hoà", "Patient?name:exact=hoa", "Patient?name:exact=Ho\u00e0", "Patient?name:exact=Hoa\u0300",
		"Patient?_profile=http://p/a", "Patient?_profile=http://p/a|1", "Patient?_profile=http://p",
		"Patient?name:contains=a", "Patient?family=dao,le", "Patient?name:missing=true", "Patient?given:missing=true", "Patient?given:missing=false",
		"Patient?identifier=1", "Patient?identifier=http://none|1", "Patient?gender=female", "Patient?gender:not=female", "Patient?gender:missing=true",
		"Patient?active=false", "Patient?deceased=true", "Patient?birthdate=1950-03-04", "Patient?birthdate=1950", "Patient?birthdate=gt1950-03-04", "Patient?birthdate=lt1980-03-15",
		"Patient?birthdate=le1980-03-15", "Patient?birthdate=ne1950", "Patient?birthdate=sa1950", "Patient?birthdate=eb1980", "Patient?birthdate=ge1980-03-31", "Patient?_lastUpdated=gt2000",
		"Patient?_lastUpdated=lt2000", "Patient?birthdate:missing=true",
		"Observation?", "Observation?code=8480-6", "Observation?code=http://loinc.org|8480-6", "Observation?code=|x", "Observation?code=http://loinc.org|", "Observation?code=http://a|y,8867-4",
		"Observation?code:not=8480-6", "Observation?code=8480-6&status=final", "Observation?status:not=final", "Observation?subject=Patient/" + p, "Observation?patient=" + q,
		"Observation?subject:Patient=" + p, "Observation?subject=" + q + "&code=8867-4", "Observation?subject:missing=true", "Observation?date=2026-01-02", "Observation?date=2026",
		"Observation?date=2026-01", "Observation?date=ge2026-01-02", "Observation?date=gt2026-01-02", "Observation?date=lt2026-01-02", "Observation?date=le2025-12-31", "Observation?date=sa2026-01-01",
		"Observation?date=eb2026-01-01", "Observation?date=ne2026", "Observation?value-quantity=120", "Observation?value-quantity=120.5", "Observation?value-quantity=120.50",
		"Observation?value-quantity=gt119.5", "Observation?value-quantity=ge119.5", "Observation?value-quantity=lt0", "Observation?value-quantity=le-3", "Observation?value-quantity=ne120",
		"Observation?value-quantity=120|http://unitsofmeasure.org|mm[Hg]", "Observation?value-quantity=gt0||mm[Hg]", "Observation?value-quantity=lt0|http://unitsofmeasure.org|mm[Hg]",
		"Observation?value-quantity=12|http://unitsofmeasure.org|cm", "Observation?value-quantity=120|http://unitsofmeasure.org|mm", "Observation?value-quantity=ap0.12|http://unitsofmeasure.org|m",
		"Observation?value-quantity=ne12|http://unitsofmeasure.org|cm", "Observation?value-quantity=12||cm", "Observation?value-quantity=12||centimét", "Observation?value-quantity=12||viên",
		"Observation?value-quantity=12|http://unitsofmeasure.org|", "Observation?value-quantity=gt11||cm", "Observation?value-quantity=ap12", "Observation?value-quantity=sa0.1", "Observation?value-quantity=eb12",
		"Observation?date=ge2026-01-02T10:00:00%2B07:00", "Observation?date=le2026-01-02T03:00:00Z", "Observation?date=ge2026-01", "Observation?date=le2026-01", "Observation?date=ap2026-01-02",
		"Observation?date=ap2025", "Observation?date=ap2026-01-02T10:00:00%2B07:00", "Observation?date=sa2025", "Observation?date=le2020", "Observation?date:missing=true",
		"Observation?patient:missing=true", "Observation?patient:missing=false", "Observation?patient=Patient/" + p + "&code:missing=false", "Observation?subject=Group/g", "Observation?patient=Group/g",
		"Observation?code:missing=true", "Observation?code:missing=false", "Observation?combo-code=8480-6", "Observation?combo-value-quantity=gt12",
		"Observation?value-quantity:missing=true", "Observation?value-string=tot", "Observation?value-string:contains=lam",
		"ValueSet?url=http://a/b", "ValueSet?url=http://a", "ValueSet?url:missing=false", "RiskAssessment?probability=0.85", "RiskAssessment?probability=gt0.8", "RiskAssessment?probability=0.9",
	} {
		typ, params, _ := strings.Cut(query, "?")
		q, err := x.ParseQuery(typ, params, false)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if err := q.Matchable(); err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		all, err := x.ParseQuery(typ, "_count=1000", false)
		if err != nil {
			t.Fatal(err)
		}
		page, err := r.store.Search(ctx, nil, all, record.Reach{All: true})
		if err != nil {
			t.Fatal(err)
		}
		var alone []string
		for i := range page.Matches {
			v, err := x.Seen(&page.Matches[i])
			if err != nil {
				t.Fatal(err)
			}
			if q.Matches(v) {
				alone = append(alone, v.ID)
			}
		}
		listed := search(ctx, t, r, typ, params).ids
		slices.Sort(alone)
		slices.Sort(listed)
		if !slices.Equal(alone, listed) {
			t.Errorf("%s: the search finds %d, the matcher %d", query, len(listed), len(alone))
		}
		found += len(alone)
	}
	if found < 60 {
		t.Errorf("the queries find %d resources only, and prove little", found)
	}
	for _, query := range []string{"_sort=date", "_count=3", "_count=20", "_total=accurate", "_include=Observation:subject", "_summary=count"} {
		q, err := x.ParseQuery("Observation", query, false)
		if err == nil {
			err = q.Matchable()
		}
		if !fault.Is(err, fault.Unprocessable) {
			t.Errorf("%s: %v", query, err)
		}
	}
}
