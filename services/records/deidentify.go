package records

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
)

// allowed are the members that a de-identified answer may hold. Everything
// that is not listed is left out, so that an element nobody thought of cannot
// name a person. Free text and displays are not listed.
var allowed = strings.Fields(`resourceType meta versionId lastUpdated id status intent priority class type subType category code coding
	system subject patient encounter reference period start end clinicalStatus verificationStatus severity
	onsetDateTime onsetPeriod onsetAge abatementDateTime abatementPeriod effectiveDateTime effectivePeriod effectiveInstant
	valueQuantity valueCodeableConcept valueBoolean valueInteger valueDateTime valueRange low high value unit comparator
	component interpretation referenceRange dataAbsentReason bodySite method issued authoredOn recordedDate
	occurrenceDateTime performedDateTime performedPeriod vaccineCode doseQuantity protocolApplied doseNumberPositiveInt
	seriesDosesPositiveInt primarySource statusReason reasonCode medicationCodeableConcept
	gender birthDate deceasedBoolean maritalStatus active serviceType appointmentType serviceProvider managingOrganization
	specialty created date criticality reaction substance manifestation rank use diagnosis condition`)

// shown returns the bytes and the id that the caller may see of x.
func (r *Records) shown(ctx context.Context, x *record.Stored) ([]byte, string, error) {
	if !caller.Deidentified(ctx) {
		body, err := r.whole(ctx, x)
		return body, x.ID, err
	}
	key, err := r.pseudonymKey(ctx)
	if err != nil {
		return nil, "", err
	}
	id := pseudonym(key, r.defs.TypeOf(x.Type)+"/"+x.ID)
	if len(x.Body) == 0 {
		return nil, id, nil
	}
	doc, err := fhir.Parse(x.Body)
	if err != nil {
		return nil, "", err
	}
	// What is kept apart is never allowed.
	return strip(nil, doc.Root(), "", func(s string) string { return pseudonym(key, s) }), id, nil
}

// strip writes the allowed part of v.
func strip(out []byte, v fhir.Value, typ string, pseudonym func(string) string) []byte {
	switch v.Kind() {
	case fhir.Array:
		out = append(out, '[')
		n := 0
		for item := range v.Items() {
			if n > 0 {
				out = append(out, ',')
			}
			out = strip(out, item, typ, pseudonym)
			n++
		}
		return append(out, ']')
	case fhir.Object:
	default:
		return append(out, v.Raw()...)
	}
	resource := v.Get("resourceType").Str()
	out = append(out, '{')
	n := 0
	for name, m := range v.Members() {
		if !slices.Contains(allowed, name) || !keeps(resource, name, m) {
			continue
		}
		text := ""
		switch {
		case name == "id" && resource != "":
			text = fhir.Quote(pseudonym(resource + "/" + m.Str()))
		case name == "id":
			continue
		case name == "reference":
			text = local(m.Str(), pseudonym)
			if text == "" {
				continue
			}
		case name == "birthDate":
			text = fhir.Quote(m.Str()[:min(4, len(m.Str()))])
		}
		if n > 0 {
			out = append(out, ',')
		}
		n++
		out = append(out, '"')
		out = append(out, name...)
		out = append(out, `":`...)
		if text != "" {
			out = append(out, text...)
		} else {
			out = strip(out, m, resource, pseudonym)
		}
	}
	return append(out, '}')
}

// keeps refuses members whose meaning depends on where they stand: a string
// "value" is an identifier's or a phone's.
func keeps(resource, name string, m fhir.Value) bool {
	switch name {
	case "value":
		return m.Kind() == fhir.Number
	case "managingOrganization", "serviceProvider":
		return resource != ""
	}
	return true
}

// local turns a reference of this server into one to a pseudonym.
func local(reference string, pseudonym func(string) string) string {
	typ, id, ok := strings.Cut(reference, "/")
	id, _, _ = strings.Cut(id, "/")
	if !ok || strings.Contains(typ, ":") || !fhir.ValidID(id) {
		return ""
	}
	return fhir.Quote(typ + "/" + pseudonym(typ+"/"+id))
}

// pseudonym is the same for the same resource, and tells nothing without the key.
func pseudonym(key []byte, reference string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(reference))
	return "x" + hex.EncodeToString(mac.Sum(nil)[:16])
}

func (r *Records) pseudonymKey(ctx context.Context) ([]byte, error) {
	if key := r.pseudonyms.Load(); key != nil {
		return *key, nil
	}
	key, err := r.store.Secret(ctx, "pseudonym")
	if err == nil {
		r.pseudonyms.Store(&key)
	}
	return key, err
}

// byID refuses reading by what is no id, and by any id in the de-identified
// scope: whoever knows one would learn whose pseudonym it is.
func byID(ctx context.Context, id string) error {
	if caller.Deidentified(ctx) || !fhir.ValidID(id) {
		return caller.Hidden(ctx, fault.New(fault.NotFound, "there is no such resource", nil))
	}
	return nil
}

// identifying are the parameters that could find a person although they are
// of a kind that cannot (anonymousBy).
var identifying = []string{"_id", "_lastUpdated", "birthdate", "death-date", "_tag", "_security"}

// anonymousBy reports whether a parameter asks for what a de-identified answer
// shows as well: a code, a number or a date, and not a name, a number that
// somebody was given, a free text or another resource.
func anonymousBy(p *fhir.Parameter, modifier string) bool {
	if slices.Contains(identifying, p.Code) || !slices.Contains([]string{"", "not", "missing", "in", "not-in", "above", "below"}, modifier) {
		return false
	}
	switch p.Type {
	case "date", "number", "quantity":
		return true
	case "token":
		return !slices.ContainsFunc(p.Paths, func(path fhir.Path) bool {
			return !path.Exists && !slices.Contains([]string{"CodeableConcept", "Coding", "code", "boolean"}, path.Type)
		})
	case "composite":
		for _, c := range p.Composites {
			for _, part := range c.Components {
				if !slices.Contains([]string{"token", "date", "number", "quantity"}, part.Type) {
					return false
				}
			}
		}
		return true
	}
	return false
}

// anonymous refuses searches that could single out a person.
func anonymous(ctx context.Context, q *record.Query) error {
	if !caller.Deidentified(ctx) {
		return nil
	}
	if len(q.Texts) > 0 {
		return fault.New(fault.Forbidden, "records without names cannot be searched by text", nil)
	}
	for _, f := range q.Filters {
		if len(f.Any) > 0 || len(f.Peers) > 0 || len(f.Targets) > 0 || !anonymousBy(f.Param, f.Modifier) {
			return fault.Newf(fault.Forbidden, "records without names cannot be searched by %q", f.Param.Code)
		}
	}
	// The link to the next page holds what a page was sorted by.
	for _, s := range q.Sort {
		if p := s.Param; s.By == "_id" || p != nil && (p.Type != "date" || slices.Contains(identifying, p.Code)) {
			return fault.New(fault.Forbidden, "records without names cannot be sorted so", nil)
		}
	}
	if len(q.Includes) > 0 {
		return fault.New(fault.Forbidden, "records without names cannot include others", nil)
	}
	return nil
}
