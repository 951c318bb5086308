package records

import (
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// labelled is a call of a $meta operation with a Meta.
func labelled(typ, id, meta string) *recordsv1.OperationRequest {
	return &recordsv1.OperationRequest{Type: typ, Id: id, Body: []byte(`{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":` + meta + `}]}`)}
}

func TestLabelsAreAddedAndTakenAway(t *testing.T) {
	r, ctx := open(t)
	x := create(ctx, t, r, "Organization", `{"resourceType":"Organization","meta":{"profile":["http://a"],"source":"#1"},"name":"A","alias":["1.50"]}`)
	id := x.GetId()
	for _, step := range []struct {
		what    func() (*recordsv1.Resource, error)
		version int64
		has     []string
		lacks   []string
	}{
		{func() (*recordsv1.Resource, error) {
			return r.MetaAdd(ctx, labelled("Organization", id, `{"profile":["http://a","http://b"],"tag":[{"system":"http://t","code":"x","display":"X"}],"versionId":"9"}`))
		}, 2, []string{`"profile":["http://a","http://b"]`, `"code":"x"`, `"source":"#1"`, `"versionId":"2"`}, nil},
		{func() (*recordsv1.Resource, error) {
			return r.MetaAdd(ctx, labelled("Organization", id, `{"tag":[{"system":"http://t","code":"x","display":"another"}]}`))
		}, 2, []string{`"display":"X"`}, []string{"another"}},
		{func() (*recordsv1.Resource, error) {
			return r.MetaDelete(ctx, labelled("Organization", id, `{"profile":["http://a"],"tag":[{"system":"http://t","code":"x"}],"security":[{"code":"R"}]}`))
		}, 3, []string{`"profile":["http://b"]`}, []string{`"tag"`, "http://a"}},
		{func() (*recordsv1.Resource, error) {
			return r.MetaDelete(ctx, labelled("Organization", id, `{"profile":["http://a"]}`))
		}, 3, []string{`"profile":["http://b"]`}, nil},
		{func() (*recordsv1.Resource, error) {
			return r.Meta(ctx, &recordsv1.OperationRequest{Type: "Organization", Id: id})
		}, 3, []string{`{"name":"return","valueMeta":{`, `"versionId":"3"`}, nil},
	} {
		got, err := step.what()
		if err != nil {
			t.Fatal(err)
		}
		now := stored(ctx, t, r, "Organization", id)
		if now.GetVersion() != step.version || !strings.Contains(string(now.GetBody()), `"alias":["1.50"]`) {
			t.Errorf("version %d, want %d: %s", now.GetVersion(), step.version, now.GetBody())
		}
		for _, s := range step.has {
			if !strings.Contains(string(got.GetBody()), s) {
				t.Errorf("no %s in %s", s, got.GetBody())
			}
		}
		for _, s := range step.lacks {
			if strings.Contains(string(got.GetBody()), s) {
				t.Errorf("%s in %s", s, got.GetBody())
			}
		}
	}
	if got := search(ctx, t, r, "Organization", "_profile=http://b"); len(got.ids) != 1 {
		t.Error("a new profile is not found")
	}
	for name, req := range map[string]*recordsv1.OperationRequest{
		"no meta": {Type: "Organization", Id: id}, "a meta of another type": labelled("Organization", id, `{"tag":"x"}`),
	} {
		if err := second(r.MetaAdd(ctx, req)); !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Unprocessable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.Delete(ctx, &recordsv1.DeleteRequest{Type: "Organization", Id: id}); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"meta":   second(r.Meta(ctx, &recordsv1.OperationRequest{Type: "Organization", Id: id})),
		"add":    second(r.MetaAdd(ctx, labelled("Organization", id, `{"profile":["http://a"]}`))),
		"delete": second(r.MetaDelete(ctx, labelled("Organization", id, `{"profile":["http://a"]}`))),
	} {
		if !fault.Is(err, fault.Gone) {
			t.Errorf("%s of what is deleted: %v", name, err)
		}
	}
}

func TestLabelsKeepToTheScope(t *testing.T) {
	r, ctx := open(t)
	foreign := create(ctx, t, r, "Patient", person("Lê", "An", "1", "95015", "1950")).GetId()
	own := create(ctx, t, r, "Patient", person("Lê", "Ba", "2", "95012", "1950")).GetId()
	a := nurse(t.Context(), "95012")
	meta := `{"tag":[{"code":"x"}]}`
	for name, f := range map[string]func(id string) error{
		"meta":   func(id string) error { return second(r.Meta(a, &recordsv1.OperationRequest{Type: "Patient", Id: id})) },
		"add":    func(id string) error { return second(r.MetaAdd(a, labelled("Patient", id, meta))) },
		"delete": func(id string) error { return second(r.MetaDelete(a, labelled("Patient", id, meta))) },
	} {
		x, y := fault.Of(f(foreign)), fault.Of(f("nobody"))
		if x.Class != fault.Forbidden || x.Class != y.Class || x.Message != y.Message {
			t.Errorf("%s: %v where nobody is: %v", name, x, y)
		}
		if err := f(own); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
