package records

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// pair asks for a merge, or for its undoing.
func pair(source, target string, more ...string) *recordsv1.OperationRequest {
	list := append([]string{
		`{"name":"source-patient","valueReference":{"reference":"Patient/` + source + `"}}`,
		`{"name":"target-patient","valueReference":{"reference":"Patient/` + target + `"}}`,
	}, more...)
	return &recordsv1.OperationRequest{Type: "Patient", Body: []byte(`{"resourceType":"Parameters","parameter":[` + strings.Join(list, ",") + `]}`)}
}

// bare is a resource's body without meta.
func bare(t testing.TB, body []byte) string {
	t.Helper()
	doc, err := fhir.Parse(body)
	if err != nil {
		t.Fatalf("%v in %.200s", err, body)
	}
	return string(set(doc.Root(), "meta", nil))
}

func stored(ctx context.Context, t testing.TB, r *Records, typ, id string) *recordsv1.Resource {
	t.Helper()
	x, err := r.Read(ctx, &recordsv1.ReadRequest{Type: typ, Id: id})
	if err != nil {
		t.Fatalf("read %s: %v", typ, err)
	}
	return x
}

// double is a person who was registered twice, with two records.
type double struct {
	source, target  string
	moved, observed []string // Observations of the source and of the target
	household       string
}

func doubled(ctx context.Context, t testing.TB, r *Records) double {
	t.Helper()
	d := double{}
	unnumbered := strings.Replace(person("Nguyễn", "Hoa", "", "95012", "1950-01-02"), `"identifier":[{"system":"`+fhir.SystemCCCD+`","value":""}],`,
		`"identifier":[{"use":"official","system":"`+fhir.SystemBHXH+`","value":"9912345678"}],`, 1)
	d.source = create(ctx, t, r, "Patient", unnumbered).GetId()
	d.target = create(ctx, t, r, "Patient", person("Nguyễn", "Hoa", "099150000001", "95012", "1950-01-02")).GetId()
	for i := range 3 {
		d.moved = append(d.moved, create(ctx, t, r, "Observation", observation(d.source, "8480-6", fmt.Sprintf("2026-01-%02d", i+1), "120.50")).GetId())
	}
	d.observed = []string{create(ctx, t, r, "Observation", observation(d.target, "8480-6", "2026-02-01", "130")).GetId()}
	d.household = create(ctx, t, r, "Group", `{"resourceType":"Group","type":"person","actual":true,
		"extension":[{"url":"`+fhir.ExtensionUnit+`","valueCoding":{"system":"`+fhir.SystemUnits+`","code":"95012","version":"2025-07-01"}},
		{"url":"`+fhir.ExtensionHouseholdHead+`","valueReference":{"reference":"Patient/`+d.source+`"}}]}`).GetId()
	return d
}

