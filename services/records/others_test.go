package records

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// httpQuestion is a request over HTTP.
type httpQuestion struct {
	method, path, body string
	headers            []string
}

// answered is all of an answer that a client sees, but for what differs from
// one moment to the next.
func (q httpQuestion) answered(h http.Handler, token string) string {
	headers := q.headers
	if len(headers) == 0 || headers[0] != "Content-Type" {
		headers = append([]string{"Content-Type", "application/fhir+json"}, headers...)
	}
	w := raw(h, token, q.method, q.path, strings.NewReader(q.body), headers...)
	return ofNow.ReplaceAllString(fmt.Sprint(w.Code, w.Header(), w.Body), "")
}

// parametersOf is a Parameters resource.
func parametersOf(list ...string) string {
	return `{"resourceType":"Parameters","parameter":[` + strings.Join(list, ",") + `]}`
}

// world stores a person and, in their record, one of everything.
func world(ctx context.Context, t testing.TB, r *Records, who, cccd, commune string) {
	t.Helper()
	of := `"subject":{"reference":"Patient/` + who + `"}`
	placed(ctx, t, r, "Patient", who, person("Nguyễn", "Hoa "+who, cccd, commune, "1950-01-02"))
	placed(ctx, t, r, "Encounter", "e-"+who, `{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},`+of+`,"participant":[{"individual":{"reference":"Practitioner/dr"}}]}`)
	placed(ctx, t, r, "Device", "d-"+who, `{"resourceType":"Device","patient":{"reference":"Patient/`+who+`"}}`)
	for i := range 3 {
		placed(ctx, t, r, "Observation", fmt.Sprint("o-", who, i), strings.Replace(observation(who, "8480-6", fmt.Sprint("2026-01-0", i+1), fmt.Sprint(120+i)), `"status"`,
			`"meta":{"tag":[{"code":"`+who+`"}]},"performer":[{"reference":"Practitioner/dr"}],"encounter":{"reference":"Encounter/e-`+who+`"},"device":{"reference":"Device/d-`+who+`"},"status"`, 1))
	}
	placed(ctx, t, r, "RelatedPerson", "r-"+who, `{"resourceType":"RelatedPerson","patient":{"reference":"Patient/`+who+`"},"name":[{"text":"Ba"}]}`)
	placed(ctx, t, r, "Communication", "c-"+who, `{"resourceType":"Communication","status":"completed",`+of+`,"sender":{"reference":"RelatedPerson/r-`+who+`"}}`)
	placed(ctx, t, r, "DocumentReference", "f-"+who, `{"resourceType":"DocumentReference","status":"current",`+of+`,"content":[{"attachment":{"contentType":"application/pdf","url":"Binary/b-`+who+`"}}]}`)
	placed(ctx, t, r, "Binary", "b-"+who, `{"resourceType":"Binary","contentType":"application/pdf","securityContext":{"reference":"DocumentReference/f-`+who+`"},"data":"`+strings.Repeat("QUJD", 30_000)+`"}`)
	placed(ctx, t, r, "List", "l-"+who, `{"resourceType":"List","status":"current","mode":"working",`+of+`,"entry":[{"item":{"reference":"Patient/hoa"}}]}`)
	placed(ctx, t, r, "Observation", "o-gone-"+who, observation(who, "1", "2026", "1"))
	if _, err := r.Delete(ctx, &recordsv1.DeleteRequest{Type: "Observation", Id: "o-gone-" + who}); err != nil {
		t.Fatal(err)
	}
}

