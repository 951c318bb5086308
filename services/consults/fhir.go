package consults

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/consults/consult"
)

// object is a FHIR element that this service itself makes.
type object map[string]any

// fhirID is the id type of R4 (https://hl7.org/fhir/R4/datatypes.html#id).
var fhirID = regexp.MustCompile(`^[A-Za-z0-9\-.]{1,64}$`)

func coding(system, code, display string) object {
	c := object{"code": code}
	if system != "" {
		c["system"] = system
	}
	if display != "" {
		c["display"] = display
	}
	return c
}

func concept(system, code, display string) object {
	return object{"coding": []object{coding(system, code, display)}}
}

// reference leaves out what is not known: a doctor may have no Practitioner yet.
func reference(kind, id, display string) object {
	r := object{}
	if id != "" {
		r["reference"] = kind + "/" + id
	}
	if display != "" {
		r["display"] = display
	}
	return r
}

func subject(c *consult.Consultation) object { return reference("Patient", c.Patient, c.PatientName) }

func physician(c *consult.Consultation) object {
	return reference("Practitioner", c.Practitioner, c.DoctorName)
}

func identifier(c *consult.Consultation) []object {
	return []object{{"system": fhir.SystemConsultation, "value": c.ID}}
}

func instant(t time.Time) string { return t.In(consult.Zone).Format(time.RFC3339) }

// appointmentStatus maps to https://hl7.org/fhir/R4/valueset-appointmentstatus.html.
var appointmentStatus = map[consult.Status]string{
	consult.Booked: "booked", consult.Waiting: "arrived", consult.Active: "arrived",
	consult.Ended: "fulfilled", consult.Cancelled: "cancelled", consult.Missed: "noshow",
}

func appointment(c *consult.Consultation) object {
	a := object{
		"resourceType": "Appointment", "id": c.ID, "identifier": identifier(c), "status": appointmentStatus[c.Status],
		"appointmentType": concept(fhir.SystemServiceKind, "remote", "Khám từ xa"),
		"start":           instant(c.Start), "end": instant(c.End), "created": instant(c.Created),
		"participant": []object{
			{"actor": subject(c), "required": "required", "status": "accepted"},
			{"actor": physician(c), "required": "required", "status": "accepted"},
		},
	}
	if c.Reason != "" {
		a["reasonCode"] = []object{{"text": c.Reason}}
	}
	if c.CancelReason != "" {
		a["cancelationReason"] = object{"text": c.CancelReason}
	}
	return a
}

func encounter(c *consult.Consultation) object {
	e := object{
		"resourceType": "Encounter", "id": c.ID, "identifier": identifier(c), "status": "in-progress",
		"class":       coding(fhir.SystemActCode, "VR", "virtual"),
		"subject":     subject(c),
		"appointment": []object{reference("Appointment", c.ID, "")},
		"participant": []object{{"individual": physician(c)}},
		"period":      object{"start": instant(c.Started)},
	}
	if !c.Ended.IsZero() {
		e["status"] = "finished"
		e["period"] = object{"start": instant(c.Started), "end": instant(c.Ended)}
	}
	if c.Reason != "" {
		e["reasonCode"] = []object{{"text": c.Reason}}
	}
	if c.Facility != "" {
		e["serviceProvider"] = reference("Organization", c.Facility, c.FacilityName)
	}
	return e
}

func note(c *consult.Consultation) object {
	return object{
		"resourceType": "DocumentReference", "id": c.ID, "identifier": identifier(c), "status": "current", "docStatus": "final",
		"type":    concept(fhir.SystemLOINC, "11488-4", "Consult note"),
		"subject": subject(c), "date": instant(c.NoteAt), "author": []object{physician(c)},
		"content": []object{{"attachment": object{
			"contentType": "text/plain", "language": "vi", "title": "Kết luận khám từ xa", "creation": instant(c.NoteAt),
			"data": base64.StdEncoding.EncodeToString([]byte(c.Note)),
		}}},
		"context": object{"encounter": []object{reference("Encounter", c.ID, "")}},
	}
}

// dosage is the line that the patient reads: "1 viên × 2 lần/ngày × 5 ngày, sau ăn".
func dosage(m consult.Medicine) string {
	s := fmt.Sprintf("%s × %d lần/ngày × %d ngày", m.Dose, m.PerDay, m.Days)
	if m.Instruction != "" {
		s += ", " + m.Instruction
	}
	return s
}

func medicationRequest(c *consult.Consultation, m consult.Medicine) object {
	drug := object{"text": m.Name}
	if m.Code != "" {
		drug["coding"] = []object{coding("", m.Code, m.Name)}
	}
	r := object{
		"resourceType": "MedicationRequest", "id": m.ID, "status": "active", "intent": "order",
		"medicationCodeableConcept": drug, "subject": subject(c), "encounter": reference("Encounter", c.ID, ""),
		"authoredOn": instant(m.At), "requester": physician(c),
		"dosageInstruction": []object{{
			"text":   dosage(m),
			"timing": object{"repeat": object{"frequency": m.PerDay, "period": 1, "periodUnit": "d", "boundsDuration": object{"value": m.Days, "unit": "ngày", "system": fhir.SystemUCUM, "code": "d"}}},
		}},
	}
	if q := quantity(m.Quantity); q != nil {
		r["dispenseRequest"] = object{"quantity": q}
	}
	if m.Advice != "" {
		r["note"] = []object{{"text": m.Advice}}
	}
	return r
}

// quantity reads "20 viên"; what does not begin with a number is only a unit.
func quantity(s string) object {
	if s == "" {
		return nil
	}
	number, unit, _ := strings.Cut(s, " ")
	n, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		return object{"unit": s}
	}
	q := object{"value": n}
	if unit = strings.TrimSpace(unit); unit != "" {
		q["unit"] = unit
	}
	return q
}

// prescription is a transaction that writes each line under its own id.
func prescription(c *consult.Consultation, lines []consult.Medicine) object {
	entries := make([]object, 0, len(lines))
	for _, m := range lines {
		entries = append(entries, object{
			"fullUrl":  "urn:uuid:" + m.ID,
			"resource": medicationRequest(c, m),
			"request":  object{"method": "PUT", "url": "MedicationRequest/" + m.ID},
		})
	}
	return object{"resourceType": "Bundle", "type": "transaction", "entry": entries}
}

func healthcareService(d *consult.DoctorOffer) object {
	return object{
		"resourceType": "HealthcareService", "id": "remote-" + consult.Derived(d.Facility), "active": true,
		"providedBy": reference("Organization", d.Facility, d.FacilityName),
		"category":   []object{concept(fhir.SystemServiceKind, "remote", "Khám từ xa")},
		"name":       "Khám từ xa",
	}
}
