package openid

import (
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Apps are the browser apps that may ask for a sign-in: public clients of the
// same origin, which prove themselves by PKCE.
var Apps = []string{"patient", "station", "clinic", "department"}

// client is one browser app as op.Client.
type client struct {
	id       string
	issuer   string
	loopback bool
}

func (p *Provider) client(id string) (client, bool) {
	return client{id, p.issuer, p.loopback}, slices.Contains(Apps, id)
}

func (c client) GetID() string { return c.id }

func (c client) RedirectURIs() []string { return []string{c.issuer + "/" + c.id + "/callback"} }

func (c client) PostLogoutRedirectURIs() []string { return []string{c.issuer + "/" + c.id + "/"} }

func (c client) ApplicationType() op.ApplicationType { return op.ApplicationTypeUserAgent }

func (c client) AuthMethod() oidc.AuthMethod { return oidc.AuthMethodNone }

func (c client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}

func (c client) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken}
}

func (c client) LoginURL(request string) string { return signinPath + "?request=" + request }

func (c client) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeBearer }

func (c client) IDTokenLifetime() time.Duration { return TokenLife }

// DevMode allows redirects over plain HTTP, which the issuer does on this
// machine only.
func (c client) DevMode() bool { return c.loopback }

func same(scopes []string) []string { return scopes }

//nolint:revive // the name is op.Client's
func (c client) RestrictAdditionalIdTokenScopes() func([]string) []string { return same }

func (c client) RestrictAdditionalAccessTokenScopes() func([]string) []string { return same }

func (c client) IsScopeAllowed(string) bool { return false }

func (c client) IDTokenUserinfoClaimsAssertion() bool { return true }

func (c client) ClockSkew() time.Duration { return 0 }
