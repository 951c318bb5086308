// Package exchange knows the national identifiers and formats: how they are
// built, whether what was typed can be right, and under which FHIR system
// they are kept.
//
// Words: an identifier has a kind (cccd, bhyt, bhxh, facility) and, for the
// insurance number, one of three forms that are in use side by side.
//
// Always true: only the structure is judged. A number says where a birth was
// registered or a card was issued and keeps saying so for life, so nothing
// here ever reads a residence out of it. Nothing is looked up, nothing kept.
package exchange