func TestAMergeMovesEverythingAndUnmergePutsItBackByteForByte(t *testing.T) {
	r, ctx := open(t)
	d := doubled(ctx, t, r)
	before := map[string]string{}
	for _, ref := range append([]string{"Patient/" + d.source, "Patient/" + d.target, "Group/" + d.household}, "Observation/"+d.moved[0], "Observation/"+d.moved[1], "Observation/"+d.moved[2]) {
		typ, id, _ := strings.Cut(ref, "/")
		before[ref] = bare(t, stored(ctx, t, r, typ, id).GetBody())
	}
	out, err := r.Merge(ctx, pair(d.source, d.target))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out.GetBody()), "merged: 4 resources") || !strings.Contains(string(out.GetBody()), `"name":"result"`) {
		t.Errorf("%s", out.GetBody())
	}
	for patient, want := range map[string]int{d.source: 0, d.target: 4} {
		for _, query := range []string{"patient=" + patient, "subject=Patient/" + patient, "patient=" + patient + "&code=8480-6", "patient:Patient._id=" + patient} {
			if got := search(ctx, t, r, "Observation", query+"&_total=accurate"); got.total != want {
				t.Errorf("Observation?%s finds %d, want %d", query, got.total, want)
			}
		}
		b, err := r.Everything(ctx, &recordsv1.EverythingRequest{Patient: patient})
		if err != nil || bundle(t, b.GetBody()).entries != want+1 {
			t.Errorf("$everything: %v %s", err, b.GetBody())
		}
	}
	if g := string(stored(ctx, t, r, "Group", d.household).GetBody()); strings.Contains(g, d.source) || !strings.Contains(g, d.target) {
		t.Errorf("a reference in an extension stays: %s", g)
	}
	source, target := string(stored(ctx, t, r, "Patient", d.source).GetBody()), string(stored(ctx, t, r, "Patient", d.target).GetBody())
	if !strings.Contains(source, `"active":false`) || !strings.Contains(source, `{"other":{"reference":"Patient/`+d.target+`"},"type":"replaced-by"}`) {
		t.Errorf("the source is %s", source)
	}
	if !strings.Contains(target, `{"other":{"reference":"Patient/`+d.source+`"},"type":"replaces"}`) || !strings.Contains(target, `"use":"official","system":"`+fhir.SystemBHXH) {
		t.Errorf("the target is %s", target)
	}
	for _, number := range []string{fhir.SystemBHXH + "|9912345678", fhir.SystemCCCD + "|099150000001"} {
		if got := search(ctx, t, r, "Patient", "identifier="+number); !slices.Equal(got.ids, []string{d.target}) {
			t.Errorf("%s is that of %v", number, got.ids)
		}
	}
	h, err := r.History(ctx, &recordsv1.HistoryRequest{Type: "Observation", Id: d.moved[0]})
	if err != nil || bundle(t, h.GetBody()).entries != 2 {
		t.Errorf("the log does not show the move: %v %s", err, h.GetBody())
	}

	if out, err = r.Unmerge(ctx, pair(d.source, d.target)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out.GetBody()), "warning") {
		t.Errorf("%s", out.GetBody())
	}
	for ref, want := range before {
		typ, id, _ := strings.Cut(ref, "/")
		x := stored(ctx, t, r, typ, id)
		if got := bare(t, x.GetBody()); got != want || x.GetVersion() != 3 {
			t.Errorf("%s is version %d: %s, and was %s", ref, x.GetVersion(), got, want)
		}
	}
	for patient, want := range map[string]int{d.source: 3, d.target: 1} {
		if got := search(ctx, t, r, "Observation", "patient="+patient+"&_total=accurate"); got.total != want {
			t.Errorf("after the undoing there are %d, want %d", got.total, want)
		}
	}
	if _, err := r.Unmerge(ctx, pair(d.source, d.target)); !fault.Is(err, fault.Conflict) {
		t.Errorf("undone twice: %v", err)
	}
	if _, err := r.Merge(ctx, pair(d.source, d.target)); err != nil {
		t.Errorf("merged again: %v", err)
	}
}

