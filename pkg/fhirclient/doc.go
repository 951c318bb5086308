// Package fhirclient speaks to a FHIR R4 server over HTTP, and to the suite's
// JSON API. It is what `yba import`, `yba demo`, `yba bench` and the tests use:
// everything they write passes the same public face as any other client's.
//
// What is always true:
//   - A request is repeated only when the server cannot have carried it out
//     (429, 503, connection refused) or when carrying it out twice is the same
//     as once (GET, PUT, DELETE). For a POST whose answer was lost the error
//     says so (see FateUnknown), and the caller finds out before sending again.
//   - The bearer token goes to the base address only, never to an address that
//     an answer names.
//   - Errors are of package fault, with the place that the server's
//     OperationOutcome names.
package fhirclient
