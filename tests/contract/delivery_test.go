package contract_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

const (
	backport  = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
	topicBase = "https://yba.health/fhir/SubscriptionTopic/"
)

// TestSubscribersLoseNothingInBothForms follows one Subscription of each
// channel through everything that goes wrong between a server and who wants to
// be told: receivers that fail, connections that break, a server that is
// killed, an account that is disabled.
func TestSubscribersLoseNothingInBothForms(t *testing.T) {
	for form, start := range forms {
		t.Run(form, func(t *testing.T) {
			s := start(t)
			for _, name := range []string{"importer", "listener"} {
				s.cli(t, "user", "create", name, "--name", name, "--role", "importer")
			}
			delivered(t, s, s.as(t, "importer"), s.as(t, "listener"))
		})
	}
}

// event is one that a notification tells of.
type event struct {
	number int64
	focus  string
	value  string // of the resource, where it stands in the notification
}

// notification is what a client reads from one.
type notification struct {
	kind   string
	since  int64 // events since the Subscription began
	events []event
}

// read reads a notification as the backport's profile for R4 shapes it
// (http://hl7.org/fhir/uv/subscriptions-backport/STU1.1/StructureDefinition-backport-subscription-notification-r4.html).
func read(body []byte) (n notification, err error) {
	var b struct {
		ResourceType, Type string
		Entry              []struct {
			FullURL  string
			Request  struct{ Method, URL string }
			Response struct{ Status string }
			Resource json.RawMessage
		}
	}
	if err := json.Unmarshal(body, &b); err != nil || b.ResourceType != "Bundle" || b.Type != "history" || len(b.Entry) == 0 {
		return n, fmt.Errorf("no Bundle of type history: %w %.300s", err, body)
	}
	type part struct {
		Name, ValueString, ValueCode, ValueCanonical, ValueInstant string
		ValueReference                                             struct{ Reference string }
	}
	var p struct {
		ResourceType string
		Meta         struct{ Profile []string }
		Parameter    []struct {
			part
			Part []part
		}
	}
	first := b.Entry[0]
	if err := json.Unmarshal(first.Resource, &p); err != nil {
		return n, err
	}
	if p.ResourceType != "Parameters" || !slices.Contains(p.Meta.Profile, backport+"backport-subscription-status-r4") ||
		first.Request.Method != "GET" || !strings.HasSuffix(first.Request.URL, "/$status") || first.Response.Status != "200" {
		return n, fmt.Errorf("the first entry is no status: %.300s", body)
	}
	bodies := map[string]string{}
	for _, e := range b.Entry[1:] {
		if e.Request.Method == "" || e.Response.Status == "" {
			return n, fmt.Errorf("an entry of a history has a request and a response: %.300s", body)
		}
		bodies[e.FullURL] = string(e.Resource)
	}
	had := map[string]bool{}
	for _, x := range p.Parameter {
		had[x.Name] = true
		switch x.Name {
		case "type":
			n.kind = x.ValueCode
		case "events-since-subscription-start":
			n.since, err = strconv.ParseInt(x.ValueString, 10, 64)
		case "notification-event":
			e := event{}
			for _, part := range x.Part {
				switch part.Name {
				case "event-number":
					e.number, err = strconv.ParseInt(part.ValueString, 10, 64)
				case "focus":
					e.focus = part.ValueReference.Reference
				case "timestamp":
					_, err = time.Parse(time.RFC3339, part.ValueInstant)
				}
			}
			e.value = bodies[e.focus]
			n.events = append(n.events, e)
		}
		if err != nil {
			return n, err
		}
	}
	for _, name := range []string{"subscription", "topic", "status", "type", "events-since-subscription-start"} {
		if !had[name] {
			return n, fmt.Errorf("no %s: %.300s", name, body)
		}
	}
	return n, nil
}

// hearer is a receiver of rest-hooks. It checks signature and order, and
// answers as plan says before it takes anything.
type hearer struct {
	mu     sync.Mutex
	secret string
	plan   []func(http.ResponseWriter)
	last   int64
	at     map[string]time.Time // when a text was first told
	beats  int
	failed []error
}

