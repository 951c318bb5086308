package fhir

import "testing"

func TestEverySearchParameterCompiles(t *testing.T) {
	d, err := R4()
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range d.Types {
		for code, p := range d.Parameters(typ) {
			if p.Type == "composite" {
				for _, c := range p.Composites {
					if len(c.Components) < 2 || c.Components[0].Type != "token" {
						t.Errorf("%s.%s: %+v", typ, code, c)
					}
				}
			}
			// These three have no expression in the standard either.
			if len(p.Paths)+len(p.Composites) == 0 && code != "_text" && code != "_content" && code != "_query" {
				t.Errorf("%s.%s leads nowhere", typ, code)
			}
		}
	}
	for typ, codes := range d.compartment {
		for _, code := range codes {
			if d.parameters[typ][code] == nil {
				t.Errorf("compartment of %s names the unknown parameter %s", typ, code)
			}
		}
	}
}

func TestPathsAreResolvedAgainstTheDefinitions(t *testing.T) {
	d, err := R4()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := Parse([]byte(`{"resourceType":"Patient","deceasedBoolean":false,
		"telecom":[{"system":"phone","value":"1"},{"system":"email","value":"2"},{"system":"phone","value":"3"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var got string
	for _, p := range d.Parameters("Patient")["phone"].Paths {
		p.Walk(doc.Root(), func(v Value) { got += v.Get("value").Str() })
	}
	if got != "13" {
		t.Errorf("phone found %q", got)
	}
	date := d.Parameters("Observation")["date"]
	if len(date.Paths) != 4 || date.Paths[0].Steps[0].Name != "effectiveDateTime" || !date.Single {
		t.Errorf("Observation.date: %+v", date)
	}
	patient := d.Parameters("Observation")["patient"]
	if len(patient.Paths) != 1 || patient.Paths[0].Target != "Patient" || !patient.Single {
		t.Errorf("Observation.patient: %+v", patient)
	}
	for _, p := range d.Parameters("Patient")["deceased"].Paths {
		if !p.Exists {
			t.Errorf("Patient.deceased: %+v", p)
		}
	}
}
