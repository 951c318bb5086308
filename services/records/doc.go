// Package records is the FHIR R4 system of record.
//
// Words: a resource is what FHIR calls so; a version is one state of it; the
// compartment is the patient a resource belongs to (0: shared by all); the
// log is the list of all versions, which every projection reads; the scope is
// what the caller may reach.
//
// The package holds the operations on resources and wires the others, which
// do not know it: rest is the FHIR face, bulk exports and imports, subscription
// tells of changes, record and postgres are what they share. DESIGN.md says
// where things are and what decisions cost.
//
// Always true:
//   - The bytes received are the record. Only id, meta.versionId,
//     meta.lastUpdated and references that a Bundle resolves are changed, by
//     editing those bytes.
//   - Every write appends one row to the log in the statement that replaces
//     the current row and its search index.
//   - Every query carries the scope; nothing is filtered after reading.
//   - What does not exist and what is out of reach answer alike.
package records
