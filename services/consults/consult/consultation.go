// Package consult holds the nouns and rules of remote consultations, without
// HTTP, SQL or FHIR.
package consult

import (
	"time"

	"github.com/google/uuid"

	"github.com/yba-health/yba/pkg/fault"
)

// Zone is the province's time zone. Viet Nam has had no summer time since
// 1945, so it needs no database of zones.
var Zone = time.FixedZone("Asia/Ho_Chi_Minh", 7*60*60)

// Status is where a consultation stands.
type Status string

// The statuses; see README.md for the ways between them.
const (
	Booked    Status = "booked"
	Waiting   Status = "waiting"
	Active    Status = "active"
	Ended     Status = "ended"
	Cancelled Status = "cancelled"
	Missed    Status = "missed"
)

// Valid reports whether s is one of the statuses.
func (s Status) Valid() bool {
	switch s {
	case Booked, Waiting, Active, Ended, Cancelled, Missed:
		return true
	}
	return false
}

// Over reports whether nothing more happens with a consultation.
func (s Status) Over() bool { return s == Ended || s == Cancelled || s == Missed }

// Role is as what somebody belongs to a consultation.
type Role string

// The roles.
const (
	Patient    Role = "patient"
	Guardian   Role = "guardian"
	Doctor     Role = "doctor"
	Specialist Role = "specialist"
	Nurse      Role = "nurse"
)

// Cares reports whether r is on the side of those who give care.
func (r Role) Cares() bool { return r == Doctor || r == Specialist || r == Nurse }

const (
	// Early is how long before its start the patient may check in.
	Early = 30 * time.Minute
	// TreatingAfter is how long the doctor may reach the record afterwards.
	TreatingAfter = 30 * 24 * time.Hour
	// InvitedFor is how long somebody invited may reach the record.
	InvitedFor = 24 * time.Hour
	// MissedAfter keeps a consultation that was asked for late in the evening
	// from ending at midnight.
	MissedAfter = 4 * time.Hour
)

// Member is somebody who belongs in the room. Until is how long somebody
// invited may reach the record.
type Member struct {
	Account string    `json:"account"`
	Name    string    `json:"name"`
	Role    Role      `json:"role"`
	Until   time.Time `json:"until,omitzero"`
}

// Grant is a treating relation that access keeps for an account.
type Grant struct {
	ID    string    `json:"id"`
	Until time.Time `json:"until"`
}

// Medicine is one line of a prescription.
type Medicine struct {
	// ID is the MedicationRequest's, made from the content, so that the same
	// prescription sent twice is written once.
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Code        string    `json:"code,omitempty"`
	Dose        string    `json:"dose"`
	PerDay      int32     `json:"per_day"`
	Days        int32     `json:"days"`
	Instruction string    `json:"instruction,omitempty"`
	Quantity    string    `json:"quantity,omitempty"`
	Advice      string    `json:"advice,omitempty"`
	At          time.Time `json:"at"`
}

// Consultation is one meeting of a patient and a doctor.
type Consultation struct {
	ID string
	// The patient as the record named them when it was booked.
	Patient, PatientName, BirthDate, Gender string
	// Doctor is the account's id.
	Doctor, DoctorName, Practitioner, Facility, FacilityName string
	Start, End                                               time.Time
	// Soon asks to be seen as soon as possible today: it has no slot.
	Soon      bool
	Reason    string
	Status    Status
	CheckedIn time.Time
	Started   time.Time
	Ended     time.Time
	// Draft is the doctor's; Note is final and NoteAt when it became so.
	Draft        string
	Note         string
	NoteAt       time.Time
	CancelReason string
	BookedBy     string
	RequestID    string
	Created      time.Time
	Members      []Member
	Medicines    []Medicine
	// Revision counts changes; what the record and access know of them is
	// Relations and Written (a digest for each resource).
	Revision  int64
	Relations map[string]Grant
	Written   map[string]string
}

func (c *Consultation) refuse(what string) error {
	return fault.Newf(fault.Precondition, "a consultation that is %s cannot be %s", c.Status, what).In("status")
}

// Reschedule moves a consultation that has not begun.
func (c *Consultation) Reschedule(start, end time.Time) error {
	if c.Status != Booked {
		return c.refuse("moved")
	}
	c.Start, c.End, c.Soon = start, end, false
	return nil
}

// Cancel gives up a consultation that has not begun. Doing it twice is no error.
func (c *Consultation) Cancel(reason string) error {
	if c.Status == Cancelled {
		return nil
	}
	if c.Status != Booked && c.Status != Waiting {
		return c.refuse("cancelled")
	}
	c.Status, c.CancelReason = Cancelled, reason
	return nil
}

