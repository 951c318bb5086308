package records

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// rewrite updates a resource with a part of its text replaced.
func rewrite(ctx context.Context, t testing.TB, r *Records, typ, id, from, to string) {
	t.Helper()
	body := string(stored(ctx, t, r, typ, id).GetBody())
	if !strings.Contains(body, from) {
		t.Fatalf("no %s in %s", from, body)
	}
	if _, err := r.Update(ctx, &recordsv1.UpdateRequest{Type: typ, Id: id, Body: []byte(strings.Replace(body, from, to, 1))}); err != nil {
		t.Fatal(err)
	}
}

// TestAMergeThatIsRepeatedMovesLateWrites lets a station that had no network
// write for the source after the merge. The repeated merge moves that too, and
// $unmerge puts back both what was moved first and what was moved later.
func TestAMergeThatIsRepeatedMovesLateWrites(t *testing.T) {
	r, ctx := open(t)
	d := doubled(ctx, t, r)
	before := bare(t, stored(ctx, t, r, "Observation", d.moved[0]).GetBody())
	if _, err := r.Merge(ctx, pair(d.source, d.target)); err != nil {
		t.Fatal(err)
	}
	out, err := r.Merge(ctx, pair(d.source, d.target))
	if err != nil || !strings.Contains(string(out.GetBody()), "merged: 0 resources") || !strings.Contains(string(out.GetBody()), `"name":"result"`) {
		t.Fatalf("repeated at once: %v %s", err, out.GetBody())
	}
	late := create(ctx, t, r, "Observation", observation(d.source, "8480-6", "2026-03-01", "140")).GetId()
	lateBody := bare(t, stored(ctx, t, r, "Observation", late).GetBody())
	rewrite(ctx, t, r, "Observation", d.moved[1], "Patient/"+d.target, "Patient/"+d.source)
	backBody := bare(t, stored(ctx, t, r, "Observation", d.moved[1]).GetBody())
	// The station's old copy of the source has no link.
	body := string(stored(ctx, t, r, "Patient", d.source).GetBody())
	stale := strings.Replace(body, `{"other":{"reference":"Patient/`+d.target+`"},"type":"replaced-by"}`, `{"other":{"reference":"Patient/`+d.target+`"},"type":"seealso"}`, 1)
	if _, err := r.Update(ctx, &recordsv1.UpdateRequest{Type: "Patient", Id: d.source, Body: []byte(strings.Replace(stale, "Số 1", "Số 9", 1))}); err != nil {
		t.Fatal(err)
	}
	third := create(ctx, t, r, "Patient", `{"resourceType":"Patient","name":[{"text":"Hoa"}]}`).GetId()
	if err := second(r.Merge(ctx, pair(d.source, third))); !fault.Is(err, fault.Conflict) {
		t.Errorf("a source that lost its link was merged into another: %v", err)
	}
	preview, err := r.Merge(ctx, pair(d.source, d.target, `{"name":"preview","valueBoolean":true}`))
	if err != nil || !strings.Contains(string(preview.GetBody()), "nothing was stored: 2 resources") {
		t.Errorf("preview: %v %s", err, preview.GetBody())
	}
	if out, err = r.Merge(ctx, pair(d.source, d.target)); err != nil || !strings.Contains(string(out.GetBody()), "merged: 2 resources") {
		t.Fatalf("%v %s", err, out.GetBody())
	}
	if got := search(ctx, t, r, "Observation", "patient="+d.target+"&_total=accurate"); got.total != 5 {
		t.Errorf("the target has %d", got.total)
	}
	if x := string(stored(ctx, t, r, "Patient", d.source).GetBody()); !strings.Contains(x, `"type":"replaced-by"`) || !strings.Contains(x, `"active":false`) || !strings.Contains(x, "Số 9") {
		t.Errorf("the source is %s", x)
	}
	out, err = r.Unmerge(ctx, pair(d.source, d.target))
	if err != nil || strings.Contains(string(out.GetBody()), "warning") {
		t.Fatalf("%v %s", err, out.GetBody())
	}
	for id, want := range map[string]string{d.moved[0]: before, late: lateBody, d.moved[1]: backBody} {
		if got := bare(t, stored(ctx, t, r, "Observation", id).GetBody()); got != want {
			t.Errorf("came back as %s, was %s", got, want)
		}
	}
	if got := search(ctx, t, r, "Observation", "patient="+d.source+"&_total=accurate"); got.total != 4 {
		t.Errorf("the source got back %d", got.total)
	}
	if x := string(stored(ctx, t, r, "Patient", d.source).GetBody()); strings.Contains(x, "replaced-by") || !strings.Contains(x, "9912345678") || !strings.Contains(x, "Số 9") {
		t.Errorf("the source is %s", x)
	}
	if x := string(stored(ctx, t, r, "Patient", d.target).GetBody()); strings.Contains(x, "link") {
		t.Errorf("the target is %s", x)
	}
}

