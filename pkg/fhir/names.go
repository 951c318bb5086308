// Package fhir holds what the suite knows of FHIR R4 apart from any service.
package fhir

// Identifier systems. The national ones follow the community's VN Core guide.
const (
	SystemCCCD         = "http://fhir.hl7.org.vn/core/sid/cccd"
	SystemBHYT         = "http://fhir.hl7.org.vn/core/sid/bhyt"
	SystemFacility     = "http://fhir.hl7.org.vn/core/sid/ma-cskcb"
	SystemLicence      = "http://fhir.hl7.org.vn/core/sid/cchn"
	SystemBHXH         = "https://yba.health/fhir/sid/bhxh"
	SystemClient       = "https://yba.health/fhir/sid/client"
	SystemConsultation = "https://yba.health/fhir/sid/consultation"
)

// Code systems.
const (
	SystemICD10       = "http://hl7.org/fhir/sid/icd-10"
	SystemLOINC       = "http://loinc.org"
	SystemUCUM        = "http://unitsofmeasure.org"
	SystemCVX         = "http://hl7.org/fhir/sid/cvx"
	SystemVaccine     = "https://yba.health/fhir/CodeSystem/vaccine"
	SystemServiceKind = "https://yba.health/fhir/CodeSystem/service-kind"
	SystemGroupKind   = "https://yba.health/fhir/CodeSystem/group-kind"
	SystemActCode     = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
	SystemUnits       = "https://yba.health/fhir/units"
)

// Extensions.
const (
	ExtensionUnit          = "https://yba.health/fhir/unit"
	ExtensionHamlet        = "https://yba.health/fhir/hamlet"
	ExtensionHouseholdHead = "https://yba.health/fhir/household-head"
)
