package records

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// placed stores a whole resource under an id.
func placed(ctx context.Context, t testing.TB, r *Records, typ, id, body string) {
	t.Helper()
	put(ctx, t, r, typ, id, strings.Replace(body, `"resourceType":"`+typ+`",`, "", 1))
}

// TestWhatMayBeAboutSomebodyIsNotEverybodys stores what names a person in
// ways that no compartment follows from. Nobody but who reaches everything
// finds, reads or changes it.
func TestWhatMayBeAboutSomebodyIsNotEverybodys(t *testing.T) {
	r, ctx := loose(t)
	placed(ctx, t, r, "Patient", "hoa", person("Nguyễn", "Hoa", "1", "95012", "1950"))
	placed(ctx, t, r, "Patient", "an", person("Lê", "An", "2", "95015", "1950"))
	about := func(subject string) string {
		return `{"resourceType":"Observation","status":"final","code":{"text":"x"}` + subject + `}`
	}
	hidden := map[string]string{
		"Device":                `{"resourceType":"Device","patient":{"reference":"Patient/an"}}`,
		"Binary":                `{"resourceType":"Binary","contentType":"text/plain","data":"QW4="}`,
		"Bundle":                `{"resourceType":"Bundle","type":"collection","entry":[{"resource":` + person("Lê", "An", "2", "95015", "1950") + `}]}`,
		"Parameters":            `{"resourceType":"Parameters","parameter":[{"name":"x","valueString":"An"}]}`,
		"Person":                `{"resourceType":"Person","name":[{"text":"An"}]}`,
		"Contract":              `{"resourceType":"Contract","subject":[{"reference":"Patient/an"}]}`,
		"Provenance":            `{"resourceType":"Provenance","target":[{"reference":"Observation/x"}],"recorded":"2026-01-01T00:00:00Z","agent":[{"who":{"display":"An"}}]}`,
		"Observation":           about(``),
		"Observation.1":         about(`,"subject":{"display":"An"}`),
		"Observation.2":         about(`,"subject":{"identifier":{"value":"2"}}`),
		"Observation.3":         about(`,"subject":{"reference":"urn:uuid:c0ffee00-0000-4000-8000-000000000000"}`),
		"Observation.4":         about(`,"contained":[{"resourceType":"Patient","id":"p","name":[{"text":"An"}]}],"subject":{"reference":"#p"}`),
		"Observation.5":         about(`,"performer":[{"reference":"Practitioner/dr"}]`),
		"Appointment":           `{"resourceType":"Appointment","status":"proposed","participant":[{"status":"accepted","actor":{"display":"An"}}]}`,
		"RelatedPerson":         `{"resourceType":"RelatedPerson","patient":{"display":"An"},"name":[{"text":"Ba"}]}`,
		"Communication":         `{"resourceType":"Communication","status":"completed","payload":[{"contentString":"An"}]}`,
		"QuestionnaireResponse": `{"resourceType":"QuestionnaireResponse","status":"completed","item":[{"linkId":"1","answer":[{"valueString":"An"}]}]}`,
	}
	restricted := map[string]context.Context{
		"a nurse":   nurse(t.Context(), "95012"),
		"a patient": scoped(t.Context(), &guard.Scope{Patients: []string{"hoa"}, Shared: true}),
	}
	n := 0
	for name, body := range hidden {
		typ, _, _ := strings.Cut(name, ".")
		n++
		id := fmt.Sprint("h", n)
		placed(ctx, t, r, typ, id, body)
		placed(ctx, t, r, typ, id, strings.Replace(body, `{`, `{"language":"vi",`, 1))
		for who, as := range restricted {
			absent := fault.Of(second(r.Read(as, &recordsv1.ReadRequest{Type: typ, Id: "nobody"})))
			for what, err := range map[string]error{
				"reads":   second(r.Read(as, &recordsv1.ReadRequest{Type: typ, Id: id})),
				"vreads":  second(r.ReadVersion(as, &recordsv1.ReadVersionRequest{Type: typ, Id: id, Version: "1"})),
				"history": second(r.History(as, &recordsv1.HistoryRequest{Type: typ, Id: id})),
				"deletes": second(r.Delete(as, &recordsv1.DeleteRequest{Type: typ, Id: id})),
				"creates": second(r.Create(as, &recordsv1.CreateRequest{Type: typ, Body: []byte(body)})),
			} {
				if f := fault.Of(err); f.Class != absent.Class || f.Message != absent.Message {
					t.Errorf("%s %s %s: %v", who, what, name, err)
				}
			}
			var updates []string
			for _, id := range []string{id, "nobody"} {
				updates = append(updates, fmt.Sprint(second(r.Update(as, &recordsv1.UpdateRequest{Type: typ, Id: id, Body: []byte(strings.Replace(body, `{`, `{"language":"en",`, 1))}))))
			}
			if updates[0] != updates[1] || !strings.HasPrefix(updates[0], "forbidden") {
				t.Errorf("%s updates %s: %q", who, name, updates)
			}
			if x := search(as, t, r, typ, "_total=accurate&_id="+id); x.total != 0 || x.entries != 0 {
				t.Errorf("%s finds %s", who, name)
			}
		}
		if x := search(ctx, t, r, typ, "_id="+id); x.entries != 1 {
			t.Errorf("%s is lost", name)
		}
		if _, err := r.Delete(ctx, &recordsv1.DeleteRequest{Type: typ, Id: id}); err != nil {
			t.Fatal(err)
		}
		for who, as := range restricted {
			if err := second(r.Read(as, &recordsv1.ReadRequest{Type: typ, Id: id})); !fault.Is(err, fault.Forbidden) {
				t.Errorf("%s learns that %s was deleted: %v", who, name, err)
			}
		}
	}
	own := nurse(t.Context(), "95015")
	placed(ctx, t, r, "Device", "cuff", hidden["Device"])
	if _, err := r.Read(own, &recordsv1.ReadRequest{Type: "Device", Id: "cuff"}); err != nil {
		t.Errorf("the device of a resident: %v", err)
	}
	placed(ctx, t, r, "Device", "room", `{"resourceType":"Device","status":"active"}`)
	for typ, body := range map[string]string{
		"Device": `{"resourceType":"Device","status":"active"}`, "Organization": `{"resourceType":"Organization","name":"A"}`,
		"Observation": about(`,"subject":{"reference":"Device/room"}`),
	} {
		placed(ctx, t, r, typ, "open", body)
		if _, err := r.Read(own, &recordsv1.ReadRequest{Type: typ, Id: "open"}); err != nil {
			t.Errorf("a %s about nobody is shared: %v", typ, err)
		}
	}
}

