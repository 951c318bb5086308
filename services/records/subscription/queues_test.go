package subscription_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/recordstest"
	"github.com/yba-health/yba/services/records/subscription"
)

func TestWhoRunsTheInstallationSeesAndRevivesFailedDeliveries(t *testing.T) {
	w, x := settle(t), receive(t)
	owner := w.may("importer", everything)
	// The scope of the policy's kind none.
	admin := guard.WithScope(guard.WithPrincipal(t.Context(), &guard.Principal{Account: "admin"}), &guard.Scope{})
	p := w.r.Make(w.ctx, t, "Patient", recordstest.Person("", "Lê", "An", "1", "95012", "1950"))
	s := w.r.Make(owner, t, "Subscription", hook("observation-changed", "Observation?patient="+p.GetId(), x.URL+"/secret-path", "id-only"))
	fine := w.r.Make(owner, t, "Subscription", hook("patient-changed", "", receive(t).URL, "empty"))
	off := w.r.Make(owner, t, "Subscription", strings.Replace(hook("patient-changed", "", x.URL, "empty"), "requested", "off", 1))
	w.turn("active", func() bool { return w.status(s.GetId()) == "active" && w.status(fine.GetId()) == "active" })
	x.answers(http.StatusInternalServerError)
	for i := range 3 {
		w.r.Make(w.ctx, t, "Observation", recordstest.Observation("", p.GetId(), "8480-6", "2026-01-02", fmt.Sprint(100+i)))
	}
	w.caught()
	w.turn("error", func() bool { w.later(subscription.MaxPause); return w.status(s.GetId()) == "error" })

	queues := func(req *recordsv1.SubscriptionQueuesRequest) []*recordsv1.SubscriptionQueue {
		t.Helper()
		got, err := w.r.SubscriptionQueues(admin, req)
		if err != nil {
			t.Fatal(err)
		}
		if text := protojson.Format(got); strings.Contains(text, p.GetId()) || strings.Contains(text, "secret-path") || strings.Contains(text, "Bearer") {
			t.Errorf("too much is told: %s", text)
		}
		return got.GetQueues()
	}
	if list := queues(&recordsv1.SubscriptionQueuesRequest{}); len(list) != 3 || list[0].GetId() != s.GetId() {
		t.Errorf("all: %v", list)
	}
	list := queues(&recordsv1.SubscriptionQueuesRequest{Failed: true})
	if len(list) != 1 || list[0].GetStatus() != "error" || list[0].GetDead() != 1 || list[0].GetWaiting() != 2 || list[0].GetOwner() != "importer" ||
		!strings.HasPrefix(list[0].GetHost(), "127.0.0.1:") || list[0].GetFailures() != subscription.Tries {
		t.Errorf("those that failed: %v", list)
	}
	one := queues(&recordsv1.SubscriptionQueuesRequest{Id: s.GetId()})
	if len(one) != 1 || len(one[0].GetDeadLetters()) != 1 || one[0].GetDeadLetters()[0].GetNumber() != 1 {
		t.Errorf("its dead letters: %v", one)
	}
	for id, class := range map[string]fault.Class{"nobody": fault.NotFound, off.GetId(): fault.Conflict} {
		if _, err := w.r.SubscriptionRevive(admin, &recordsv1.SubscriptionReviveRequest{Id: id}); !fault.Is(err, class) {
			t.Errorf("reviving %s: %v", id, err)
		}
	}
	if _, err := w.r.SubscriptionQueues(admin, &recordsv1.SubscriptionQueuesRequest{Id: "nobody"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("nobody: %v", err)
	}
	if got, err := w.r.SubscriptionRevive(admin, &recordsv1.SubscriptionReviveRequest{Id: fine.GetId(), Resend: true}); err != nil || got.GetQueued() != 0 || got.GetStatus() != "active" {
		t.Errorf("one that works: %v %v", got, err)
	}

	x.answers(http.StatusOK)
	before := len(x.all())
	got, err := w.r.SubscriptionRevive(admin, &recordsv1.SubscriptionReviveRequest{Id: s.GetId(), Resend: true})
	if err != nil || got.GetQueued() != 1 || got.GetStatus() != "requested" {
		t.Fatalf("%v %v", got, err)
	}
	w.turn("all events", func() bool { return x.told() == "1 2 3" })
	if kinds := x.all(); kinds[before].kind != "handshake" || w.status(s.GetId()) != "active" {
		t.Errorf("it is %s after %+v", w.status(s.GetId()), kinds[before])
	}
	// The owner's resource is as it was, but for the status and the error.
	if k, err := w.r.Store.Get(t.Context(), s.GetId()); err != nil || k.Owner != "importer" {
		t.Errorf("it belongs to %+v, %v", k, err)
	}
}

func TestALongQueueDoesNotSlowDownTheOthers(t *testing.T) {
	w, x := settle(t), receive(t)
	owner := w.may("importer", everything)
	a := w.r.Make(owner, t, "Subscription", hook("patient-changed", "", x.URL, "empty"))
	b := w.r.Make(owner, t, "Subscription", hook("observation-changed", "", x.URL, "empty"))
	w.turn("active", func() bool { return w.status(a.GetId()) == "active" && w.status(b.GetId()) == "active" })
	if _, err := w.r.DB.ExecContext(t.Context(), `INSERT INTO records.events (subscription, number, seq, at, type, id, version, op, state)
		SELECT $1, n, -n, 1, 1, 'x', 1, 'c', 'q' FROM generate_series(1, 20000) n`, a.GetId()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.r.DB.ExecContext(t.Context(), `ANALYZE records.events`); err != nil {
		t.Fatal(err)
	}
	rows := func() (n int64) {
		t.Helper()
		if _, err := w.r.DB.ExecContext(t.Context(), `SELECT pg_stat_force_next_flush()`); err != nil {
			t.Fatal(err)
		}
		if err := w.r.DB.QueryRowContext(t.Context(), `SELECT seq_tup_read FROM pg_stat_user_tables WHERE schemaname = 'records' AND relname = 'events'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	w.r.DB.SetMaxOpenConns(1) // what is read is counted by connection
	before := rows()
	k, err := w.r.Store.Claim(t.Context(), w.clock, w.clock.Add(-time.Hour), subscription.LeaseTime)
	if err != nil || k == nil || k.ID != a.GetId() {
		t.Fatalf("%v %v", k, err)
	}
	if n := rows() - before; n > 0 {
		t.Errorf("claiming a Subscription read %d events one after the other", n)
	}
}
