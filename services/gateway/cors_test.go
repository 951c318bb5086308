package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/yba-health/yba/services/gateway"
)

const app = "https://app.example"

// crossing is the edge that lets pages of the given origins call.
func crossing(t *testing.T, limit int, origins ...string) http.Handler {
	t.Helper()
	list, err := gateway.ParseOrigins(origins)
	if err != nil {
		t.Fatal(err)
	}
	return edge(t, func(o *gateway.Options) {
		o.Reg, o.Origins, o.RateLimit = prometheus.NewRegistry(), list, limit
		face := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodOptions {
				w.Header().Set("Allow", "GET, HEAD, PUT, PATCH, DELETE")
				w.WriteHeader(http.StatusNoContent)
				return
			}
			w.WriteHeader(http.StatusUnauthorized)
		})
		o.Routes = nil
		for _, p := range []string{"/fhir/R4", "/oauth", "/signin", "/.well-known/openid-configuration", "/api/records"} {
			o.Routes = append(o.Routes, gateway.Route{Prefix: p, Handler: face, Service: "any"})
		}
	})
}

func ask(h http.Handler, method, path, origin, wants string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.RemoteAddr = "192.0.2.1:9"
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	if wants != "" {
		r.Header.Set("Access-Control-Request-Method", wants)
		r.Header.Set("Access-Control-Request-Headers", "authorization,content-type,if-match")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestOnlyNamedOriginsMayCallFromAPage(t *testing.T) {
	named, all, none := crossing(t, 0, app, "http://localhost:3000"), crossing(t, 0, "*"), crossing(t, 0)
	for _, tt := range []struct {
		name         string
		h            http.Handler
		path, origin string
		want, vary   string
	}{
		{"a named one", named, "/fhir/R4/Patient/1", app, app, "Origin"},
		{"the other named one", named, "/fhir/R4/Patient/1", "http://localhost:3000", "http://localhost:3000", "Origin"},
		{"the base itself", named, "/fhir/R4", app, app, "Origin"},
		{"the token endpoint", named, "/oauth/token", app, app, "Origin"},
		{"not named", named, "/fhir/R4/Patient/1", "https://evil.example", "", "Origin"},
		{"not named, at the token endpoint", named, "/oauth/token", "https://evil.example", "", "Origin"},
		{"another port", named, "/fhir/R4/Patient/1", app + ":8443", "", "Origin"},
		{"a longer name", named, "/fhir/R4/Patient/1", app + ".evil.example", "", "Origin"},
		{"no origin to speak of", named, "/fhir/R4/Patient/1", "null", "", "Origin"},
		{"no page", named, "/fhir/R4/Patient/1", "", "", "Origin"},
		{"what the server offers", named, "/fhir/R4/metadata", "https://evil.example", "*", ""},
		{"where to sign in", named, "/fhir/R4/.well-known/smart-configuration", "https://evil.example", "*", ""},
		{"the provider", named, "/.well-known/openid-configuration", "https://evil.example", "*", ""},
		{"the keys", named, "/oauth/keys", "https://evil.example", "*", ""},
		{"what reads a cookie", named, "/oauth/authorize", app, "", ""},
		{"the sign-in page", named, "/signin", app, "", ""},
		{"our own API", named, "/api/records/v1/Read", app, "", ""},
		{"a path that only begins alike", named, "/fhir/R4x", app, "", ""},
		{"everybody", all, "/fhir/R4/Patient/1", "https://evil.example", "*", ""},
		{"everybody, but not where cookies are read", all, "/oauth/authorize", "https://evil.example", "", ""},
		{"switched off", none, "/fhir/R4/Patient/1", app, "", ""},
		{"switched off, for documents too", none, "/fhir/R4/metadata", app, "", ""},
	} {
		w := ask(tt.h, http.MethodGet, tt.path, tt.origin, "")
		h := w.Header()
		vary := slices.DeleteFunc(slices.Clone(h.Values("Vary")), func(s string) bool { return s == "Accept-Encoding" })
		if h.Get("Access-Control-Allow-Origin") != tt.want || strings.Join(vary, ",") != tt.vary {
			t.Errorf("%s: allowed %q, varies by %q", tt.name, h.Get("Access-Control-Allow-Origin"), vary)
		}
		if seen := h.Get("Access-Control-Expose-Headers"); (tt.want != "") != strings.Contains(seen, "ETag") {
			t.Errorf("%s: sees %q", tt.name, seen)
		}
		if h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: cookies are let through", tt.name)
		}
	}
}

func TestAPreflightIsAnsweredWithoutAToken(t *testing.T) {
	h := crossing(t, 0, app)
	for _, tt := range []struct {
		path, origin, methods string
	}{
		{"/fhir/R4/Patient/1", app, "GET, HEAD, PUT, PATCH, DELETE"}, // as the address itself says
		{"/oauth/token", app, "POST"},
		{"/oauth/userinfo", app, "GET, POST"},
		{"/fhir/R4/Patient/1", "https://evil.example", ""},
	} {
		w := ask(h, http.MethodOptions, tt.path, tt.origin, "PUT")
		got := w.Header()
		if w.Code != http.StatusNoContent || got.Get("Access-Control-Allow-Methods") != tt.methods || w.Body.Len() > 0 {
			t.Errorf("%s from %s: %d %v", tt.path, tt.origin, w.Code, got)
		}
		for _, name := range []string{"Authorization", "Content-Type", "Prefer", "If-Match", "If-None-Exist", "Yba-Reason"} {
			if sent := strings.Split(got.Get("Access-Control-Allow-Headers"), ", "); slices.Contains(sent, name) != (tt.methods != "") {
				t.Errorf("%s from %s may send %q", tt.path, tt.origin, sent)
			}
		}
	}
	// Who asks for the methods of an address is told them, from wherever.
	if w := ask(h, http.MethodOptions, "/fhir/R4/Patient/1", app, ""); w.Code != http.StatusNoContent || w.Header().Get("Allow") == "" || w.Header().Get("Access-Control-Max-Age") != "" {
		t.Errorf("no preflight: %d %v", w.Code, w.Header())
	}
}

func TestAPageSeesThatItMustWait(t *testing.T) {
	h := crossing(t, 1, app)
	for range 30 {
		w := ask(h, http.MethodGet, "/fhir/R4/Patient/1", app, "")
		if w.Code != http.StatusTooManyRequests {
			continue
		}
		if w.Header().Get("Access-Control-Allow-Origin") != app || !strings.Contains(w.Header().Get("Access-Control-Expose-Headers"), "Retry-After") {
			t.Errorf("%v", w.Header())
		}
		return
	}
	t.Error("nothing was limited")
}

func TestOriginsAreWrittenAsBrowsersWriteThem(t *testing.T) {
	for _, list := range [][]string{
		{"https://app.example/"},
		{"https://app.example/x"},
		{"app.example"},
		{"https://App.example"},
		{"https://*.example"},
		{"https://a:443"},
		{"http://app.example"},
		{"http://192.0.2.1"},
		{"null"},
		{"https://u@app.example"},
		{"https://app.example?x"},
		{"*", app},
		{"https:app"},
		{"https://%zz"},
	} {
		if _, err := gateway.ParseOrigins(list); err == nil || !strings.Contains(err.Error(), "cors-origins") {
			t.Errorf("%q: %v", list, err)
		}
	}
	for _, list := range [][]string{nil, {"*"}, {app, "https://app.example:8443"}, {"http://localhost"}, {"http://127.0.0.1:3000"}, {"http://[::1]:3000"}, {"capacitor://localhost"}} {
		if _, err := gateway.ParseOrigins(list); err != nil {
			t.Errorf("%q: %v", list, err)
		}
	}
}
