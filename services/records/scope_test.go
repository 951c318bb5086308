package records

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// nurse is somebody who reaches the residents of one commune.
func nurse(ctx context.Context, commune string) context.Context {
	ctx = guard.WithPrincipal(ctx, &guard.Principal{Account: "nurse-" + commune, Roles: []string{"nurse"}})
	return scoped(ctx, &guard.Scope{Communes: []string{commune + "@2025-07-01"}, Shared: true})
}

func TestTwoCommunesSeeNothingOfEachOther(t *testing.T) {
	r, ctx := open(t)
	ids := map[string][]string{}
	for i := range 6 {
		commune := []string{"95012", "95015"}[i%2]
		p := create(ctx, t, r, "Patient", person("Nguyễn", fmt.Sprintf("Hoa %d", i), fmt.Sprint(i), commune, "1950-01-02"))
		o := create(ctx, t, r, "Observation", observation(p.GetId(), "8480-6", "2026-01-02", "120"))
		ids[commune] = append(ids[commune], p.GetId(), o.GetId())
	}
	a, b := nurse(t.Context(), "95012"), nurse(t.Context(), "95015")
	for _, query := range []string{"Patient?name=nguyen", "Patient?", "Observation?code=8480-6", "Observation?date=ge2025", "Observation?_sort=_lastUpdated"} {
		typ, params, _ := strings.Cut(query, "?")
		x := search(a, t, r, typ, params+"&_total=accurate&_count=2")
		if x.total != 3 || len(x.ids) != 2 || x.next == "" {
			t.Errorf("%s: total %d, page %d, next %q", query, x.total, len(x.ids), x.next)
		}
		for _, id := range x.ids {
			if !slices.Contains(ids["95012"], id) {
				t.Errorf("%s shows a resource of another commune", query)
			}
		}
	}
	foreign, own := ids["95015"], ids["95012"]
	absent := fault.Of(second(r.Read(a, &recordsv1.ReadRequest{Type: "Patient", Id: "nobody"})))
	reads := map[string]error{
		"read":       second(r.Read(a, &recordsv1.ReadRequest{Type: "Patient", Id: foreign[0]})),
		"vread":      second(r.ReadVersion(a, &recordsv1.ReadVersionRequest{Type: "Observation", Id: foreign[1], Version: "1"})),
		"history":    second(r.History(a, &recordsv1.HistoryRequest{Type: "Patient", Id: foreign[0]})),
		"everything": second(r.Everything(a, &recordsv1.EverythingRequest{Patient: foreign[0]})),
		"update":     second(r.Update(a, &recordsv1.UpdateRequest{Type: "Patient", Id: foreign[0], Body: []byte(person("X", "Y", "77", "95012", "1950"))})),
		"delete":     second(r.Delete(a, &recordsv1.DeleteRequest{Type: "Observation", Id: foreign[1]})),
		"create":     second(r.Create(a, &recordsv1.CreateRequest{Type: "Observation", Body: []byte(observation(foreign[0], "1", "2026", "1"))})),
		"enrol":      second(r.Create(a, &recordsv1.CreateRequest{Type: "Patient", Body: []byte(person("A", "B", "78", "95015", "1950"))})),
	}
	for name, err := range reads {
		f := fault.Of(err)
		if f.Class != fault.Forbidden || f.Message != absent.Message {
			t.Errorf("%s out of scope: %v; absent answers %v", name, err, absent)
		}
	}
	if x := search(a, t, r, "Observation", "subject=Patient/"+foreign[0]+"&_total=accurate"); x.total != 0 {
		t.Errorf("a search by patient shows another commune")
	}
	if _, err := r.Create(a, &recordsv1.CreateRequest{Type: "Observation", Body: []byte(observation(own[0], "1", "2026", "1"))}); err != nil {
		t.Errorf("a nurse may write for her own commune: %v", err)
	}
	if _, err := r.Create(b, &recordsv1.CreateRequest{Type: "Patient", Body: []byte(person("A", "B", "79", "95015", "1950"))}); err != nil {
		t.Errorf("a nurse may enrol in her own commune: %v", err)
	}
	h, err := r.History(a, &recordsv1.HistoryRequest{Type: "Patient"})
	if err != nil || bundle(t, h.GetBody()).entries != 3 {
		t.Errorf("history of a type: %v %s", err, h.GetBody())
	}
}