// TestAnEntryReachesNoFurtherThanItsOperation gives the Bundle a wider scope
// than one of its operations has.
func TestAnEntryReachesNoFurtherThanItsOperation(t *testing.T) {
	r, ctx := open(t)
	an := create(ctx, t, r, "Patient", person("Lê", "An", "2", "95015", "1950"))
	ba := create(ctx, t, r, "Patient", person("Lê", "Ba", "3", "95012", "1950"))
	wide := scoped(nurse(t.Context(), "95012"), &guard.Scope{Communes: []string{"95012@2025-07-01", "95015@2025-07-01"}, Shared: true})
	narrow := &guard.Scope{Communes: []string{"95012@2025-07-01"}, Patients: []string{"x"}, Shared: true}
	r.enter = func(ctx context.Context, method string) (context.Context, error) {
		if method == "Create" {
			return scoped(ctx, narrow), nil
		}
		return ctx, nil
	}
	for _, kind := range []string{"transaction", "batch"} {
		for id, want := range map[string]string{an.GetId(): "403", ba.GetId(): "201"} {
			req := transaction(post("urn:uuid:1", observation(id, "1", "2026", "1"), ""))
			req.Bundle = bytes.Replace(req.GetBundle(), []byte(`"transaction"`), []byte(`"`+kind+`"`), 1)
			b, err := r.Transact(wide, req)
			got := string(b.GetBody())
			if fault.Is(err, fault.Forbidden) {
				got = "403"
			}
			if !strings.Contains(got, want) {
				t.Errorf("a %s: %v %s, not %s", kind, err, got, want)
			}
		}
	}
}

