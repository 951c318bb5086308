package openid

import (
	"context"
	"errors"
	"slices"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/services/access/account"
)

// storage is what the OpenID library asks of us.
type storage struct{ p *Provider }

var (
	_ op.Storage                        = (*storage)(nil)
	_ op.CanSetUserinfoFromRequest      = (*storage)(nil)
	_ op.CanTerminateSessionFromRequest = (*storage)(nil)
)

// challengeLength is that of an S256 challenge: 32 bytes in base64url (RFC 7636 section 4.2).
const challengeLength = 43

// maxParameter bounds what a request may ask us to keep.
const maxParameter = 2000

// CreateAuthRequest keeps an app's request until somebody has signed in.
func (s *storage) CreateAuthRequest(ctx context.Context, r *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	if r.CodeChallengeMethod != oidc.CodeChallengeMethodS256 || len(r.CodeChallenge) != challengeLength {
		return nil, oidc.ErrInvalidRequest().WithDescription("PKCE with code_challenge_method S256 is required")
	}
	if !slices.Contains(r.Scopes, oidc.ScopeOpenID) {
		return nil, oidc.ErrInvalidScope().WithDescription("the scope openid is required")
	}
	if len(r.State) > maxParameter || len(r.Nonce) > maxParameter || len(r.LoginHint) > maxParameter {
		return nil, oidc.ErrInvalidRequest().WithDescription("a parameter is too long")
	}
	if r.ResponseMode != "" && r.ResponseMode != oidc.ResponseModeQuery && r.ResponseMode != oidc.ResponseModeFragment {
		return nil, oidc.ErrInvalidRequest().WithDescription("response_mode is query or fragment")
	}
	x := &Request{
		ID: account.NewID(), Created: s.p.now(), Client: r.ClientID, RedirectURI: r.RedirectURI, ResponseMode: r.ResponseMode,
		Scopes: r.Scopes, State: r.State, Nonce: r.Nonce, CodeChallenge: r.CodeChallenge, LoginHint: r.LoginHint,
		None: slices.Contains(r.Prompt, oidc.PromptNone), MaxAge: r.MaxAge,
		Login: slices.Contains(r.Prompt, oidc.PromptLogin) || slices.Contains(r.Prompt, oidc.PromptSelectAccount),
	}
	for _, l := range r.UILocales {
		x.Locales = append(x.Locales, l.String())
	}
	return x, s.p.store.AddRequest(ctx, x)
}

// AuthRequestByID finds a request.
func (s *storage) AuthRequestByID(ctx context.Context, id string) (op.AuthRequest, error) {
	r, err := s.p.store.Request(ctx, id, s.p.now())
	if err != nil {
		return nil, notFound(err)
	}
	return r, nil
}

// notFound keeps a typed nil and a cause out of the library's hands.
func notFound(err error) error {
	if fault.Is(err, fault.NotFound) {
		return errors.New("the sign-in has expired; begin anew in the app")
	}
	return err
}

// AuthRequestByCode finds the request of a code. The code is taken back at
// once: a second use finds nothing (RFC 6749 section 4.1.2).
func (s *storage) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	r, err := s.p.store.RequestByCode(ctx, hashOf(code), s.p.now())
	if err != nil {
		return nil, notFound(err)
	}
	if err := s.p.store.DropRequest(ctx, r.ID); err != nil {
		return nil, notFound(err)
	}
	return r, nil
}

// SaveAuthCode keeps the hash of a request's code.
func (s *storage) SaveAuthCode(ctx context.Context, id, code string) error {
	return s.p.store.SetCode(ctx, id, hashOf(code), s.p.now())
}

// DeleteAuthRequest has nothing left to do: the request went with its code.
func (s *storage) DeleteAuthRequest(context.Context, string) error { return nil }

// CreateAccessToken makes a grant without a refresh token.
func (s *storage) CreateAccessToken(ctx context.Context, r op.TokenRequest) (string, time.Time, error) {
	req, ok := r.(*Request)
	if !ok || req.Answer == nil {
		return "", time.Time{}, oidc.ErrUnauthorizedClient()
	}
	g, err := s.grant(ctx, req)
	if err != nil {
		return "", time.Time{}, err
	}
	expires := s.expiry(req.Answer.Session)
	return tokenID(g.ID, expires), expires, nil
}

func (s *storage) grant(ctx context.Context, r *Request) (Grant, error) {
	g := Grant{ID: account.NewID(), Session: r.Answer.Session.ID, Client: r.Client, Scopes: r.Scopes, Started: s.p.now()}
	return g, s.p.store.AddGrant(ctx, g)
}

