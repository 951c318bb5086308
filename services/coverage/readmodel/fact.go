package readmodel

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// Types are the resource types that the read model is built from.
var Types = []string{"Patient", "Encounter", "Organization", "HealthcareService"}

// Fact is what one change of the log means to the read model: one of the
// pointers is set, or none.
type Fact struct {
	Person   *Person
	Use      *Use
	Facility *Facility
	Offer    *Offer
}

var errTime = errors.New("no plausible RFC 3339 time")

// ReadChange reads one row of the log.
func ReadChange(c *recordsv1.Change) (Fact, error) {
	at, err := time.Parse(time.RFC3339, c.GetAt())
	if err != nil || !plausible(at) {
		return Fact{}, fmt.Errorf("%s version %d: time of the change: %w", c.GetType(), c.GetVersion(), errors.Join(errTime, err))
	}
	var r resource
	deleted := c.GetOp() == "delete"
	if !deleted {
		if err := json.Unmarshal(c.GetBody(), &r); err != nil {
			return Fact{}, fmt.Errorf("%s version %d: body: %w", c.GetType(), c.GetVersion(), err)
		}
	}
	day := DayOf(at)
	switch c.GetType() {
	case "Patient":
		p := &Person{ID: c.GetId(), Version: c.GetVersion(), Birth: r.BirthDate, Created: day, Counted: !deleted && r.living()}
		p.Commune, p.Hamlet = r.place()
		if adultOn(p.Birth) == "" {
			p.Birth = ""
		}
		return Fact{Person: p}, nil
	case "Encounter":
		u := &Use{ID: c.GetId(), Version: c.GetVersion(), Patient: c.GetPatient()}
		if u.Patient == "" {
			u.Patient = idOf("Patient", r.Subject.Reference)
		}
		if !deleted && r.Class.Code == "VR" && r.Status == "finished" {
			u.Day = r.Period.day(day)
		}
		// Most visits are not remote and have one version: nothing is kept of
		// them. Of anything later a tombstone is, in case an older version that
		// was remote is still to come.
		if u.Patient == "" || !deleted && r.Class.Code != "VR" && c.GetVersion() == 1 {
			return Fact{}, nil
		}
		return Fact{Use: u}, nil
	case "Organization":
		f := &Facility{ID: c.GetId(), Version: c.GetVersion(), Created: day, Counted: !deleted && r.active() && r.provides()}
		f.Commune, _ = r.place()
		return Fact{Facility: f}, nil
	case "HealthcareService":
		o := &Offer{ID: c.GetId(), Version: c.GetVersion(), Created: day, Facility: idOf("Organization", r.ProvidedBy.Reference)}
		o.Counted = !deleted && r.active() && o.Facility != "" && has(r.Category, fhir.SystemServiceKind, "remote")
		return Fact{Offer: o}, nil
	}
	return Fact{}, nil
}

// resource is the little that is read of the four types. Elements whose shape
// differs between types are read only where they agree.
type resource struct {
	Active           *bool                     `json:"active"`
	DeceasedBoolean  bool                      `json:"deceasedBoolean"`
	DeceasedDateTime string                    `json:"deceasedDateTime"`
	BirthDate        string                    `json:"birthDate"`
	Address          []address                 `json:"address"`
	Link             []struct{ Type string }   `json:"link"`
	Status           string                    `json:"status"`
	Class            coding                    `json:"class"`
	Period           span                      `json:"period"`
	Subject          reference                 `json:"subject"`
	Type             json.RawMessage           `json:"type"`
	Identifier       []struct{ System string } `json:"identifier"`
	Category         []concept                 `json:"category"`
	ProvidedBy       reference                 `json:"providedBy"`
}

type (
	coding    struct{ System, Code, Version string }
	concept   struct{ Coding []coding }
	reference struct{ Reference string }
	span      struct{ Start, End string }
	address   struct {
		Use       string
		Period    span
		Extension []struct {
			URL         string
			ValueCoding coding
		}
	}
)

func (r *resource) active() bool { return r.Active == nil || *r.Active }

func (r *resource) living() bool {
	// Patient.link "replaced-by": this record was merged into another
	// (https://hl7.org/fhir/R4/valueset-link-type.html).
	replaced := slices.ContainsFunc(r.Link, func(l struct{ Type string }) bool { return l.Type == "replaced-by" })
	return r.active() && !r.DeceasedBoolean && r.DeceasedDateTime == "" && !replaced
}

func (r *resource) provides() bool {
	for _, i := range r.Identifier {
		if i.System == fhir.SystemFacility {
			return true
		}
	}
	var types []concept
	if json.Unmarshal(r.Type, &types) != nil {
		return false
	}
	return has(types, "http://terminology.hl7.org/CodeSystem/organization-type", "prov")
}

// place returns the unit keys of the first address that is in use.
func (r *resource) place() (commune, hamlet string) {
	for _, a := range r.Address {
		if a.Use == "old" || a.Period.End != "" {
			continue
		}
		for _, x := range a.Extension {
			switch x.URL {
			case fhir.ExtensionUnit:
				commune = x.ValueCoding.key()
			case fhir.ExtensionHamlet:
				hamlet = x.ValueCoding.key()
			}
		}
		if commune != "" || hamlet != "" {
			return commune, hamlet
		}
	}
	return "", ""
}

// key is the unit's key. A code without a date names the unit of that code
// whose beginning is not known, which is how the units before 2025 are listed,
// and never the one of today: the reform gave 3,316 old codes to other areas.
func (c coding) key() string {
	if c.Code == "" || c.System != fhir.SystemUnits || strings.ContainsRune(c.Code+c.Version, 0) {
		return ""
	}
	return c.Code + "@" + c.Version
}

func (s span) day(otherwise Day) Day {
	for _, v := range []string{s.End, s.Start} {
		if t, err := time.Parse(time.RFC3339, v); err == nil && plausible(t) {
			return DayOf(t)
		}
		if d, ok := ParseDay(v); ok {
			return d
		}
	}
	return otherwise
}

func has(concepts []concept, system, code string) bool {
	for _, c := range concepts {
		for _, k := range c.Coding {
			if k.System == system && k.Code == code {
				return true
			}
		}
	}
	return false
}

func idOf(kind, ref string) string {
	if i := strings.LastIndex(ref, kind+"/"); i == 0 || i > 0 && ref[i-1] == '/' {
		id, _, _ := strings.Cut(ref[i+len(kind)+1:], "/")
		return id
	}
	return ""
}
