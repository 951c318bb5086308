package subscription_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/recordstest"
	"github.com/yba-health/yba/services/records/subscription"
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
	p := w.r.Make(w.ctx, t, "Patient", recordstest.Person("", "Lê", "An", "1", "95012", "1950"))
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
		s := w.r.Make(owner, t, "Subscription", body)
		w.turn("active", func() bool { return w.status(s.GetId()) == "active" && len(x.all()) == 1 })
	}
	e := w.r.Make(w.ctx, t, "Encounter", encounter("planned"))
	w.update(w.ctx, "Encounter", e.GetId(), encounter("in-progress"))
	w.update(w.ctx, "Encounter", e.GetId(), strings.Replace(encounter("in-progress"), `"VR"`, `"AMB"`, 1))
	w.update(w.ctx, "Encounter", e.GetId(), encounter("finished"))
	if _, err := w.r.Delete(w.ctx, &recordsv1.DeleteRequest{Type: "Encounter", Id: e.GetId()}); err != nil {
		t.Fatal(err)
	}
	w.r.Make(w.ctx, t, "Encounter", encounter("in-progress"))
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
	own := w.r.Make(w.ctx, t, "Patient", recordstest.Person("", "Lê", "An", "1", "95012", "1950")).GetId()
	another := w.r.Make(w.ctx, t, "Patient", recordstest.Person("", "Lê", "Ba", "2", "95015", "1950")).GetId()
	x := receive(t)
	s := w.r.Make(owner, t, "Subscription", hook("observation-changed", "Observation?code=secret", x.URL, "id-only"))
	w.turn("active", func() bool { return w.status(s.GetId()) == "active" && len(x.all()) == 1 })
	o := w.r.Make(w.ctx, t, "Observation", recordstest.Observation("", another, "secret", "2026", "1")).GetId()
	w.update(w.ctx, "Observation", o, recordstest.Observation("", own, "plain", "2026", "1"))
	w.caught()
	if got := x.told(); got != "" {
		t.Errorf("the nurse is told %q of what lay elsewhere", got)
	}
	w.update(w.ctx, "Observation", o, recordstest.Observation("", own, "secret", "2026", "1"))
	w.update(w.ctx, "Observation", o, recordstest.Observation("", own, "plain", "2026", "1"))
	w.caught()
	if got := x.told(); got != "1 2" {
		t.Errorf("of her own commune she is told %q", got)
	}
}

