package records

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/fhir/patch"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

const mine = "identifier=http://x|1"

// jsonPatch is short for the tests.
const jsonPatch = patch.MediaType

func organization(name string) string {
	return `{"resourceType":"Organization","identifier":[{"system":"http://x","value":"1"}],"name":"` + name + `"}`
}

func TestFiftyConditionalUpdatesMakeOneResource(t *testing.T) {
	r, ctx := open(t)
	var made atomic.Int32
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			x, err := r.Update(ctx, &recordsv1.UpdateRequest{Type: "Organization", Query: mine, Body: []byte(organization(fmt.Sprint("by ", i)))})
			if err != nil {
				t.Error(err)
			}
			if x.GetCreated() {
				made.Add(1)
			}
		})
	}
	wg.Wait()
	f := search(ctx, t, r, "Organization", "_total=accurate")
	if made.Load() != 1 || f.total != 1 {
		t.Fatalf("%d were created, %d are there", made.Load(), f.total)
	}
	h, err := r.History(ctx, &recordsv1.HistoryRequest{Type: "Organization", Id: f.ids[0], Query: "_count=100"})
	if err != nil || bundle(t, h.GetBody()).entries != 50 {
		t.Errorf("%v: %d versions of 50", err, bundle(t, h.GetBody()).entries)
	}
}

