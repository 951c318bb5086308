package records

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

func (w *town) update(ctx context.Context, typ, id, body string) {
	w.t.Helper()
	body = strings.Replace(body, `"resourceType":"`+typ+`"`, `"resourceType":"`+typ+`","id":"`+id+`"`, 1)
	if _, err := w.r.Update(ctx, &recordsv1.UpdateRequest{Type: typ, Id: id, Body: []byte(body)}); err != nil {
		w.t.Fatal(err)
	}
}

func TestTriggersLookAtBothSidesOfAChange(t *testing.T) {
	w := settle(t)
	owner := w.may("importer", everything)
	p := create(w.ctx, t, w.r, "Patient", person("Lê", "An", "1", "95012", "1950"))
	encounter := func(status string) string {
		return `{"resourceType":"Encounter","status":"` + status + `","class":{"code":"VR"},"subject":{"reference":"Patient/` + p.GetId() + `"}}`
	}
	classic := func(criteria, url string) string {
		return `{"resourceType":"Subscription","status":"requested","reason":"x","criteria":"` + criteria + `","channel":{"type":"rest-hook","endpoint":"` + url + `","payload":"application/fhir+json"}}`
	}
	start, planned, plain := receive(t), receive(t), receive(t)
	for body, x := range map[string]*receiver{
		hook("encounter-start", "", start.URL, "id-only"):                             start,
		hook("encounter-changed", "Encounter?status=planned", planned.URL, "id-only"): planned,
		classic("Encounter?status=in-progress", plain.URL):                            plain,
	} {
		s := create(owner, t, w.r, "Subscription", body)
		w.turn("active", func() bool { return w.status(s.GetId()) == "active" && len(x.all()) == 1 })
	}
	e := create(w.ctx, t, w.r, "Encounter", encounter("planned"))
	w.update(w.ctx, "Encounter", e.GetId(), encounter("in-progress"))
	w.update(w.ctx, "Encounter", e.GetId(), strings.Replace(encounter("in-progress"), `"VR"`, `"AMB"`, 1))
	w.update(w.ctx, "Encounter", e.GetId(), encounter("finished"))
	if _, err := w.r.Delete(w.ctx, &recordsv1.DeleteRequest{Type: "Encounter", Id: e.GetId()}); err != nil {
		t.Fatal(err)
	}
	create(w.ctx, t, w.r, "Encounter", encounter("in-progress"))
	w.caught()
	// Begun by the update and by the second creation.
	if got := start.told(); got != "1 2" {
		t.Errorf("encounter-start: %q", got)
	}
	// Planned, and no longer planned.
	if got := planned.told(); got != "1 2" {
		t.Errorf("encounter-changed of planned ones: %q", got)
	}
	// R4's own criteria: each version that matches, no deletion, with the resource.
	if got := plain.told(); got != "1 2 3" || !strings.Contains(plain.all()[3].resource, "in-progress") || plain.all()[1].topic != "" {
		t.Errorf("R4's own criteria: %q", got)
	}
}

// TestWhatAnothersRecordHeldIsNotTold moves an observation out of a record
// that the owner does not reach. That it had the code there is not told.
func TestWhatAnothersRecordHeldIsNotTold(t *testing.T) {
	w := settle(t)
	owner := w.may("nurse", &guard.Scope{Communes: []string{"95012@2025-07-01"}, Shared: true})
	own := create(w.ctx, t, w.r, "Patient", person("Lê", "An", "1", "95012", "1950")).GetId()
	another := create(w.ctx, t, w.r, "Patient", person("Lê", "Ba", "2", "95015", "1950")).GetId()
	x := receive(t)
	s := create(owner, t, w.r, "Subscription", hook("observation-changed", "Observation?code=secret", x.URL, "id-only"))
	w.turn("active", func() bool { return w.status(s.GetId()) == "active" && len(x.all()) == 1 })
	o := create(w.ctx, t, w.r, "Observation", observation(another, "secret", "2026", "1")).GetId()
	w.update(w.ctx, "Observation", o, observation(own, "plain", "2026", "1"))
	w.caught()
	if got := x.told(); got != "" {
		t.Errorf("the nurse is told %q of what lay elsewhere", got)
	}
	w.update(w.ctx, "Observation", o, observation(own, "secret", "2026", "1"))
	w.update(w.ctx, "Observation", o, observation(own, "plain", "2026", "1"))
	w.caught()
	if got := x.told(); got != "1 2" {
		t.Errorf("of her own commune she is told %q", got)
	}
}

