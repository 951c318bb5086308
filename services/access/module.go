package access

import (
	"net"
	"net/url"
	"strings"

	"github.com/yba-health/yba/pkg/app"
	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/services/access/postgres"
)

// Module is how cmd/yba makes the service.
var Module = app.Module{
	Name:       "access",
	Paths:      []string{"/oauth", "/signin", "/.well-known/openid-configuration"},
	Migrations: postgres.Migrations(),
	New: func(d app.Deps) (app.Service, error) {
		return New(d, postgres.New(d.DB))
	},
}

// Issuer returns the name under which the provider signs, which is how
// browsers reach the suite: the configured public URL, or http://localhost and
// the port. Plain HTTP is allowed on this machine only, since tokens travel on it.
func Issuer(c config.Config) (string, error) {
	if c.PublicURL == "" {
		_, port, err := net.SplitHostPort(c.Listen)
		if err != nil {
			return "", fault.Newf(fault.Invalid, "listen %q is no address such as localhost:8080", c.Listen)
		}
		scheme := "http"
		if c.TLSCert != "" {
			scheme = "https"
		}
		return scheme + "://localhost:" + port, nil
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", fault.Newf(fault.Invalid, "public-url %q is no address such as https://yba.example.vn", c.PublicURL)
	}
	if u.Scheme == "http" && u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback() {
		return "", fault.Newf(fault.Invalid, "public-url %q must begin with https://: sign-in over plain HTTP is for this machine only", c.PublicURL)
	}
	return strings.TrimSuffix(c.PublicURL, "/"), nil
}
