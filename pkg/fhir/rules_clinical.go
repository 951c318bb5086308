package fhir

import "slices"

// Code systems of states that invariants name.
const (
	conditionClinical = "http://terminology.hl7.org/CodeSystem/condition-clinical"
	conditionStatus   = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
	allergyStatus     = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
)

func clinicalChecks() map[string]check {
	return map[string]check{
		"ait-1": func(_ *checker, v Value) bool {
			return coded(v.Get("verificationStatus"), allergyStatus, "entered-in-error") || has(v, "clinicalStatus")
		},
		"ait-2": func(_ *checker, v Value) bool {
			return !has(v, "clinicalStatus") || !coded(v.Get("verificationStatus"), allergyStatus, "entered-in-error")
		},
		"con-1": either("summary", "assessment"),
		"con-2": either("code", "detail"),
		"con-3": func(_ *checker, v Value) bool {
			// The official expression compares a category with a code, which
			// never is equal, so that it holds for whoever has none.
			return has(v, "clinicalStatus") || coded(v.Get("verificationStatus"), conditionStatus, "entered-in-error") || !v.Get("category").Exists()
		},
		"con-4": func(_ *checker, v Value) bool {
			return !hasChoice(v, "abatement") || coded(v.Get("clinicalStatus"), conditionClinical, "resolved", "remission", "inactive")
		},
		"con-5": func(_ *checker, v Value) bool {
			return !has(v, "clinicalStatus") || !coded(v.Get("verificationStatus"), conditionStatus, "entered-in-error")
		},
		"obs-3": either("low", "high", "text"),
		"obs-6": func(_ *checker, v Value) bool { return !has(v, "dataAbsentReason") || !hasChoice(v, "value") },
		"obs-7": ownCode,
		"imm-1": either("documentType", "reference"),
		"mad-1": func(_ *checker, v Value) bool { return has(v, "dose") || hasChoice(v, "rate") },
		"mdd-1": func(_ *checker, v Value) bool { return !later(v.Get("whenPrepared"), v.Get("whenHandedOver")) },
		"cpl-3": notBoth("detail", "reference"),
		"gol-1": func(_ *checker, v Value) bool { return !hasChoice(v, "detail") || has(v, "measure") },
		"prr-1": needs("orderDetail", "code"),
		"fhs-1": func(_ *checker, v Value) bool { return !hasChoice(v, "age") || !hasChoice(v, "born") },
		"fhs-2": func(_ *checker, v Value) bool { return hasChoice(v, "age") || !has(v, "estimatedAge") },
		"cmp-1": either("text", "entry", "section"),
		"cmp-2": notBoth("emptyReason", "entry"),
		"qrs-1": notBoth("answer", "item"),
		"ctm-1": onBehalf,
	}
}

// ownCode is obs-7: no component has the code of an Observation that has a
// value itself.
func ownCode(c *checker, v Value) bool {
	if !v.Get("component").Exists() || !hasChoice(v, "value") {
		return true
	}
	for component := range v.Get("component").Items() {
		for coding := range component.Get("code").Get("coding").Items() {
			for own := range c.resource.Get("code").Get("coding").Items() {
				if Same(coding, own) {
					return false
				}
			}
		}
	}
	return true
}

// onBehalf is ctm-1: who takes part for an organization is a practitioner. A
// member that cannot be told from the reference may be one.
func onBehalf(c *checker, v Value) bool {
	if !has(v, "onBehalfOf") {
		return true
	}
	ref := v.Get("member").Get("reference").Str()
	typ := ""
	if len(ref) > 0 && ref[0] == '#' {
		typ = c.containedType(ref[1:])
	} else {
		typ = c.d.literalType(ref)
	}
	return slices.Contains([]string{"", "Practitioner"}, typ)
}
