package records

import (
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/record"
)

// again looks at the two Patients of a merge that stands already. They keep
// what was written into them since; only the links that make them one person
// come back where somebody wrote them away.
func (m *merging) again(source, target fhir.Value) error {
	switch {
	case m.open.Target != m.target.Key:
		return fault.New(fault.Conflict, "the source was merged into another Patient already; undo that merge first, or merge the one that replaced it", nil)
	case linked(target, "replaced-by") != "":
		return fault.New(fault.Conflict, "the target was merged into another Patient already; undo that merge first, or merge the one that replaced it", nil)
	case m.result.Exists():
		return fault.New(fault.Unprocessable, "the two are one already; change the target by an update", nil).In("result-patient")
	}
	if !joins(target, "replaces", m.source.ID) {
		e := fhir.Edit(target)
		add(e, target, "link", linkTo(m.source.ID, "replaces"))
		v, err := parsed(e.Bytes())
		if err != nil {
			return err
		}
		target = v
	}
	if !joins(source, "replaced-by", m.target.ID) {
		v, err := replacedBy(source, target, m.target.ID)
		if err != nil {
			return err
		}
		source = v
	}
	m.change(m.target, target)
	m.change(m.source, source)
	return nil
}

// onceEach returns a Group that refers to the target now, without the member
// that the target is twice: of the two entries the one of the source goes,
// unless the target's is not active and the source's is.
func onceEach(group fhir.Value, before []byte, source, target string) (fhir.Value, error) {
	was, err := parsed(before)
	if err != nil {
		return group, err
	}
	var of []string // whose each member was
	inactive := map[string]bool{}
	for v := range was.Get("member").Items() {
		ref, _, _ := strings.Cut(v.At("entity", "reference").Str(), "/_history/")
		of = append(of, ref)
		inactive[ref] = inactive[ref] || v.Get("inactive").True()
	}
	source, target = "Patient/"+source, "Patient/"+target
	if !slices.Contains(of, source) || !slices.Contains(of, target) {
		return group, nil
	}
	goes := source
	if inactive[target] && !inactive[source] {
		goes = target
	}
	var members []string
	i := 0
	for v := range group.Get("member").Items() {
		if of[i] != goes {
			members = append(members, string(v.Raw()))
		}
		i++
	}
	return parsed(set(group, "member", members))
}

// follows reports whether a resource moves by itself with what it lies with,
// as a Binary does that is a document's content, and does not name the Patient
// with the id besides.
func (m *merging) follows(x *record.Stored, id string) (bool, error) {
	if x.Deleted {
		return false, nil
	}
	v, err := parsed(x.Body)
	if err != nil {
		return false, err
	}
	home, err := m.x.Home(v, x.ID)
	if err != nil || !home.Proxied {
		return false, err
	}
	for s := range v.Strings() {
		if ref, ok := m.x.Literal(s.Str()); ok && s.Named("reference") && ref.Target == id && m.r.defs.TypeOf(ref.Type) == "Patient" {
			return false, nil
		}
	}
	return true, nil
}
