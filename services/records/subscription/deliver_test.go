package subscription_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/recordstest"
	"github.com/yba-health/yba/services/records/subscription"
)

func TestAChangeIsToldSignedWithItsNumberAndContent(t *testing.T) {
	w, x := settle(t), receive(t)
	owner := w.may("importer", everything)
	p := w.r.Make(w.ctx, t, "Patient", recordstest.Person("", "Lê", "An", "1", "95012", "1950"))
	s := w.r.Make(owner, t, "Subscription", hook("observation-changed", "Observation?code=8480-6", x.URL+"/hook", "full-resource"))
	w.turn("active after the handshake", func() bool { return w.status(s.GetId()) == "active" })
	w.caught()
	if status, err := w.r.SubscriptionStatus(owner, &recordsv1.SubscriptionStatusRequest{Id: s.GetId()}); err != nil || !strings.Contains(string(status.GetBody()), `"valueCode":"active"`) {
		t.Errorf("$status: %v %s", err, status.GetBody())
	}
	if got := x.all(); len(got) != 1 || got[0].kind != "handshake" || got[0].entries != 1 || got[0].last != "0" || got[0].topic != topicBase+"observation-changed" {
		t.Fatalf("the handshake was %+v", got)
	}
	w.r.Make(w.ctx, t, "Observation", recordstest.Observation("", p.GetId(), "8867-4", "2026-01-02", "70"))
	o := w.r.Make(w.ctx, t, "Observation", recordstest.Observation("", p.GetId(), "8480-6", "2026-01-02", "120.50"))
	w.turn("a notification", func() bool { return len(x.all()) > 1 })
	w.caught()
	n := x.all()[1]
	if len(x.all()) != 2 || n.kind != "event-notification" || n.last != "1" || !slices.Equal(n.numbers, []string{"1"}) ||
		!slices.Equal(n.focus, []string{"http://test/fhir/R4/Observation/" + o.GetId()}) || !slices.Equal(n.methods, []string{"POST"}) || !strings.Contains(n.resource, "120.50") {
		t.Errorf("told %d times, last %+v", len(x.all()), n)
	}
	if n.header.Get("Authorization") != "Bearer abc" || !strings.HasPrefix(n.header.Get("Content-Type"), "application/fhir+json") {
		t.Errorf("headers %v", n.header)
	}
	secret, err := w.r.SubscriptionSecret(owner, &recordsv1.SubscriptionSecretRequest{Id: s.GetId()})
	if err != nil {
		t.Fatal(err)
	}
	var given struct {
		Parameter []struct{ ValueString string }
	}
	if err := json.Unmarshal(secret.GetBody(), &given); err != nil {
		t.Fatal(err)
	}
	at, sum, _ := strings.Cut(strings.TrimPrefix(n.header.Get("X-Yba-Signature"), "t="), ",v1=")
	m := hmac.New(sha256.New, []byte(given.Parameter[0].ValueString))
	m.Write([]byte(at + "." + n.body))
	if sum != hex.EncodeToString(m.Sum(nil)) || at != fmt.Sprint(w.clock.Unix()) {
		t.Errorf("the signature %q does not fit", n.header.Get("X-Yba-Signature"))
	}
	if !slices.Contains(w.noted, p.GetId()+" Observation/"+o.GetId()) {
		t.Errorf("the disclosure was not noted: %v", w.noted)
	}
	if _, err := w.r.Delete(w.ctx, &recordsv1.DeleteRequest{Type: "Observation", Id: o.GetId()}); err != nil {
		t.Fatal(err)
	}
	w.turn("the deletion", func() bool { return len(x.all()) > 2 })
	if n := x.all()[2]; !slices.Equal(n.methods, []string{"DELETE"}) || n.resource != "" || n.numbers[0] != "2" {
		t.Errorf("the deletion was told as %+v", n)
	}
}

func TestWhatAReceiverMissedComesInOrderLater(t *testing.T) {
	w, x := settle(t), receive(t)
	owner := w.may("importer", everything)
	p := w.r.Make(w.ctx, t, "Patient", recordstest.Person("", "Lê", "An", "1", "95012", "1950"))
	s := w.r.Make(owner, t, "Subscription", hook("observation-changed", "", x.URL, "id-only"))
	w.turn("active", func() bool { return w.status(s.GetId()) == "active" })
	x.answers(http.StatusServiceUnavailable)
	for i := range 5 {
		w.r.Make(w.ctx, t, "Observation", recordstest.Observation("", p.GetId(), "8480-6", "2026-01-02", fmt.Sprint(100+i)))
	}
	w.caught()
	if len(x.all()) != 1 {
		t.Fatalf("got %+v", x.all())
	}
	x.answers(http.StatusOK)
	for range 10 { // no time goes by, so nothing is tried
		w.step()
	}
	if len(x.all()) != 1 {
		t.Error("tried again at once")
	}
	w.restart()
	w.later(subscription.FirstPause)
	w.turn("the five events", func() bool { return len(x.all()) == 6 })
	if got := x.told(); got != "1 2 3 4 5" {
		t.Errorf("told %s", got)
	}
	w.caught()
	if got := x.told(); got != "1 2 3 4 5" {
		t.Errorf("told again: %s", got)
	}
}

