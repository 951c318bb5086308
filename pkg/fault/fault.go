// Package fault classifies errors. A class survives wrapping, and each
// transport translates it exactly once: HTTP and FHIR in package kit and
// services/records/rest, gRPC in package kit.
package fault

import (
	"errors"
	"fmt"
)

// Class says what an error means to the caller. The zero value is Internal.
type Class int

// The classes. Only Unavailable and Internal are the server's fault.
const (
	Internal Class = iota
	Invalid
	Unauthenticated
	Forbidden
	NotFound
	Conflict
	Gone
	Precondition
	TooLarge
	Limited
	Unavailable
	NotModified
	Unprocessable
	// Unsupported is what an installation has switched off.
	Unsupported
)

var names = map[Class]string{
	Internal: "internal", Invalid: "invalid", Unauthenticated: "unauthenticated", Forbidden: "forbidden",
	NotFound: "not-found", Conflict: "conflict", Gone: "gone", Precondition: "precondition",
	TooLarge: "too-large", Limited: "limited", Unavailable: "unavailable", NotModified: "not-modified",
	Unprocessable: "unprocessable", Unsupported: "unsupported",
}

// String returns the class's name as it stands in JSON error bodies.
func (c Class) String() string { return names[c] }

// Error is a classified error. Message is shown to callers and must hold no
// patient data and no cause; At names the place ("Bundle.entry[3].resource.birthDate").
type Error struct {
	Class   Class
	Message string
	At      string
	cause   error
}

// New returns an error of class c with a message for the caller. The cause,
// which may be nil, goes to the log only.
func New(c Class, message string, cause error) *Error {
	return &Error{Class: c, Message: message, cause: cause}
}

// Newf is New with a formatted message and no cause.
func Newf(c Class, format string, args ...any) *Error {
	return &Error{Class: c, Message: fmt.Sprintf(format, args...)}
}

// In returns a copy of e that names the place in the input where it lies.
func (e *Error) In(place string) *Error {
	at := place
	if e.At != "" {
		at = place + "." + e.At
	}
	return &Error{Class: e.Class, Message: e.Message, At: at, cause: e.cause}
}

// Error tells class, place, message and cause, for the log.
func (e *Error) Error() string {
	s := e.Class.String() + ": "
	if e.At != "" {
		s += e.At + ": "
	}
	s += e.Message
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Of returns the classified error within err. An unclassified error becomes
// an Internal one whose message gives nothing away.
func Of(err error) *Error {
	if f, ok := errors.AsType[*Error](err); ok {
		return f
	}
	return &Error{Class: Internal, Message: "internal error", cause: err}
}

// Is reports whether err is of class c.
func Is(err error, c Class) bool { return err != nil && Of(err).Class == c }
