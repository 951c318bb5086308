package records

import (
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

func TestValidateTellsAndWritesNothing(t *testing.T) {
	r, ctx := open(t)
	stored := create(ctx, t, r, "Organization", `{"resourceType":"Organization","name":"A"}`)
	id := stored.GetId()
	const wrapped = `{"resourceType":"Parameters","parameter":[{"name":"resource","resource":{"resourceType":"Organization","name":"B"}},`
	for name, tt := range map[string]struct {
		req  *recordsv1.ValidateRequest
		want []string // all in the answer
	}{
		"a good resource": {&recordsv1.ValidateRequest{Type: "Organization", Body: []byte(`{"resourceType":"Organization","name":"B","text":{"status":"empty","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">B</div>"}}`)}, []string{`"information"`, "all ok"}},
		"a warning":       {&recordsv1.ValidateRequest{Type: "Organization", Body: []byte(`{"resourceType":"Organization","name":"B"}`)}, []string{`"severity":"warning"`, "dom-6"}},
		"several errors": {
			&recordsv1.ValidateRequest{Type: "Organization", Body: []byte(`{"resourceType":"Organization","active":"yes","address":[{"use":"home"}],"colour":1}`)},
			[]string{`"expression":["Organization.active"]`, "org-1", "org-2", `"expression":["Organization.address[0]"]`, "Organization.colour"},
		},
		"no JSON":      {&recordsv1.ValidateRequest{Type: "Organization", Body: []byte(`{`)}, []string{`"structure"`}},
		"another type": {&recordsv1.ValidateRequest{Type: "Organization", Body: []byte(`{"resourceType":"Patient"}`)}, []string{"resourceType must be Organization"}},
		"nothing":      {&recordsv1.ValidateRequest{Type: "Organization"}, []string{`"required"`}},
		"Parameters":   {&recordsv1.ValidateRequest{Type: "Organization", Body: []byte(wrapped + `{"name":"mode","valueCode":"create"}]}`)}, []string{"dom-6"}},
		"a profile that it claims": {
			&recordsv1.ValidateRequest{Type: "Organization", Body: []byte(`{"resourceType":"Organization","name":"B","meta":{"profile":["http://hl7.org/fhir/StructureDefinition/Organization","http://x/y"]}}`)},
			[]string{`{"severity":"warning","code":"not-supported"`, `"expression":["Organization.meta.profile[1]"]`},
		},
		"a strange mode":                    {&recordsv1.ValidateRequest{Type: "Organization", Body: []byte(wrapped + `{"name":"mode","valueCode":"undo"}]}`)}, []string{`"not-supported"`}},
		"the base profile":                  {&recordsv1.ValidateRequest{Type: "Organization", Body: []byte(wrapped + `{"name":"profile","valueUri":"http://hl7.org/fhir/StructureDefinition/Organization"}]}`)}, []string{"dom-6"}},
		"another profile":                   {&recordsv1.ValidateRequest{Type: "Organization", Body: []byte(wrapped + `{"name":"profile","valueUri":"http://x/y"}]}`)}, []string{`"not-supported"`}},
		"a profile beside the body":         {&recordsv1.ValidateRequest{Type: "Organization", Profile: "http://x/y", Body: []byte(`{"resourceType":"Organization"}`)}, []string{`"not-supported"`}},
		"what is stored":                    {&recordsv1.ValidateRequest{Type: "Organization", Id: id}, []string{"dom-6"}},
		"an update under another id":        {&recordsv1.ValidateRequest{Type: "Organization", Id: id, Mode: "update", Body: []byte(`{"resourceType":"Organization","id":"z","name":"B"}`)}, []string{`"value"`, "Organization.id"}},
		"a deletion":                        {&recordsv1.ValidateRequest{Type: "Organization", Id: id, Mode: "delete"}, []string{"all ok"}},
		"a deletion of nothing":             {&recordsv1.ValidateRequest{Type: "Organization", Mode: "delete"}, []string{`"required"`}},
		"Parameters as the resource itself": {&recordsv1.ValidateRequest{Type: "Parameters", Body: []byte(`{"resourceType":"Parameters","parameter":[{"name":"a"}]}`)}, []string{"inv-1"}},
	} {
		got, err := r.Validate(ctx, tt.req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(string(got.GetBody()), want) {
				t.Errorf("%s: no %s in %s", name, want, got.GetBody())
			}
		}
	}
	if n := search(ctx, t, r, "Organization", "_total=accurate").total; n != 1 {
		t.Errorf("%d organizations are stored", n)
	}
}

func TestValidateOfWhatIsOutOfReachAnswersAsIfAbsent(t *testing.T) {
	r, ctx := open(t)
	far := create(ctx, t, r, "Patient", person("Lê", "An", "1", "95012", "1950"))
	nurse := scoped(t.Context(), &guard.Scope{Communes: []string{"95013"}})
	_, there := r.Validate(nurse, &recordsv1.ValidateRequest{Type: "Patient", Id: far.GetId()})
	_, absent := r.Validate(nurse, &recordsv1.ValidateRequest{Type: "Patient", Id: "nobody"})
	if !fault.Is(there, fault.Forbidden) || fault.Of(there).Message != fault.Of(absent).Message {
		t.Errorf("there: %v, absent: %v", there, absent)
	}
}
