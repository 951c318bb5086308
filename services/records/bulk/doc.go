// Package bulk carries out $export
// (https://hl7.org/fhir/uv/bulkdata/export.html) and $import: whole files of
// resources, out of the log and into the store.
//
// An export copies nothing: it fixes a snapshot of the log, a worker counts
// what each file will hold, and a file is read from the log when it is
// downloaded. An import stores line by line, in pieces of a transaction each.
package bulk
