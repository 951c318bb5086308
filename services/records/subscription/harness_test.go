package subscription_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/pg/pgtest"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/recordstest"
	"github.com/yba-health/yba/services/records/subscription"
)

// town is a records service whose Subscriptions are taken step by step, with
// a clock that the test moves.
type town struct {
	t   testing.TB
	r   *recordstest.Service
	ctx context.Context

	mu     sync.Mutex
	clock  time.Time
	scopes map[string]*guard.Scope
	noted  []string
}

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

func settle(t testing.TB) *town {
	t.Helper()
	r, ctx := recordstest.Open(t)
	w := &town{t: t, r: r, ctx: ctx, clock: time.Now(), scopes: map[string]*guard.Scope{}}
	w.move()
	return w
}

// restart makes the service anew, as a new process does.
func (w *town) restart() {
	w.r = recordstest.On(w.t, w.r.DB, w.r.DSN)
	w.move()
}

// move gives the service the test's clock and accounts.
func (w *town) move() {
	subscription.Hurry(w.r.Hooks)
	w.r.Clock = func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.clock }
	w.r.Acts = func(ctx context.Context, owner string) (context.Context, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		s := w.scopes[owner]
		if s == nil {
			return ctx, fault.New(fault.Forbidden, "account disabled", nil)
		}
		return guard.WithScope(guard.Behalf(ctx, owner), s), nil
	}
	w.r.Notes = func(_ context.Context, patient, target string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.noted = append(w.noted, patient+" "+target)
	}
}

// refusal is the error of an operation.
func refusal[T any](_ T, err error) error { return err }

// may says what an account reaches from now on; nil disables it.
func (w *town) may(account string, s *guard.Scope) context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.scopes[account] = s
	return guard.WithScope(guard.WithPrincipal(w.t.Context(), &guard.Principal{Account: account}), s)
}

func (w *town) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

// turn takes steps until done says so.
func (w *town) turn(what string, done func() bool) {
	w.t.Helper()
	for begun := time.Now(); !done(); {
		if time.Since(begun) > 30*time.Second {
			w.t.Fatalf("did not happen: %s", what)
		}
		w.step()
	}
}

func (w *town) step() {
	w.t.Helper()
	if _, err := w.r.Follow(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.r.Deliver(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// caught turns until the projection has read everything that is committed now.
func (w *town) caught() {
	w.t.Helper()
	subscription.Forget(w.r.Hooks)
	var horizon uint64
	if err := w.r.DB.QueryRowContext(w.t.Context(), `SELECT coalesce(max(tx::text::bigint), 0) FROM records.versions`).Scan(&horizon); err != nil {
		w.t.Fatal(err)
	}
	w.turn("the log is read", func() bool {
		subscription.Forget(w.r.Hooks)
		p, err := w.r.Store.Cursor(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		return p.Tx >= horizon
	})
	for range 20 { // what is queued goes out
		w.step()
	}
}

func (w *town) status(id string) string {
	w.t.Helper()
	x, err := w.r.Read(w.ctx, &recordsv1.ReadRequest{Type: "Subscription", Id: id})
	if err != nil {
		w.t.Fatal(err)
	}
	var s struct{ Status string }
	if err := json.Unmarshal(x.GetBody(), &s); err != nil {
		w.t.Fatal(err)
	}
	return s.Status
}

// receiver is a rest-hook's other end.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	answer int
	got    []notice
}

type notice struct {
	kind     string
	topic    string
	last     string
	numbers  []string
	focus    []string
	entries  int
	methods  []string
	body     string
	header   http.Header
	resource string
}

func receive(t testing.TB) *receiver {
	t.Helper()
	x := &receiver{answer: http.StatusOK}
	x.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.answer == http.StatusOK {
			n := read(t, b)
			n.header = r.Header
			x.got = append(x.got, n)
		}
		w.WriteHeader(x.answer)
	}))
	t.Cleanup(x.Close)
	return x
}

func (x *receiver) answers(status int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.answer = status
}

func (x *receiver) all() []notice {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.got)
}

// told are the events' numbers in the order in which they came.
func (x *receiver) told() string {
	var out []string
	for _, n := range x.all() {
		out = append(out, n.numbers...)
	}
	return strings.Join(out, " ")
}

func read(t testing.TB, b []byte) notice {
	t.Helper()
	var bundle struct {
		ResourceType, Type string
		Entry              []struct {
			FullURL  string
			Request  struct{ Method string }
			Resource json.RawMessage
		}
	}
	var p struct {
		Parameter []struct {
			Name, ValueCode, ValueString, ValueCanonical string
			Part                                         []struct {
				Name, ValueString string
				ValueReference    struct{ Reference string }
			}
		}
	}
	if err := json.Unmarshal(b, &bundle); err != nil || bundle.Type != "history" || len(bundle.Entry) == 0 {
		t.Fatalf("no notification: %v %s", err, b)
	}
	if err := json.Unmarshal(bundle.Entry[0].Resource, &p); err != nil {
		t.Fatal(err)
	}
	n := notice{entries: len(bundle.Entry), body: string(b)}
	for _, e := range bundle.Entry[1:] {
		n.methods = append(n.methods, e.Request.Method)
		n.resource += string(e.Resource)
	}
	for _, x := range p.Parameter {
		switch x.Name {
		case "type":
			n.kind = x.ValueCode
		case "topic":
			n.topic = x.ValueCanonical
		case "events-since-subscription-start":
			n.last = x.ValueString
		case "notification-event":
			for _, part := range x.Part {
				if part.Name == "event-number" {
					n.numbers = append(n.numbers, part.ValueString)
				}
				if part.Name == "focus" {
					n.focus = append(n.focus, part.ValueReference.Reference)
				}
			}
		}
	}
	return n
}

const topicBase = "https://yba.health/fhir/SubscriptionTopic/"

// hook is a Subscription to a topic.
func hook(topic, filter, endpoint, content string, more ...string) string {
	f := ""
	if filter != "" {
		f = `"_criteria":{"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-filter-criteria","valueString":"` + filter + `"}]},`
	}
	return `{"resourceType":"Subscription","status":"requested","reason":"to be told","criteria":"` + topicBase + topic + `",` + f + `"channel":{` + strings.Join(more, "") +
		`"type":"rest-hook","endpoint":"` + endpoint + `","payload":"application/fhir+json","header":["Authorization: Bearer abc"],
		"_payload":{"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content","valueCode":"` + content + `"}]}}}`
}

var everything = &guard.Scope{All: true, Shared: true}
