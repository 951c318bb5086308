// Package record says what a stored resource is made of: its bytes, its
// compartment and its search index rows; and what a search asks of them. It
// knows FHIR, but neither HTTP nor SQL.
package record
