package records

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// together runs all at once and waits for them.
func together(work ...func()) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for _, f := range work {
		wg.Go(func() { <-start; f() })
	}
	close(start)
	wg.Wait()
}

// observations counts Observations by whom they are about.
func observations(ctx context.Context, t *testing.T, r *Records, people ...string) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, p := range people {
		out[p] = search(ctx, t, r, "Observation", "patient="+p+"&_summary=count").total
	}
	return out
}

// TestMergesBothWaysHaveOneWinner merges A into B and B into A at the same
// time: everything belongs to one of them afterwards, and undoing gives each
// what was theirs.
func TestMergesBothWaysHaveOneWinner(t *testing.T) {
	r, ctx := open(t)
	for round := range 8 {
		d := doubled(ctx, t, r)
		var there, back error
		together(
			func() { there = second(r.Merge(ctx, pair(d.source, d.target))) },
			func() { back = second(r.Merge(ctx, pair(d.target, d.source))) },
		)
		if there == nil == (back == nil) {
			t.Fatalf("round %d: %v, %v", round, there, back)
		}
		loser, winner, lost := d.source, d.target, back
		if there != nil {
			loser, winner, lost = d.target, d.source, there
		}
		if !fault.Is(lost, fault.Conflict) {
			t.Errorf("round %d: %v", round, lost)
		}
		if got := observations(ctx, t, r, loser, winner); got[loser] != 0 || got[winner] != 4 {
			t.Errorf("round %d: %v", round, got)
		}
		if _, err := r.Unmerge(ctx, pair(loser, winner)); err != nil {
			t.Fatal(err)
		}
		if got := observations(ctx, t, r, d.source, d.target); got[d.source] != 3 || got[d.target] != 1 {
			t.Errorf("round %d, undone: %v", round, got)
		}
	}
}

// TestWhatIsWrittenDuringAMergeIsNotLost writes for the source, new resources
// and new versions, while it is merged and the merge undone. What was
// acknowledged is there, and belongs to one of the two.
func TestWhatIsWrittenDuringAMergeIsNotLost(t *testing.T) {
	r, ctx := open(t)
	for round := range 6 {
		d := doubled(ctx, t, r)
		if round%2 == 1 {
			if _, err := r.Merge(ctx, pair(d.source, d.target)); err != nil {
				t.Fatal(err)
			}
		}
		var mu sync.Mutex
		values := map[string]string{}
		wrote := func(id, value string, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("round %d: %v", round, err)
				return
			}
			values[id] = value
		}
		var err error
		work := []func(){func() {
			if round%2 == 1 {
				err = second(r.Unmerge(ctx, pair(d.source, d.target)))
			} else {
				err = second(r.Merge(ctx, pair(d.source, d.target)))
			}
		}}
		for i := range 3 {
			work = append(work, func() {
				for n := range 5 {
					value := fmt.Sprintf("%d.%d", 60+i, n)
					x, err := r.Create(ctx, &recordsv1.CreateRequest{Type: "Observation", Body: []byte(observation(d.source, "8867-4", "2026", value))})
					wrote(x.GetId(), value, err)
				}
			}, func() {
				for n := range 5 { // who writes this does not look whose it is by now
					value := fmt.Sprintf("%d.%d", 90+i, n)
					err := second(r.Patch(ctx, &recordsv1.PatchRequest{
						Type: "Observation", Id: d.moved[i], ContentType: jsonPatch,
						Body: []byte(`[{"op":"replace","path":"/valueQuantity/value","value":` + value + `}]`),
					}))
					wrote(d.moved[i], value, err)
				}
			})
		}
		together(work...)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for id, value := range values {
			x := stored(ctx, t, r, "Observation", id)
			body := string(x.GetBody())
			if !strings.Contains(body, `"value":`+value+`,`) || !strings.Contains(body, d.source) && !strings.Contains(body, d.target) {
				t.Errorf("round %d: %s is %s instead of %s", round, id, body, value)
			}
		}
		if got := observations(ctx, t, r, d.source, d.target); got[d.source]+got[d.target] != 4+15 {
			t.Errorf("round %d: %v", round, got)
		}
		if round%2 == 1 {
			continue
		}
		// Repeated, the merge moves what came late.
		if _, err := r.Merge(ctx, pair(d.source, d.target)); err != nil {
			t.Fatal(err)
		}
		if got := observations(ctx, t, r, d.source, d.target); got[d.source] != 0 || got[d.target] != 4+15 {
			t.Errorf("round %d, repeated: %v", round, got)
		}
	}
}

// TestConditionalReferencesNeverLeadToWhatIsDeleted resolves a condition while
// what it finds is deleted.
func TestConditionalReferencesNeverLeadToWhatIsDeleted(t *testing.T) {
	r, ctx := open(t)
	for round := range 25 {
		number := fmt.Sprintf("0991%08d", round)
		p := create(ctx, t, r, "Patient", person("Lê", "An", number, "95012", "1950")).GetId()
		entry := post("urn:uuid:1", strings.Replace(observation("x", "1", "2026", "1"), "Patient/x", "Patient?identifier="+fhir.SystemCCCD+"|"+number, 1), "")
		made := make([]error, 3)
		var deleted error
		work := []func(){func() { deleted = second(r.Delete(ctx, &recordsv1.DeleteRequest{Type: "Patient", Id: p})) }}
		for i := range made {
			work = append(work, func() { made[i] = second(r.Transact(ctx, transaction(entry))) })
		}
		together(work...)
		if deleted != nil && !fault.Is(deleted, fault.Conflict) {
			t.Fatal(deleted)
		}
		written := 0
		for _, err := range made {
			switch {
			case err == nil:
				written++
			case !fault.Is(err, fault.Unprocessable):
				t.Errorf("round %d: %v", round, err)
			}
		}
		if deleted == nil && written > 0 {
			t.Fatalf("round %d: %d refer to what was deleted", round, written)
		}
		if got := search(ctx, t, r, "Observation", "patient="+p+"&_total=accurate").total; got != written {
			t.Errorf("round %d: %d of %d are there", round, got, written)
		}
	}
}

// TestParallelPatchesAllHold adds to one list from many sides at once.
func TestParallelPatchesAllHold(t *testing.T) {
	r, ctx := open(t)
	x := create(ctx, t, r, "Organization", `{"resourceType":"Organization","name":"A","alias":["0"]}`)
	const many = 24
	var work []func()
	for i := range many {
		req := &recordsv1.PatchRequest{Type: "Organization", Id: x.GetId(), ContentType: jsonPatch, Body: []byte(fmt.Sprintf(`[{"op":"add","path":"/alias/-","value":"n%d"}]`, i))}
		if i%2 == 0 {
			req.ContentType, req.Body = "application/fhir+json", []byte(parametersOf(fmt.Sprintf(`{"name":"operation","part":[{"name":"type","valueCode":"add"},
				{"name":"path","valueString":"Organization"},{"name":"name","valueString":"alias"},{"name":"value","valueString":"n%d"}]}`, i)))
		}
		work = append(work, func() {
			if _, err := r.Patch(ctx, req); err != nil {
				t.Error(err)
			}
		})
	}
	together(work...)
	now := stored(ctx, t, r, "Organization", x.GetId())
	for i := range many {
		if !strings.Contains(string(now.GetBody()), fmt.Sprintf(`"n%d"`, i)) {
			t.Errorf("n%d is lost", i)
		}
	}
	if now.GetVersion() != many+1 {
		t.Errorf("version %d", now.GetVersion())
	}
}