// signed checks X-Yba-Signature by what the README says of it alone.
func signed(header, secret string, body []byte) error {
	var at, sum string
	for part := range strings.SplitSeq(header, ",") {
		switch name, value, _ := strings.Cut(part, "="); name {
		case "t":
			at = value
		case "v1":
			sum = value
		}
	}
	m := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(m, at+"."+string(body))
	seconds, err := strconv.ParseInt(at, 10, 64)
	if age := time.Since(time.Unix(seconds, 0)); err != nil || age > time.Minute || age < -time.Minute || hex.EncodeToString(m.Sum(nil)) != sum {
		return fmt.Errorf("the signature %q is not that of the body: %w", header, err)
	}
	return nil
}

func (h *hearer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender has gone
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	n, err := read(body)
	if h.secret != "" {
		err = errors.Join(err, signed(r.Header.Get("X-Yba-Signature"), h.secret, body))
	}
	if err != nil {
		h.failed = append(h.failed, err)
		return
	}
	if len(h.plan) > 0 && n.kind == "event-notification" {
		answer := h.plan[0]
		h.plan = h.plan[1:]
		answer(w)
		return
	}
	if n.kind == "heartbeat" {
		h.beats++
	}
	for _, e := range n.events {
		if e.number > h.last+1 {
			h.failed = append(h.failed, fmt.Errorf("event %d came after %d", e.number, h.last))
		}
		h.last = max(h.last, e.number)
		if h.at[e.value].IsZero() {
			h.at[e.value] = time.Now()
		}
	}
}

// told reports since when the receiver knows of a text.
func (h *hearer) told(text string) (at time.Time, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for value, at := range h.at {
		if strings.Contains(value, text) {
			return at, true
		}
	}
	return at, false
}

// subscribe stores a Subscription to Organizations and returns its id.
func subscribe(t *testing.T, u *user, channel string) string {
	t.Helper()
	status, body := u.send(http.MethodPost, "/fhir/R4/Subscription", "application/fhir+json", []byte(`{"resourceType":"Subscription","status":"requested","reason":"test",
		"criteria":"`+topicBase+`resource-changed","_criteria":{"extension":[{"url":"`+backport+`backport-filter-criteria","valueString":"Organization?"}]},
		"channel":{`+channel+`,"payload":"application/fhir+json","_payload":{"extension":[{"url":"`+backport+`backport-payload-content","valueCode":"full-resource"}]}}}`))
	var x struct{ ID string }
	if err := json.Unmarshal(body, &x); err != nil || status != http.StatusCreated {
		t.Fatalf("%d %s", status, body)
	}
	until(t, "the Subscription is active", 60*time.Second, func() error {
		if _, body := u.send(http.MethodGet, "/fhir/R4/Subscription/"+x.ID+"/$status", "", nil); !strings.Contains(string(body), `"valueCode":"active"`) {
			return fmt.Errorf("%s", body)
		}
		return nil
	})
	return x.ID
}

// parameters reads an answer of Parameters with simple values.
func parameters(t *testing.T, u *user, path string) map[string]string {
	t.Helper()
	status, body := u.send(http.MethodGet, path, "", nil)
	var p struct {
		Parameter []struct{ Name, ValueString, ValueURL, ValueDateTime string }
	}
	if err := json.Unmarshal(body, &p); err != nil || status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, status, body)
	}
	out := map[string]string{}
	for _, x := range p.Parameter {
		out[x.Name] = x.ValueString + x.ValueURL + x.ValueDateTime
	}
	return out
}

// line is an open websocket that is bound to a Subscription.
type line struct {
	t  *testing.T
	ws *websocket.Conn
}

// bound opens a websocket and binds it; it returns the handshake, too.
func bound(t *testing.T, u *user, id string) (*line, notification) {
	t.Helper()
	given := parameters(t, u, "/fhir/R4/Subscription/"+id+"/$get-ws-binding-token")
	if given["token"] == "" || given["expiration"] == "" || given["subscription"] != id {
		t.Errorf("the answer to $get-ws-binding-token: %v", given)
	}
	l := &line{t: t, ws: dial(t, given["websocket-url"], given["token"])}
	n := l.next("handshake")
	// It is good for one use.
	again := dial(t, given["websocket-url"], given["token"])
	if _, b, err := again.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("a token was used twice: %s %v", b, err)
	}
	return l, n
}