// questionsOfOthers ask in every way for what belongs to an, and a few for
// what hoa has that an may not change.
func questionsOfOthers() map[string]httpQuestion {
	list := map[string]httpQuestion{}
	add := func(method, path, body string, headers ...string) {
		list[strings.TrimSpace(fmt.Sprint(method, " ", path, " ", headers, " ", fmt.Sprintf("%.60s", body)))+fmt.Sprint(len(list))] = httpQuestion{method, path, body, headers}
	}
	own := observation("hoa", "8480-6", "2026-05-01", "1")
	foreign := observation("an", "8480-6", "2026-05-01", "1")
	for _, id := range []string{"Patient/an", "Observation/o-an1", "Observation/o-gone-an", "Binary/b-an", "DocumentReference/f-an", "RelatedPerson/r-an", "Device/d-an", "List/l-an"} {
		typ, bare, _ := strings.Cut(id, "/")
		for _, headers := range [][]string{nil, {"If-None-Match", `W/"1"`}, {"If-None-Match", "*"}, {"If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"}, {"Range", "bytes=0-9"}, {"Accept", "application/fhir+json"}} {
			for _, rest := range []string{"", "/_history/1", "/_history/9", "/_history", "/$meta", "?_elements=id", "?_summary=count", "/_history?_since=2020", "/$validate"} {
				add("GET", "/"+id+rest, "", headers...)
			}
			add("HEAD", "/"+id, "", headers...)
		}
		body := strings.Replace(own, `"Observation"`, `"Observation","id":"`+bare+`"`, 1)
		if typ != "Observation" {
			body = `{"resourceType":"` + typ + `","id":"` + bare + `"}`
		}
		for _, headers := range [][]string{nil, {"If-Match", `W/"1"`}, {"If-Match", `W/"9"`}, {"If-Match", "*"}, {"If-None-Match", "*"}} {
			add("PUT", "/"+id, body, headers...)
			add("DELETE", "/"+id, "", headers...)
			add("PATCH", "/"+id, `[{"op":"test","path":"/status","value":"x"}]`, append([]string{"Content-Type", jsonPatch}, headers...)...)
			if typ == "Binary" {
				for _, sc := range []string{"", "Patient/hoa", "Patient/an", "DocumentReference/f-an"} {
					add("PUT", "/"+id, "content", append([]string{"Content-Type", "application/pdf", "X-Security-Context", sc}, headers...)...)
				}
			}
		}
		meta := parametersOf(`{"name":"meta","valueMeta":{"tag":[{"code":"x"}]}}`)
		add("POST", "/"+id+"/$meta-add", meta)
		add("POST", "/"+id+"/$meta-delete", meta)
		for _, mode := range []string{"create", "update", "delete", "x"} {
			add("POST", "/"+id+"/$validate?mode="+mode, body)
		}
		add("GET", "/"+typ+"?_id="+bare+"&_total=accurate", "")
		add("POST", "/", `{"resourceType":"Bundle","type":"batch","entry":[`+with("PUT", id, body, "")+`,`+request("DELETE", id, "")+`,`+request("GET", id, "")+`,`+request("HEAD", id+"/_history/1", "")+`]}`)
		add("POST", "/", `{"resourceType":"Bundle","type":"transaction","entry":[`+with("PUT", id, body, "")+`]}`)
	}
	add("POST", "/Observation", foreign)
	add("POST", "/Observation", foreign, "If-None-Exist", "patient=an&code=8480-6")
	add("PUT", "/Observation?patient=an&date=2026-01-01", foreign)
	add("PATCH", "/Observation?patient=an&date=2026-01-01", `[{"op":"test","path":"/status","value":"x"}]`, "Content-Type", jsonPatch)
	add("PATCH", "/Observation?_tag=an", `[{"op":"test","path":"/status","value":"x"}]`, "Content-Type", jsonPatch)
	add("DELETE", "/Observation?patient=an", "")
	add("DELETE", "/Observation?_tag=an", "")
	add("POST", "/Binary", "content", "Content-Type", "application/pdf", "X-Security-Context", "Patient/an")
	add("POST", "/Binary", "content", "Content-Type", "application/pdf", "X-Security-Context", "DocumentReference/f-an")
	add("POST", "/Binary", `{"resourceType":"Binary","contentType":"a/b","securityContext":{"reference":"Observation/o-an1"},"data":"QUJD"}`)
	add("PUT", "/Binary/b-hoa", "content", "Content-Type", "application/pdf", "X-Security-Context", "DocumentReference/f-an")
	add("PUT", "/Observation/o-hoa1", strings.Replace(foreign, `"Observation"`, `"Observation","id":"o-hoa1"`, 1))
	add("PUT", "/Observation/o-hoa1", strings.Replace(own, `"Observation"`, `"Observation","id":"o-hoa1","hasMember":[{"reference":"Observation/o-an1"}]`, 1))
	add("PUT", "/Observation/o-hoa1", strings.Replace(own, `"Observation"`, `"Observation","id":"o-hoa1","hasMember":[{"reference":"Observation/o-an1/_history/1"}]`, 1))
	add("POST", "/", `{"resourceType":"Bundle","type":"transaction","entry":[`+with("PUT", "Observation/o-hoa1", strings.Replace(own, `"Observation"`, `"Observation","id":"o-hoa1","performer":[{"reference":"RelatedPerson?patient=an"}]`, 1), "")+`]}`)
	name := func(id string) string { return `{"valueReference":{"reference":"Patient/` + id + `"},"name":"` }
	number := func(n string) string {
		return `{"valueIdentifier":{"system":"` + fhir.SystemCCCD + `","value":"` + n + `"},"name":"`
	}
	for _, op := range []string{"$merge", "$unmerge"} {
		for _, pair := range [][2]string{{"hoa", "an"}, {"an", "hoa"}, {"an", "an"}, {"an", "nobody"}} {
			add("POST", "/Patient/"+op, parametersOf(name(pair[0])+`source-patient"}`, name(pair[1])+`target-patient"}`))
			add("POST", "/Patient/"+op, parametersOf(name(pair[0])+`source-patient"}`, name(pair[1])+`target-patient"}`, `{"name":"preview","valueBoolean":true}`))
		}
		add("POST", "/Patient/"+op, parametersOf(number("2")+`source-patient-identifier"}`, name("hoa")+`target-patient"}`))
		add("POST", "/Patient/"+op, parametersOf(name("hoa")+`source-patient"}`, number("2")+`target-patient-identifier"}`))
	}
	for _, asked := range []string{person("Nguyễn", "Hoa an", "2", "95015", "1950-01-02"), person("Nguyễn", "Hoa", "1", "95012", "1950-01-02"), `{"resourceType":"Patient","name":[{"text":"Nguyễn Hoa"}],"birthDate":"1950-01-02"}`} {
		for _, rest := range []string{``, `,{"name":"onlyCertainMatches","valueBoolean":true}`, `,{"name":"count","valueInteger":1}`} {
			add("POST", "/Patient/$match", parametersOf(`{"name":"resource","resource":`+asked+`}`+rest))
		}
	}
	for _, query := range []string{"patient=an", "subject=Patient/an&max=2", "patient=hoa&max=2", "patient=hoa,an&max=3", "subject=Patient/hoa&category=x", "patient=Patient/an&code=8480-6"} {
		add("GET", "/Observation/$lastn?"+query, "")
	}
	for _, path := range []string{
		"/RelatedPerson/r-an/*", "/RelatedPerson/r-an/Communication?_total=accurate", "/RelatedPerson/r-hoa/*", "/Practitioner/dr/Observation?_total=accurate&_count=2", "/Practitioner/dr/*?_summary=count",
		"/Device/d-an/Observation", "/Device/d-hoa/*", "/Encounter/e-an/*", "/Encounter/e-hoa/*?_total=accurate", "/Binary?contenttype=application/pdf", "/Binary?_total=accurate", "/Group?member=Patient/an", "/Group?_include=Group:member", "/Group?member=Patient/hoa&_revinclude=Provenance:target",
		"/Patient?_has:Group:member:_id=house", "/Patient?_has:DocumentReference:patient:_id=f-an", "/Patient?_list=l-an", "/Patient?link=Patient/an", "/Patient/an/$everything", "/Patient/hoa/$everything", "/Communication?sender.name=ba&_total=accurate",
		"/_history?_count=3", "/Binary/_history", "/metadata?_elements=x", "/openapi.json", "/CodeSystem/$lookup?system=http://hl7.org/fhir/administrative-gender&code=male", "/ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/administrative-gender",
		"/Observation?code:in=http://hl7.org/fhir/ValueSet/observation-codes&_total=accurate",
	} {
		add("GET", path, "")
	}
	return list
}

