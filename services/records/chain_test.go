package records

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// put stores a resource under an id.
func put(ctx context.Context, t testing.TB, r *Records, typ, id, body string) {
	t.Helper()
	body = `{"resourceType":"` + typ + `","id":"` + id + `",` + strings.TrimPrefix(body, "{")
	if _, err := r.Update(ctx, &recordsv1.UpdateRequest{Type: typ, Id: id, Body: []byte(body)}); err != nil {
		t.Fatalf("put %s/%s: %v", typ, id, err)
	}
}

// patientOf is a Patient's body without its type.
func patientOf(family, given, cccd, commune, birth, more string) string {
	return "{" + more + strings.TrimPrefix(person(family, given, cccd, commune, birth), `{"resourceType":"Patient",`)
}

// village makes two communes with a person each, who share a doctor.
func village(ctx context.Context, t testing.TB, r *Records) {
	t.Helper()
	code := func(c string) string { return `"code":{"coding":[{"system":"http://loinc.org","code":"` + c + `"}]}` }
	put(ctx, t, r, "Organization", "province", `{"name":"Sở Y tế"}`)
	put(ctx, t, r, "Organization", "station", `{"name":"Trạm A","partOf":{"reference":"Organization/province"}}`)
	put(ctx, t, r, "Practitioner", "dr", `{"name":[{"text":"Trần Bác"}],"identifier":[{"system":"http://n","value":"77"}]}`)
	care := `"generalPractitioner":[{"reference":"Practitioner/dr"}],"managingOrganization":{"reference":"Organization/station"},`
	put(ctx, t, r, "Patient", "hoa", patientOf("Nguyễn", "Hoà", "1", "95012", "1950-01-02", care))
	put(ctx, t, r, "Patient", "dung", patientOf("Đỗ", "Dũng", "2", "95015", "1960", care))
	put(ctx, t, r, "Patient", "lone", patientOf("Lê", "Lan", "3", "95012", "1970", ""))
	put(ctx, t, r, "Device", "cuff", `{"deviceName":[{"name":"Hoà Phát","type":"user-friendly-name"}],"identifier":[{"value":"cuff-1"}]}`)
	for _, p := range []string{"hoa", "dung"} {
		subject := `"subject":{"reference":"Patient/` + p + `"}`
		put(ctx, t, r, "Encounter", "e-"+p, `{"status":"finished","class":{"code":"AMB"},"serviceProvider":{"reference":"Organization/station"},`+subject+`}`)
		put(ctx, t, r, "Observation", "sys-"+p, `{"status":"final",`+code("8480-6")+`,`+subject+`,"encounter":{"reference":"Encounter/e-`+p+`"},
			"performer":[{"reference":"Practitioner/dr"}],"effectiveDateTime":"2026-01-02","valueQuantity":{"value":120.5,"system":"http://unitsofmeasure.org","code":"mm[Hg]"}}`)
		put(ctx, t, r, "Observation", "dia-"+p, `{"status":"amended",`+code("8462-4")+`,`+subject+`,"performer":[{"reference":"Organization/station"}],
			"effectiveDateTime":"2026-03-02","hasMember":[{"reference":"Observation/sys-`+p+`"}]}`)
		put(ctx, t, r, "Condition", "c-"+p, `{`+code("x")+`,`+subject+`,"encounter":{"reference":"Encounter/e-`+p+`"},"evidence":[{"detail":[{"reference":"Observation/sys-`+p+`"}]}]}`)
	}
	put(ctx, t, r, "Observation", "temp", `{"status":"final",`+code("8310-5")+`,"subject":{"reference":"Device/cuff"}}`)
	put(ctx, t, r, "List", "watch", `{"status":"current","mode":"working","entry":[{"item":{"reference":"Patient/hoa"}},{"item":{"reference":"Patient/dung"}},
		{"item":{"reference":"Observation/sys-dung"}}]}`)
}

