package rest

import (
	"encoding/json"

	"github.com/yba-health/yba/pkg/fhir"
)

// The provider's endpoints, which services/access serves at the same address.
const (
	authorizePath = "/oauth/authorize"
	tokenPath     = "/oauth/token" //nolint:gosec // an address, no token
)

// smart is the server's SMART configuration
// (https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html#metadata).
// Capabilities are those that are there: public clients with PKCE that sign
// in through OpenID Connect and may stay signed in.
func smart(origin string) []byte {
	// Marshalling strings cannot fail.
	b, _ := json.Marshal(map[string]any{
		"issuer":                                origin,
		"jwks_uri":                              origin + "/oauth/keys",
		"authorization_endpoint":                origin + authorizePath,
		"token_endpoint":                        origin + tokenPath,
		"revocation_endpoint":                   origin + "/oauth/revoke",
		"grant_types_supported":                 []string{"authorization_code", "refresh_token"},
		"response_types_supported":              []string{"code"},
		"scopes_supported":                      []string{"openid", "profile", "offline_access"},
		"token_endpoint_auth_methods_supported": []string{"none"},
		"code_challenge_methods_supported":      []string{"S256"},
		"capabilities":                          []string{"client-public", "sso-openid-connect", "permission-offline"},
	})
	return b
}

// oauthURIs is the extension by which older clients find the endpoints in the
// CapabilityStatement.
func oauthURIs(origin string) string {
	return `{"url":"http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris","extension":[` +
		`{"url":"authorize","valueUri":` + fhir.Quote(origin+authorizePath) + `},{"url":"token","valueUri":` + fhir.Quote(origin+tokenPath) + `}]}`
}