func second[T any](_ T, err error) error { return err }

func TestIncludesKeepToTheScope(t *testing.T) {
	r, ctx := open(t)
	mine := create(ctx, t, r, "Patient", person("Lê", "An", "1", "95012", "1950"))
	other := create(ctx, t, r, "Patient", person("Lê", "Ba", "2", "95015", "1950"))
	create(ctx, t, r, "Group", `{"resourceType":"Group","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/`+mine.GetId()+`"}},
		{"entity":{"reference":"Patient/`+other.GetId()+`"}}]}`)

	all := search(ctx, t, r, "Group", "_include=Group:member")
	few := search(nurse(t.Context(), "95012"), t, r, "Group", "_include=Group:member")
	if all.entries != 3 || few.entries != 2 || slices.Contains(few.ids, other.GetId()) {
		t.Errorf("included %v, within the commune %v", all.types, few.types)
	}
	back := search(ctx, t, r, "Patient", "_id="+mine.GetId()+"&_revinclude=Group:member")
	if back.entries != 2 {
		t.Errorf("_revinclude found %v", back.types)
	}
}

func TestAPatientReachesTheirOwnRecordOnly(t *testing.T) {
	r, ctx := open(t)
	me := create(ctx, t, r, "Patient", person("Lê", "An", "1", "95012", "1950"))
	create(ctx, t, r, "Patient", person("Lê", "Ba", "2", "95012", "1950"))
	self := scoped(t.Context(), &guard.Scope{Patients: []string{me.GetId()}})
	if x := search(self, t, r, "Patient", "_total=accurate"); x.total != 1 || x.ids[0] != me.GetId() {
		t.Errorf("found %v", x.ids)
	}
	if x := search(scoped(t.Context(), &guard.Scope{}), t, r, "Patient", "_total=accurate"); x.total != 0 {
		t.Errorf("an empty scope reaches %d", x.total)
	}
}

func TestDeidentifiedAnswersNameNobody(t *testing.T) {
	r, ctx := open(t)
	p := create(ctx, t, r, "Patient", person("Nguyễn", "Hoà", "079050001234", "95012", "1950-01-02"))
	o := create(ctx, t, r, "Observation", strings.Replace(observation(p.GetId(), "8480-6", "2026-01-02", "120.50"), `"status"`,
		`"note":[{"text":"bà Hoà ở Thôn 2"}],"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">Hoà</div>"},"status"`, 1))

	blind := scoped(t.Context(), &guard.Scope{Deidentified: true, Shared: true})
	var shown string
	for _, typ := range []string{"Patient", "Observation"} {
		b, err := r.Search(blind, &recordsv1.SearchRequest{Type: typ})
		if err != nil {
			t.Fatal(err)
		}
		shown += string(b.GetBody())
	}
	for _, secret := range []string{"Nguyễn", "Hoà", "079050001234", "Thôn", "1950-01-02", p.GetId(), o.GetId(), "95012"} {
		if strings.Contains(shown, secret) {
			t.Errorf("a de-identified answer holds %q", secret)
		}
	}
	for _, kept := range []string{"120.50", "8480-6", `"birthDate":"1950"`, "Patient/x"} {
		if !strings.Contains(shown, kept) {
			t.Errorf("a de-identified answer lacks %q: %s", kept, shown)
		}
	}
	for _, query := range []string{"name=hoa", "identifier=1", "phone=1", "_id=" + p.GetId(), "address=x", "birthdate=1950"} {
		if err := second(r.Search(blind, &recordsv1.SearchRequest{Type: "Patient", Query: query})); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", query, err)
		}
	}
	if err := second(r.Read(blind, &recordsv1.ReadRequest{Type: "Patient", Id: p.GetId()})); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a known id could be matched with its pseudonym: %v", err)
	}
}