// expiry is when an access token ends: never after its session.
func (s *storage) expiry(x Session) time.Time {
	t := s.p.now().Add(TokenLife)
	if x.Expires.Before(t) {
		return x.Expires
	}
	return t
}

// refreshGrace is how long a used refresh token works once more: on a rural
// line the answer that held its successor may have been lost.
const refreshGrace = 30 * time.Second

// CreateAccessAndRefreshTokens makes a grant, or puts a new refresh token in
// the place of current.
func (s *storage) CreateAccessAndRefreshTokens(ctx context.Context, r op.TokenRequest, current string) (id, refresh string, expires time.Time, err error) {
	secret, hash := newSecret()
	switch req := r.(type) {
	case *Request:
		if req.Answer == nil {
			return "", "", time.Time{}, oidc.ErrInvalidGrant()
		}
		g, err := s.grant(ctx, req)
		if err != nil {
			return "", "", time.Time{}, err
		}
		expires = s.expiry(req.Answer.Session)
		return tokenID(g.ID, expires), secret, expires, s.p.store.AddRefreshToken(ctx, hash, g.ID, req.Answer.Session.Expires)
	case *refreshRequest:
		now := s.p.now()
		err := s.p.store.UseRefreshToken(ctx, hashOf(current), hash, req.Session.Expires, now, refreshGrace)
		if fault.Is(err, fault.Conflict) {
			// Somebody uses a token a second time: one of both is a thief, and
			// we cannot tell which (RFC 9700 section 4.14.2).
			if err := s.p.store.EndGrant(ctx, req.Grant.ID, "refresh token used twice", now); err != nil {
				return "", "", time.Time{}, err
			}
			s.p.ended()
			s.p.note(ctx, "access.SignIn", req.Account, "denied", "refresh token used twice")
			return "", "", time.Time{}, oidc.ErrInvalidGrant()
		}
		expires = s.expiry(req.Session)
		return tokenID(req.Grant.ID, expires), secret, expires, err
	}
	return "", "", time.Time{}, oidc.ErrUnauthorizedClient()
}

// refreshRequest is a living grant as op.RefreshTokenRequest.
type refreshRequest struct{ Holder }

func (r *refreshRequest) GetAMR() []string            { return []string{r.Session.Method} }
func (r *refreshRequest) GetAudience() []string       { return []string{r.Grant.Client} }
func (r *refreshRequest) GetAuthTime() time.Time      { return r.Session.Started }
func (r *refreshRequest) GetClientID() string         { return r.Grant.Client }
func (r *refreshRequest) GetScopes() []string         { return r.Grant.Scopes }
func (r *refreshRequest) GetSubject() string          { return r.Account.ID }
func (r *refreshRequest) SetCurrentScopes(s []string) { r.Grant.Scopes = s }

// TokenRequestByRefreshToken finds the living grant of a refresh token.
func (s *storage) TokenRequestByRefreshToken(ctx context.Context, token string) (op.RefreshTokenRequest, error) {
	now := s.p.now()
	grant, err := s.p.store.RefreshToken(ctx, hashOf(token), now)
	if err != nil {
		return nil, notFound(err)
	}
	h, err := s.p.store.Holder(ctx, grant, now)
	if err != nil {
		return nil, notFound(err)
	}
	return &refreshRequest{h}, nil
}

// TerminateSession ends all sessions of an account; the library prefers
// TerminateSessionFromRequest.
func (s *storage) TerminateSession(ctx context.Context, user, _ string) error {
	defer s.p.ended()
	return s.p.store.EndSessions(ctx, user, "", "signed out", s.p.now())
}

// TerminateSessionFromRequest ends the session that the ID token names, with
// all its grants, so that leaving one app on a shared PC leaves all of them.
// Without an ID token the person is asked first: a mere link must not sign
// anybody out (OpenID Connect RP-Initiated Logout 1.0 section 2).
func (s *storage) TerminateSessionFromRequest(ctx context.Context, r *op.EndSessionRequest) (string, error) {
	if r.IDTokenHintClaims == nil || r.IDTokenHintClaims.SessionID == "" {
		return signinPath + "/out", nil
	}
	if err := s.p.store.EndSession(ctx, r.IDTokenHintClaims.SessionID, "signed out", s.p.now()); err != nil {
		return "", err
	}
	s.p.ended()
	if a, err := s.p.store.Account(ctx, r.UserID); err == nil {
		s.p.note(ctx, "access.SignOut", a, "ok", "")
	}
	return r.RedirectURI, nil
}

