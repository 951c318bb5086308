package postgres_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/pg/pgtest"
	"github.com/yba-health/yba/services/records/postgres"
	"github.com/yba-health/yba/services/records/subscription"
)

func TestOtherProcessesHearAtOnceThatEventsWait(t *testing.T) {
	defs, err := fhir.R4()
	if err != nil {
		t.Fatal(err)
	}
	db, dsn := pgtest.New(t, pgtest.Schema{Service: "records", Migrations: postgres.Migrations()})
	var stores [2]*postgres.Store
	for i := range stores {
		if stores[i], err = postgres.New(db, dsn, defs, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
	}
	follower, other := stores[0], stores[1]
	running, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- other.Run(running) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	heard := func(rung <-chan struct{}, d time.Duration) bool {
		select {
		case <-rung:
			return true
		default:
		}
		select {
		case <-rung:
			return true
		case <-time.After(d):
			return false
		}
	}
	log := other.Rung()
	for tries := 0; !heard(log, 100*time.Millisecond); tries++ { // until it listens
		if other.Announce(); tries > 300 {
			t.Fatal("nothing is ever heard")
		}
	}
	here, there, log := follower.Queued(), other.Queued(), other.Rung()
	from, err := follower.Cursor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	step := subscription.Step{From: from, To: subscription.Place{Tx: from.Tx + 1}, Kept: []subscription.Kept{{
		ID: "s", Version: 1, Owner: "o", Status: subscription.Requested, Channel: subscription.RestHook, Body: []byte(`{}`),
	}}}
	if taken, err := follower.Take(t.Context(), step); err != nil || !taken {
		t.Fatalf("%v %v", taken, err)
	}
	if !heard(here, 0) {
		t.Error("who queued it does not hear it at once")
	}
	if !heard(there, 30*time.Second) {
		t.Error("the other process does not hear it")
	}
	if heard(log, 0) {
		t.Error("readers of the log are woken by what is not in it")
	}
	// A step in which nothing happened wakes nobody.
	there = other.Queued()
	if taken, err := follower.Take(t.Context(), subscription.Step{From: step.To, To: subscription.Place{Tx: step.To.Tx + 1}}); err != nil || !taken {
		t.Fatalf("%v %v", taken, err)
	}
	log = other.Rung()
	if other.Announce(); !heard(log, 30*time.Second) || heard(there, 0) {
		t.Error("an empty step rings, or the log does not")
	}
}
