package openid

import (
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// How long a sign-in page may stay open, and a code unused.
const (
	RequestLife = 30 * time.Minute
	CodeLife    = time.Minute
)

// Request is an app's authorization request on its way through the sign-in page.
type Request struct {
	ID            string
	Created       time.Time
	Client        string
	RedirectURI   string
	ResponseMode  oidc.ResponseMode
	Scopes        []string
	State         string
	Nonce         string
	CodeChallenge string
	LoginHint     string
	Locales       []string
	// None asks to answer without any page, Login to ask for the password anew.
	None  bool
	Login bool
	// MaxAge is how old a sign-in may be; nil means any age.
	MaxAge *uint

	// Answer is set when a person has signed in for it.
	Answer *Answer `json:"-"`
}

// Answer is who signed in for a request, and when.
type Answer struct {
	Session Session
}

// The methods below make Request an op.AuthRequest.

// GetID returns the request's id.
func (r *Request) GetID() string { return r.ID }

// GetACR is empty: no assurance levels are offered.
func (r *Request) GetACR() string { return "" }

// GetAMR returns how the person proved who they are (RFC 8176).
func (r *Request) GetAMR() []string {
	if r.Answer == nil {
		return nil
	}
	return []string{r.Answer.Session.Method}
}

// GetAudience returns the app.
func (r *Request) GetAudience() []string { return []string{r.Client} }

// GetAuthTime returns when the person signed in.
func (r *Request) GetAuthTime() time.Time {
	if r.Answer == nil {
		return time.Time{}
	}
	return r.Answer.Session.Started
}

// GetClientID returns the app.
func (r *Request) GetClientID() string { return r.Client }

// GetCodeChallenge returns the PKCE challenge, always S256 (RFC 7636).
func (r *Request) GetCodeChallenge() *oidc.CodeChallenge {
	return &oidc.CodeChallenge{Challenge: r.CodeChallenge, Method: oidc.CodeChallengeMethodS256}
}

// GetNonce returns the app's nonce.
func (r *Request) GetNonce() string { return r.Nonce }

// GetRedirectURI returns where the code goes.
func (r *Request) GetRedirectURI() string { return r.RedirectURI }

// GetResponseType is always the code flow.
func (r *Request) GetResponseType() oidc.ResponseType { return oidc.ResponseTypeCode }

// GetResponseMode returns how the answer travels.
func (r *Request) GetResponseMode() oidc.ResponseMode { return r.ResponseMode }

// GetScopes returns what the app asked for.
func (r *Request) GetScopes() []string { return r.Scopes }

// GetState returns the app's state.
func (r *Request) GetState() string { return r.State }

// GetSubject returns the account.
func (r *Request) GetSubject() string {
	if r.Answer == nil {
		return ""
	}
	return r.Answer.Session.Account
}

// Done reports whether somebody signed in for it.
func (r *Request) Done() bool { return r.Answer != nil }
