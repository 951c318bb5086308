package consults

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/yba-health/yba/services/consults/consult"
)

func TestWhoIsDisabledLeavesTheRoom(t *testing.T) {
	h := newHouse(t)
	h.module.recheck = 20 * time.Millisecond
	id := h.active()
	d, p := h.sit(t, "d", "rooms?seat="+h.token("d", id)), h.sit(t, "p", "rooms?seat="+h.token("p", id))
	d.hears("p", 10)
	resume := p.wait("hello")["resume"].(string)
	h.memory.mu.Lock()
	h.memory.disabled["p"] = true
	h.memory.mu.Unlock()
	if m := p.wait("ended"); m["reason"] != "removed" {
		t.Errorf("ended because of %v", m["reason"])
	}
	d.wait("members", func(m map[string]any) bool { return len(m["members"].([]any)) == 1 })
	h.memory.mu.Lock()
	h.memory.disabled["p"] = false
	h.memory.mu.Unlock()
	if ws, status := h.dial("rooms?resume="+resume, nil); ws != nil || status != http.StatusUnauthorized {
		t.Errorf("the resume token of who was removed answered %d", status)
	}
}

func TestARoomBelongsToOneProcess(t *testing.T) {
	h := newHouse(t)
	id := h.active()
	token := h.token("d", id)
	if lost, err := h.module.store.HoldRooms(t.Context(), "another", []string{id}); err != nil || len(lost) > 0 {
		t.Fatal(lost, err)
	}
	if ws, status := h.dial("rooms?seat="+token, nil); ws != nil || status != http.StatusServiceUnavailable {
		t.Fatalf("a room of another process answered %d", status)
	}
	if err := h.module.store.ReleaseRooms(t.Context(), "another"); err != nil {
		t.Fatal(err)
	}
	d := h.sit(t, "d", "rooms?seat="+token) // the refusal did not use it up
	if err := h.module.holdRooms(t.Context()); err != nil {
		t.Fatal(err)
	}
	if lost, err := h.module.store.HoldRooms(t.Context(), "another", []string{id}); err != nil || len(lost) != 1 {
		t.Fatalf("another process took a room that is held: lost %v, %v", lost, err)
	}
	// The owner was cut off for longer than its lease.
	if _, err := h.db.ExecContext(t.Context(), `UPDATE consults.rooms SET expires = now() - interval '1 second'`); err != nil {
		t.Fatal(err)
	}
	if lost, err := h.module.store.HoldRooms(t.Context(), "another", []string{id}); err != nil || len(lost) != 0 {
		t.Fatalf("a lease that has ended was not taken over: %v, %v", lost, err)
	}
	if err := h.module.holdRooms(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m := d.wait("ended"); m["reason"] != "draining" {
		t.Errorf("ended because of %v", m["reason"])
	}
}

func TestWhatTheRecordRefusesDoesNotStandInTheWay(t *testing.T) {
	h := newHouse(t)
	id := h.active()
	change := func(c *consult.Consultation) error { c.Draft += "."; return nil }
	if _, err := h.module.store.Change(t.Context(), id, change); err != nil {
		t.Fatal(err)
	}
	due := func(after time.Duration) bool {
		ids, err := h.module.store.Unrecorded(t.Context(), time.Now().Add(after), recordBatch)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Contains(ids, id)
	}
	if !due(time.Second) {
		t.Fatal("a change is not due")
	}
	for range 4 {
		refused := errors.New("refused")
		if err := h.module.store.Record(t.Context(), id, func(*consult.Consultation) error { return refused }); !errors.Is(err, refused) {
			t.Fatal(err)
		}
	}
	if due(30 * time.Second) {
		t.Error("after four failures it is tried again within 30 s")
	}
	if !due(time.Minute) {
		t.Error("it is not tried again")
	}
	if _, err := h.module.store.Change(t.Context(), id, change); err != nil {
		t.Fatal(err)
	}
	if !due(time.Second) {
		t.Error("a new change waits for the failures of the old one")
	}
}

func TestDoctorsOfferInTheirOwnNameOnly(t *testing.T) {
	h := newHouse(t)
	for field, value := range map[string]string{"practitioner": "pr9", "facility": "f9"} {
		if _, class := h.call("d", "SetHours", map[string]any{field: value}); class != "forbidden" {
			t.Errorf("another's %s answered %q", field, class)
		}
	}
	h.must("d", "SetHours", map[string]any{"practitioner": "pr1", "facility": "f1"})
}

func TestCheckingInKeepsAnInvitation(t *testing.T) {
	h := newHouse(t)
	h.hours()
	id := h.must("p", "Book", map[string]any{"patient": "p1", "doctor": "d"})["id"].(string)
	h.must("d", "Invite", map[string]any{"id": id, "account": "n"})
	h.must("n", "CheckIn", map[string]any{"id": id})
	h.memory.mu.Lock()
	defer h.memory.mu.Unlock()
	for _, r := range h.memory.relations {
		if r.GetAccount() == "n" {
			return
		}
	}
	t.Error("the invited nurse lost the record by checking in")
}

func TestABookingThatAccessRefusesIsCancelledInTheRecord(t *testing.T) {
	h := newHouse(t)
	h.hours()
	book := map[string]any{"patient": "p1", "doctor": "d", "start": "2026-11-23T08:00:00+07:00", "requestId": "r1"}
	h.memory.mu.Lock()
	h.memory.refuse = true
	h.memory.mu.Unlock()
	if _, class := h.call("p", "Book", book); class != "invalid" {
		t.Fatalf("answered %q", class)
	}
	h.memory.mu.Lock()
	for key, r := range h.memory.resources {
		if r["resourceType"] == "Appointment" && r["status"] != "cancelled" {
			t.Errorf("%s is left as %v", key, r["status"])
		}
	}
	h.memory.refuse = false
	h.memory.mu.Unlock()
	if _, class := h.call("p", "Book", book); class != "precondition" {
		t.Errorf("the retry answered %q", class)
	}
	book["requestId"] = "r2"
	h.must("p", "Book", book)
}

func TestARequestIDStandsForOneBooking(t *testing.T) {
	h := newHouse(t)
	h.hours()
	h.must("x", "SetHours", map[string]any{})
	h.must("p", "Book", map[string]any{"patient": "p1", "doctor": "d", "requestId": "r1"})
	if _, class := h.call("p", "Book", map[string]any{"patient": "p1", "doctor": "x", "requestId": "r1"}); class != "conflict" {
		t.Errorf("another doctor's booking answered %q", class)
	}
}

func TestARoomNeverEndedStaysInTheQueue(t *testing.T) {
	h := newHouse(t)
	id := h.active()
	h.at(monday.Add(72 * time.Hour))
	q := h.must("d", "Queue", map[string]any{})
	if active := q["active"].([]any); len(active) != 1 || active[0].(map[string]any)["id"] != id {
		t.Errorf("active are %v", active)
	}
}

func TestAPageGetsTheLatestOfALongChat(t *testing.T) {
	h := newHouse(t)
	id := h.active()
	for i := range 5 {
		if _, err := h.module.store.Say(t.Context(), consult.Message{Consultation: id, ID: strconv.Itoa(i), Account: "p", Text: strconv.Itoa(i), At: h.now()}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := h.module.store.Chat(t.Context(), id, 2)
	if err != nil || len(list) != 2 || list[0].Text != "3" || list[1].Text != "4" {
		t.Errorf("got %v, %v; want the last two lines in order", list, err)
	}
}

func TestADisabledDoctorIsNotBooked(t *testing.T) {
	h := newHouse(t)
	h.hours()
	h.memory.mu.Lock()
	h.memory.disabled["d"] = true
	h.memory.mu.Unlock()
	if _, class := h.call("p", "Book", map[string]any{"patient": "p1", "doctor": "d"}); class != "precondition" {
		t.Errorf("answered %q", class)
	}
}

func TestWhoIsInvitedDoesNotMoveOrCancel(t *testing.T) {
	h := newHouse(t)
	h.hours()
	id := h.must("p", "Book", map[string]any{"patient": "p1", "doctor": "d", "start": "2026-11-23T08:00:00+07:00"})["id"].(string)
	h.must("d", "Invite", map[string]any{"id": id, "account": "x"})
	for method, req := range map[string]map[string]any{
		"Cancel": {"id": id}, "Reschedule": {"id": id, "start": "2026-11-24T08:00:00+07:00"},
	} {
		if _, class := h.call("x", method, req); class != "forbidden" {
			t.Errorf("%s by the specialist answered %q", method, class)
		}
	}
	h.must("d", "Reschedule", map[string]any{"id": id, "start": "2026-11-24T08:00:00+07:00"})
	h.must("p", "Cancel", map[string]any{"id": id})
}
