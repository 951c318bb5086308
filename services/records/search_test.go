package records

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/record"
)

func TestSearchFindsWhatItShould(t *testing.T) {
	r, ctx := open(t)
	hoa := create(ctx, t, r, "Patient", person("Nguyễn", "Hoà", "1", "95012", "1950-01-02")).GetId()
	dung := create(ctx, t, r, "Patient", person("Đỗ", "Dũng", "2", "95015", "1960")).GetId()
	sys := create(ctx, t, r, "Observation", observation(hoa, "8480-6", "2026-01-02", "120.5")).GetId()
	dia := create(ctx, t, r, "Observation", observation(hoa, "8462-4", "2026-03-02T08:00:00+07:00", "80")).GetId()
	old := create(ctx, t, r, "Observation", observation(dung, "8480-6", "2019", "140")).GetId()
	for _, tt := range []struct {
		query string
		want  []string
	}{
		{"Patient?name=nguyen", []string{hoa}},
		{"Patient?name=nguyen hoa", []string{hoa}},
		{"Patient?name=do", []string{dung}},
		{"Patient?name:contains=guy", []string{hoa}},
		{"Patient?name:exact=Hoà", []string{hoa}},
		{"Patient?name:exact=Hoa", nil},
		{"Patient?identifier=http://fhir.hl7.org.vn/core/sid/cccd|2", []string{dung}},
		{"Patient?identifier=|2", nil},
		{"Patient?birthdate=1950", []string{hoa}},
		{"Patient?birthdate=lt1955", []string{hoa}},
		{"Patient?birthdate=ge1955", []string{dung}},
		{"Patient?phone=091", []string{hoa}},
		{"Patient?deceased=false", []string{hoa, dung}},
		{"Patient?gender:not=male", []string{hoa, dung}},
		{"Patient?_id=" + hoa + "," + dung, []string{hoa, dung}},
		{"Patient?_lastUpdated=gt2020", []string{hoa, dung}},
		{"Observation?code=8480-6", []string{sys, old}},
		{"Observation?code=http://loinc.org|8480-6,http://loinc.org|8462-4&subject:Patient=" + hoa, []string{sys, dia}},
		{"Observation?patient=" + hoa + "&code=http://loinc.org|8480-6", []string{sys}},
		{"Observation?patient=nobody", nil},
		{"Observation?date=2026-03", []string{dia}},
		{"Observation?date=ge2026-01-02&date=lt2026-02", []string{sys}},
		{"Observation?date=eb2020", []string{old}},
		{"Observation?date=sa2026-01-02", []string{dia}},
		{"Observation?date=ne2019", []string{sys, dia}},
		{"Observation?value-quantity=gt100|http://unitsofmeasure.org|mm[Hg]", []string{sys, old}},
		{"Observation?value-quantity=120.5", []string{sys}},
		{"Observation?patient=" + hoa + "&_sort=date", []string{sys, dia}},
	} {
		typ, query, _ := strings.Cut(tt.query, "?")
		got := search(ctx, t, r, typ, strings.ReplaceAll(query, "+", "%2B")+"&_total=accurate")
		slices.Sort(got.ids)
		slices.Sort(tt.want)
		if !slices.Equal(got.ids, tt.want) || got.total != len(tt.want) {
			t.Errorf("%s found %d of %d, total %d", tt.query, len(got.ids), len(tt.want), got.total)
		}
	}
	if got := search(ctx, t, r, "Observation", "_sort=-date"); !slices.Equal(got.ids, []string{dia, sys, old}) {
		t.Error("_sort=-date is in another order")
	}
	for _, bad := range []string{"colour=red", "birthdate=yesterday", "name:phonetic=x", "_sort=colour", "_cursor=x", "_include=Patient:colour"} {
		if err := second(r.Search(ctx, &recordsv1.SearchRequest{Type: "Patient", Query: bad})); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := r.Search(ctx, &recordsv1.SearchRequest{Type: "Patient", Query: "colour=red", Lenient: true}); err != nil {
		t.Errorf("lenient: %v", err)
	}
}

func TestPagesShowEveryResourceOnceInEveryOrder(t *testing.T) {
	r, ctx := open(t)
	for i := range 23 {
		body := person("Lê", fmt.Sprintf("An %02d", i%7), fmt.Sprint(i), "95012", fmt.Sprint(1950+i%5))
		if i%6 == 0 {
			body = `{"resourceType":"Patient","active":true}`
		}
		create(ctx, t, r, "Patient", body)
	}
	for _, order := range []string{"", "_sort=name", "_sort=-name", "_sort=birthdate", "_sort=-birthdate", "_sort=_lastUpdated", "_sort=-_lastUpdated", "_sort=_id", "_sort=-gender"} {
		var ids []string
		query := order + "&_count=4"
		for range 10 {
			page := search(ctx, t, r, "Patient", query)
			ids = append(ids, page.ids...)
			if page.next == "" {
				break
			}
			_, query, _ = strings.Cut(page.next, "?")
		}
		slices.Sort(ids)
		if len(ids) != 23 || len(slices.Compact(ids)) != 23 {
			t.Errorf("%q: %d entries", order, len(ids))
		}
	}
}

func FuzzSearchQuery(f *testing.F) {
	r, ctx := open(f)
	x, err := r.store.Indexer(ctx)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{
		"name=a&_sort=-name", "code=http://loinc.org|1,b\\,c&date=ge2020-01-01T10:00:00+07:00", "value-quantity=5.40|x|mg", "_include=Observation:subject:Patient", "_cursor=abc",
		"subject:Patient.name:exact=a\\,b", "_has:Observation:patient:performer:Practitioner.name=x&_list=a", "patient.general-practitioner._has:Group:member:code=1",
		"_elements=name,Patient.id&_summary=true&_sort=a,-b", "_type=Patient,Observation&_id=1", "_include:iterate=*&_revinclude=Observation:*",
		`_content="a b",c&_text=x y&_count=9999&_sort=`, "gender=http://hl7.org/fhir/administrative-gender|&general-practitioner:below=x&_revinclude=*",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for _, place := range []record.Place{{Type: "Patient"}, {Type: "Observation"}, {}, {Compartment: "Patient", ID: "1"}} {
			q, err := x.ParseSearch(place, raw, false)
			if err != nil {
				continue
			}
			again, err := x.ParseSearch(place, q.Self, false)
			if err != nil || again.Self != q.Self || again.Digest != q.Digest {
				t.Fatalf("the self link %q is read otherwise: %v", q.Self, err)
			}
		}
	})
}
