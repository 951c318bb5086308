package gateway

import (
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/yba-health/yba/pkg/fault"
)

// Route sends what lies under Prefix to Handler.
type Route struct {
	// Prefix is a path without a slash at the end: "/api/records".
	Prefix  string
	Handler http.Handler
	// Service names the route in metrics.
	Service string
}

// Options are what the edge is made of.
type Options struct {
	// BaseURL is how browsers reach the edge.
	BaseURL string
	// Web holds the built browser apps.
	Web fs.FS
	// Routes are tried from the longest prefix to the shortest.
	Routes []Route
	// RateLimit is requests a second for one address; 0 turns it off.
	RateLimit int
	// Proxies are the networks of proxies that stand before the edge.
	Proxies []netip.Prefix
	// Origins are those whose pages may call the FHIR face and the token
	// endpoint, or "*".
	Origins []string
	// Ready reports why the process is not ready, or nil.
	Ready   func() error
	Metrics http.Handler
	Log     *slog.Logger
	Reg     prometheus.Registerer
}

// New returns the edge's handler.
func New(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/livez", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	mux.Handle("/readyz", Readiness(o.Ready))
	mux.Handle("/metrics", LoopbackOnly(o.Metrics))
	requests := promauto.With(o.Reg).NewCounterVec(prometheus.CounterOpts{
		Name: "yba_http_requests_total", Help: "Requests at the edge by service and status class.",
	}, []string{"service", "status"})
	limits := newLimits(o.RateLimit)
	routes := slices.Clone(o.Routes)
	slices.SortFunc(routes, func(a, b Route) int { return len(b.Prefix) - len(a.Prefix) })
	for _, r := range routes {
		h := limits.wrap(counted(requests, r.Service, r.Handler))
		if packs(r.Prefix) {
			h = packed(h)
		}
		mux.Handle(r.Prefix, h)
		mux.Handle(r.Prefix+"/", h)
	}
	mux.Handle("/", counted(requests, "web", apps(o.Web)))
	return visitors(o.Proxies, headers(o.BaseURL, crossed(o.Origins, mux)))
}

// Readiness answers 200 when ready says nil, else 503 with the reason.
func Readiness(ready func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ready\n"))
	})
}

// Proxy hands requests to a service in another process.
func Proxy(to string, log *slog.Logger) (http.Handler, error) {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fault.Newf(fault.Invalid, "edge address %q must look like http://host:port", to)
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			// The service builds links for the address that the browser used.
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			log.Error("service unreachable", "host", u.Host, "error", err)
			refuse(w, r, fault.New(fault.Unavailable, "this part of the system is not reachable at the moment; try again soon", err))
		},
	}, nil
}

// headers sets what every answer carries.
func headers(base string, next http.Handler) http.Handler {
	secure := strings.HasPrefix(base, "https://")
	// The media and push connections of the apps go to their own origin only.
	// Styles of the component library are set by script, which needs
	// 'unsafe-inline' for styles, never for scripts.
	csp := "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
		"media-src 'self' blob: mediastream:; font-src 'self' data:; connect-src 'self' " + webSocketOrigin(base) + "; " +
		"worker-src 'self'; manifest-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", csp)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(self), microphone=(self), display-capture=(self), geolocation=(), payment=(), usb=()")
		if secure {
			h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		}
		next.ServeHTTP(w, r)
	})
}

func webSocketOrigin(base string) string {
	if rest, ok := strings.CutPrefix(base, "https://"); ok {
		return "wss://" + rest
	}
	return "ws://" + strings.TrimPrefix(base, "http://")
}

// counted counts answers by class, and refuses what no route may take.
func counted(requests *prometheus.CounterVec, service string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, r)
		requests.WithLabelValues(service, string(rune('0'+rec.status/100))+"xx").Inc()
	})
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (s *statusRecorder) WriteHeader(code int) {
	s.status = code
	s.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController reach hijacking and flushing.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// NewServer returns an HTTP server with the edge's limits. A write has no
// deadline: bundles and WebSockets may take long, and a deadline would cut an
// answer whose write is already committed.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
