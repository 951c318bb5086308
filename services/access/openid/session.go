package openid

import (
	"context"
	"time"

	"github.com/yba-health/yba/services/access/account"
)

// Session is a sign-in of a person in a browser, or one made by
// `yba token` on the machine.
type Session struct {
	ID      string
	Account string
	// Method is how the person proved who they are, as an RFC 8176 name: "pwd"
	// for a password, "otp" for an activation code, "mca" on the machine.
	Method  string
	Started time.Time
	Expires time.Time
}

// Grant is what one app got out of a session.
type Grant struct {
	ID      string
	Session string
	Client  string
	Scopes  []string
	Started time.Time
}

// Holder is a grant that is alive, with its session and account.
type Holder struct {
	Grant   Grant
	Session Session
	Account account.Account
}

// Store keeps sign-ins. Every lookup answers fault.NotFound for what does not
// exist, has ended, has expired, or belongs to a disabled account.
type Store interface {
	account.Store

	// AddSession keeps a session; cookie is the hash of the cookie's value, or
	// nil for a session without a browser.
	AddSession(ctx context.Context, s Session, cookie []byte) error
	// SessionByCookie finds the living session of a cookie's hash.
	SessionByCookie(ctx context.Context, cookie []byte, now time.Time) (Session, account.Account, error)
	// EndSessions ends the sessions of an account, all their grants with them;
	// except keeps one of them alive.
	EndSessions(ctx context.Context, accountID, except, reason string, now time.Time) error
	// EndSession ends one session.
	EndSession(ctx context.Context, id, reason string, now time.Time) error

	// AddGrant keeps a grant.
	AddGrant(ctx context.Context, g Grant) error
	// Holder finds a living grant.
	Holder(ctx context.Context, grant string, now time.Time) (Holder, error)
	// EndGrant ends one app's grant.
	EndGrant(ctx context.Context, grant, reason string, now time.Time) error

	// AddRefreshToken keeps the hash of a refresh token.
	AddRefreshToken(ctx context.Context, hash []byte, grant string, expires time.Time) error
	// UseRefreshToken marks a token as used and keeps next beside it. Using it
	// again within grace is allowed, for an answer that got lost on the line;
	// later it is fault.Conflict, because then one of two holders has stolen it.
	UseRefreshToken(ctx context.Context, hash, next []byte, expires, now time.Time, grace time.Duration) error
	// RefreshToken finds the grant of a token, used or not.
	RefreshToken(ctx context.Context, hash []byte, now time.Time) (grant string, err error)

	// AddRequest keeps an authorization request for RequestLife.
	AddRequest(ctx context.Context, r *Request) error
	// Request finds a request by its id.
	Request(ctx context.Context, id string, now time.Time) (*Request, error)
	// FinishRequest joins a request with the session that answers it.
	FinishRequest(ctx context.Context, id, session string) error
	// SetCode keeps the hash of a request's code, once.
	SetCode(ctx context.Context, id string, code []byte, now time.Time) error
	// RequestByCode finds a finished request by its code within CodeLife.
	RequestByCode(ctx context.Context, code []byte, now time.Time) (*Request, error)
	// DropRequest removes a request; fault.NotFound tells that somebody was faster.
	DropRequest(ctx context.Context, id string) error

	// Sweep removes what has expired.
	Sweep(ctx context.Context, now time.Time) error
}
