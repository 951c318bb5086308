// Package subscription holds the types and rules of FHIR Subscriptions: R4's
// own criteria (https://hl7.org/fhir/R4/subscription.html) and topics by the
// backport (http://hl7.org/fhir/uv/subscriptions-backport/STU1.1). It says
// what a Subscription may ask for, follows the change log, delivers
// notifications, and serves the websockets and operations. It knows no SQL.
//
// A Subscription acts with the rights of the account that made it, asked
// again whenever something is queued and sent. An event is one row of the
// change log for one Subscription; its number never changes.
package subscription