// RevokeToken ends the grant of an access or refresh token (RFC 7009).
func (s *storage) RevokeToken(ctx context.Context, token, user, clientID string) *oidc.Error {
	now := s.p.now()
	// Only an opened access token comes with its account.
	grant, ok := parseTokenID(token, now)
	if !ok || user == "" {
		g, err := s.p.store.RefreshToken(ctx, hashOf(token), now)
		if fault.Is(err, fault.NotFound) {
			return nil // an unknown token needs no revocation (RFC 7009 section 2.2)
		}
		if err != nil {
			return oidc.ErrServerError().WithParent(err)
		}
		grant = g
	}
	h, err := s.p.store.Holder(ctx, grant, now)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return oidc.ErrServerError().WithParent(err)
	}
	if h.Grant.Client != clientID {
		return oidc.ErrInvalidClient().WithDescription("the token was not issued to this client")
	}
	if err := s.p.store.EndGrant(ctx, grant, "revoked", now); err != nil {
		return oidc.ErrServerError().WithParent(err)
	}
	s.p.ended()
	return nil
}

// GetRefreshTokenInfo tells the library whether a token is a refresh token.
// The token itself is handed back, since RevokeToken looks it up by its hash.
func (s *storage) GetRefreshTokenInfo(ctx context.Context, _, token string) (user, id string, err error) {
	if _, err := s.p.store.RefreshToken(ctx, hashOf(token), s.p.now()); err != nil {
		return "", "", op.ErrInvalidRefreshToken
	}
	return "", token, nil
}

// SigningKey returns the key of ID tokens.
func (s *storage) SigningKey(context.Context) (op.SigningKey, error) {
	return signingKey{s.p.keys}, nil
}

// SignatureAlgorithms lists how ID tokens are signed.
func (s *storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

// KeySet lists the public keys.
func (s *storage) KeySet(context.Context) ([]op.Key, error) {
	return []op.Key{publicKey{s.p.keys}}, nil
}

// GetClientByClientID finds an app.
func (s *storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	c, ok := s.p.client(id)
	if !ok {
		return nil, oidc.ErrInvalidClient().WithDescription("there is no such app")
	}
	return c, nil
}

// AuthorizeClientIDSecret refuses: no app has a secret.
func (s *storage) AuthorizeClientIDSecret(context.Context, string, string) error {
	return oidc.ErrInvalidClient().WithDescription("apps here have no secret")
}

// SetUserinfoFromScopes is superseded by SetUserinfoFromRequest.
func (s *storage) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

// SetUserinfoFromRequest puts the person's name and the session into an ID token.
func (s *storage) SetUserinfoFromRequest(ctx context.Context, info *oidc.UserInfo, r op.IDTokenRequest, scopes []string) error {
	a, err := s.p.store.Account(ctx, r.GetSubject())
	if err != nil {
		return err
	}
	userinfo(info, a, scopes)
	switch x := r.(type) {
	case *Request:
		info.AppendClaims("sid", x.Answer.Session.ID)
	case *refreshRequest:
		info.AppendClaims("sid", x.Session.ID)
	}
	return nil
}

// SetUserinfoFromToken answers the userinfo endpoint.
func (s *storage) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, tokenID, subject, _ string) error {
	h, err := s.p.holder(ctx, tokenID, subject)
	if err != nil {
		return oidc.ErrAccessDenied().WithDescription("the token is not valid")
	}
	userinfo(info, h.Account, h.Grant.Scopes)
	return nil
}

func userinfo(info *oidc.UserInfo, a account.Account, scopes []string) {
	info.Subject = a.ID
	if slices.Contains(scopes, oidc.ScopeProfile) {
		info.Name, info.PreferredUsername = a.Name, a.Username
	}
}

// errNotOffered answers what no client here may do.
var errNotOffered = errors.New("not offered")

// SetIntrospectionFromToken is not offered: services ask access.Authorize.
func (s *storage) SetIntrospectionFromToken(context.Context, *oidc.IntrospectionResponse, string, string, string) error {
	return errNotOffered
}

// GetPrivateClaimsFromScopes adds nothing: access tokens are opaque.
func (s *storage) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return nil, nil
}

// GetKeyByIDAndClientID finds nothing: no app has a key.
func (s *storage) GetKeyByIDAndClientID(context.Context, string, string) (*jose.JSONWebKey, error) {
	return nil, errNotOffered
}

// ValidateJWTProfileScopes allows nothing: no app signs assertions.
func (s *storage) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, errNotOffered
}

// Health is asked by the library's own readiness probe, which is not served.
func (s *storage) Health(context.Context) error { return nil }
