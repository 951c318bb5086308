package gateway_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/yba-health/yba/services/gateway"
)

func edge(t *testing.T, change func(*gateway.Options)) http.Handler {
	t.Helper()
	named := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, name+" "+r.URL.Path) })
	}
	o := gateway.Options{
		BaseURL: "https://yba.example",
		Web: fstest.MapFS{
			"patient/index.html":   {Data: []byte("<title>patient</title>")},
			"assets/app-abc123.js": {Data: []byte(strings.Repeat("let a = 1;", 100))},
		},
		Routes: []gateway.Route{
			{Prefix: "/api/records", Handler: named("records"), Service: "records"},
			{Prefix: "/fhir/R4", Handler: named("records"), Service: "records"},
		},
		Ready:   func() error { return nil },
		Metrics: named("metrics"),
		Log:     slog.New(slog.DiscardHandler),
		Reg:     prometheus.NewRegistry(),
	}
	if change != nil {
		change(&o)
	}
	return gateway.New(o)
}

func get(h http.Handler, path string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.RemoteAddr = "127.0.0.1:999"
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestRoutesAndPages(t *testing.T) {
	h := edge(t, nil)
	for _, c := range []struct {
		path   string
		status int
		want   string
	}{
		{"/fhir/R4/Patient/1", 200, "records /fhir/R4/Patient/1"},
		{"/fhir/R4", 200, "records"},
		{"/api/records/v1/Read", 200, "records"},
		{"/fhir/R5/Patient", 404, ""},
		{"/patient/", 200, "<title>patient</title>"},
		{"/patient/booklet/visits", 200, "<title>patient</title>"},
		{"/patient", 301, ""},
		{"/patient/missing.js", 404, ""},
		{"/station/", 404, "make web"},
		{"/", 200, "Sổ y bạ của tôi"},
		{"/nothing", 404, ""},
		{"/livez", 200, ""},
		{"/readyz", 200, "ready"},
	} {
		if w := get(h, c.path, nil); w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: %d %q, want %d with %q", c.path, w.Code, w.Body, c.status, c.want)
		}
	}
	english := get(h, "/", func(r *http.Request) { r.Header.Set("Accept-Language", "en-GB") })
	if !strings.Contains(english.Body.String(), "My health booklet") {
		t.Error("no English start page")
	}
}

func TestEveryAnswerCarriesSecurityHeaders(t *testing.T) {
	h := edge(t, nil)
	for _, path := range []string{"/", "/patient/", "/fhir/R4/Patient/1", "/nothing"} {
		got := get(h, path, nil).Header()
		for name, want := range map[string]string{
			"Content-Security-Policy":   "script-src 'self'; ",
			"X-Content-Type-Options":    "nosniff",
			"Referrer-Policy":           "no-referrer",
			"Strict-Transport-Security": "max-age=31536000",
			"Permissions-Policy":        "camera=(self)",
		} {
			if !strings.Contains(got.Get(name), want) {
				t.Errorf("%s: %s is %q", path, name, got.Get(name))
			}
		}
	}
	if plain := get(edge(t, func(o *gateway.Options) { o.BaseURL = "http://localhost:8080" }), "/", nil); plain.Header().Get("Strict-Transport-Security") != "" {
		t.Error("plain HTTP on loopback asks for HTTPS for a year")
	}
}

func TestAssetsAreCompressedAndKept(t *testing.T) {
	w := get(edge(t, nil), "/assets/app-abc123.js", func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip, br") })
	if w.Header().Get("Content-Encoding") != "gzip" || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
		t.Errorf("headers %v", w.Header())
	}
	if got := get(edge(t, nil), "/patient/", nil).Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("a page is kept: %q", got)
	}
}