// asks lists searches of the village and what they find: all, and what a
// nurse of 95012 finds.
var asks = []struct {
	query     string
	want, few []string
}{
	{"Observation?subject:Patient.name=hoa", []string{"dia-hoa", "sys-hoa"}, []string{"dia-hoa", "sys-hoa"}},
	{"Observation?patient.name=dung", []string{"dia-dung", "sys-dung"}, nil},
	// Without a type the chain goes to whatever has the parameter: the cuff is called Hoà too, but a Device has device-name.
	{"Observation?subject.identifier=cuff-1,1", []string{"dia-hoa", "sys-hoa", "temp"}, []string{"dia-hoa", "sys-hoa", "temp"}},
	{"Observation?subject:Device.identifier=cuff-1,1", []string{"temp"}, []string{"temp"}},
	{"Observation?subject.birthdate=1950", []string{"dia-hoa", "sys-hoa"}, []string{"dia-hoa", "sys-hoa"}},
	{"Observation?subject:Patient.birthdate=gt1955", []string{"dia-dung", "sys-dung"}, nil},
	{"Observation?subject:Patient.name:exact=Hoà", []string{"dia-hoa", "sys-hoa"}, []string{"dia-hoa", "sys-hoa"}},
	{"Observation?subject:Patient.name:contains=oa,un", []string{"dia-dung", "dia-hoa", "sys-dung", "sys-hoa"}, []string{"dia-hoa", "sys-hoa"}},
	{"Observation?subject:Patient._id=dung", []string{"dia-dung", "sys-dung"}, nil},
	{"Observation?subject:Patient.death-date:missing=true&code=8480-6", []string{"sys-dung", "sys-hoa"}, []string{"sys-hoa"}},
	{"Observation?subject:Patient.general-practitioner.identifier=http://n|77&code=8480-6", []string{"sys-dung", "sys-hoa"}, []string{"sys-hoa"}},
	{"Observation?subject:Patient.organization.partof.name=so y te&code=8480-6&patient=hoa", []string{"sys-hoa"}, []string{"sys-hoa"}},
	{"Observation?encounter.service-provider.partof.name=so", []string{"sys-dung", "sys-hoa"}, []string{"sys-hoa"}},
	{"Observation?patient=hoa&encounter.class=AMB", []string{"sys-hoa"}, []string{"sys-hoa"}},
	{"Observation?patient=hoa&has-member.code=8480-6", []string{"dia-hoa"}, []string{"dia-hoa"}},
	{"Observation?subject:Patient.name=nobody", nil, nil},
	{"Patient?_has:Observation:patient:code=8480-6", []string{"dung", "hoa"}, []string{"hoa"}},
	{"Patient?_has:Observation:patient:code:not=8480-6", []string{"dung", "hoa"}, []string{"hoa"}},
	{"Patient?_has:Observation:patient:date=lt2020", nil, nil},
	{"Patient?_has:Observation:subject:value-quantity=gt120", []string{"dung", "hoa"}, []string{"hoa"}},
	{"Patient?_has:Observation:patient:performer:Practitioner.name=tran", []string{"dung", "hoa"}, []string{"hoa"}},
	{"Practitioner?_has:Patient:general-practitioner:_has:Observation:patient:code=8480-6", []string{"dr"}, []string{"dr"}},
	{"Practitioner?_has:Patient:general-practitioner:name=dung", []string{"dr"}, nil},
	{"Practitioner?_has:Observation:performer:patient.name=dung", []string{"dr"}, nil},
	{"Organization?_has:Encounter:service-provider:_has:Observation:encounter:_id=sys-dung", []string{"station"}, nil},
	{"Observation?subject:Patient._has:Condition:patient:code=x&status=final", []string{"sys-dung", "sys-hoa"}, []string{"sys-hoa"}},
	{"Patient?_list=watch", []string{"dung", "hoa"}, []string{"hoa"}},
	{"Observation?_list=watch", []string{"sys-dung"}, nil},
	{"Patient?_list=nothing", nil, nil},
	{"Observation?status:not=final", []string{"dia-dung", "dia-hoa"}, []string{"dia-hoa"}},
	{"Observation?status:not=final,amended", nil, nil},
	{"Observation?performer:not=Practitioner/dr", []string{"dia-dung", "dia-hoa", "temp"}, []string{"dia-hoa", "temp"}},
	{"Observation?performer:missing=true", []string{"temp"}, []string{"temp"}},
	{"Observation?performer:missing=false&patient=hoa", []string{"dia-hoa", "sys-hoa"}, []string{"dia-hoa", "sys-hoa"}},
	{"Observation?performer:Organization=station", []string{"dia-dung", "dia-hoa"}, []string{"dia-hoa"}},
	{"Observation?code=&status=final&patient=hoa", []string{"sys-hoa"}, []string{"sys-hoa"}},
	{"?_id=hoa,sys-hoa,dung,dr", []string{"dr", "dung", "hoa", "sys-hoa"}, []string{"dr", "hoa", "sys-hoa"}},
	{"?_type=Patient,Practitioner&_id=hoa,sys-hoa,dung,dr", []string{"dr", "dung", "hoa"}, []string{"dr", "hoa"}},
	{"?_type=Observation,Condition&patient=dung&code=x,8480-6", []string{"c-dung", "sys-dung"}, nil},
	{"?_type=Observation,Condition&encounter.class=AMB", []string{"c-dung", "c-hoa", "sys-dung", "sys-hoa"}, []string{"c-hoa", "sys-hoa"}},
	{"?_list=watch", []string{"dung", "hoa", "sys-dung"}, []string{"hoa"}},
	{"?_type=Patient", []string{"dung", "hoa", "lone"}, []string{"hoa", "lone"}},
	{"Patient/hoa/Observation?code=8480-6", []string{"sys-hoa"}, []string{"sys-hoa"}},
	{"Patient/dung/Observation?", []string{"dia-dung", "sys-dung"}, nil},
	{"Patient/hoa/*?", []string{"c-hoa", "dia-hoa", "e-hoa", "hoa", "sys-hoa"}, []string{"c-hoa", "dia-hoa", "e-hoa", "hoa", "sys-hoa"}},
	{"Patient/dung/*?_type=Condition,Encounter", []string{"c-dung", "e-dung"}, nil},
	{"Encounter/e-dung/*?", []string{"c-dung", "e-dung", "sys-dung"}, nil},
	{"Practitioner/dr/Patient?name=h", []string{"hoa"}, []string{"hoa"}},
	{"Practitioner/dr/Observation?", []string{"sys-dung", "sys-hoa"}, []string{"sys-hoa"}},
	{"Device/cuff/*?_sort=_id", []string{"cuff", "temp"}, []string{"cuff", "temp"}},
}

