package gateway_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/yba-health/yba/services/gateway"
)

// split is the edge in front of a service in another process.
func split(t *testing.T, service http.Handler) *httptest.Server {
	t.Helper()
	behind := httptest.NewServer(service)
	t.Cleanup(behind.Close)
	proxy, err := gateway.Proxy(behind.URL, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(edge(t, func(o *gateway.Options) {
		o.Routes = []gateway.Route{{Prefix: "/api/consults", Handler: proxy, Service: "consults"}}
		o.RateLimit = 100
	}))
	t.Cleanup(front.Close)
	return front
}

func TestWebSocketsPassTheEdgeOfTheSplitForm(t *testing.T) {
	ended := make(chan struct{})
	front := split(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		// The origin is compared with the host that the browser used.
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		for {
			kind, b, err := ws.Read(r.Context())
			if err != nil {
				return
			}
			if err := ws.Write(r.Context(), kind, append([]byte("heard "), b...)); err != nil {
				return
			}
		}
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(front.URL, "http")+"/api/consults/v1/rooms?seat=1", //nolint:bodyclose // the body of a handshake is the library's to close
		&websocket.DialOptions{HTTPHeader: http.Header{"Origin": {front.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"one", "two"} {
		if err := ws.Write(ctx, websocket.MessageText, []byte(word)); err != nil {
			t.Fatal(err)
		}
		if _, b, err := ws.Read(ctx); err != nil || string(b) != "heard "+word {
			t.Fatalf("got %q, %v", b, err)
		}
	}
	_ = ws.CloseNow()
	select {
	case <-ended:
	case <-ctx.Done():
		t.Error("the service did not notice that the browser left")
	}
}

func TestTheEdgeSaysWhoAsksWhateverTheBrowserClaims(t *testing.T) {
	front := split(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("X-Forwarded-For")+" "+r.Header.Get("X-Forwarded-Proto")+" "+r.Header.Get("Forwarded"))
	}))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front.URL+"/api/consults/v1/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"X-Forwarded-For": {"203.0.113.9"}, "X-Forwarded-Proto": {"https"}, "Forwarded": {"for=203.0.113.9"}}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || strings.TrimSpace(string(b)) != "127.0.0.1 http" {
		t.Errorf("the service is told %q, %v", b, err)
	}
}

func TestPathsAreOnesThatTheRoutesKnow(t *testing.T) {
	h := edge(t, nil)
	for _, path := range []string{
		"//fhir/R4/Patient/1", "/fhir/R4/../../metrics", "/patient/../metrics", "/%2e%2e/metrics", "/fhir/%2e%2e/metrics",
		"/patient/%2e%2e/%2e%2e/etc/passwd", "/./readyz", "//evil.example/patient", "/patient//evil.example",
	} {
		w := get(h, path, func(r *http.Request) { r.RemoteAddr = "203.0.113.1:9" })
		if to := w.Header().Get("Location"); strings.HasPrefix(to, "//") || strings.Contains(to, "://") {
			t.Errorf("%s leads to %q", path, to)
		}
		if strings.HasPrefix(w.Body.String(), "records") || strings.HasPrefix(w.Body.String(), "metrics") {
			t.Errorf("%s reached %q", path, w.Body)
		}
	}
	escaped := get(h, "/fhir/R4/Patient%2F1", nil)
	if escaped.Code != http.StatusOK || !strings.HasPrefix(escaped.Body.String(), "records") {
		t.Errorf("an escaped slash: %d %q", escaped.Code, escaped.Body)
	}
}