func TestOffAndTheEndStopASubscription(t *testing.T) {
	w, x := settle(t), receive(t)
	owner := w.may("importer", everything)
	p := create(w.ctx, t, w.r, "Patient", person("Lê", "An", "1", "95012", "1950"))
	tell := func() {
		create(w.ctx, t, w.r, "Observation", observation(p.GetId(), "8480-6", "2026-01-02", fmt.Sprint(time.Now().UnixNano())))
	}
	body := hook("observation-changed", "", x.URL, "id-only")
	s := create(owner, t, w.r, "Subscription", body)
	tell()
	w.turn("the first", func() bool { return x.told() == "1" })
	w.update(owner, "Subscription", s.GetId(), strings.Replace(body, "requested", "off", 1))
	tell()
	w.caught()
	w.update(owner, "Subscription", s.GetId(), body)
	w.turn("active again", func() bool { return w.status(s.GetId()) == "active" })
	tell()
	w.turn("what came after off", func() bool { return x.told() == "1 2" })
	end := w.r.now().Add(time.Hour).UTC().Format(time.RFC3339)
	w.update(owner, "Subscription", s.GetId(), strings.Replace(body, `"reason"`, `"end":"`+end+`","reason"`, 1))
	w.turn("active until the end", func() bool { return w.status(s.GetId()) == "active" })
	w.later(2 * time.Hour)
	w.turn("off at the end", func() bool { return w.status(s.GetId()) == "off" })
	tell()
	w.caught()
	if x.told() != "1 2" {
		t.Errorf("told %s", x.told())
	}
	again := create(owner, t, w.r, "Subscription", body)
	w.turn("active", func() bool { return w.status(again.GetId()) == "active" })
	if _, err := w.r.Delete(w.ctx, &recordsv1.DeleteRequest{Type: "Subscription", Id: again.GetId()}); err != nil {
		t.Fatal(err)
	}
	tell()
	w.caught()
	if x.told() != "1 2" {
		t.Errorf("a deleted Subscription is told %s", x.told())
	}
}

func TestHeartbeatsGoOutWhenNothingElseDoes(t *testing.T) {
	w, x := settle(t), receive(t)
	s := create(w.may("importer", everything), t, w.r, "Subscription", hook("patient-changed", "", x.URL, "empty",
		`"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-heartbeat-period","valueUnsignedInt":60}],`))
	w.turn("active", func() bool { return w.status(s.GetId()) == "active" })
	for range 5 {
		w.step()
	}
	if len(x.all()) != 1 {
		t.Fatal("a heartbeat came early")
	}
	w.later(time.Minute)
	w.turn("a heartbeat", func() bool { return len(x.all()) == 2 })
	create(w.ctx, t, w.r, "Patient", person("Lê", "An", "1", "95012", "1950"))
	w.turn("an event", func() bool { return x.told() == "1" })
	if n := x.all(); n[1].kind != "heartbeat" || n[2].entries != 1 || len(n[2].focus) != 0 {
		t.Errorf("with the content empty: %+v", n[2])
	}
}

func TestManyWorkersKeepTheOrderAndADeadOnesLeaseEnds(t *testing.T) {
	w, x := settle(t), receive(t)
	owner := w.may("importer", everything)
	p := create(w.ctx, t, w.r, "Patient", person("Lê", "An", "1", "95012", "1950"))
	s := create(owner, t, w.r, "Subscription", hook("observation-changed", "", x.URL, "id-only"))
	w.turn("active", func() bool { return w.status(s.GetId()) == "active" })
	for i := range 30 {
		create(w.ctx, t, w.r, "Observation", observation(p.GetId(), "8480-6", "2026-01-02", fmt.Sprint(100+i)))
	}
	// A worker that dies with its lease, once something is queued.
	for begun, held := time.Now(), false; !held; {
		if time.Since(begun) > 30*time.Second {
			t.Fatal("nothing was queued")
		}
		if _, err := w.h.follow(t.Context()); err != nil {
			t.Fatal(err)
		}
		k, err := w.h.store.Claim(t.Context(), w.r.now(), time.Time{}, lease)
		if err != nil {
			t.Fatal(err)
		}
		held = k != nil
	}
	if moved, err := w.h.deliver(t.Context()); moved || err != nil || x.told() != "" {
		t.Fatalf("two hold one lease: %v", err)
	}
	w.later(lease + time.Second)
	var all sync.WaitGroup
	work := func(take func(context.Context) (bool, error)) {
		for begun := time.Now(); len(x.all()) < 31 && time.Since(begun) < 30*time.Second; {
			if _, err := take(t.Context()); err != nil {
				t.Error(err)
				return
			}
		}
	}
	all.Go(func() { work(w.h.follow) })
	for range 4 {
		all.Go(func() { work(w.h.deliver) })
	}
	all.Wait()
	var want []string
	for i := range 30 {
		want = append(want, fmt.Sprint(i+1))
	}
	if got := x.told(); got != strings.Join(want, " ") {
		t.Errorf("told %s", got)
	}
}