func dial(t *testing.T, address, token string) *websocket.Conn {
	t.Helper()
	ws, _, err := websocket.Dial(t.Context(), address, nil) //nolint:bodyclose // the handshake's body is the library's to close
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(1 << 20)
	t.Cleanup(func() { _ = ws.CloseNow() })
	if err := ws.Write(t.Context(), websocket.MessageText, []byte("bind-with-token "+token)); err != nil {
		t.Fatal(err)
	}
	return ws
}

// next returns the next notification that is no heartbeat.
func (l *line) next(kind string) notification {
	l.t.Helper()
	ctx, done := context.WithTimeout(l.t.Context(), 60*time.Second)
	defer done()
	for {
		_, b, err := l.ws.Read(ctx)
		if err != nil {
			l.t.Fatal(err)
		}
		n, err := read(b)
		if err != nil || n.kind != kind && n.kind != "heartbeat" {
			l.t.Fatalf("%s instead of %s, %v", n.kind, kind, err)
		}
		if n.kind == kind {
			return n
		}
	}
}

// follow reads events until one holds the text; they come in order after last.
func (l *line) follow(last int64, text string) int64 {
	l.t.Helper()
	for {
		for _, e := range l.next("event-notification").events {
			if e.number != last+1 {
				l.t.Fatalf("event %d came after %d", e.number, last)
			}
			last = e.number
			if strings.Contains(e.value, text) {
				return last
			}
		}
	}
}

