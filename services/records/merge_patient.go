package records

import (
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// linked returns the id of the Patient that a link of the type leads to, ""
// without one (https://hl7.org/fhir/R4/patient-definitions.html#Patient.link).
func linked(patient fhir.Value, typ string) string {
	for l := range patient.Get("link").Items() {
		if l.Get("type").Str() == typ {
			if id, ok := strings.CutPrefix(l.At("other", "reference").Str(), "Patient/"); ok {
				return id
			}
		}
	}
	return ""
}

// joins reports whether a Patient has a link of the type to another.
func joins(patient fhir.Value, typ, id string) bool {
	for l := range patient.Get("link").Items() {
		if l.Get("type").Str() == typ && l.At("other", "reference").Str() == "Patient/"+id {
			return true
		}
	}
	return false
}

func linkTo(id, typ string) string {
	return `{"other":{"reference":"Patient/` + id + `"},"type":"` + typ + `"}`
}

// patients makes the new versions of the two Patients.
func (m *merging) patients() error {
	source, err := parsed(m.source.Body)
	if err != nil {
		return err
	}
	target, err := parsed(m.target.Body)
	if err != nil {
		return err
	}
	if m.open != nil {
		return m.again(source, target)
	}
	for _, x := range []struct {
		v    fhir.Value
		name string
	}{{source, "source"}, {target, "target"}} {
		if linked(x.v, "replaced-by") != "" {
			return fault.Newf(fault.Conflict, "the %s was merged into another Patient already; undo that merge first, or merge the one that replaced it", x.name)
		}
	}
	result := m.result
	if !result.Exists() {
		if different(source, target) {
			return fault.New(fault.Unprocessable, "the two Patients have different citizen numbers; say by result-patient which one holds", nil)
		}
		if result, err = joined(source, target, m.source.ID); err != nil {
			return err
		}
	}
	replaced, err := replacedBy(source, result, m.target.ID)
	if err != nil {
		return err
	}
	m.change(m.target, result)
	// What the caller wrote may refer to anything.
	m.changes[len(m.changes)-1].trusted = !m.result.Exists()
	m.change(m.source, replaced)
	return nil
}

// different reports whether both Patients have a citizen number that is in
// use and none is the same: the number is given once for life.
func different(a, b fhir.Value) bool {
	numbers := func(p fhir.Value) map[string]bool {
		found := map[string]bool{}
		for i := range p.Get("identifier").Items() {
			if i.Get("system").Str() == fhir.SystemCCCD && i.Get("use").Str() != "old" {
				found[i.Get("value").Str()] = true
			}
		}
		return found
	}
	x, y := numbers(a), numbers(b)
	for n := range x {
		if y[n] {
			return false
		}
	}
	return len(x) > 0 && len(y) > 0
}

// joined is the target with the source's identifiers and a link to it. An
// identifier is kept as it is where the target has none of its kind, and as
// an old one where it has.
func joined(source, target fhir.Value, sourceID string) (fhir.Value, error) {
	kinds := map[string]bool{}
	for i := range target.Get("identifier").Items() {
		kinds[i.Get("system").Str()] = true
	}
	var more []string
	for i := range source.Get("identifier").Items() {
		if holds(target, i) {
			continue
		}
		text := string(i.Raw())
		if kinds[i.Get("system").Str()] {
			e := fhir.Edit(i)
			e.Put(i, "use", `"old"`)
			text = string(e.Bytes())
		}
		more = append(more, text)
	}
	e := fhir.Edit(target)
	add(e, target, "identifier", more...)
	add(e, target, "link", linkTo(sourceID, "replaces"))
	return parsed(e.Bytes())
}

// holds reports whether a Patient has an identifier with the same system and value.
func holds(patient, identifier fhir.Value) bool {
	for i := range patient.Get("identifier").Items() {
		if i.Get("system").Str() == identifier.Get("system").Str() && i.Get("value").Str() == identifier.Get("value").Str() {
			return true
		}
	}
	return false
}

// add appends items, which are JSON, to an array of an object.
func add(e *fhir.Edits, object fhir.Value, name string, items ...string) {
	if len(items) == 0 {
		return
	}
	text := strings.Join(items, ",")
	var last fhir.Value
	for v := range object.Get(name).Items() {
		last = v
	}
	if last.Exists() {
		e.Insert(last, ","+text)
	} else {
		e.Put(object, name, "["+text+"]")
	}
}

// replacedBy is the source as the merge leaves it: not active, with a link to
// the target, and with those identifiers only that the target did not take.
// One identifier of two Patients would make conditions on it ambiguous.
func replacedBy(source, result fhir.Value, targetID string) (fhir.Value, error) {
	var rest []string
	for i := range source.Get("identifier").Items() {
		if !holds(result, i) {
			rest = append(rest, string(i.Raw()))
		}
	}
	without := set(source, "identifier", rest)
	v, err := parsed(without)
	if err != nil {
		return v, err
	}
	e := fhir.Edit(v)
	e.Put(v, "active", "false")
	add(e, v, "link", linkTo(targetID, "replaced-by"))
	v, err = parsed(e.Bytes())
	return v, err
}

// set returns an object with an array of the given items; without items it
// has no such member.
func set(object fhir.Value, name string, items []string) []byte {
	out := []byte{'{'}
	member := func(name, text string) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, fhir.Quote(name)...), ':'), text...)
	}
	for n, v := range object.Members() {
		switch {
		case n != name:
			member(n, string(v.Raw()))
		case len(items) > 0:
			member(n, "["+strings.Join(items, ",")+"]")
		}
	}
	if !object.Get(name).Exists() && len(items) > 0 {
		member(name, "["+strings.Join(items, ",")+"]")
	}
	return append(out, '}')
}

