package records

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

func TestAResourceIsCreatedReadUpdatedAndDeleted(t *testing.T) {
	r, ctx := open(t)
	p := create(ctx, t, r, "Patient", person("Nguyễn", "Hoà", "1", "95012", "1950-01-02"))
	if p.GetVersion() != 1 || !p.GetCreated() {
		t.Fatalf("%+v", p)
	}
	got, err := r.Read(ctx, &recordsv1.ReadRequest{Type: "Patient", Id: p.GetId()})
	if err != nil || string(got.GetBody()) != string(p.GetBody()) {
		t.Fatalf("read %v: %s", err, got.GetBody())
	}
	same, err := r.Update(ctx, &recordsv1.UpdateRequest{Type: "Patient", Id: p.GetId(), Body: p.GetBody()})
	if err != nil || same.GetVersion() != 1 {
		t.Fatalf("an update that changes nothing made version %d (%v)", same.GetVersion(), err)
	}
	part, err := r.Read(ctx, &recordsv1.ReadRequest{Type: "Patient", Id: p.GetId(), Query: "_elements=name"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = r.Update(ctx, &recordsv1.UpdateRequest{Type: "Patient", Id: p.GetId(), Body: part.GetBody()}); !fault.Is(err, fault.Unprocessable) {
		t.Fatalf("a part of the Patient replaced the whole: %v", err)
	}
	changed := strings.Replace(string(p.GetBody()), "female", "male", 1)
	two, err := r.Update(ctx, &recordsv1.UpdateRequest{Type: "Patient", Id: p.GetId(), Body: []byte(changed), IfMatch: "1"})
	if err != nil || two.GetVersion() != 2 {
		t.Fatalf("%v %+v", err, two)
	}
	if _, err = r.Update(ctx, &recordsv1.UpdateRequest{Type: "Patient", Id: p.GetId(), Body: []byte(changed), IfMatch: "1"}); !fault.Is(err, fault.Precondition) {
		t.Fatalf("an old version was replaced: %v", err)
	}
	if f := search(ctx, t, r, "Patient", "gender=female"); len(f.ids) != 0 {
		t.Errorf("the old version is still found")
	}
	if f := search(ctx, t, r, "Patient", "gender=male&name=nguyen&_total=accurate"); len(f.ids) != 1 || f.total != 1 {
		t.Errorf("the new version is not found: %+v", f)
	}
	if _, err = r.Delete(ctx, &recordsv1.DeleteRequest{Type: "Patient", Id: p.GetId()}); err != nil {
		t.Fatal(err)
	}
	if _, err = r.Read(ctx, &recordsv1.ReadRequest{Type: "Patient", Id: p.GetId()}); !fault.Is(err, fault.Gone) {
		t.Errorf("reading what was deleted: %v", err)
	}
	if f := search(ctx, t, r, "Patient", "_total=accurate"); f.total != 0 {
		t.Errorf("what was deleted is found")
	}
	h, err := r.History(ctx, &recordsv1.HistoryRequest{Type: "Patient", Id: p.GetId()})
	if err != nil || bundle(t, h.GetBody()).entries != 3 {
		t.Errorf("history: %v %s", err, h.GetBody())
	}
	again, err := r.Update(ctx, &recordsv1.UpdateRequest{Type: "Patient", Id: p.GetId(), Body: []byte(changed)})
	if err != nil || again.GetVersion() != 4 || !again.GetCreated() {
		t.Errorf("bringing back: %v %+v", err, again)
	}
	if f := search(ctx, t, r, "Patient", "gender=male"); len(f.ids) != 1 {
		t.Errorf("what was brought back is not found")
	}
}

// TestSyntheaBundlesAreStored carries out real transactions of thousands of
// entries with validation on.
func TestSyntheaBundlesAreStored(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/data/synthea-r4/*.json")
	if len(files) == 0 {
		t.Skip("../shared/data/synthea-r4 is absent")
	}
	if testing.Short() {
		files = files[:3]
	}
	r, ctx := open(t)
	resources := 0
	begun := time.Now()
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b, err := r.Transact(ctx, &recordsv1.TransactRequest{Bundle: body})
		if err != nil {
			t.Fatalf("%s: %v", filepath.Base(file), err)
		}
		resources += bundle(t, b.GetBody()).entries
	}
	t.Logf("%d resources in %v: %.0f/s", resources, time.Since(begun), float64(resources)/time.Since(begun).Seconds())
	patients := search(ctx, t, r, "Patient", "_count=1000&_total=accurate")
	if patients.total != len(files) {
		t.Errorf("%d patients of %d", patients.total, len(files))
	}
	for _, id := range patients.ids[:2] {
		e, err := r.Everything(ctx, &recordsv1.EverythingRequest{Patient: id, Query: "_count=1000"})
		if err != nil || bundle(t, e.GetBody()).entries < 10 {
			t.Errorf("$everything: %v", err)
		}
	}
}