func TestAfterTheLastTryAnEventIsADeadLetterAndCanBeSentAgain(t *testing.T) {
	w, x := settle(t), receive(t)
	owner := w.may("importer", everything)
	p := w.r.Make(w.ctx, t, "Patient", recordstest.Person("", "Lê", "An", "1", "95012", "1950"))
	s := w.r.Make(owner, t, "Subscription", hook("observation-changed", "", x.URL, "id-only"))
	w.turn("active", func() bool { return w.status(s.GetId()) == "active" })
	x.answers(http.StatusInternalServerError)
	for i := range 2 {
		w.r.Make(w.ctx, t, "Observation", recordstest.Observation("", p.GetId(), "8480-6", "2026-01-02", fmt.Sprint(100+i)))
	}
	w.caught()
	for range subscription.Tries - 1 {
		if got := w.status(s.GetId()); got != "active" {
			t.Fatalf("%s too early", got)
		}
		w.later(subscription.MaxPause)
		w.step()
	}
	w.turn("error", func() bool { return w.status(s.GetId()) == "error" })
	dead, err := w.r.SubscriptionDeadLetters(owner, &recordsv1.SubscriptionDeadLettersRequest{Id: s.GetId()})
	if err != nil || strings.Count(string(dead.GetBody()), "dead-letter") != 1 || !strings.Contains(string(dead.GetBody()), `"event-number","valueString":"1"`) {
		t.Fatalf("dead letters: %v %s", err, dead.GetBody())
	}
	x.answers(http.StatusOK)
	w.later(subscription.MaxPause)
	w.caught()
	if len(x.all()) != 1 {
		t.Error("a Subscription in error is delivered to")
	}
	if _, err := w.r.SubscriptionResend(owner, &recordsv1.SubscriptionResendRequest{Id: s.GetId()}); err != nil {
		t.Fatal(err)
	}
	again := strings.Replace(hook("observation-changed", "", x.URL, "id-only"), `"resourceType":"Subscription"`, `"resourceType":"Subscription","id":"`+s.GetId()+`"`, 1)
	if _, err := w.r.Update(owner, &recordsv1.UpdateRequest{Type: "Subscription", Id: s.GetId(), Body: []byte(again)}); err != nil {
		t.Fatal(err)
	}
	w.turn("both events", func() bool { return x.told() == "1 2" })
	if kinds := x.all(); kinds[1].kind != "handshake" {
		t.Errorf("a changed Subscription did not shake hands: %+v", kinds[1])
	}
}

