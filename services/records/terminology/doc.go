// Package terminology holds the rules of code systems and value sets: what a
// ValueSet contains, how a code is looked up and checked
// (https://hl7.org/fhir/R4/terminology-service.html). It knows neither SQL
// nor HTTP; package terminology/postgres keeps the concepts and package
// terminology/load reads the files that authorities publish.
//
// Words: a code system is a list of concepts; a concept has a code, a display
// and designations (its names in other languages or uses). A value set is a
// choice of concepts; its expansion is their list.
//
// Nothing here is about a patient.
package terminology
