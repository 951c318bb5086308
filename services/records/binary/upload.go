package binary

import "io"

// Upload is the raw content of a Binary on its way in
// (https://hl7.org/fhir/R4/binary.html#rest).
type Upload struct {
	Type, ID string
	// MIME is the Content-Type, Context the X-Security-Context.
	MIME, Context                     string
	IfMatch, IfNoneMatch, IfNoneExist string
	Body                              io.Reader
}

// GetType and GetId name the resource in the audit log.
func (u *Upload) GetType() string { return u.Type }

// GetId is the id of the address, empty for a create.
func (u *Upload) GetId() string { return u.ID } //nolint:revive,staticcheck // the name that the guard looks for