func TestRateLimitIsPerAddressAndSparesPages(t *testing.T) {
	h := edge(t, func(o *gateway.Options) { o.RateLimit = 1 })
	from := func(address string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = address } }
	limited := 0
	for range 20 {
		w := get(h, "/fhir/R4/Patient/1", from("192.0.2.1:5"))
		if w.Code != http.StatusTooManyRequests {
			continue
		}
		limited++
		if !strings.Contains(w.Body.String(), `"resourceType":"OperationOutcome"`) || !strings.Contains(w.Body.String(), "throttled") || w.Header().Get("Retry-After") == "" {
			t.Fatalf("%v %s", w.Header(), w.Body)
		}
	}
	if limited < 8 || limited > 11 {
		t.Errorf("%d of 20 refused, want those after a burst of ten", limited)
	}
	if w := get(h, "/api/records/v1/Read", from("192.0.2.1:5")); w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), `"error"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if get(h, "/fhir/R4/Patient/1", from("192.0.2.2:5")).Code != http.StatusOK {
		t.Error("another address was refused")
	}
	if get(h, "/patient/", from("192.0.2.1:5")).Code != http.StatusOK {
		t.Error("a page was refused")
	}
}

func TestMetricsAreNotForEverybody(t *testing.T) {
	h := edge(t, nil)
	if get(h, "/metrics", nil).Code != http.StatusOK {
		t.Error("refused on this machine")
	}
	for name, change := range map[string]func(*http.Request){
		"from outside":    func(r *http.Request) { r.RemoteAddr = "203.0.113.9:1" },
		"through a proxy": func(r *http.Request) { r.Header.Set("X-Forwarded-For", "203.0.113.9") },
	} {
		if get(h, "/metrics", change).Code != http.StatusNotFound {
			t.Errorf("shown %s", name)
		}
	}
}

func TestReadinessTellsWhyNot(t *testing.T) {
	w := get(edge(t, func(o *gateway.Options) { o.Ready = func() error { return errors.New("the database does not answer") } }), "/readyz", nil)
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "database") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestProxyKeepsTheBrowsersHostAndSaysWhenAServiceIsAway(t *testing.T) {
	var host, forwarded string
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		host, forwarded = r.Host, r.Header.Get("X-Forwarded-For")
	}))
	p, err := gateway.Proxy(service.URL, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h := edge(t, func(o *gateway.Options) {
		o.Routes = []gateway.Route{{Prefix: "/fhir/R4", Handler: p, Service: "records"}}
	})
	if w := get(h, "/fhir/R4/metadata", func(r *http.Request) { r.Host = "yba.example" }); w.Code != http.StatusOK || host != "yba.example" || forwarded != "127.0.0.1" {
		t.Errorf("%d, host %q, forwarded for %q", w.Code, host, forwarded)
	}
	service.Close()
	if w := get(h, "/fhir/R4/metadata", nil); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `"code":"transient"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if _, err := gateway.Proxy("records:8101", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("an address without a scheme was accepted")
	}
}

func TestBehindATrustedProxyVisitorsAreCountedEach(t *testing.T) {
	trusted, err := gateway.ParseProxies([]string{"10.0.0.0/8", "2001:db8::1"})
	if err != nil {
		t.Fatal(err)
	}
	seen := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RemoteAddr) })
	h := edge(t, func(o *gateway.Options) {
		o.Proxies = trusted
		o.Routes = []gateway.Route{{Prefix: "/fhir/R4", Handler: seen, Service: "records"}}
	})
	for _, c := range []struct{ name, peer, forwarded, want string }{
		{"through the proxy", "10.1.2.3:9", "203.0.113.7", "203.0.113.7:9"},
		{"through two proxies", "10.1.2.3:9", "203.0.113.7, 10.9.9.9", "203.0.113.7:9"},
		{"what the visitor wrote is not believed", "10.1.2.3:9", "198.51.100.1, 203.0.113.7", "203.0.113.7:9"},
		{"IPv6", "[2001:db8::1]:9", "2001:db8:5::7", "[2001:db8:5::7]:9"},
		{"not through the proxy", "203.0.113.9:9", "198.51.100.1", "203.0.113.9:9"},
		{"no address", "10.1.2.3:9", "unknown", "10.1.2.3:9"},
		{"no header", "10.1.2.3:9", "", "10.1.2.3:9"},
	} {
		w := get(h, "/fhir/R4/x", func(r *http.Request) {
			r.RemoteAddr = c.peer
			if c.forwarded != "" {
				r.Header.Set("X-Forwarded-For", c.forwarded)
			}
		})
		if w.Body.String() != c.want {
			t.Errorf("%s: %s, want %s", c.name, w.Body, c.want)
		}
	}
	if _, err := gateway.ParseProxies([]string{"proxy.example"}); err == nil {
		t.Error("a name was accepted as a network")
	}
}
