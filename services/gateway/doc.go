// Package gateway is the edge of the suite: it ends TLS, sets security
// headers, bounds bodies and request rates, serves the browser apps, and
// hands the rest to the services, in this process or in others.
//
// Answers under /fhir and /api are packed by gzip for who takes them so, in
// both forms of the suite; pages of other origins may call the FHIR face and
// the token endpoint where the setting cors-origins names them.
//
// It knows nothing of patients and decides nothing about access: every
// operation behind it passes the guard.
package gateway
