// Package consults arranges and holds remote consultations.
//
// Words: a doctor publishes hours; a slot is a free time of them; a
// consultation is booked, waits (the patient has checked in), is active (the
// doctor has opened the room) and ends. A member belongs in the room; a seat
// is a member's place in it. README.md shows the states and the protocol of
// the two WebSockets; signal.go defines the messages.
//
// What is always true:
//   - the clinical outcome is FHIR in records. Each change is committed here
//     first, together with the duty to carry it there; it is carried at once,
//     and again until it has arrived (record.go). Ids are derived, so that
//     repeating doubles nothing;
//   - two who want one doctor at one time meet at a unique index;
//   - who is no member gets neither the consultation nor a seat, whatever the
//     policy's scope; the draft is the doctor's alone;
//   - a seat's token works once and is kept hashed; a patient has no media
//     before the doctor opens the room.
package consults
