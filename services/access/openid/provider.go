// Package openid is the suite's OpenID Connect provider: the authorization
// code flow with PKCE for the browser apps, and the sign-in pages.
package openid

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
	"golang.org/x/text/language"

	"github.com/yba-health/yba/services/access/account"
)

// Options are what the provider is made of.
type Options struct {
	// Issuer is how browsers reach the suite, without a slash at the end.
	Issuer string
	// BehindEdge says that the gateway is another process and hands the
	// browser's address over.
	BehindEdge bool
	Keys       *Keys
	Store      Store
	Door       *account.Door
	Log        *slog.Logger
	Now        func() time.Time
	// Ended is called when a session or grant has ended.
	Ended func()
	// Note writes a sign-in, a refused one, or a sign-out to the audit log.
	Note func(ctx context.Context, operation string, a account.Account, outcome, reason string)
}

// Provider serves /oauth/, /signin and /.well-known/openid-configuration.
type Provider struct {
	issuer     string
	loopback   bool
	behindEdge bool
	keys       *Keys
	store      Store
	door       *account.Door
	log        *slog.Logger
	now        func() time.Time
	ended      func()
	note       func(ctx context.Context, operation string, a account.Account, outcome, reason string)
	op         *op.Provider
	pages      *pages
}

// New returns a provider.
func New(o Options) (*Provider, error) {
	u, err := url.Parse(o.Issuer)
	if err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	p := &Provider{
		issuer: o.Issuer, behindEdge: o.BehindEdge, keys: o.Keys, store: o.Store, door: o.Door, log: o.Log, now: o.Now, ended: o.Ended, note: o.Note,
		loopback: u.Scheme == "http" && (u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()),
	}
	if p.pages, err = newPages(); err != nil {
		return nil, err
	}
	opts := []op.Option{
		op.WithCrypto(o.Keys),
		op.WithLogger(o.Log),
		op.WithCustomAuthEndpoint(op.NewEndpoint("oauth/authorize")),
		op.WithCustomTokenEndpoint(op.NewEndpoint("oauth/token")),
		op.WithCustomIntrospectionEndpoint(op.NewEndpoint("oauth/introspect")),
		op.WithCustomUserinfoEndpoint(op.NewEndpoint("oauth/userinfo")),
		op.WithCustomRevocationEndpoint(op.NewEndpoint("oauth/revoke")),
		op.WithCustomEndSessionEndpoint(op.NewEndpoint("oauth/end_session")),
		op.WithCustomKeysEndpoint(op.NewEndpoint("oauth/keys")),
		op.WithCustomDeviceAuthorizationEndpoint(op.NewEndpoint("oauth/device")),
		// The apps are of the same origin; no other one has business here.
		op.WithCORSOptions(nil),
	}
	if p.loopback {
		opts = append(opts, op.WithAllowInsecure())
	}
	p.op, err = op.NewProvider(&op.Config{
		CodeMethodS256: true, GrantTypeRefreshToken: true,
		DefaultLogoutRedirectURI: signinPath + "/out",
		SupportedUILocales:       []language.Tag{language.Vietnamese, language.English},
		SupportedScopes:          []string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeOfflineAccess},
		SupportedClaims:          []string{"sub", "aud", "exp", "iat", "iss", "auth_time", "nonce", "amr", "at_hash", "azp", "name", "preferred_username"},
	}, &storage{p}, op.StaticIssuer(o.Issuer), opts...)
	if err != nil {
		return nil, fmt.Errorf("OpenID provider: %w", err)
	}
	return p, nil
}

// Routes adds the provider's endpoints and the sign-in pages to mux.
func (p *Provider) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+oidc.DiscoveryEndpoint, p.discover)
	mux.Handle("/oauth/authorize/callback", limitBody(noStore(p.ownRequest(p.op))))
	for _, path := range []string{"authorize", "token", "userinfo", "revoke", "end_session", "keys"} {
		mux.Handle("/oauth/"+path, limitBody(noStore(p.op)))
	}
	p.signinRoutes(mux)
}

// discover tells what is really offered (OpenID Connect Discovery 1.0 section
// 3); the library's own document also names flows that no client here has.
func (p *Provider) discover(w http.ResponseWriter, r *http.Request) {
	ctx := op.ContextWithIssuer(r.Context(), p.issuer)
	d := op.CreateDiscoveryConfig(ctx, p.op, p.op.Storage())
	d.ResponseTypesSupported = []string{string(oidc.ResponseTypeCode)}
	d.GrantTypesSupported = []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken}
	d.TokenEndpointAuthMethodsSupported = []oidc.AuthMethod{oidc.AuthMethodNone}
	d.RevocationEndpointAuthMethodsSupported = []oidc.AuthMethod{oidc.AuthMethodNone}
	d.IntrospectionEndpointAuthSigningAlgValuesSupported, d.RevocationEndpointAuthSigningAlgValuesSupported = nil, nil
	d.IntrospectionEndpoint, d.IntrospectionEndpointAuthMethodsSupported = "", nil
	d.DeviceAuthorizationEndpoint = ""
	op.Discover(w, d)
}

// maxForm bounds what a client or a browser may post here.
const maxForm = 64 << 10

func limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

func noStore(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
