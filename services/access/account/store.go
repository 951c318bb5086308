package account

import (
	"context"
	"time"
)

// Credential is what an account proves itself with.
type Credential struct {
	// Password and Activation are PHC strings; empty when not set.
	Password   string
	Activation string
	// ActivationExpires is when the activation code stops to work.
	ActivationExpires time.Time
}

// Exact names accounts by what they belong to; empty fields do not count.
type Exact struct{ ID, Patient, Practitioner string }

// Store keeps accounts.
type Store interface {
	// AddAccount keeps a new account; fault.Conflict when the username or the
	// patient has one already.
	AddAccount(ctx context.Context, a Account, c Credential) error
	// Account finds an account by id, disabled or not; else fault.NotFound.
	Account(ctx context.Context, id string) (Account, error)
	// AccountByUsername finds an account with its credential; else fault.NotFound.
	AccountByUsername(ctx context.Context, username string) (Account, Credential, error)
	// AccountByPatient finds the open account of a person, also by the Patient
	// that theirs was merged into; else fault.NotFound.
	AccountByPatient(ctx context.Context, patient string) (Account, error)
	// Credential reads the credential of an account.
	Credential(ctx context.Context, id string) (Credential, error)
	// SetCredential replaces the credential of an account.
	SetCredential(ctx context.Context, id string, c Credential) error
	// DisableAccount closes an account.
	DisableAccount(ctx context.Context, id string, now time.Time) error
	// Accounts lists accounts whose username or name contains query (folded by
	// vitext.Fold), by name; at most limit.
	Accounts(ctx context.Context, query, role string, limit int) ([]Account, error)
	// ExactAccounts lists the accounts that match every field of x that is set;
	// of a Patient also those of who was merged into that one.
	ExactAccounts(ctx context.Context, x Exact, limit int) ([]Account, error)

	// CountAttempt counts a failure on each key before the secret is looked at,
	// so that parallel guesses cannot outrun the counters, and returns how long
	// to wait; a wait above zero means that nothing was counted.
	CountAttempt(ctx context.Context, attempts []Attempt, now time.Time) (wait time.Duration, err error)
	// ForgetAttempts sets the counters of keys to zero after a success, and
	// takes one failure back from the counters of undo.
	ForgetAttempts(ctx context.Context, keys, undo []string) error
}