func TestWhatChangedSinceAMergeStaysAndIsListed(t *testing.T) {
	r, ctx := open(t)
	d := doubled(ctx, t, r)
	if _, err := r.Merge(ctx, pair(d.source, d.target)); err != nil {
		t.Fatal(err)
	}
	update := func(typ, id, from, to string) {
		t.Helper()
		body := bytes.Replace(stored(ctx, t, r, typ, id).GetBody(), []byte(from), []byte(to), 1)
		if _, err := r.Update(ctx, &recordsv1.UpdateRequest{Type: typ, Id: id, Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	update("Observation", d.moved[0], "120.50", "121.50")
	update("Patient", d.target, "Số 1", "Số 7")
	update("Patient", d.source, "Số 1", "Số 8")
	if _, err := r.Delete(ctx, &recordsv1.DeleteRequest{Type: "Observation", Id: d.moved[1]}); err != nil {
		t.Fatal(err)
	}
	fresh := create(ctx, t, r, "Observation", observation(d.target, "8480-6", "2026-03-01", "140")).GetId()
	out, err := r.Unmerge(ctx, pair(d.source, d.target))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Observation/" + d.moved[0] + " was changed", "Observation/" + d.moved[1] + " was changed", "Observation/" + fresh + " was created"} {
		if !strings.Contains(string(out.GetBody()), want) {
			t.Errorf("not listed: %s in %s", want, out.GetBody())
		}
	}
	if got := search(ctx, t, r, "Observation", "patient="+d.source); !slices.Equal(got.ids, d.moved[2:]) {
		t.Errorf("the source got back %v", got.ids)
	}
	if got := search(ctx, t, r, "Observation", "patient="+d.target+"&_total=accurate"); got.total != 3 {
		t.Errorf("the target keeps %v", got.ids)
	}
	source, target := string(stored(ctx, t, r, "Patient", d.source).GetBody()), string(stored(ctx, t, r, "Patient", d.target).GetBody())
	if strings.Contains(source, "link") || !strings.Contains(source, `"active":true`) || !strings.Contains(source, "9912345678") || !strings.Contains(source, "Số 8") {
		t.Errorf("the source is %s", source)
	}
	if strings.Contains(target, "link") || strings.Contains(target, "9912345678") || !strings.Contains(target, "Số 7") {
		t.Errorf("the target is %s", target)
	}
}

func TestAMergeIsRefusedWhereItWouldBeWrong(t *testing.T) {
	r, ctx := open(t)
	d := doubled(ctx, t, r)
	other := create(ctx, t, r, "Patient", person("Lê", "An", "099150000002", "95012", "1950")).GetId()
	result := func(body string) string { return `{"name":"result-patient","resource":` + body + `}` }
	named := func(id, rest string) string { return `{"resourceType":"Patient","id":"` + id + `"` + rest + `}` }
	for name, tt := range map[string]struct {
		req  *recordsv1.OperationRequest
		want fault.Class
	}{
		"with itself":                  {pair(d.source, d.source), fault.Unprocessable},
		"two citizen numbers":          {pair(d.target, other), fault.Unprocessable},
		"with nobody":                  {pair(d.source, "nobody"), fault.NotFound},
		"result of another id":         {pair(d.source, d.target, result(named(d.source, ``))), fault.Unprocessable},
		"result without a link":        {pair(d.source, d.target, result(named(d.target, ``))), fault.Unprocessable},
		"result that is no Patient":    {pair(d.source, d.target, result(`{"resourceType":"Group"}`)), fault.Invalid},
		"unknown parameter":            {pair(d.source, d.target, `{"name":"colour","valueString":"red"}`), fault.Invalid},
		"preview neither true nor not": {pair(d.source, d.target, `{"name":"preview","valueString":"maybe"}`), fault.Invalid},
		"nothing named":                {&recordsv1.OperationRequest{Body: []byte(`{"resourceType":"Parameters"}`)}, fault.Invalid},
		"no Parameters":                {&recordsv1.OperationRequest{Body: []byte(`{"resourceType":"Patient"}`)}, fault.Invalid},
		"a reference to a Group":       {&recordsv1.OperationRequest{Body: []byte(`{"resourceType":"Parameters","parameter":[{"name":"source-patient","valueReference":{"reference":"Group/1"}}]}`)}, fault.Invalid},
	} {
		if _, err := r.Merge(ctx, tt.req); !fault.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	out, err := r.Merge(ctx, pair(d.source, d.target, `{"name":"preview","valueBoolean":true}`))
	if err != nil || !strings.Contains(string(out.GetBody()), "nothing was stored: 4 resources") || !strings.Contains(string(out.GetBody()), `"type":"replaces"`) {
		t.Fatalf("preview: %v %s", err, out.GetBody())
	}
	if x := stored(ctx, t, r, "Patient", d.source); x.GetVersion() != 1 {
		t.Fatalf("a preview made version %d", x.GetVersion())
	}
	byNumber := `{"resourceType":"Parameters","parameter":[{"name":"source-patient-identifier","valueIdentifier":{"system":"` + fhir.SystemBHXH + `","value":"9912345678"}},
		{"name":"target-patient-identifier","valueIdentifier":{"system":"` + fhir.SystemCCCD + `","value":"099150000001"}},` +
		result(named(d.target, `,"active":true,"link":[{"other":{"reference":"Patient/`+d.source+`"},"type":"replaces"}],"name":[{"text":"Hoa"}]`)) + `]}`
	if _, err := r.Merge(ctx, &recordsv1.OperationRequest{Body: []byte(byNumber)}); err != nil {
		t.Fatal(err)
	}
	if x := string(stored(ctx, t, r, "Patient", d.target).GetBody()); !strings.Contains(x, `"name":[{"text":"Hoa"}]`) {
		t.Errorf("result-patient is not what remains: %s", x)
	}
	// Its number was not taken over, so it stays where it was.
	if x := string(stored(ctx, t, r, "Patient", d.source).GetBody()); !strings.Contains(x, "9912345678") {
		t.Errorf("a number is lost: %s", x)
	}
	for name, req := range map[string]*recordsv1.OperationRequest{"into another": pair(d.source, other), "into what was replaced": pair(other, d.source)} {
		if _, err := r.Merge(ctx, req); !fault.Is(err, fault.Conflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := second(r.Merge(ctx, pair(d.source, d.target, result(named(d.target, `,"link":[{"other":{"reference":"Patient/`+d.source+`"},"type":"replaces"}]`))))); !fault.Is(err, fault.Unprocessable) {
		t.Errorf("another result of a merge that was made: %v", err)
	}
	third := create(ctx, t, r, "Patient", `{"resourceType":"Patient","name":[{"text":"Hoa"}]}`).GetId()
	if _, err := r.Merge(ctx, pair(d.target, third)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Unmerge(ctx, pair(d.source, d.target)); !fault.Is(err, fault.Conflict) {
		t.Errorf("the first of two merges was undone first: %v", err)
	}
	for _, p := range [][2]string{{d.target, third}, {d.source, d.target}} {
		if _, err := r.Unmerge(ctx, pair(p[0], p[1])); err != nil {
			t.Errorf("undone one after the other: %v", err)
		}
	}
}

func TestMergesKeepToTheScope(t *testing.T) {
	r, ctx := open(t)
	d := doubled(ctx, t, r)
	foreign := create(ctx, t, r, "Patient", person("Nguyễn", "Hoa", "099150000009", "95015", "1950-01-02")).GetId()
	elsewhere := create(ctx, t, r, "Observation", strings.Replace(observation(foreign, "8480-6", "2026", "1"), `"status"`,
		`"performer":[{"reference":"Patient/`+d.source+`"}],"status"`, 1)).GetId()
	a, b := nurse(t.Context(), "95012"), nurse(t.Context(), "95015")
	absent := fault.Of(second(r.Merge(a, pair(d.source, "nobody"))))
	if absent.Class != fault.Forbidden {
		t.Fatal(absent)
	}
	nobody := `{"name":"target-patient-identifier","valueIdentifier":{"system":"` + fhir.SystemCCCD + `","value":"1"}}`
	for name, err := range map[string]error{
		"source elsewhere":  second(r.Merge(a, pair(foreign, d.target))),
		"target elsewhere":  second(r.Merge(a, pair(d.source, foreign))),
		"another's":         second(r.Merge(b, pair(d.source, d.target))),
		"unmerge":           second(r.Unmerge(b, pair(d.source, d.target))),
		"unmerge of nobody": second(r.Unmerge(b, pair("nobody", d.target))),
		"by number": second(r.Merge(b, &recordsv1.OperationRequest{Body: []byte(`{"resourceType":"Parameters","parameter":[{"name":"source-patient-identifier",
			"valueIdentifier":{"system":"` + fhir.SystemBHXH + `","value":"9912345678"}},` + nobody + `]}`)})),
	} {
		if f := fault.Of(err); f.Class != absent.Class || f.Message != absent.Message {
			t.Errorf("%s: %v where what is absent answers %v", name, f, absent)
		}
	}
	blind := scoped(t.Context(), &guard.Scope{Deidentified: true})
	if err := second(r.Merge(blind, pair(d.source, d.target))); !fault.Is(err, fault.Forbidden) {
		t.Error(err)
	}
	if _, err := r.Merge(a, pair(d.source, d.target)); err != nil {
		t.Fatalf("a nurse may merge in her own commune: %v", err)
	}
	if x := string(stored(ctx, t, r, "Observation", elsewhere).GetBody()); !strings.Contains(x, d.source) {
		t.Errorf("a nurse changed a record out of her reach: %s", x)
	}
	if got := search(a, t, r, "Observation", "patient="+d.target+"&_total=accurate"); got.total != 4 {
		t.Errorf("the nurse sees %d of the merged record", got.total)
	}
	if err := second(r.Unmerge(b, pair(d.source, d.target))); !fault.Is(err, fault.Forbidden) {
		t.Errorf("undone from elsewhere: %v", err)
	}
	if _, err := r.Unmerge(a, pair(d.source, d.target)); err != nil {
		t.Errorf("%v", err)
	}
}

func TestParallelMergesHaveOneWinner(t *testing.T) {
	r, ctx := open(t)
	d := doubled(ctx, t, r)
	targets := []string{d.target}
	for range 3 {
		targets = append(targets, create(ctx, t, r, "Patient", `{"resourceType":"Patient","name":[{"text":"Hoa"}]}`).GetId())
	}
	errs := make(chan error, len(targets))
	for _, target := range targets {
		go func() { errs <- second(r.Merge(ctx, pair(d.source, target))) }()
	}
	won := 0
	for range targets {
		if err := <-errs; err == nil {
			won++
		} else if !fault.Is(err, fault.Conflict) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d merges of one Patient", won)
	}
}

func TestAMergeOfFiveThousandResourcesIsOneTransaction(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 5,000 resources three times")
	}
	r, ctx := open(t)
	d := doubled(ctx, t, r)
	const many = 4997 // and three of doubled
	var entries []string
	for i := range many {
		entries = append(entries, post(fmt.Sprintf("urn:uuid:%d", i), observation(d.source, "8480-6", fmt.Sprintf("2026-01-%02d", i%28+1), "120"), ""))
	}
	if _, err := r.Transact(ctx, transaction(entries...)); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	out, err := r.Merge(ctx, pair(d.source, d.target))
	if err != nil || !strings.Contains(string(out.GetBody()), "merged: 5001 resources") {
		t.Fatalf("%v %.300s", err, out.GetBody())
	}
	merged := time.Since(begun)
	begun = time.Now()
	if _, err := r.Unmerge(ctx, pair(d.source, d.target)); err != nil {
		t.Fatal(err)
	}
	t.Logf("5,000 resources merged in %v, put back in %v", merged.Round(time.Millisecond), time.Since(begun).Round(time.Millisecond))
	if got := search(ctx, t, r, "Observation", "patient="+d.source+"&_total=accurate&_count=0"); got.total != 5000 {
		t.Errorf("%d came back", got.total)
	}
	var p struct{ Parameter []struct{ Name string } }
	if err := json.Unmarshal(out.GetBody(), &p); err != nil || len(p.Parameter) != 3 {
		t.Errorf("%v %v", err, p)
	}
}

func TestAMergeTakesLargeDocumentsAlong(t *testing.T) {
	r, ctx := open(t)
	d := doubled(ctx, t, r)
	data := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("phiếu xét nghiệm "), 20_000))
	id := create(ctx, t, r, "DocumentReference", `{"resourceType":"DocumentReference","status":"current","subject":{"reference":"Patient/`+d.source+`"},
		"content":[{"attachment":{"contentType":"text/plain","data":"`+data+`"}}]}`).GetId()
	before := bare(t, stored(ctx, t, r, "DocumentReference", id).GetBody())
	if _, err := r.Merge(ctx, pair(d.source, d.target)); err != nil {
		t.Fatal(err)
	}
	now := bare(t, stored(ctx, t, r, "DocumentReference", id).GetBody())
	if now != strings.Replace(before, "Patient/"+d.source, "Patient/"+d.target, 1) {
		t.Errorf("%d bytes became %d", len(before), len(now))
	}
	if _, err := r.Unmerge(ctx, pair(d.source, d.target)); err != nil {
		t.Fatal(err)
	}
	if now := bare(t, stored(ctx, t, r, "DocumentReference", id).GetBody()); now != before {
		t.Errorf("%d bytes came back as %d", len(before), len(now))
	}
}