func TestConditionalCreatesUpdatesAndPatchesMeetInOneResource(t *testing.T) {
	r, ctx := open(t)
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			var err error
			switch i % 3 {
			case 0:
				_, err = r.Create(ctx, &recordsv1.CreateRequest{Type: "Organization", IfNoneExist: mine, Body: []byte(organization("A"))})
			case 1:
				_, err = r.Update(ctx, &recordsv1.UpdateRequest{Type: "Organization", Query: mine, Body: []byte(organization("B"))})
			default:
				_, err = r.Patch(ctx, &recordsv1.PatchRequest{
					Type: "Organization", Query: mine, ContentType: jsonPatch, Body: []byte(`[{"op":"replace","path":"/name","value":"C"}]`),
				})
				if fault.Is(err, fault.NotFound) {
					err = nil // it came before the others
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if f := search(ctx, t, r, "Organization", "_total=accurate"); f.total != 1 {
		t.Errorf("%d are there", f.total)
	}
}

func TestAMatchThatChangesBeforeItIsLockedIsLookedForAgain(t *testing.T) {
	r, ctx := open(t)
	x := create(ctx, t, r, "Organization", organization("A"))
	var wg sync.WaitGroup
	// The identifier goes to and fro while others update and delete by it.
	other := strings.Replace(organization("B"), `"value":"1"`, `"value":"2"`, 1)
	for i := range 40 {
		wg.Go(func() {
			var err error
			switch i % 2 {
			case 0:
				body := organization("A")
				if i%4 == 0 {
					body = other
				}
				_, err = r.Update(ctx, &recordsv1.UpdateRequest{Type: "Organization", Id: x.GetId(), Body: []byte(body)})
			default:
				_, err = r.Patch(ctx, &recordsv1.PatchRequest{
					Type: "Organization", Query: mine, ContentType: jsonPatch,
					Body: []byte(`[{"op":"test","path":"/identifier/0/value","value":"1"},{"op":"add","path":"/active","value":true}]`),
				})
				if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Conflict) {
					err = nil
				}
			}
			if err != nil {
				t.Error(err) // above all no failed test: the patch met what did not match
			}
		})
	}
	wg.Wait()
}

func TestAConditionalDeleteOfSeveralIsBounded(t *testing.T) {
	r, ctx := open(t)
	for range 5 {
		create(ctx, t, r, "Organization", organization("A"))
	}
	remove := func(query string) (*recordsv1.Resource, error) {
		return r.Delete(ctx, &recordsv1.DeleteRequest{Type: "Organization", Query: query})
	}
	if _, err := remove(mine + "&_count=1"); !fault.Is(err, fault.Precondition) {
		t.Errorf("several matches were not refused: %v", err)
	}
	r.settings.deleteMany = 4
	if _, err := remove(mine); !fault.Is(err, fault.Precondition) {
		t.Errorf("more than the limit were not refused: %v", err)
	}
	if x, err := remove(mine + "&_count=2"); err != nil || x.GetCount() != 2 {
		t.Errorf("_count: %v %v", err, x)
	}
	if _, err := remove(mine + "&_count=0"); !fault.Is(err, fault.Invalid) {
		t.Errorf("_count=0: %v", err)
	}
	if x, err := remove(mine); err != nil || x.GetCount() != 3 {
		t.Errorf("the rest: %v %v", err, x)
	}
	if x, err := remove(mine); err != nil || x.GetCount() != 0 {
		t.Errorf("nothing: %v %v", err, x)
	}
	if f := search(ctx, t, r, "Organization", "_total=accurate"); f.total != 0 {
		t.Errorf("%d are left", f.total)
	}
}

func TestConditionsSeeNothingOutOfReach(t *testing.T) {
	r, ctx := open(t)
	p := create(ctx, t, r, "Patient", person("Lê", "An", "1", "95012", "1950"))
	o := create(ctx, t, r, "Observation", observation(p.GetId(), "1", "2026", "1"))
	nurse := scoped(ctx, &guard.Scope{Communes: []string{"95013@2025-07-01"}, Shared: true})
	code := "code=http://loinc.org|1"
	if x, err := r.Delete(nurse, &recordsv1.DeleteRequest{Type: "Observation", Query: code}); err != nil || x.GetCount() != 0 {
		t.Errorf("delete: %v %v", err, x)
	}
	if _, err := r.Patch(nurse, &recordsv1.PatchRequest{Type: "Observation", Query: code, ContentType: jsonPatch, Body: []byte(`[]`)}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("patch: %v", err)
	}
	identifier := "identifier=" + fhir.SystemCCCD + "|1"
	if _, err := r.Update(nurse, &recordsv1.UpdateRequest{Type: "Patient", Query: identifier, Body: []byte(person("Lê", "An", "1", "95013", "1950"))}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a person was enrolled twice: %v", err)
	}
	if x, err := r.Read(ctx, &recordsv1.ReadRequest{Type: "Observation", Id: o.GetId()}); err != nil || x.GetVersion() != 1 {
		t.Errorf("%v %v", err, x)
	}
}

func TestUpdateAsCreateIsSwitchedOff(t *testing.T) {
	r, ctx := open(t)
	r.settings.updateCreate = false
	if _, err := r.Update(ctx, &recordsv1.UpdateRequest{Type: "Organization", Id: "x", Body: []byte(organization("A"))}); !fault.Is(err, fault.Unsupported) {
		t.Errorf("%v", err)
	}
	if _, err := r.Update(ctx, &recordsv1.UpdateRequest{Type: "Organization", Query: mine, Body: []byte(strings.Replace(organization("A"), `"name"`, `"id":"x","name"`, 1))}); !fault.Is(err, fault.Unsupported) {
		t.Errorf("by condition with an id: %v", err)
	}
	x, err := r.Update(ctx, &recordsv1.UpdateRequest{Type: "Organization", Query: mine, Body: []byte(organization("A"))})
	if err != nil || !x.GetCreated() {
		t.Errorf("by condition without an id, where the server gives it: %v", err)
	}
	if statusLine(fault.Unsupported) != "405 Method Not Allowed" {
		t.Error(statusLine(fault.Unsupported))
	}
}

func TestHistoryAtAPointInTime(t *testing.T) {
	r, ctx := open(t)
	x := create(ctx, t, r, "Organization", `{"resourceType":"Organization","name":"1"}`)
	for _, name := range []string{"2", "3"} {
		var err error
		if x, err = r.Update(ctx, &recordsv1.UpdateRequest{Type: "Organization", Id: x.GetId(), Body: []byte(`{"resourceType":"Organization","name":"` + name + `"}`)}); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]int{
		"_at=" + x.GetLastUpdated(): 1, "_at=2000": 0, "_at=gt2000": 3, "_at=lt2000": 0, "_at=" + x.GetLastUpdated()[:10]: 3, "_at=ge2100": 1,
	} {
		h, err := r.History(ctx, &recordsv1.HistoryRequest{Type: "Organization", Id: x.GetId(), Query: query})
		if err != nil || bundle(t, h.GetBody()).entries != want {
			t.Errorf("%s: %v %s", query, err, h.GetBody())
		}
	}
	if _, err := r.History(ctx, &recordsv1.HistoryRequest{Query: "_at=xx2000"}); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}

func TestTagsAreReadStrictly(t *testing.T) {
	for header, want := range map[string][]string{
		`W/"3"`: {"3"}, `"3"`: {"3"}, "3": {"3"}, "*": {"*"}, `W/"3", "4"`: {"3", "4"}, "": nil,
		`W/"3`: {}, `"`: {}, `""`: {}, "W/": {}, `3,`: {}, `W/"3""4"`: {}, "a b": {},
	} {
		got, err := tags(header, "If-Match")
		if bad := want != nil && len(want) == 0; bad != (err != nil) || !bad && !slices.Equal(got, want) {
			t.Errorf("%s: %v %v", header, got, err)
		}
	}
}
