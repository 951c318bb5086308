// Package client is what other services may use of exchange besides its
// operations: turning a checked identifier into FHIR.
package client

import (
	exchangev1 "github.com/yba-health/yba/proto/gen/yba/exchange/v1"
)

// Identifier is the FHIR datatype (https://hl7.org/fhir/R4/datatypes.html#Identifier)
// with the elements that the suite writes.
type Identifier struct {
	System   string    `json:"system"`
	Value    string    `json:"value"`
	Period   *Period   `json:"period,omitempty"`
	Assigner *Assigner `json:"assigner,omitempty"`
}

// Period is when the identifier may be used; the dates are FHIR dates and an
// empty one is left open.
type Period struct {
	Start string `json:"start,omitempty"`
	End   string `json:"end,omitempty"`
}

// Assigner is who gave the number, as text.
type Assigner struct {
	Display string `json:"display"`
}

var assigners = map[string]string{
	"cccd": "Bộ Công an", "bhyt": "Bảo hiểm xã hội Việt Nam", "bhxh": "Bảo hiểm xã hội Việt Nam", "facility": "Bảo hiểm xã hội Việt Nam",
}

// ToFHIR returns c as a FHIR Identifier, valid in the given period (either
// date may be empty), with the authority that assigns numbers of its kind.
func ToFHIR(c *exchangev1.CheckedIdentifier, from, until string) Identifier {
	id := Identifier{System: c.GetSystem(), Value: c.GetValue()}
	if from != "" || until != "" {
		id.Period = &Period{Start: from, End: until}
	}
	if a := assigners[c.GetKind()]; a != "" {
		id.Assigner = &Assigner{Display: a}
	}
	return id
}
