// Package load reads code systems from the files that authorities publish:
// ICD-10 as the Vietnamese Ministry of Health tables it, LOINC, UCUM and
// CodeSystem resources. Files are read as streams; errors name the line.
//
// The content of these code systems is licensed to whoever loads it and is no
// part of this program.
package load
