package subscription_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/recordstest"
	"github.com/yba-health/yba/services/records/subscription"
)

// live is a websocket's client.
type live struct {
	t  testing.TB
	ws *websocket.Conn
}

func dial(t testing.TB, server *httptest.Server, words ...string) *live {
	t.Helper()
	ws, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(server.URL, "http"), nil) //nolint:bodyclose // the handshake's body is the library's to close
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.CloseNow() })
	l := &live{t, ws}
	for _, w := range words {
		if err := ws.Write(t.Context(), websocket.MessageText, []byte(w)); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func (l *live) next() (notice, error) {
	l.t.Helper()
	ctx, done := context.WithTimeout(l.t.Context(), 30*time.Second)
	defer done()
	_, b, err := l.ws.Read(ctx)
	if err != nil {
		return notice{}, err
	}
	return read(l.t, b), nil
}

func (w *town) token(ctx context.Context, id string) string {
	w.t.Helper()
	x, err := w.r.SubscriptionToken(ctx, &recordsv1.SubscriptionTokenRequest{Id: id})
	if err != nil {
		w.t.Fatal(err)
	}
	var p struct {
		Parameter []struct{ Name, ValueString string }
	}
	if err := json.Unmarshal(x.GetBody(), &p); err != nil {
		w.t.Fatal(err)
	}
	return p.Parameter[0].ValueString
}

func TestAWebsocketIsToldOfEventsAndAsksForWhatItMissed(t *testing.T) {
	w := settle(t)
	scope := &guard.Scope{Communes: []string{"95012@2025-07-01"}, Shared: true}
	a := w.may("a", scope)
	p := w.r.Make(w.ctx, t, "Patient", recordstest.Person("", "Lê", "An", "1", "95012", "1950"))
	other := w.r.Make(w.ctx, t, "Patient", recordstest.Person("", "Lê", "Ba", "2", "95015", "1950"))
	body := strings.Replace(hook("observation-changed", "", "x", "id-only",
		`"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-heartbeat-period","valueUnsignedInt":60}],`),
		`"type":"rest-hook","endpoint":"x"`, `"type":"websocket"`, 1)
	s := w.r.Make(a, t, "Subscription", body)
	w.turn("active", func() bool { return w.status(s.GetId()) == "active" })
	server := httptest.NewServer(w.r.ServeSocket(t.Context()))
	defer server.Close()

	token := w.token(a, s.GetId())
	l := dial(t, server, "bind-with-token "+token)
	if n, err := l.next(); err != nil || n.kind != "handshake" || n.last != "0" {
		t.Fatalf("%+v %v", n, err)
	}
	w.r.Make(w.ctx, t, "Observation", recordstest.Observation("", other.GetId(), "8480-6", "2026-01-02", "1"))
	o := w.r.Make(w.ctx, t, "Observation", recordstest.Observation("", p.GetId(), "8480-6", "2026-01-02", "2"))
	w.caught()
	if n, err := l.next(); err != nil || n.kind != "event-notification" || n.numbers[0] != "1" || !strings.HasSuffix(n.focus[0], o.GetId()) {
		t.Fatalf("%+v %v", n, err)
	}
	w.later(time.Minute)
	if n, err := l.next(); err != nil || n.kind != "heartbeat" || n.last != "1" {
		t.Fatalf("%+v %v", n, err)
	}
	if _, err := dial(t, server, "bind-with-token "+token).next(); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("a token was used twice: %v", err)
	}
	if _, err := dial(t, server, "hello").next(); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("hello: %v", err)
	}
	late := w.token(a, s.GetId())
	w.later(2 * subscription.TokenLife)
	if _, err := dial(t, server, "bind-with-token "+late).next(); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("an old token was taken: %v", err)
	}

	_ = l.ws.CloseNow()
	w.r.Make(w.ctx, t, "Observation", recordstest.Observation("", p.GetId(), "8480-6", "2026-01-02", "3"))
	w.caught()
	again := dial(t, server, "bind-with-token "+w.token(a, s.GetId()))
	if n, err := again.next(); err != nil || n.last != "2" {
		t.Fatalf("%+v %v", n, err)
	}
	events, err := w.r.SubscriptionEvents(a, &recordsv1.SubscriptionEventsRequest{Id: s.GetId(), Query: "eventsSinceNumber=2"})
	if err != nil || read(t, events.GetBody()).numbers[0] != "2" || read(t, events.GetBody()).kind != "query-event" {
		t.Errorf("%v %s", err, events.GetBody())
	}
	w.may("a", nil)
	if _, err := again.next(); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("a disabled account's socket stays open: %v", err)
	}
	b := w.may("b", scope)
	if _, err := w.r.SubscriptionToken(b, &recordsv1.SubscriptionTokenRequest{Id: s.GetId()}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a token for another's Subscription: %v", err)
	}
}