// delivered is the story of one Subscription of each channel.
func delivered(t *testing.T, s *system, writer, listener *user) {
	t.Helper()
	write := func(text string) {
		t.Helper()
		status, body := writer.send(http.MethodPost, "/fhir/R4/Organization", "application/fhir+json", []byte(`{"resourceType":"Organization","name":"<`+text+`>"}`))
		if status != http.StatusCreated {
			t.Fatalf("%d %s", status, body)
		}
	}
	hear := &hearer{at: map[string]time.Time{}}
	receiver := httptest.NewServer(hear)
	t.Cleanup(receiver.Close)
	timeout := `"extension":[{"url":"` + backport + `backport-timeout","valueUnsignedInt":1},{"url":"` + backport + `backport-heartbeat-period","valueUnsignedInt":10}]`
	hook := subscribe(t, listener, `"type":"rest-hook","endpoint":"`+receiver.URL+`",`+timeout)
	socket := subscribe(t, listener, `"type":"websocket",`+timeout)
	hear.mu.Lock()
	hear.secret = parameters(t, listener, "/fhir/R4/Subscription/"+hook+"/$secret")["secret"]
	hear.mu.Unlock()

	// At a calm rate whoever subscribed is told at once.
	const calm = 60
	written := map[string]time.Time{}
	for i := range calm {
		text := fmt.Sprintf("calm %d", i)
		write(text)
		written["<"+text+">"] = time.Now()
		<-time.After(50 * time.Millisecond)
	}
	var took []time.Duration
	for text, at := range written {
		until(t, "the rest-hook is told of "+text, 60*time.Second, func() error {
			told, ok := hear.told(text)
			if !ok {
				return errors.New("not yet")
			}
			took = append(took, told.Sub(at))
			return nil
		})
	}
	slices.Sort(took)
	t.Logf("from the acknowledgement of a write to its delivery: p50 %s, p99 %s", took[calm/2].Round(time.Millisecond/10), took[calm*99/100].Round(time.Millisecond/10))
	if took[calm/2] > time.Second {
		t.Errorf("p50 is %s", took[calm/2])
	}

	// A websocket that breaks without a word is bound anew; what was missed is
	// asked for.
	l, shaken := bound(t, listener, socket)
	if shaken.since != calm {
		t.Errorf("the handshake says %d events, not %d", shaken.since, calm)
	}
	write("live")
	last := l.follow(shaken.since, "<live>")
	_ = l.ws.CloseNow()
	for i := range 5 {
		write(fmt.Sprintf("missed %d", i))
	}
	missed := func(want string) {
		t.Helper()
		until(t, want+" is known", 60*time.Second, func() error {
			status, body := listener.send(http.MethodGet, fmt.Sprintf("/fhir/R4/Subscription/%s/$events?eventsSinceNumber=%d", socket, last+1), "", nil)
			n, err := read(body)
			if err != nil || status != http.StatusOK || n.kind != "query-event" {
				return fmt.Errorf("%d %w %s", status, err, body)
			}
			for i, e := range n.events {
				if e.number != last+1+int64(i) {
					t.Fatalf("$events tells %d where %d is expected", e.number, last+1+int64(i))
				}
			}
			if len(n.events) == 0 || !strings.Contains(n.events[len(n.events)-1].value, want) {
				return errors.New("not yet")
			}
			last = n.events[len(n.events)-1].number
			return nil
		})
	}
	missed("<missed 4>")
	l, shaken = bound(t, listener, socket)
	if shaken.since != last {
		t.Errorf("the handshake says %d events, $events told up to %d", shaken.since, last)
	}

	// The receiver fails in every way there is; order and number stay.
	hear.mu.Lock()
	hear.plan = []func(http.ResponseWriter){
		func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) },
		func(w http.ResponseWriter) { // slower than the Subscription's timeout
			hear.mu.Unlock()
			<-time.After(1500 * time.Millisecond)
			hear.mu.Lock()
			w.WriteHeader(http.StatusOK)
		},
		func(w http.ResponseWriter) {
			w.Header().Set("Location", receiver.URL+"/elsewhere")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		func(w http.ResponseWriter) { // hangs up in the middle of its answer
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_ = conn.Close()
			}
		},
	}
	hear.mu.Unlock()
	write("held up 1")
	write("held up 2")
	last = l.follow(last, "<held up 2>")
	// The server dies while the queue waits, and is killed again at once.
	s.restart(t)
	s.restart(t)
	s.ready(t, s.url)
	until(t, "writes go on", 60*time.Second, func() error {
		status, body := writer.send(http.MethodPost, "/fhir/R4/Organization", "application/fhir+json", []byte(`{"resourceType":"Organization","name":"<after>"}`))
		if status != http.StatusCreated {
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})
	missed("<after>")
	l, _ = bound(t, listener, socket)
	write("last")
	l.follow(last, "<last>")
	until(t, "the rest-hook knows everything", 120*time.Second, func() error {
		if _, ok := hear.told("<last>"); !ok {
			return errors.New("not yet")
		}
		return nil
	})
	until(t, "a heartbeat comes", 60*time.Second, func() error {
		hear.mu.Lock()
		defer hear.mu.Unlock()
		if hear.beats == 0 {
			return errors.New("not yet")
		}
		return nil
	})

	// Whoever may not sign in any more is told nothing, and another is.
	other := &hearer{at: map[string]time.Time{}}
	another := httptest.NewServer(other)
	t.Cleanup(another.Close)
	subscribe(t, writer, `"type":"rest-hook","endpoint":"`+another.URL+`"`)
	s.cli(t, "user", "disable", "listener")
	until(t, "the websocket is closed", 60*time.Second, func() error {
		_, b, err := l.ws.Read(t.Context())
		if err == nil {
			return fmt.Errorf("it says %s", b)
		}
		if websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
			t.Errorf("closed by %v", err)
		}
		return nil
	})
	// What was decided about them is kept for 2 s.
	n := 0
	next := func(name string) {
		t.Helper()
		write(name)
		until(t, "another is told of "+name, 60*time.Second, func() error {
			if _, ok := other.told("<" + name + ">"); !ok {
				return errors.New("not yet")
			}
			return nil
		})
	}
	until(t, "another is told alone", 30*time.Second, func() error {
		n++
		name := "after " + strconv.Itoa(n)
		next(name)
		if _, ok := hear.told("<" + name + ">"); ok {
			return errors.New("the disabled account's receiver was told " + name)
		}
		return nil
	})
	next("secret")
	next("last")
	if _, ok := hear.told("<secret>"); ok {
		t.Error("a disabled account's receiver was told")
	}
	hear.mu.Lock()
	defer hear.mu.Unlock()
	if len(hear.failed) > 0 || len(hear.plan) > 0 {
		t.Errorf("%v, %d answers were not given", hear.failed, len(hear.plan))
	}
}