func TestTheLogReadAgainFromZeroTellsNothingTwice(t *testing.T) {
	w, x := settle(t), receive(t)
	owner := w.may("importer", everything)
	p := w.r.Make(w.ctx, t, "Patient", recordstest.Person("", "Lê", "An", "1", "95012", "1950"))
	w.r.Make(w.ctx, t, "Observation", recordstest.Observation("", p.GetId(), "8480-6", "2026-01-02", "99"))
	s := w.r.Make(owner, t, "Subscription", hook("observation-changed", "", x.URL, "id-only"))
	for i := range 3 {
		w.r.Make(w.ctx, t, "Observation", recordstest.Observation("", p.GetId(), "8480-6", "2026-01-02", fmt.Sprint(100+i)))
	}
	w.turn("three events", func() bool { return x.told() == "1 2 3" })
	db := w.r.DB
	for _, wipe := range []string{``, `DELETE FROM records.subscriptions`} {
		if wipe != "" {
			if _, err := db.ExecContext(t.Context(), wipe); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.ExecContext(t.Context(), `UPDATE records.cursors SET tx = '0', seq = 0`); err != nil {
			t.Fatal(err)
		}
		w.restart()
		w.caught()
		k, err := w.r.Store.Get(t.Context(), s.GetId())
		if err != nil || x.told() != "1 2 3" || k.Status != "active" || k.Owner != "importer" {
			t.Errorf("%q: told %s, %+v, %v", wipe, x.told(), k, err)
		}
	}
	w.r.Make(w.ctx, t, "Observation", recordstest.Observation("", p.GetId(), "8480-6", "2026-01-02", "200"))
	w.turn("the next number", func() bool { return x.told() == "1 2 3 4" })
}

func TestSubscriptionsOfTwoCommunesTellNothingOfEachOther(t *testing.T) {
	w, x, y := settle(t), receive(t), receive(t)
	a := w.may("a", &guard.Scope{Communes: []string{"95012@2025-07-01"}, Shared: true})
	b := w.may("b", &guard.Scope{Communes: []string{"95015@2025-07-01"}, Shared: true})
	mine := w.r.Make(w.ctx, t, "Patient", recordstest.Person("", "Lê", "An", "1", "95012", "1950"))
	other := w.r.Make(w.ctx, t, "Patient", recordstest.Person("", "Lê", "Ba", "2", "95015", "1950"))
	sa := w.r.Make(a, t, "Subscription", hook("resource-changed", "Observation?", x.URL, "full-resource"))
	sb := w.r.Make(b, t, "Subscription", hook("resource-changed", "Observation?subject=Patient/"+mine.GetId(), y.URL, "full-resource"))
	for i := range 3 {
		w.r.Make(w.ctx, t, "Observation", recordstest.Observation("", mine.GetId(), "8480-6", "2026-01-02", fmt.Sprint(100+i)))
		w.r.Make(w.ctx, t, "Observation", recordstest.Observation("", other.GetId(), "8480-6", "2026-01-02", fmt.Sprint(200+i)))
	}
	w.turn("a's three", func() bool { return x.told() == "1 2 3" })
	w.caught()
	for _, n := range x.all() {
		if strings.Contains(n.body, other.GetId()) || n.kind == "event-notification" && !strings.Contains(n.resource, mine.GetId()) {
			t.Errorf("a was told %s", n.body)
		}
	}
	if got := y.told(); got != "" || x.told() != "1 2 3" {
		t.Errorf("b was told %q, a %q", got, x.told())
	}
	status, err := w.r.SubscriptionStatus(b, &recordsv1.SubscriptionStatusRequest{})
	if err != nil || strings.Contains(string(status.GetBody()), sa.GetId()) || !strings.Contains(string(status.GetBody()), sb.GetId()) ||
		!strings.Contains(string(status.GetBody()), `"events-since-subscription-start","valueString":"0"`) {
		t.Errorf("b's $status: %v %s", err, status.GetBody())
	}
	// What is another's answers as what is absent.
	absent := fault.Of(refusal(w.r.SubscriptionEvents(b, &recordsv1.SubscriptionEventsRequest{Id: "nobody"})))
	for name, err := range map[string]error{
		"read":   refusal(w.r.Read(b, &recordsv1.ReadRequest{Type: "Subscription", Id: sa.GetId()})),
		"status": refusal(w.r.SubscriptionStatus(b, &recordsv1.SubscriptionStatusRequest{Id: sa.GetId()})),
		"events": refusal(w.r.SubscriptionEvents(b, &recordsv1.SubscriptionEventsRequest{Id: sa.GetId()})),
		"token":  refusal(w.r.SubscriptionToken(b, &recordsv1.SubscriptionTokenRequest{Id: sa.GetId()})),
		"secret": refusal(w.r.SubscriptionSecret(b, &recordsv1.SubscriptionSecretRequest{Id: sa.GetId()})),
		"dead":   refusal(w.r.SubscriptionDeadLetters(b, &recordsv1.SubscriptionDeadLettersRequest{Id: sa.GetId()})),
		"resend": refusal(w.r.SubscriptionResend(b, &recordsv1.SubscriptionResendRequest{Id: sa.GetId()})),
		"delete": refusal(w.r.Delete(b, &recordsv1.DeleteRequest{Type: "Subscription", Id: sa.GetId()})),
	} {
		if f := fault.Of(err); f.Class != absent.Class || f.Message != absent.Message {
			t.Errorf("%s of another's Subscription: %v, of what is absent: %v", name, err, absent)
		}
	}
	if found := w.r.Find(b, t, "Subscription", "_total=accurate"); found.Total != 1 || found.IDs[0] != sb.GetId() {
		t.Errorf("b finds %v", found.IDs)
	}
	if history, err := w.r.History(b, &recordsv1.HistoryRequest{}); err != nil || strings.Contains(string(history.GetBody()), sa.GetId()) {
		t.Errorf("b's history: %v", err)
	}
}

func TestRightsAreAskedAgainAtDelivery(t *testing.T) {
	w, x := settle(t), receive(t)
	scope := &guard.Scope{Communes: []string{"95012@2025-07-01"}, Shared: true}
	a := w.may("a", scope)
	p := w.r.Make(w.ctx, t, "Patient", recordstest.Person("", "Lê", "An", "1", "95012", "1950"))
	q := w.r.Make(w.ctx, t, "Patient", recordstest.Person("", "Lê", "Ba", "2", "95012", "1950"))
	s := w.r.Make(a, t, "Subscription", hook("observation-changed", "", x.URL, "full-resource"))
	w.turn("active", func() bool { return w.status(s.GetId()) == "active" })
	x.answers(http.StatusServiceUnavailable)
	w.r.Make(w.ctx, t, "Observation", recordstest.Observation("", p.GetId(), "8480-6", "2026-01-02", "120"))
	w.r.Make(w.ctx, t, "Observation", recordstest.Observation("", q.GetId(), "8480-6", "2026-01-02", "130"))
	w.caught()
	x.answers(http.StatusOK)
	moved := strings.Replace(recordstest.Person("", "Lê", "An", "1", "95015", "1950"), `"resourceType":"Patient"`, `"resourceType":"Patient","id":"`+p.GetId()+`"`, 1)
	if _, err := w.r.Update(w.ctx, &recordsv1.UpdateRequest{Type: "Patient", Id: p.GetId(), Body: []byte(moved)}); err != nil {
		t.Fatal(err)
	}
	w.may("a", nil)
	w.later(time.Hour)
	w.caught()
	if x.told() != "" {
		t.Fatal("a disabled account was told")
	}
	w.r.Make(w.ctx, t, "Observation", recordstest.Observation("", q.GetId(), "8480-6", "2026-01-02", "140"))
	w.caught()
	w.may("a", scope)
	w.later(time.Hour)
	w.turn("the one that stayed", func() bool { return x.told() == "2" })
	w.caught()
	if x.told() != "2" || strings.Contains(x.all()[1].body, p.GetId()) {
		t.Errorf("told %s", x.told())
	}
	events, err := w.r.SubscriptionEvents(a, &recordsv1.SubscriptionEventsRequest{Id: s.GetId(), Query: "eventsSinceNumber=1"})
	if err != nil || !slices.Equal(read(t, events.GetBody()).numbers, []string{"2"}) {
		t.Errorf("$events: %v %s", err, events.GetBody())
	}
}

func TestWhatCannotBeDeliveredIsRefusedWithItsPlace(t *testing.T) {
	w := settle(t)
	owner := w.may("importer", everything)
	good := hook("observation-changed", "Observation?code=8480-6", "https://example.org/hook", "id-only")
	for name, c := range map[string]struct{ from, to, at string }{
		"topic":    {"observation-changed", "no-such-topic", "Subscription.criteria"},
		"type":     {"Observation?", "Condition?", "Subscription._criteria.extension[0].valueString"},
		"unknown":  {"?code", "?colour", "Subscription._criteria.extension[0].valueString"},
		"chain":    {"?code=8480-6", "?patient.name=an", "Subscription._criteria.extension[0].valueString"},
		"filter":   {"?code=8480-6", "?method=x", "Subscription._criteria.extension[0].valueString"},
		"result":   {"?code=8480-6", "?_sort=date", "Subscription._criteria.extension[0].valueString"},
		"channel":  {`"rest-hook"`, `"email"`, "Subscription.channel.type"},
		"http":     {"https://example", "http://example", "Subscription.channel.endpoint"},
		"private":  {"https://example.org", "https://10.0.0.1", "Subscription.channel.endpoint"},
		"metadata": {"https://example.org", "https://169.254.169.254", "Subscription.channel.endpoint"},
		"user":     {"https://example", "https://a:b@example", "Subscription.channel.endpoint"},
		"header":   {"Authorization: ", "X-Yba-Signature: ", "Subscription.channel.header[0]"},
		"payload":  {`"payload":"application/fhir+json"`, `"payload":"application/fhir+xml"`, "Subscription.channel.payload"},
		"status":   {`"requested"`, `"active"`, "Subscription.status"},
		"content":  {"id-only", "some", "Subscription.channel._payload.extension[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(good, c.from) {
				t.Fatal("nothing to change")
			}
			_, err := w.r.Create(owner, &recordsv1.CreateRequest{Type: "Subscription", Body: []byte(strings.Replace(good, c.from, c.to, 1))})
			f := fault.Of(err)
			if f.Class != fault.Unprocessable && f.Class != fault.Invalid || !strings.HasSuffix("."+f.At, strings.TrimPrefix(c.at, "Subscription")) {
				t.Errorf("%v at %q, not %q", err, f.At, c.at)
			}
		})
	}
	w.r.Make(owner, t, "Subscription", good)
}