func TestOnlyPublicAddressesAreCalled(t *testing.T) {
	h := &hooks{}
	for address, open := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "203.0.112.1": true,
		"127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "0.0.0.0": false, "100.64.0.1": false,
		"224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false, "198.18.0.1": false, "::1": false, "::": false, "fe80::1": false, "fd00::1": false, "fe80::1%eth0": false,
		"::ffff:10.0.0.1": false, "::ffff:127.0.0.1": false, "::127.0.0.1": false, "64:ff9b::a00:1": false, "64:ff9b:1::a00:1": false, "2002:a00:1::": false, "2001::a00:1": false, "fec0::1": false, "ff02::1": false,
	} {
		if got := h.open(netip.MustParseAddr(address)); got != open {
			t.Errorf("%s: open is %v", address, got)
		}
	}
	h.private = []netip.Prefix{netip.MustParsePrefix("10.2.0.0/16")}
	if !h.open(netip.MustParseAddr("10.2.3.4")) || h.open(netip.MustParseAddr("10.3.0.1")) || !h.open(netip.MustParseAddr("::ffff:10.2.0.1")) {
		t.Error("hook-networks opens something else")
	}
	for endpoint, ok := range map[string]bool{
		"https://example.org": true, "https://10.2.3.4/x": true, "http://example.org": false, "http://10.2.3.4": false, "http://127.0.0.1": false, "https://localhost": false,
		"https://LOCALHOST:8443": false, "https://[::1]/": false,
	} {
		if err := h.callable(endpoint); (err == nil) != ok {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
	if _, err := networks([]string{"10.0.0.1"}); err == nil {
		t.Error("an address was taken for a network")
	}
}

// TestANameThatLeadsInsideIsNotDialled calls a receiver on this machine by
// name: the text says nothing, only the address that is dialled does.
func TestANameThatLeadsInsideIsNotDialled(t *testing.T) {
	called := false
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	defer server.Close()
	h := &hooks{}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.Replace(server.URL, "127.0.0.1", "localhost", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := h.caller().Do(req)
	if err == nil {
		resp.Body.Close()
	}
	if err == nil || called || !strings.Contains(err.Error(), "not a public one") {
		t.Errorf("called %v: %v", called, err)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	w, x := settle(t), receive(t)
	away := httptest.NewServer(http.RedirectHandler(x.URL, http.StatusTemporaryRedirect))
	defer away.Close()
	s := create(w.may("importer", everything), t, w.r, "Subscription", hook("patient-changed", "", away.URL, "empty"))
	w.caught()
	if len(x.all()) != 0 || w.status(s.GetId()) != "requested" {
		t.Error("a redirect was followed")
	}
}

func TestWhoSeesNoPersonsIsToldNothing(t *testing.T) {
	w, x := settle(t), receive(t)
	a := w.may("a", everything)
	s := create(a, t, w.r, "Subscription", hook("patient-changed", "", x.URL, "full-resource"))
	w.turn("active", func() bool { return w.status(s.GetId()) == "active" })
	w.may("a", &guard.Scope{Deidentified: true, Shared: true})
	create(w.ctx, t, w.r, "Patient", person("Lê", "An", "1", "95012", "1950"))
	w.caught()
	if x.told() != "" {
		t.Error("somebody who sees no persons was told of one")
	}
}

func TestNotificationsAreValidFHIR(t *testing.T) {
	w, x := settle(t), receive(t)
	owner := w.may("importer", everything)
	s := create(owner, t, w.r, "Subscription", hook("patient-changed", "", x.URL, "full-resource"))
	p := create(w.ctx, t, w.r, "Patient", person("Lê", "An", "1", "95012", "1950"))
	w.turn("told", func() bool { return x.told() == "1" })
	if _, err := w.r.Delete(w.ctx, &recordsv1.DeleteRequest{Type: "Patient", Id: p.GetId()}); err != nil {
		t.Fatal(err)
	}
	w.turn("told of the deletion", func() bool { return x.told() == "1 2" })
	bodies := map[string]string{}
	for _, n := range x.all() {
		bodies[n.kind+fmt.Sprint(n.methods)] = n.body
	}
	status, err := w.r.SubscriptionStatus(owner, &recordsv1.SubscriptionStatusRequest{Id: s.GetId()})
	if err != nil {
		t.Fatal(err)
	}
	bodies["$status"] = string(status.GetBody())
	for _, q := range []string{"", "content=empty", "content=id-only", "eventsSinceNumber=2&eventsUntilNumber=2"} {
		events, err := w.r.SubscriptionEvents(owner, &recordsv1.SubscriptionEventsRequest{Id: s.GetId(), Query: q})
		if err != nil {
			t.Fatal(err)
		}
		bodies["$events "+q] = string(events.GetBody())
	}
	for name, body := range bodies {
		doc, err := fhir.Parse([]byte(body))
		if err == nil {
			err = w.r.defs.Validate(doc.Root())
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(bodies) != 8 {
		t.Errorf("%d kinds", len(bodies))
	}
}
