// Package event reads from the change log what people should be told.
package event

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/notices/message"
)

// Types are the resource types that are followed.
var Types = []string{"Appointment", "Encounter", "DocumentReference", "MedicationRequest"}

// Change is a row of the log, read.
type Change struct {
	Type, ID string
	At       time.Time
	// Fact is set for Appointment and Encounter.
	Fact *message.Fact
	// Practitioners take part in an Appointment.
	Practitioners []string
	// Encounter is the reference that a document or prescription belongs to.
	Encounter string
	// Done is when the visit began or the document or prescription was made,
	// as it says itself; zero when it does not say.
	Done time.Time
	// Valid is false for drafts and what was entered in error.
	Valid   bool
	Patient string
}

// Event is something to be told.
type Event struct {
	// Kind is booked, rescheduled, cancelled, starting or result.
	Kind string
	// What tells results apart: note or prescription.
	What string
	// Key makes the event told once.
	Key           string
	Patient       string
	Practitioners []string
	Start         string
	Consultation  string
}

type resource struct {
	Status          string
	Start           string
	Class           coding
	AppointmentType struct{ Coding []coding }
	Identifier      []struct{ System, Value string }
	Participant     []struct{ Actor reference }
	Subject         reference
	Encounter       reference
	Appointment     []reference
	Context         struct{ Encounter []reference }
	DocStatus       string
	Date            string
	AuthoredOn      string
	Period          struct{ Start string }
}

type (
	coding    struct{ System, Code string }
	reference struct{ Reference string }
)

// Read reads one row of the log. A resource of a shape it does not know is an
// error; the caller skips it.
func Read(c *recordsv1.Change) (Change, error) {
	out := Change{Type: c.GetType(), ID: c.GetId(), Patient: c.GetPatient()}
	at, err := time.Parse(time.RFC3339, c.GetAt())
	if err != nil {
		return out, fmt.Errorf("%s version %d: time of the change: %w", c.GetType(), c.GetVersion(), err)
	}
	out.At = at
	var body []byte
	if c.GetOp() != "delete" {
		body = c.GetBody()
	} else if c.GetType() == "DocumentReference" || c.GetType() == "MedicationRequest" {
		return out, nil
	}
	var r resource
	switch c.GetType() {
	case "Appointment", "Encounter":
		if err := parse(body, &r); err != nil {
			return out, fmt.Errorf("%s version %d: body: %w", c.GetType(), c.GetVersion(), err)
		}
		f := &message.Fact{
			Reference: c.GetType() + "/" + c.GetId(), Version: c.GetVersion(), Patient: c.GetPatient(), Status: r.Status, Start: r.Start,
			Consultation: r.consultation(c.GetId()),
		}
		if c.GetType() == "Encounter" {
			f.Remote, out.Done = r.Class.Code == "VR", moment(r.Period.Start)
		} else {
			f.Remote = slices.ContainsFunc(r.AppointmentType.Coding, func(k coding) bool { return k.System == fhir.SystemServiceKind && k.Code == "remote" })
			for _, p := range r.Participant {
				if id := idOf("Practitioner", p.Actor.Reference); id != "" {
					out.Practitioners = append(out.Practitioners, id)
				}
				if id := idOf("Patient", p.Actor.Reference); id != "" && f.Patient == "" {
					f.Patient = id
				}
			}
		}
		if f.Patient == "" {
			f.Patient = idOf("Patient", r.Subject.Reference)
		}
		out.Fact, out.Patient, out.Valid = f, f.Patient, c.GetOp() != "delete"
	case "DocumentReference", "MedicationRequest":
		if err := parse(body, &r); err != nil {
			return out, fmt.Errorf("%s version %d: body: %w", c.GetType(), c.GetVersion(), err)
		}
		for _, e := range slices.Concat(r.Context.Encounter, []reference{r.Encounter}) {
			if id := idOf("Encounter", e.Reference); id != "" {
				out.Encounter = "Encounter/" + id
				break
			}
		}
		if out.Patient == "" {
			out.Patient = idOf("Patient", r.Subject.Reference)
		}
		out.Done = moment(r.Date)
		if c.GetType() == "MedicationRequest" {
			out.Done = moment(r.AuthoredOn)
		}
		if c.GetType() == "DocumentReference" {
			out.Valid = r.Status == "current" && r.DocStatus != "preliminary" && r.DocStatus != "entered-in-error"
		} else {
			out.Valid = r.Status == "active" || r.Status == "completed"
		}
	}
	return out, nil
}