// ask runs a search written as an address, through all its pages.
func ask(ctx context.Context, t testing.TB, r *Records, address string, size string) (ids []string, total int) {
	t.Helper()
	path, query, _ := strings.Cut(address, "?")
	req := &recordsv1.SearchRequest{Type: path, Query: query + "&_total=accurate&_count=" + size}
	if p := strings.Split(path, "/"); len(p) == 3 {
		req.Compartment, req.CompartmentId, req.Type = p[0], p[1], strings.TrimSuffix(p[2], "*")
	}
	for range 20 {
		b, err := r.Search(ctx, req)
		if err != nil {
			t.Fatalf("%s: %v", address, err)
		}
		f := bundle(t, b.GetBody())
		ids, total = append(ids, f.ids...), f.total
		if f.next == "" {
			return ids, total
		}
		_, req.Query, _ = strings.Cut(f.next, "?")
	}
	t.Fatalf("%s has no end", address)
	return nil, 0
}

// TestConditionsHoldAcrossResources asks as two callers: neither pages nor
// totals may tell the nurse of one commune about the other.
func TestConditionsHoldAcrossResources(t *testing.T) {
	r, ctx := loose(t)
	village(ctx, t, r)
	near := nurse(t.Context(), "95012")
	for _, tt := range asks {
		for _, caller := range []struct {
			name string
			ctx  context.Context
			want []string
		}{{"all", ctx, tt.want}, {"nurse", near, tt.few}} {
			for _, size := range []string{"1", "20"} {
				got, total := ask(caller.ctx, t, r, tt.query, size)
				slices.Sort(got)
				if !slices.Equal(got, caller.want) || total != len(caller.want) {
					t.Errorf("%s finds for %s in pages of %s %v of %d, not %v", tt.query, caller.name, size, got, total, caller.want)
				}
			}
		}
	}
}

