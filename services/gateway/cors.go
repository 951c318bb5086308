package gateway

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/kit"
)

// every stands for pages of all origins.
const every = "*"

// ParseOrigins reads the origins whose pages may call the FHIR face and the
// token endpoint: exact ones, such as https://app.example, or "*" alone.
//
// With "*" nothing is given away: these addresses read no cookie and are never
// told that they may, so a page gets nothing by its visitor's browser that it
// could not ask for by itself. SMART still wants the origins of the apps that
// are registered, so that is what an installation should name.
func ParseOrigins(list []string) ([]string, error) {
	if slices.Contains(list, every) && len(list) > 1 {
		return nil, fault.New(fault.Invalid, "cors-origins: * stands for all origins, and alone", nil)
	}
	for _, s := range list {
		u, err := url.Parse(s)
		switch {
		case s == every:
		case err != nil || u.Host == "" || s != strings.ToLower(u.Scheme+"://"+u.Host) || strings.Contains(s, every) ||
			u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80":
			return nil, fault.Newf(fault.Invalid, "cors-origins: %q is no origin as browsers write it, such as https://app.example", s)
		case u.Scheme == "http" && u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback():
			// Anybody on the way could have written such a page.
			return nil, fault.Newf(fault.Invalid, "cors-origins: %q must be https", s)
		}
	}
	return list, nil
}

// crossing is what pages of other origins may call.
type crossing struct {
	// path is an address, or with a slash at its end all below it.
	path string
	// methods are those of the address; empty: it tells them itself.
	methods string
	// public documents are for pages of every origin.
	public bool
}

// crossings are what an app needs that signs in and reads records
// (https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html, Considerations
// for Cross-Origin Resource Sharing support). The first match counts. Nothing
// that reads a cookie is among them.
var crossings = []crossing{
	{path: "/fhir/R4/metadata", public: true},
	{path: "/fhir/R4/.well-known/smart-configuration", public: true},
	{path: "/fhir/R4"},
	{path: "/fhir/R4/"},
	{path: "/.well-known/openid-configuration", methods: "GET", public: true},
	{path: "/oauth/keys", methods: "GET", public: true},
	{path: "/oauth/token", methods: "POST"},
	{path: "/oauth/revoke", methods: "POST"},
	{path: "/oauth/userinfo", methods: "GET, POST"},
}

// What such pages may send besides what every page may, and see besides what
// every page sees (https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name).
const (
	crossSent = "Accept, Authorization, Content-Encoding, Content-Type, If-Match, If-Modified-Since, If-None-Exist, If-None-Match, Prefer, Range, " +
		"X-Requested-With, X-Security-Context, " + kit.ReasonHeader
	crossSeen = "Accept-Encoding, Accept-Patch, Accept-Ranges, Allow, Content-Disposition, Content-Location, Content-Range, ETag, Last-Modified, Location, " +
		"Retry-After, WWW-Authenticate, X-Progress, X-Security-Context"
	// crossRemembered is how long a browser need not ask again, in seconds.
	crossRemembered = "7200"
)

// crossed answers pages of other origins (https://fetch.spec.whatwg.org/#http-cors-protocol).
// Access-Control-Allow-Credentials is never sent.
func crossed(origins []string, next http.Handler) http.Handler {
	if len(origins) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := slices.IndexFunc(crossings, func(c crossing) bool {
			return r.URL.Path == c.path || strings.HasSuffix(c.path, "/") && strings.HasPrefix(r.URL.Path, c.path)
		})
		if i < 0 {
			next.ServeHTTP(w, r)
			return
		}
		c, h, origin := crossings[i], w.Header(), r.Header.Get("Origin")
		switch {
		case c.public || origins[0] == every:
			h.Set("Access-Control-Allow-Origin", every)
		default:
			kit.Vary(h, "Origin")
			if origin == "" || !slices.Contains(origins, origin) {
				next.ServeHTTP(w, r)
				return
			}
			h.Set("Access-Control-Allow-Origin", origin)
		}
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
			h.Set("Access-Control-Expose-Headers", crossSeen)
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Headers", crossSent)
		h.Set("Access-Control-Max-Age", crossRemembered)
		if c.methods != "" {
			h.Set("Access-Control-Allow-Methods", c.methods)
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(&preflight{w}, r)
	})
}

// preflight turns the methods that an address has into those that a page may
// use.
type preflight struct{ http.ResponseWriter }

func (w *preflight) WriteHeader(code int) {
	if methods := w.Header().Get("Allow"); methods != "" {
		w.Header().Set("Access-Control-Allow-Methods", methods)
	}
	w.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController reach the writer below.
func (w *preflight) Unwrap() http.ResponseWriter { return w.ResponseWriter }