// moment is the last moment that a FHIR dateTime can mean; zero when it cannot
// be read or says less than the day.
func moment(text string) time.Time {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t.AddDate(0, 0, 1)
	}
	return time.Time{}
}

// parse reads the elements that are needed. "encounter" and "participant"
// have other shapes in other types, but the four agree on what is read here.
func parse(body []byte, r *resource) error {
	if body == nil {
		return nil
	}
	return json.Unmarshal(body, r)
}

func (r *resource) consultation(id string) string {
	for _, i := range r.Identifier {
		if i.System == fhir.SystemConsultation && path(i.Value) {
			return i.Value
		}
	}
	return id
}

// path reports whether an id can stand in a link as it is.
func path(id string) bool {
	for _, c := range id {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return id != "" && len(id) <= 64 && strings.Trim(id, ".") != ""
}

// maxAge is how old a change, and what it is about, may be to be told: neither
// a rebuilt projection nor an import of what was done years ago wakes anybody.
const maxAge = 24 * time.Hour

// Of returns what a change means to people, given what was known of the
// resource before (nil: nothing) and of the Encounter it belongs to.
func (c Change) Of(before, encounter *message.Fact, now time.Time) *Event {
	if now.Sub(c.At) > maxAge || !c.Done.IsZero() && now.Sub(c.Done) > maxAge || c.Patient == "" {
		return nil
	}
	switch {
	case c.Type == "Appointment":
		return c.appointment(before, now)
	case c.Type == "Encounter" && c.Fact.Remote && c.Fact.Status == "in-progress" && c.Valid:
		return &Event{Kind: "starting", Key: "starting/" + c.ID, Patient: c.Patient, Consultation: c.Fact.Consultation}
	case c.Encounter != "" && c.Valid && encounter != nil && encounter.Remote && encounter.Patient == c.Patient:
		e := &Event{Kind: "result", What: "note", Patient: c.Patient, Consultation: encounter.Consultation}
		if c.Type == "MedicationRequest" {
			e.What = "prescription"
		}
		e.Key = "result/" + encounter.Reference + "/" + e.What
		return e
	}
	return nil
}

func (c Change) appointment(before *message.Fact, now time.Time) *Event {
	f := c.Fact
	if before != nil && before.Version >= f.Version {
		return nil // An older version that arrived late.
	}
	e := &Event{Patient: c.Patient, Practitioners: c.Practitioners, Start: f.Start, Consultation: f.Consultation}
	was := before != nil && before.Remote && before.Status == "booked"
	gone := f.Status == "cancelled" || !c.Valid
	switch {
	case was && gone:
		// A deletion has no body; what is told is what was known.
		e.Kind = "cancelled"
		if !c.Valid {
			e.Start, e.Consultation = before.Start, before.Consultation
		}
		e.Key = "cancelled/" + c.ID + "/" + e.Start
	case f.Remote && f.Status == "booked" && !was:
		e.Kind, e.Key = "booked", "booked/"+c.ID+"/"+f.Start
	case f.Remote && f.Status == "booked" && !same(before.Start, f.Start):
		e.Kind, e.Key = "rescheduled", "rescheduled/"+c.ID+"/"+f.Start
	default:
		return nil
	}
	// What was entered afterwards is no news; but one who asks to be seen at
	// once has a start that is over before this is read.
	if t, err := time.Parse(time.RFC3339, e.Start); err != nil || t.Before(now.Add(-atOnce)) {
		return nil
	}
	return e
}

// atOnce is how long after its start a booking is still told.
const atOnce = time.Hour

// same compares times, not their spelling.
func same(a, b string) bool {
	x, err1 := time.Parse(time.RFC3339, a)
	y, err2 := time.Parse(time.RFC3339, b)
	return err1 == nil && err2 == nil && x.Equal(y)
}

func idOf(kind, ref string) string {
	if i := strings.LastIndex(ref, kind+"/"); i == 0 || i > 0 && ref[i-1] == '/' {
		id, _, _ := strings.Cut(ref[i+len(kind)+1:], "/")
		return id
	}
	return ""
}
