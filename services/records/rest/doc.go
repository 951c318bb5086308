// Package rest is FHIR's own REST face (https://hl7.org/fhir/R4/http.html).
// The rows of routes make the mux, the CapabilityStatement and the OpenAPI
// document; each row reads a request, calls the operation of the service's
// table behind the guard, and writes the answer. It decides nothing itself.
package rest