var dated = regexp.MustCompile(`"identifier":"urn:uuid:[^"]*"|"date":"[^"]*"|lastUpdated":"[^"]*|Last-Modified:\[[^]]*\]`)

// TestNoOperationTellsOfOthersRecords asks the questions of several callers
// over HTTP while somebody's record does not exist, and again when it is there.
// Status, headers and bodies stay the same byte by byte, and nothing is changed.
func TestNoOperationTellsOfOthersRecords(t *testing.T) {
	r, ctx := open(t)
	placed(ctx, t, r, "Practitioner", "dr", `{"resourceType":"Practitioner","name":[{"family":"Trần"}]}`)
	world(ctx, t, r, "hoa", "1", "95012")
	r.settings.written = types{} // the household names an before they are there
	placed(ctx, t, r, "Group", "house", `{"resourceType":"Group","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/hoa"}},{"entity":{"reference":"Patient/an"}}]}`)
	r.settings.written = types{all: true}
	notes := make(chan *accessv1.AuditEntry, 1<<20)
	h := faceOf(t, r, doors{notes: notes, scopes: map[string]*guard.Scope{
		"nurse":   {Communes: []string{"95012@2025-07-01"}, Shared: true},
		"patient": {Patients: []string{"hoa"}, Shared: true},
		"doctor":  {Patients: []string{"hoa"}, Communes: []string{"11111@2025-07-01"}, Shared: true},
		"nothing": {},
	}})
	questions := questionsOfOthers()
	who := []string{"nurse", "patient", "doctor", "nothing"}
	before := map[string]string{}
	seen := 0
	for _, as := range who {
		for name, q := range questions {
			before[as+name] = q.answered(h, as)
			if strings.Contains(before[as+name], "o-hoa1") {
				seen++
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d answers show something", seen)
	}
	world(ctx, t, r, "an", "2", "95015")
	for _, as := range who {
		for name, q := range questions {
			if now := q.answered(h, as); dated.ReplaceAllString(now, "") != dated.ReplaceAllString(before[as+name], "") {
				t.Errorf("%s: %s answers differently:\n%.600s\n%.600s", as, name, before[as+name], now)
			}
		}
	}
	for _, id := range []string{"Patient/an", "Observation/o-an1", "Binary/b-an", "Patient/hoa", "Observation/o-hoa1", "Binary/b-hoa", "Device/d-an"} {
		typ, bare, _ := strings.Cut(id, "/")
		if x := stored(ctx, t, r, typ, bare); x.GetVersion() != 1 {
			t.Errorf("%s was changed: version %d", id, x.GetVersion())
		}
	}
}

// TestWithoutNamesNoOperationTellsOfPersons asks as the department does: every
// answer is a refusal, or holds no name, number or id.
func TestWithoutNamesNoOperationTellsOfPersons(t *testing.T) {
	r, ctx := open(t)
	placed(ctx, t, r, "Practitioner", "dr", `{"resourceType":"Practitioner","name":[{"family":"Trần"}]}`)
	for i, who := range []string{"hoa", "an"} { // the record of the second refers to the first
		world(ctx, t, r, who, fmt.Sprint("07905000123", i+1), "95012")
	}
	h := faceOf(t, r, doors{notes: make(chan *accessv1.AuditEntry, 1<<20), scopes: map[string]*guard.Scope{"department": {Deidentified: true, Shared: true}}})
	for name, q := range questionsOfOthers() {
		now := q.answered(h, "department")
		for _, secret := range []string{"Nguyễn", "Hoa", "07905000123", `"o-an1"`, `"an"`, "/o-hoa1", "QUJDQUJD", "ABCABC", "Patient/hoa", `"b-an"`} {
			if strings.Contains(now, secret) && !strings.Contains(q.path, strings.Trim(secret, `"/`)) && !strings.Contains(q.body, secret) {
				t.Errorf("%s shows %s: %.500s", name, secret, now)
			}
		}
		if q.method != "GET" && q.method != "HEAD" && !strings.HasPrefix(now, "4") && !strings.Contains(q.body, `"batch"`) {
			t.Errorf("%s is carried out: %.300s", name, now)
		}
	}
	for _, id := range []string{"Patient/an", "Observation/o-an1", "Binary/b-an"} {
		typ, bare, _ := strings.Cut(id, "/")
		if x := stored(ctx, t, r, typ, bare); x.GetVersion() != 1 {
			t.Errorf("%s was changed", id)
		}
	}
}

// TestWhatMovedBetweenPatientsIsToldByHalves moves a document with a large
// value from one commune to another and back: each side reads only the
// versions that lay with it, while the resource lies with it.
func TestWhatMovedBetweenPatientsIsToldByHalves(t *testing.T) {
	r, ctx := open(t)
	placed(ctx, t, r, "Patient", "hoa", person("Nguyễn", "Hoa", "1", "95012", "1950"))
	placed(ctx, t, r, "Patient", "an", person("Lê", "An", "2", "95015", "1950"))
	scan := strings.Repeat("QUJD", 30_000)
	document := func(who string) string {
		return `{"resourceType":"DocumentReference","status":"current","subject":{"reference":"Patient/` + who + `"},"content":[{"attachment":{"contentType":"a/b","data":"` + scan + `"}}]}`
	}
	for _, who := range []string{"hoa", "an", "hoa"} {
		placed(ctx, t, r, "DocumentReference", "f", document(who))
	}
	a, b := nurse(t.Context(), "95012"), nurse(t.Context(), "95015")
	for as, want := range map[context.Context]string{a: "1 3", b: ""} {
		var got []string
		for _, v := range []string{"1", "2", "3", "4"} {
			x, err := r.ReadVersion(as, &recordsv1.ReadVersionRequest{Type: "DocumentReference", Id: "f", Version: v})
			if err == nil && strings.Contains(string(x.GetBody()), scan) {
				got = append(got, v)
			} else if f := fault.Of(err); f == nil || f.Class != fault.Forbidden || f.Message != fault.Of(outside()).Message {
				t.Errorf("version %s: %v", v, err)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("reads the versions %v, not %s", got, want)
		}
		for _, req := range []*recordsv1.HistoryRequest{{Type: "DocumentReference", Id: "f"}, {Type: "DocumentReference"}, {}, {Query: "_at=ge2000"}} {
			h, err := r.History(as, req)
			if req.GetId() != "" && want == "" {
				if !fault.Is(err, fault.Forbidden) {
					t.Error(err)
				}
				continue
			}
			if err != nil || strings.Count(string(h.GetBody()), `"resourceType":"DocumentReference"`) != len(strings.Fields(want)) || strings.Contains(string(h.GetBody()), "Patient/an") && want != "" {
				t.Errorf("history %v: %v %.300s", req, err, bytes.ReplaceAll(h.GetBody(), []byte(scan), nil))
			}
		}
	}
	// Who knows the digest or writes the empty value does not get the content.
	body := `{"resourceType":"DocumentReference","id":"01970000-0000-7000-8000-000000000001","status":"current","subject":{"reference":"Patient/an"},"content":[{"attachment":{"contentType":"a/b","hash":"qUqP5cyxm6YcTAhz05Hph5gvu9M=","size":90000,"data":""}}]}`
	if _, err := r.Update(b, &recordsv1.UpdateRequest{Type: "DocumentReference", Id: "01970000-0000-7000-8000-000000000001", Body: []byte(body)}); err == nil {
		if x := stored(b, t, r, "DocumentReference", "01970000-0000-7000-8000-000000000001"); strings.Contains(string(x.GetBody()), "QUJD") {
			t.Error("a hash fetched another's content")
		}
	}
}

// TestAMergedPersonIsNoWayIntoAnotherCommune merges two records of different
// communes, as only who reaches both may.
func TestAMergedPersonIsNoWayIntoAnotherCommune(t *testing.T) {
	r, ctx := open(t)
	placed(ctx, t, r, "Practitioner", "dr", `{"resourceType":"Practitioner","active":true}`)
	world(ctx, t, r, "hoa", "1", "95012")
	world(ctx, t, r, "an", "1", "95015")
	if _, err := r.Merge(ctx, pair("hoa", "an")); err != nil {
		t.Fatal(err)
	}
	a := nurse(t.Context(), "95012")
	source := search(a, t, r, "Patient", "_id=hoa&_include=Patient:link&_revinclude=Observation:subject&_revinclude=Patient:link")
	if source.entries != 1 || !strings.Contains(string(source.body), "replaced-by") {
		t.Errorf("of the source's commune: %v", source.types)
	}
	for _, query := range []string{"Observation?patient=hoa", "Observation?patient=an", "Observation?patient:Patient.link=Patient/hoa", "Patient?link:Patient._id=an", "DocumentReference?", "Binary?", "Patient?_has:Observation:patient:code=8480-6"} {
		typ, params, _ := strings.Cut(query, "?")
		if x := search(a, t, r, typ, params+"&_total=accurate"); x.total != 0 {
			t.Errorf("%s finds %d", query, x.total)
		}
	}
	absent := fault.Of(second(r.Read(a, &recordsv1.ReadRequest{Type: "Observation", Id: "nobody"})))
	for what, err := range map[string]error{
		"a moved Observation":   second(r.Read(a, &recordsv1.ReadRequest{Type: "Observation", Id: "o-hoa1"})),
		"its version before":    second(r.ReadVersion(a, &recordsv1.ReadVersionRequest{Type: "Observation", Id: "o-hoa1", Version: "1"})),
		"its history":           second(r.History(a, &recordsv1.HistoryRequest{Type: "Observation", Id: "o-hoa1"})),
		"a moved Binary":        second(r.Read(a, &recordsv1.ReadRequest{Type: "Binary", Id: "b-hoa"})),
		"the Binary before":     second(r.ReadVersion(a, &recordsv1.ReadVersionRequest{Type: "Binary", Id: "b-hoa", Version: "1"})),
		"the target":            second(r.Read(a, &recordsv1.ReadRequest{Type: "Patient", Id: "an"})),
		"the target's record":   second(r.Everything(a, &recordsv1.EverythingRequest{Patient: "an"})),
		"the undoing":           second(r.Unmerge(a, pair("hoa", "an"))),
		"the merge once more":   second(r.Merge(a, pair("hoa", "an"))),
		"a merge the other way": second(r.Merge(a, pair("an", "hoa"))),
	} {
		if f := fault.Of(err); f == nil || f.Class != absent.Class || f.Message != absent.Message {
			t.Errorf("%s: %v", what, err)
		}
	}
	// What a merge did out of her reach, a nurse of the target cannot undo by halves.
	b := nurse(t.Context(), "95015")
	if err := second(r.Unmerge(b, pair("hoa", "an"))); !fault.Is(err, fault.Forbidden) {
		t.Errorf("undone by who reaches a part: %v", err)
	}
	if x := stored(ctx, t, r, "Observation", "o-hoa1"); x.GetVersion() != 2 {
		t.Errorf("a refused undoing changed something: version %d", x.GetVersion())
	}
}

// TestADefinitionIsNobodysToChangeInACommune tries to give everybody another
// code system from one commune.
func TestADefinitionIsNobodysToChangeInACommune(t *testing.T) {
	r, ctx := open(t)
	a := nurse(t.Context(), "95012")
	unit := `"extension":[{"url":"` + fhir.ExtensionUnit + `","valueCoding":{"system":"` + fhir.SystemUnits + `","code":"95012","version":"2025-07-01"}}]`
	for typ, rest := range map[string]string{
		"CodeSystem": `,"url":"http://hl7.org/fhir/administrative-gender","status":"active","content":"complete","concept":[{"code":"x"}]`,
		"ValueSet":   `,"url":"http://hl7.org/fhir/ValueSet/administrative-gender","status":"active"`,
	} {
		body := `{"resourceType":"` + typ + `",` + unit + rest + `}`
		if err := second(r.Create(a, &recordsv1.CreateRequest{Type: typ, Body: []byte(body)})); !fault.Is(err, fault.Forbidden) {
			t.Errorf("a nurse stores a %s for everybody: %v", typ, err)
		}
		create(ctx, t, r, typ, body)
	}
	create(a, t, r, "Group", `{"resourceType":"Group","type":"person","actual":true,`+unit+`}`)
}

// TestIdsThatCanBeGuessedTellNothing puts under ids that are free, taken out of
// reach and within reach.
func TestIdsThatCanBeGuessedTellNothing(t *testing.T) {
	r, ctx := open(t)
	placed(ctx, t, r, "Patient", "hoa", person("Nguyễn", "Hoa", "1", "95012", "1950"))
	placed(ctx, t, r, "Patient", "an", person("Lê", "An", "2", "95015", "1950"))
	placed(ctx, t, r, "Observation", "o-an", observation("an", "1", "2026", "1"))
	placed(ctx, t, r, "Observation", "o-hoa", observation("hoa", "1", "2026", "1"))
	a := nurse(t.Context(), "95012")
	write := func(as context.Context, id, query, match string) error {
		body := strings.Replace(observation("hoa", "1", "2026", "2"), "{", `{"id":"`+id+`",`, 1)
		req := &recordsv1.UpdateRequest{Type: "Observation", Id: id, Body: []byte(body), IfMatch: match}
		if query != "" {
			req.Id, req.Query = "", query
		}
		return second(r.Update(as, req))
	}
	for _, match := range []string{"", `W/"1"`} {
		for _, query := range []string{"", "code=nothing"} {
			taken, free := fault.Of(write(a, "o-an", query, match)), fault.Of(write(a, "o-free", query, match))
			if taken == nil || free == nil || taken.Class != fault.Forbidden || taken.Class != free.Class || taken.Message != free.Message {
				t.Errorf("taken: %v, free: %v", taken, free)
			}
		}
	}
	if err := write(a, "o-hoa", "", ""); err != nil {
		t.Errorf("what is within reach keeps its id: %v", err)
	}
	for id, ok := range map[string]bool{
		"f47ac10b-58cc-4372-a567-0e02b2c3d479": true, "01970000-0000-7000-8000-000000000001": true, "F47AC10B-58CC-4372-A567-0E02B2C3D47A": true,
		"f47ac10b58cc4372a5670e02b2c3d479": false, "6ba7b810-9dad-11d1-80b4-00c04fd430c8": false, "00000000-0000-0000-0000-000000000000": false, "1": false,
	} {
		if err := write(a, id, "", ""); (err == nil) != ok {
			t.Errorf("%s: %v", id, err)
		}
	}
	if err := write(ctx, "any-id", "", ""); err != nil {
		t.Errorf("who reaches everything: %v", err)
	}
	r.settings.randomIDs = false
	if err := write(a, "o-free", "", ""); err != nil {
		t.Errorf("switched off: %v", err)
	}
}

func TestAPartOfContentIsNotTakenForTheWhole(t *testing.T) {
	r, ctx := open(t)
	p := personOf(ctx, t, r, "1")
	h := faceOf(t, r, gate{})
	id := posted(t, h, "good", []byte("whole"), "X-Security-Context", "Patient/"+p)
	w := raw(h, "good", "PUT", "/Binary/"+id, strings.NewReader("part"), "Content-Type", "application/pdf", "Content-Range", "bytes 0-3/5")
	if w.Code != 400 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := raw(h, "good", "GET", "/Binary/"+id, nil); w.Body.String() != "whole" {
		t.Errorf("the content is %q", w.Body)
	}
}