// unlinked is a Patient that was changed since a merge, without what the merge
// did to it: the link, and for the source that it is not active. took are
// identifiers that go back, gave those that come back.
func unlinked(now, before fhir.Value, otherID, typ string, took, gave []fhir.Value) (fhir.Value, error) {
	var links, identifiers []string
	for l := range now.Get("link").Items() {
		if l.Get("type").Str() != typ || l.At("other", "reference").Str() != "Patient/"+otherID {
			links = append(links, string(l.Raw()))
		}
	}
	for i := range now.Get("identifier").Items() {
		gone := false
		for _, t := range took {
			gone = gone || t.Get("system").Str() == i.Get("system").Str() && t.Get("value").Str() == i.Get("value").Str()
		}
		if !gone {
			identifiers = append(identifiers, string(i.Raw()))
		}
	}
	for _, g := range gave {
		if !holds(now, g) {
			identifiers = append(identifiers, string(g.Raw()))
		}
	}
	v, err := parsed(set(now, "link", links))
	if err != nil {
		return v, err
	}
	if v, err = parsed(set(v, "identifier", identifiers)); err != nil || typ != "replaced-by" {
		return v, err
	}
	active := "true"
	if a := before.Get("active"); a.Exists() {
		active = string(a.Raw())
	}
	e := fhir.Edit(v)
	e.Put(v, "active", active)
	return parsed(e.Bytes())
}

func counted(n int) string {
	if n == 1 {
		return "1 resource"
	}
	return strconv.Itoa(n) + " resources"
}

// merged is what $merge and $unmerge answer with.
func merged(input fhir.Value, outcome, result []byte) *recordsv1.Resource {
	b := []byte(`{"resourceType":"Parameters","parameter":[{"name":"input","resource":`)
	b = append(b, input.Raw()...)
	b = append(append(b, `},{"name":"outcome","resource":`...), outcome...)
	b = append(b, '}')
	if result != nil {
		b = append(append(append(b, `,{"name":"result","resource":`...), result...), '}')
	}
	return &recordsv1.Resource{Type: "Parameters", Body: append(b, `]}`...)}
}