// CheckIn brings the patient into the waiting room, from half an hour before
// the start until the day is over.
func (c *Consultation) CheckIn(now time.Time) error {
	if c.Status == Waiting || c.Status == Active {
		return nil
	}
	if c.Status != Booked {
		return c.refuse("entered")
	}
	if !c.Soon && now.Before(c.Start.Add(-Early)) {
		return fault.New(fault.Precondition, "the waiting room opens 30 minutes before the start", nil).In("start")
	}
	if c.IsMissed(now) {
		return fault.New(fault.Precondition, "the day of this consultation is over; book another one", nil).In("start")
	}
	c.Status, c.CheckedIn = Waiting, now
	return nil
}

// Admit opens the room for a patient who waits.
func (c *Consultation) Admit(now time.Time) error {
	if c.Status == Active {
		return nil
	}
	if c.Status != Waiting {
		return c.refuse("opened")
	}
	c.Status, c.Started = Active, now
	return nil
}

// Finish ends a consultation that is going on.
func (c *Consultation) Finish(now time.Time) error {
	if c.Status == Ended {
		return nil
	}
	if c.Status != Active {
		return c.refuse("ended")
	}
	c.Status, c.Ended = Ended, now
	return nil
}

// IsMissed reports whether a consultation that never began has had its day.
func (c *Consultation) IsMissed(now time.Time) bool {
	y, m, d := c.Start.In(Zone).Date()
	return (c.Status == Booked || c.Status == Waiting) &&
		!now.Before(time.Date(y, m, d+1, 0, 0, 0, 0, Zone)) && now.After(c.Start.Add(MissedAfter))
}

// MayJoin says whether somebody of the role may take a seat now. A patient
// has no media before the doctor opens the room.
func (c *Consultation) MayJoin(role Role) error {
	switch {
	case c.Status == Active, c.Status == Waiting && role.Cares():
		return nil
	case c.Status == Waiting:
		return fault.New(fault.Precondition, "the doctor has not opened the room yet", nil).In("status")
	default:
		return c.refuse("joined")
	}
}

// MayWrite says whether the doctor may write the note and prescribe: from the
// beginning until a day after the end.
func (c *Consultation) MayWrite(now time.Time) error {
	if c.Status == Active || c.Status == Ended && now.Before(c.Ended.Add(24*time.Hour)) {
		return nil
	}
	return c.refuse("written about")
}

// Member returns the member with the account.
func (c *Consultation) Member(account string) (Member, bool) {
	for _, m := range c.Members {
		if m.Account == account && account != "" {
			return m, true
		}
	}
	return Member{}, false
}

// Put adds m or replaces the member of the same account.
func (c *Consultation) Put(m Member) (changed bool) {
	for i, old := range c.Members {
		if old.Account == m.Account {
			c.Members[i] = m
			return old != m
		}
	}
	c.Members = append(c.Members, m)
	return true
}

// Prescribe adds lines; those that are there already are not added again.
func (c *Consultation) Prescribe(lines []Medicine) {
	here := map[string]bool{}
	for _, m := range c.Medicines {
		here[m.ID] = true
	}
	for _, m := range lines {
		if !here[m.ID] {
			c.Medicines = append(c.Medicines, m)
			here[m.ID] = true
		}
	}
}

// Grants lists until when each account may reach the patient's record.
func (c *Consultation) Grants() map[string]time.Time {
	grants := map[string]time.Time{}
	if c.Status == Cancelled || c.Status == Missed {
		return grants
	}
	for _, m := range c.Members {
		if !m.Until.IsZero() {
			grants[m.Account] = m.Until
		}
	}
	grants[c.Doctor] = c.End.Add(TreatingAfter)
	return grants
}

// Before orders the waiting room: those with a time by their time, then those
// who asked to be seen today, as they came.
func (c *Consultation) Before(o *Consultation) bool {
	if c.Soon != o.Soon {
		return !c.Soon
	}
	a, b := c.Start, o.Start
	if c.Soon {
		a, b = c.CheckedIn, o.CheckedIn
	}
	if !a.Equal(b) {
		return a.Before(b)
	}
	return c.ID < o.ID
}

var space = uuid.MustParse("2f1d0a3e-6f0f-5d0b-9d5e-6a3f5f0c9a11")

// Derived returns the same id for the same parts, for resources that a retry
// must not double (UUID version 5, RFC 9562).
func Derived(parts ...string) string {
	name := ""
	for _, p := range parts {
		name += p + "\x1f"
	}
	return uuid.NewSHA1(space, []byte(name)).String()
}