func TestOffAndTheEndStopASubscription(t *testing.T) {
	w, x := settle(t), receive(t)
	owner := w.may("importer", everything)
	p := w.r.Make(w.ctx, t, "Patient", recordstest.Person("", "Lê", "An", "1", "95012", "1950"))
	tell := func() {
		w.r.Make(w.ctx, t, "Observation", recordstest.Observation("", p.GetId(), "8480-6", "2026-01-02", fmt.Sprint(time.Now().UnixNano())))
	}
	body := hook("observation-changed", "", x.URL, "id-only")
	s := w.r.Make(owner, t, "Subscription", body)
	tell()
	w.turn("the first", func() bool { return x.told() == "1" })
	w.update(owner, "Subscription", s.GetId(), strings.Replace(body, "requested", "off", 1))
	tell()
	w.caught()
	w.update(owner, "Subscription", s.GetId(), body)
	w.turn("active again", func() bool { return w.status(s.GetId()) == "active" })
	tell()
	w.turn("what came after off", func() bool { return x.told() == "1 2" })
	end := w.r.Clock().Add(time.Hour).UTC().Format(time.RFC3339)
	w.update(owner, "Subscription", s.GetId(), strings.Replace(body, `"reason"`, `"end":"`+end+`","reason"`, 1))
	w.turn("active until the end", func() bool { return w.status(s.GetId()) == "active" })
	w.later(2 * time.Hour)
	w.turn("off at the end", func() bool { return w.status(s.GetId()) == "off" })
	tell()
	w.caught()
	if x.told() != "1 2" {
		t.Errorf("told %s", x.told())
	}
	again := w.r.Make(owner, t, "Subscription", body)
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
	s := w.r.Make(w.may("importer", everything), t, "Subscription", hook("patient-changed", "", x.URL, "empty",
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
	w.r.Make(w.ctx, t, "Patient", recordstest.Person("", "Lê", "An", "1", "95012", "1950"))
	w.turn("an event", func() bool { return x.told() == "1" })
	if n := x.all(); n[1].kind != "heartbeat" || n[2].entries != 1 || len(n[2].focus) != 0 {
		t.Errorf("with the content empty: %+v", n[2])
	}
}

func TestManyWorkersKeepTheOrderAndADeadOnesLeaseEnds(t *testing.T) {
	w, x := settle(t), receive(t)
	owner := w.may("importer", everything)
	p := w.r.Make(w.ctx, t, "Patient", recordstest.Person("", "Lê", "An", "1", "95012", "1950"))
	s := w.r.Make(owner, t, "Subscription", hook("observation-changed", "", x.URL, "id-only"))
	w.turn("active", func() bool { return w.status(s.GetId()) == "active" })
	for i := range 30 {
		w.r.Make(w.ctx, t, "Observation", recordstest.Observation("", p.GetId(), "8480-6", "2026-01-02", fmt.Sprint(100+i)))
	}
	// A worker that dies with its lease, once something is queued.
	for begun, held := time.Now(), false; !held; {
		if time.Since(begun) > 30*time.Second {
			t.Fatal("nothing was queued")
		}
		if _, err := w.r.Follow(t.Context()); err != nil {
			t.Fatal(err)
		}
		k, err := w.r.Store.Claim(t.Context(), w.r.Clock(), time.Time{}, subscription.LeaseTime)
		if err != nil {
			t.Fatal(err)
		}
		held = k != nil
	}
	if moved, err := w.r.Deliver(t.Context()); moved || err != nil || x.told() != "" {
		t.Fatalf("two hold one lease: %v", err)
	}
	w.later(subscription.LeaseTime + time.Second)
	var all sync.WaitGroup
	work := func(take func(context.Context) (bool, error)) {
		for begun := time.Now(); len(x.all()) < 31 && time.Since(begun) < 30*time.Second; {
			if _, err := take(t.Context()); err != nil {
				t.Error(err)
				return
			}
		}
	}
	all.Go(func() { work(w.r.Follow) })
	for range 4 {
		all.Go(func() { work(w.r.Deliver) })
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

func TestARedirectIsNotFollowed(t *testing.T) {
	w, x := settle(t), receive(t)
	away := httptest.NewServer(http.RedirectHandler(x.URL, http.StatusTemporaryRedirect))
	defer away.Close()
	s := w.r.Make(w.may("importer", everything), t, "Subscription", hook("patient-changed", "", away.URL, "empty"))
	w.caught()
	if len(x.all()) != 0 || w.status(s.GetId()) != "requested" {
		t.Error("a redirect was followed")
	}
}

func TestWhoSeesNoPersonsIsToldNothing(t *testing.T) {
	w, x := settle(t), receive(t)
	a := w.may("a", everything)
	s := w.r.Make(a, t, "Subscription", hook("patient-changed", "", x.URL, "full-resource"))
	w.turn("active", func() bool { return w.status(s.GetId()) == "active" })
	w.may("a", &guard.Scope{Deidentified: true, Shared: true})
	w.r.Make(w.ctx, t, "Patient", recordstest.Person("", "Lê", "An", "1", "95012", "1950"))
	w.caught()
	if x.told() != "" {
		t.Error("somebody who sees no persons was told of one")
	}
}

func TestNotificationsAreValidFHIR(t *testing.T) {
	w, x := settle(t), receive(t)
	owner := w.may("importer", everything)
	s := w.r.Make(owner, t, "Subscription", hook("patient-changed", "", x.URL, "full-resource"))
	p := w.r.Make(w.ctx, t, "Patient", recordstest.Person("", "Lê", "An", "1", "95012", "1950"))
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
			err = w.r.Bulk.Definitions.Validate(doc.Root())
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(bodies) != 8 {
		t.Errorf("%d kinds", len(bodies))
	}
}
