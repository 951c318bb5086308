package stations

import (
	"strings"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/units"
	exchangev1 "github.com/yba-health/yba/proto/gen/yba/exchange/v1"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
	"github.com/yba-health/yba/services/exchange/client"
)

const (
	extensionEthnicity = "https://yba.health/fhir/ethnicity"
	extensionRelation  = "https://yba.health/fhir/household-relation"
)

// patientResource is what a station reads of a Patient.
type patientResource struct {
	ID   string
	Name []struct {
		Use, Text, Family string
		Given             []string
	}
	BirthDate  string
	Gender     string
	Telecom    []struct{ System, Value string }
	Identifier []struct {
		System, Value string
		Period        struct{ Start, End string }
	}
	Address []struct {
		Use, Text string
		Extension []extension
	}
	Active           *bool
	DeceasedBoolean  bool
	DeceasedDateTime string
}

type extension struct {
	URL         string
	ValueString string
	ValueCoding struct{ System, Code, Version, Display string }
	// ValueReference is what household-head holds.
	ValueReference struct{ Reference string }
}

// unitOf returns the commune's key and the hamlet that extensions name.
func unitOf(list []extension) (commune, hamlet string) {
	for _, e := range list {
		switch {
		case e.URL == fhir.ExtensionUnit && commune == "":
			commune = e.ValueCoding.Code + "@" + e.ValueCoding.Version
		case e.URL == fhir.ExtensionHamlet && hamlet == "":
			hamlet = e.ValueCoding.Display
		}
	}
	return commune, hamlet
}

// place returns the unit extensions of an address; the hamlet may have no
// code, or be nowhere.
func place(commune, hamlet units.Unit) []element {
	list := []element{{"url": fhir.ExtensionUnit, "valueCoding": element{
		"system": fhir.SystemUnits, "code": string(commune.Code), "version": commune.From.String(), "display": commune.Name,
	}}}
	if hamlet.Name != "" {
		at := element{"system": fhir.SystemUnits, "display": hamlet.Name}
		if hamlet.Code != "" {
			at["code"] = string(hamlet.Code)
			// A unit whose beginning is not known has no version (R4: not empty).
			if hamlet.From != "" {
				at["version"] = hamlet.From.String()
			}
		}
		list = append(list, element{"url": fhir.ExtensionHamlet, "valueCoding": at})
	}
	return list
}

func (p patientResource) living() bool {
	return (p.Active == nil || *p.Active) && !p.DeceasedBoolean && p.DeceasedDateTime == ""
}

// displayName is the official name, or the first there is.
func (p patientResource) displayName() string {
	for _, official := range []bool{true, false} {
		for _, n := range p.Name {
			if official && n.Use != "official" {
				continue
			}
			if n.Text != "" {
				return n.Text
			}
			// Vietnamese order: family name first.
			return strings.TrimSpace(n.Family + " " + strings.Join(n.Given, " "))
		}
	}
	return ""
}

var kindOf = map[string]string{fhir.SystemCCCD: "cccd", fhir.SystemBHYT: "bhyt", fhir.SystemBHXH: "bhxh"}

// person is the Patient as the station's form shows it.
func (p patientResource) person() *stationsv1.Person {
	out := &stationsv1.Person{Patient: p.ID, Name: p.displayName(), BirthDate: p.BirthDate, Gender: p.Gender}
	for _, t := range p.Telecom {
		if t.System == "phone" && out.Phone == "" {
			out.Phone = t.Value
		}
	}
	for _, i := range p.Identifier {
		if kind := kindOf[i.System]; kind != "" {
			out.Identifiers = append(out.Identifiers, &stationsv1.Identifier{Kind: kind, Value: i.Value, From: i.Period.Start, Until: i.Period.End})
		}
	}
	if len(p.Address) > 0 {
		out.Address = p.Address[0].Text
		out.Commune, out.Hamlet = unitOf(p.Address[0].Extension)
	}
	return out
}

// newPatient builds the Patient of a registration that was checked.
func newPatient(r *stationsv1.RegisterPersonRequest, checked []*exchangev1.CheckedIdentifier, commune, province, hamlet units.Unit, facility string) element {
	words := strings.Fields(r.GetName())
	identifiers := []any{clientIdentifier(r.GetClientId(), "")}
	for i, c := range checked {
		identifiers = append(identifiers, client.ToFHIR(c, r.GetIdentifiers()[i].GetFrom(), r.GetIdentifiers()[i].GetUntil()))
	}
	address := element{
		"use": "home", "city": commune.Name, "country": "VN", "extension": place(commune, hamlet),
		"text": joinNonEmpty(", ", r.GetAddress(), r.GetHamlet(), commune.Name, province.Name),
	}
	if province.Name != "" {
		address["state"] = province.Name
	}
	var lines []string
	for _, l := range []string{r.GetAddress(), r.GetHamlet()} {
		if l != "" {
			lines = append(lines, l)
		}
	}
	if lines != nil {
		address["line"] = lines
	}
	p := element{
		"resourceType": "Patient", "active": true, "identifier": identifiers,
		"name":      []element{{"use": "official", "text": strings.Join(words, " "), "family": words[0], "given": words[1:]}},
		"birthDate": r.GetBirthDate(), "gender": r.GetGender(), "address": []element{address},
	}
	if r.GetPhone() != "" {
		p["telecom"] = []element{{"system": "phone", "value": r.GetPhone(), "use": "mobile"}}
	}
	if facility != "" {
		p["managingOrganization"] = reference("Organization/" + facility)
	}
	if r.GetEthnicity() != "" {
		p["extension"] = []element{{"url": extensionEthnicity, "valueString": r.GetEthnicity()}}
	}
	return p
}

func joinNonEmpty(sep string, parts ...string) string {
	var list []string
	for _, p := range parts {
		if p != "" {
			list = append(list, p)
		}
	}
	return strings.Join(list, sep)
}
