// Package due names what the read model of due vaccinations keeps: who is a
// child of which commune, and which doses each has had. It holds no names.
package due

import "time"

// Child is who may be due for a vaccination.
type Child struct {
	Patient string
	// Commune is a unit's key as text.
	Commune string
	// Birth is a full date.
	Birth time.Time
}

// Given is one dose in a record.
type Given struct {
	// Immunization is the resource's id.
	Immunization string
	Patient      string
	Vaccine      string
	Dose         int
	On           time.Time
}

// Changes is what a stretch of the change log does to the read model.
type Changes struct {
	Children        []Child
	RemovedChildren []string
	Given           []Given
	RemovedGiven    []string
}
