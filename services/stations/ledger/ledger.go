// Package ledger names what the ledger of a station's entries keeps: one row
// for each client id, so that an entry that is sent again is not made again.
package ledger

import "time"

// Claim is the intent to carry out one entry.
type Claim struct {
	ClientID string
	// Account entered it; another account may not use the same client id.
	Account string
	// Station is the facility whose list of the day shows it.
	Station string
	// Kind is household, registration, visit or immunization.
	Kind string
	// Digest is of the request, so that a client id cannot mean two things.
	Digest []byte
	At     time.Time
}

// Outcome is what an entry led to.
type Outcome struct {
	// Patient concerned; empty for a household.
	Patient string
	// Text is shown in the list of the day and holds nothing of the record: a
	// vaccine's short name, "2 chỉ số".
	Text string
	// Answer is the operation's answer, which a retry gets again.
	Answer []byte
}

// Entered is one finished entry in the list of the day.
type Entered struct {
	Kind, Patient, Text string
	At                  time.Time
}