func TestTerminologyTellsNothingOfOtherTypes(t *testing.T) {
	r, ctx := open(t)
	create(ctx, t, r, "Organization", `{"resourceType":"Organization","name":"A"}`)
	placed(ctx, t, r, "Organization", "there", `{"resourceType":"Organization","name":"A"}`)
	anybody := scoped(t.Context(), &guard.Scope{Shared: true})
	var answers []string
	for _, id := range []string{"there", "nowhere"} {
		answers = append(answers, fmt.Sprint(second(r.ValidateCode(anybody, &recordsv1.TerminologyRequest{Type: "Organization", Id: id, Query: "code=x"}))))
	}
	if answers[0] != answers[1] {
		t.Errorf("$validate-code tells what is there: %q", answers)
	}
}

// TestRecordsWithoutNamesAreFoundByCodesAndNumbersOnly tries parameters that
// hold numbers somebody was given, addresses of files, and free text.
func TestRecordsWithoutNamesAreFoundByCodesAndNumbersOnly(t *testing.T) {
	r, _ := open(t)
	blind := scoped(t.Context(), &guard.Scope{Deidentified: true, Shared: true})
	ask := func(query string) error {
		typ, params, _ := strings.Cut(query, "?")
		return second(r.Search(blind, &recordsv1.SearchRequest{Type: typ, Query: params}))
	}
	for _, query := range []string{
		"Specimen?accession=1", "ServiceRequest?requisition=1", "ImagingStudy?instance=urn:oid:1.2", "DocumentReference?location=http://a",
		"Observation?code:text=hoa", "Observation?value-string=hoa", "Patient?email=a", "Immunization?lot-number=1", "Observation?subject:identifier=1",
		"Observation?_has:Provenance:target:agent=x", "Observation?patient.name=hoa", "Observation?code-value-string=1$hoa", "Patient?_list=x", "Observation?patient:missing=false",
		"Task?group-identifier=1", "Patient?death-date=2020", "Patient?_lastUpdated=2020",
	} {
		if err := ask(query); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", query, err)
		}
	}
	for _, query := range []string{
		"Observation?code=1", "Observation?code:not=1", "Observation?date=2026&value-quantity=gt1", "Observation?code-value-quantity=1$gt2", "Patient?gender=female&active=true",
		"Patient?deceased=true", "Condition?clinical-status=active&onset-date=ge2020", "Encounter?class=AMB",
	} {
		if err := ask(query); err != nil {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// ofNow are the parts of an answer that differ from one moment to the next.
var ofNow = regexp.MustCompile(`"timestamp":"[^"]*"`)

// TestWhatOthersDoChangesNoAnswer asks a nurse's questions, lets much happen
// in another commune, and asks them again: every answer is the same byte by
// byte, cursors, totals, tags, orders and refusals included.
func TestWhatOthersDoChangesNoAnswer(t *testing.T) {
	r, ctx := loose(t)
	enrol := func(who, cccd, commune string) {
		placed(ctx, t, r, "Patient", who, person("Nguyễn", "Hoa "+who, cccd, commune, "1950-01-02"))
		placed(ctx, t, r, "Encounter", "e-"+who, `{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/`+who+`"},
			"participant":[{"individual":{"reference":"Practitioner/dr"}}],"serviceProvider":{"reference":"Organization/ward"}}`)
		for i := range 3 {
			placed(ctx, t, r, "Observation", fmt.Sprint("o-", who, i), strings.Replace(observation(who, "8480-6", fmt.Sprint("2026-01-0", i+1), fmt.Sprint(120+i)), `"status"`,
				`"performer":[{"reference":"Practitioner/dr"}],"encounter":{"reference":"Encounter/e-`+who+`"},"status"`, 1))
		}
		placed(ctx, t, r, "List", "l-"+who, `{"resourceType":"List","status":"current","mode":"working","subject":{"reference":"Patient/`+who+`"},
			"entry":[{"item":{"reference":"Patient/hoa"}},{"item":{"reference":"Observation/o-hoa1"}}]}`)
		placed(ctx, t, r, "Provenance", "p-"+who, `{"resourceType":"Provenance","target":[{"reference":"Patient/`+who+`"},{"reference":"Observation/o-hoa1"}],
			"recorded":"2026-01-01T00:00:00Z","agent":[{"who":{"reference":"Practitioner/dr"}}]}`)
		placed(ctx, t, r, "Device", "d-"+who, `{"resourceType":"Device","patient":{"reference":"Patient/`+who+`"}}`)
		placed(ctx, t, r, "Task", "t-"+who, `{"resourceType":"Task","status":"requested","intent":"order","for":{"reference":"Patient/`+who+`"},"focus":{"reference":"Observation/o-hoa1"}}`)
	}
	placed(ctx, t, r, "Practitioner", "dr", `{"resourceType":"Practitioner","name":[{"family":"Trần"}]}`)
	placed(ctx, t, r, "Organization", "ward", `{"resourceType":"Organization","name":"Trạm"}`)
	enrol("hoa", "1", "95012")
	as := nurse(t.Context(), "95012")
	said := func(err error) string {
		if err == nil {
			return ""
		}
		f := fault.Of(err)
		return f.Class.String() + f.Message + f.At
	}
	body := func(b *recordsv1.Bundle, err error) string { return string(b.GetBody()) + said(err) }
	one := func(x *recordsv1.Resource, err error) string {
		return fmt.Sprint(string(x.GetBody()), x.GetId() != "", x.GetVersion(), x.GetLastUpdated(), x.GetCount(), x.GetDeleted(), said(err))
	}
	questions := map[string]func() string{
		"history of the system": func() string { return body(r.History(as, &recordsv1.HistoryRequest{Query: "_count=2"})) },
		"history since":         func() string { return body(r.History(as, &recordsv1.HistoryRequest{Query: "_since=2020-01-01"})) },
		"history at": func() string {
			return body(r.History(as, &recordsv1.HistoryRequest{Type: "Observation", Query: "_at=ge2020-01-01"}))
		},
		"history of o-an1": func() string {
			return body(r.History(as, &recordsv1.HistoryRequest{Type: "Observation", Id: "o-an1", Query: "_since=2020"}))
		},
		"everything":       func() string { return body(r.Everything(as, &recordsv1.EverythingRequest{Patient: "hoa"})) },
		"everything of an": func() string { return body(r.Everything(as, &recordsv1.EverythingRequest{Patient: "an"})) },
		"validate o-an1": func() string {
			return one(r.Validate(as, &recordsv1.ValidateRequest{Type: "Observation", Id: "o-an1"}))
		},
		"validate a deletion": func() string {
			return one(r.Validate(as, &recordsv1.ValidateRequest{Type: "Observation", Id: "o-an1", Mode: "delete"}))
		},
		"read if none match": func() string {
			return one(r.Read(as, &recordsv1.ReadRequest{Type: "Patient", Id: "an", IfNoneMatch: `W/"1"`}))
		},
		"a conditional patch": func() string {
			return one(r.Patch(as, &recordsv1.PatchRequest{
				Type: "Observation", Query: "patient=an&date=2026-01-01", ContentType: jsonPatch,
				Body: []byte(`[{"op":"test","path":"/status","value":"final"},{"op":"test","path":"/status","value":"x"}]`),
			}))
		},
		"a conditional delete": func() string {
			return one(r.Delete(as, &recordsv1.DeleteRequest{Type: "Observation", Query: "subject=Patient/an"}))
		},
		"a patch of o-an1": func() string {
			return one(r.Patch(as, &recordsv1.PatchRequest{Type: "Observation", Id: "o-an1", ContentType: jsonPatch, Body: []byte(`[{"op":"test","path":"/status","value":"x"}]`)}))
		},
		"a reference to o-an1": func() string {
			return one(r.Create(as, &recordsv1.CreateRequest{Type: "Observation", Body: []byte(strings.Replace(observation("an", "1", "2026", "1"), `"status"`, `"hasMember":[{"reference":"Observation/o-an1"}],"status"`, 1))}))
		},
		"a conditional reference": func() string {
			return body(r.Transact(as, transaction(post("urn:uuid:1", strings.Replace(observation("x", "1", "2026", "1"), "Patient/x", "Patient?identifier="+fhir.SystemCCCD+"|2", 1), ""))))
		},
		"a batch": func() string {
			return body(r.Transact(as, &recordsv1.TransactRequest{Bundle: []byte(`{"resourceType":"Bundle","type":"batch","entry":[` +
				request("GET", "Patient/an", "") + "," + request("GET", "Observation?code=8480-6&_total=accurate", "") + "," + request("GET", "Patient/an/$everything", "") + "," +
				request("DELETE", "Patient?identifier=2", "") + "," + request("GET", "Observation/o-an1/_history", "") + "," + request("HEAD", "Observation/o-an1/_history/1", "") + `]}`)}))
		},
	}
	for _, query := range []string{
		"Patient?name=hoa", "Patient?_sort=-birthdate,name&_count=1", "Patient?_sort=_lastUpdated&_count=1", "Observation?code=8480-6&_count=2", "Observation?_sort=-date&_count=1",
		"Observation?_sort=performer,value-quantity&_count=2", "Observation?performer=Practitioner/dr", "Observation?performer.name=tran", "Observation?patient.name=hoa",
		"Observation?encounter.service-provider.name=tram", "Observation?encounter=Encounter/e-an", "Observation?patient=an", "Observation?subject:Patient.identifier=2", "Observation?code:not=1",
		"Observation?value-string:missing=true", "Observation?value-quantity=gt100&_sort=value-quantity", "Patient?_has:Observation:patient:code=8480-6", "Patient?_has:Encounter:patient:practitioner.name=tran",
		"Patient?_has:Observation:patient:_has:Provenance:target:agent=Practitioner/dr", "Practitioner?_has:Observation:performer:patient=an", "Organization?_has:Encounter:service-provider:subject=Patient/an",
		"Organization?_has:Encounter:service-provider:_id=e-an", "Patient?_list=l-an", "Observation?_list=l-an", "Patient?_list=l-hoa", "Practitioner?_revinclude=Observation:performer&_revinclude=Encounter:*",
		"Practitioner?_revinclude:iterate=Observation:performer&_include:iterate=Observation:patient&_include:iterate=Observation:encounter", "Observation?_id=o-hoa1&_revinclude=Provenance:target&_revinclude=List:item&_revinclude=Task:focus",
		"List?_include=List:item", "Device?", "Device?patient=Patient/an", "Task?focus=Observation/o-hoa1", "Provenance?target=Observation/o-hoa1", "?_type=Observation,Encounter,Device&_count=2", "?_type=Patient&_id=an,hoa",
		"?_lastUpdated=ge2020-01-01&_count=3", "Patient?_id=an", "Patient?_id:not=x", "Patient?identifier:of-type=x|y|2", "Observation?_elements=code", "Observation?_summary=text", "Patient?name:contains=a&_sort=name",
		"@Practitioner/dr/Observation?", "@Practitioner/dr/*?", "@Encounter/e-an/*?", "@Patient/an/*?", "@Patient/an/Observation?", "@Device/d-an/*?", "Observation?date=ge2026&_count=1&patient.birthdate=1950-01-02",
	} {
		for _, more := range []string{"", "&_total=accurate", "&_summary=count"} {
			req := &recordsv1.SearchRequest{Query: ""}
			place, params, _ := strings.Cut(query, "?")
			req.Query = strings.Trim(params+more, "&")
			if c, ok := strings.CutPrefix(place, "@"); ok {
				parts := strings.Split(c, "/")
				req.Compartment, req.CompartmentId, place = parts[0], parts[1], strings.Trim(parts[2], "*")
			}
			req.Type = place
			questions[query+more] = func() string { return body(r.Search(as, req)) }
		}
	}
	before := map[string]string{}
	for name, ask := range questions {
		before[name] = ofNow.ReplaceAllString(ask(), "")
	}
	enrol("an", "2", "95015")
	enrol("ba", "3", "95015")
	placed(ctx, t, r, "Observation", "o-ba1", observation("ba", "8480-6", "2026-01-02", "1"))
	if _, err := r.Delete(ctx, &recordsv1.DeleteRequest{Type: "Observation", Id: "o-ba2"}); err != nil {
		t.Fatal(err)
	}
	changed := 0
	for name, ask := range questions {
		if after := ofNow.ReplaceAllString(ask(), ""); after != before[name] {
			t.Errorf("%s answers differently:\n%s\n%s", name, before[name], after)
		}
		if strings.Contains(before[name], "o-hoa1") {
			changed++
		}
	}
	if changed < 40 {
		t.Errorf("only %d of %d answers show something", changed, len(questions))
	}
}