func TestSearchesThatMeanNothingAreRefused(t *testing.T) {
	r, ctx := loose(t)
	for _, address := range []string{
		"Patient?name.family=x", "Observation?subject:Practitioner.name=x", "Observation?subject:Nothing.name=x", "Observation?subject.colour=x",
		"Patient?_has:Observation:code:code=x", "Patient?_has:Nothing:patient:code=x", "Patient?_has:Observation:patient=x", "Patient?_has:Observation:patient:colour=x",
		"Practitioner?_has:Observation:patient:code=x", "Patient?_has:=x", "Patient?_has:a:b:=x",
		"Patient?general-practitioner.organization.partof.partof.partof.partof.partof.name=x",
		"Patient?birthdate:exact=1950", "Patient?name:not=x", "Patient?name:=x", "Observation?code:exact=x", "Patient?_list=$current-problems",
		"Observation?subject:Patient._text=x", "Patient?_has:Observation:patient:_content=x", "Patient?_text:exact=x", "Patient?_content=!", "?_content=x",
		"Patient?_filter=x", "Patient?_query=x", "Patient?_contained=true", "Patient?_contained=both", "Patient?_containedType=contained", "Patient?_type=Observation",
		"?", "?_sort=_id", "?_type=Nothing", "?_type=Patient&_type=Observation", "?name=x", "?_type=Patient,Observation&name=x", "?_type=Patient,Observation&_sort=name",
		"Patient?_summary=some", "Patient?_summary=text&_include=Patient:link", "Patient?_elements=name.family", "Patient?_elements=Nothing.name", "Patient?_elements=name,",
		"Patient?_include=Observation:subject", "Patient?_include=Patient", "Patient?_include=Patient:link:Nothing", "Patient?_include=Patient:name",
		"Patient?_revinclude=Observation", "Patient?_total=some",
	} {
		typ, query, _ := strings.Cut(address, "?")
		if err := second(r.Search(ctx, &recordsv1.SearchRequest{Type: typ, Query: query})); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, place := range []*recordsv1.SearchRequest{
		{Compartment: "Location", CompartmentId: "x", Type: "Observation"},
		{Compartment: "Patient", CompartmentId: "a b", Type: "Observation"},
		{Compartment: "Patient", CompartmentId: "x", Type: "Nothing"},
		{Compartment: "Patient", CompartmentId: "x", Type: "Organization"},
		{Type: "Nothing"},
	} {
		if err := second(r.Search(ctx, place)); !fault.Is(err, fault.NotFound) {
			t.Errorf("%v: %v", place, err)
		}
	}
	err := second(r.Search(ctx, &recordsv1.SearchRequest{Type: "Patient", Query: "birthdate:exact=1950"}))
	if f := fault.Of(err); !strings.Contains(f.Message, ":exact") || !strings.Contains(f.Message, "birthdate") {
		t.Errorf("the refusal does not name the modifier and the parameter: %v", err)
	}
}

func TestACursorBelongsToItsSearch(t *testing.T) {
	r, ctx := loose(t)
	village(ctx, t, r)
	next := search(ctx, t, r, "Observation", "status=final&_sort=code&_count=1").next
	_, query, _ := strings.Cut(next, "?")
	if _, err := r.Search(ctx, &recordsv1.SearchRequest{Type: "Observation", Query: strings.Replace(query, "_count=1", "_count=2&_summary=true", 1)}); err != nil {
		t.Errorf("another page size: %v", err)
	}
	for _, other := range []string{strings.Replace(query, "final", "amended", 1), strings.Replace(query, "_sort=code", "_sort=-code", 1), query + "&code=x"} {
		if err := second(r.Search(ctx, &recordsv1.SearchRequest{Type: "Observation", Query: other})); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Of(err).Message, "_cursor") {
			t.Errorf("%s: %v", other, err)
		}
	}
	if err := second(r.Search(ctx, &recordsv1.SearchRequest{Type: "Condition", Query: query})); !fault.Is(err, fault.Invalid) {
		t.Errorf("another type: %v", err)
	}
}

func TestChainsOfThePatientThemselvesTellNothingOfOthers(t *testing.T) {
	r, ctx := loose(t)
	village(ctx, t, r)
	self := scoped(t.Context(), &guard.Scope{Patients: []string{"hoa"}, Shared: true})
	for _, tt := range []struct {
		query string
		want  []string
	}{
		{"Practitioner?_has:Patient:general-practitioner:name=do", nil},
		{"Practitioner?_has:Patient:general-practitioner:name=nguyen", []string{"dr"}},
		{"Organization?_has:Encounter:service-provider:patient.birthdate=1960", nil},
	} {
		typ, query, _ := strings.Cut(tt.query, "?")
		b, err := r.Search(self, &recordsv1.SearchRequest{Type: typ, Query: query + "&_total=accurate"})
		if err != nil {
			t.Errorf("%s: %v", tt.query, err)
			continue
		}
		if f := bundle(t, b.GetBody()); !slices.Equal(f.ids, tt.want) || f.total != len(tt.want) {
			t.Errorf("%s finds %v, total %d", tt.query, f.ids, f.total)
		}
	}
}