func TestAGroupListsAMergedPersonOnce(t *testing.T) {
	r, ctx := open(t)
	member := func(id, rest string) string { return `{"entity":{"reference":"Patient/` + id + `"}` + rest + `}` }
	for name, tt := range map[string]struct {
		members func(source, target, third string) string
		want    func(target, third string) string
	}{
		"both": {
			func(s, x, o string) string {
				return member(s, `,"period":{"start":"2020"}`) + "," + member(o, ``) + "," + member(x, ``)
			},
			func(x, o string) string { return member(o, ``) + "," + member(x, ``) },
		},
		"the target left": {
			func(s, x, o string) string {
				return member(x, `,"inactive":true`) + "," + member(s, ``) + "," + member(o, ``)
			},
			func(x, o string) string { return member(x, ``) + "," + member(o, ``) },
		},
		"the source left": {
			func(s, x, _ string) string { return member(s, `,"inactive":true`) + "," + member(x, ``) },
			func(x, _ string) string { return member(x, ``) },
		},
		"only the source": {
			func(s, _, o string) string { return member(o, ``) + "," + member(s, ``) },
			func(x, o string) string { return member(o, ``) + "," + member(x, ``) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			source, target, third := personOf(ctx, t, r, ""), personOf(ctx, t, r, ""), personOf(ctx, t, r, "")
			id := create(ctx, t, r, "Group", `{"resourceType":"Group","type":"person","actual":true,"member":[`+tt.members(source, target, third)+`]}`).GetId()
			before := bare(t, stored(ctx, t, r, "Group", id).GetBody())
			if _, err := r.Merge(ctx, pair(source, target)); err != nil {
				t.Fatal(err)
			}
			if got := bare(t, stored(ctx, t, r, "Group", id).GetBody()); !strings.Contains(got, `"member":[`+tt.want(target, third)+`]`) {
				t.Errorf("members are %s", got)
			}
			if _, err := r.Unmerge(ctx, pair(source, target)); err != nil {
				t.Fatal(err)
			}
			if got := bare(t, stored(ctx, t, r, "Group", id).GetBody()); got != before {
				t.Errorf("came back as %s, was %s", got, before)
			}
		})
	}
}

// TestWhatAMergeIsGivenAndTellsKeepsToTheScope merges with a result that
// refers to another commune, and undoes a merge after a part of it moved there.
func TestWhatAMergeIsGivenAndTellsKeepsToTheScope(t *testing.T) {
	r, ctx := open(t)
	d := doubled(ctx, t, r)
	foreign := create(ctx, t, r, "Patient", person("Lê", "Ba", "099150000008", "95015", "1950")).GetId()
	a := nurse(t.Context(), "95012")
	result := func(other string) *recordsv1.OperationRequest {
		return pair(d.source, d.target, `{"name":"result-patient","resource":`+strings.Replace(person("Nguyễn", "Hoa", "099150000001", "95012", "1950-01-02"), "{",
			`{"id":"`+d.target+`","link":[{"other":{"reference":"Patient/`+other+`"},"type":"seealso"},`+linkTo(d.source, "replaces")+`],`, 1)+`}`)
	}
	x, y := fault.Of(second(r.Merge(a, result(foreign)))), fault.Of(second(r.Merge(a, result("nobody"))))
	if x.Class != fault.Unprocessable || x.Message != y.Message || x.At != y.At {
		t.Errorf("a result that refers to another commune: %v, to nobody: %v", x, y)
	}
	if _, err := r.Merge(a, pair(d.source, d.target)); err != nil {
		t.Fatal(err)
	}
	rewrite(ctx, t, r, "Observation", d.moved[0], "Patient/"+d.target, "Patient/"+foreign)
	rewrite(ctx, t, r, "Observation", d.moved[1], "120.50", "99")
	out, err := r.Unmerge(a, pair(d.source, d.target))
	if err != nil {
		t.Fatal(err)
	}
	if s := string(out.GetBody()); strings.Contains(s, d.moved[0]) || !strings.Contains(s, d.moved[1]) {
		t.Errorf("the nurse is told what lies in another commune: %s", s)
	}
}

// TestASecondDoubleIsMergedWithAResult has a target that replaced another
// Patient before.
func TestASecondDoubleIsMergedWithAResult(t *testing.T) {
	r, ctx := open(t)
	target, first, then := personOf(ctx, t, r, ""), personOf(ctx, t, r, ""), personOf(ctx, t, r, "")
	if _, err := r.Merge(ctx, pair(first, target)); err != nil {
		t.Fatal(err)
	}
	body := `{"resourceType":"Patient","id":"` + target + `","link":[` + linkTo(first, "replaces") + `,` + linkTo(then, "replaces") + `]}`
	if _, err := r.Merge(ctx, pair(then, target, `{"name":"result-patient","resource":`+body+`}`)); err != nil {
		t.Error(err)
	}
}

// TestARefusedMergeIsAuditedWithThePatientsItOpened looks at what the guard
// was told.
func TestARefusedMergeIsAuditedWithThePatientsItOpened(t *testing.T) {
	r, ctx := open(t)
	d := doubled(ctx, t, r)
	other := create(ctx, t, r, "Patient", person("Lê", "An", "099150000002", "95012", "1950")).GetId()
	notes := make(chan *accessv1.AuditEntry, 100)
	h := faceOf(t, r, doors{notes: notes, scopes: map[string]*guard.Scope{"nurse": {Communes: []string{"95012@2025-07-01"}, Shared: true}}})
	for path, body := range map[string][]byte{"/Patient/$merge": pair(d.target, other).GetBody(), "/Patient/$unmerge": pair(d.target, other).GetBody()} {
		w := raw(h, "nurse", "POST", path, strings.NewReader(string(body)), "Content-Type", "application/fhir+json")
		if w.Code != 422 && w.Code != 409 {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		seen := map[string]bool{}
		for range 2 {
			select {
			case e := <-notes:
				seen[e.GetPatient()] = true
			case <-time.After(10 * time.Second):
			}
		}
		if !seen[d.target] || !seen[other] {
			t.Errorf("%s: the audit log names %v", path, seen)
		}
	}
}
