package records

import (
	"slices"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// TestMergesAreToldAsTheyStand reads after each step what access reads, from
// where it stood and from the beginning.
func TestMergesAreToldAsTheyStand(t *testing.T) {
	r, ctx := open(t)
	ids := map[string]string{}
	for _, name := range []string{"a", "b", "c"} {
		ids[create(ctx, t, r, "Patient", `{"resourceType":"Patient","name":[{"text":"Hoa"}]}`).GetId()] = name
	}
	id := func(name string) string {
		for i, n := range ids {
			if n == name {
				return i
			}
		}
		return ""
	}
	told := func(cursor string) (list []string, next string) {
		t.Helper()
		// The log shows what is older than every running transaction; others'
		// databases on the same server hold it up for moments.
		for end := time.Now().Add(20 * time.Second); ; {
			out, err := r.Merges(ctx, &recordsv1.MergesRequest{Cursor: cursor, WaitMs: 200})
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range out.GetPatients() {
				list = append(list, ids[x.GetPatient()]+">"+ids[x.GetInto()])
			}
			if cursor = out.GetCursor(); len(list) > 0 || time.Now().After(end) {
				return list, cursor
			}
		}
	}
	cursor := ""
	merge := func(a, b string) error { return second(r.Merge(ctx, pair(id(a), id(b)))) }
	undo := func(a, b string) error { return second(r.Unmerge(ctx, pair(id(a), id(b)))) }
	for _, step := range []struct {
		name string
		do   func(a, b string) error
		a, b string
		news string
		all  []string
	}{
		{"a merge", merge, "a", "b", "a>b", []string{"a>b"}},
		{"a second one of the target", merge, "b", "c", "b>c", []string{"a>b", "b>c"}},
		{"the second undone", undo, "b", "c", "b>", []string{"a>b", "b>"}},
		{"the first undone", undo, "a", "b", "a>", []string{"b>", "a>"}},
		// Its two rows say the same, so that who reads again ends where all end.
		{"merged again", merge, "a", "c", "a>c", []string{"b>", "a>c", "a>c"}},
	} {
		if err := step.do(step.a, step.b); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		var news []string
		if news, cursor = told(cursor); !slices.Equal(news, []string{step.news}) {
			t.Errorf("%s is told as %v", step.name, news)
		}
		if all, _ := told(""); !slices.Equal(all, step.all) {
			t.Errorf("%s: from the beginning %v, want %v", step.name, all, step.all)
		}
	}
	if err := second(r.Merge(ctx, pair(id("b"), id("c"), `{"name":"preview","valueBoolean":true}`))); err != nil {
		t.Fatal(err)
	}
	if out, err := r.Merges(ctx, &recordsv1.MergesRequest{Cursor: cursor}); err != nil || len(out.GetPatients()) > 0 || out.GetCursor() != cursor {
		t.Errorf("a preview is told as %v, %v", out.GetPatients(), err)
	}
}

func TestMergesAreToldToServicesOnly(t *testing.T) {
	r, ctx := open(t)
	person := guard.WithPrincipal(ctx, &guard.Principal{Account: "a"})
	narrow := scoped(ctx, &guard.Scope{Shared: true})
	for name, c := range map[string]error{
		"a person":                      second(r.Merges(person, &recordsv1.MergesRequest{})),
		"a service that reaches little": second(r.Merges(narrow, &recordsv1.MergesRequest{})),
	} {
		if !fault.Is(c, fault.Forbidden) {
			t.Errorf("%s got %v", name, c)
		}
	}
	for _, cursor := range []string{"x", "MS4y", "!"} {
		if err := second(r.Merges(ctx, &recordsv1.MergesRequest{Cursor: cursor})); !fault.Is(err, fault.Invalid) {
			t.Errorf("the cursor %q: %v", cursor, err)
		}
	}
}
