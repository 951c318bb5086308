package consults

import (
	"encoding/base64"
	"sync"
	"testing"
	"time"
)

func TestAConsultationFromBookingToPrescription(t *testing.T) {
	h := newHouse(t)
	h.hours()
	if hs := h.memory.resources; len(hs) != 3 {
		t.Errorf("the offer is not in the record: %d resources", len(hs))
	}
	slots := h.must("p", "ListSlots", map[string]any{"doctor": "d", "days": 1})["slots"].([]any)
	if len(slots) != 3 {
		t.Fatalf("%d slots, want 3: %v", len(slots), slots)
	}
	start := slots[0].(map[string]any)["start"]
	book := map[string]any{"patient": "p1", "doctor": "d", "start": start, "reason": "Đau đầu", "requestId": "r1"}
	c := h.must("p", "Book", book)
	id := c["id"].(string)
	if again := h.must("p", "Book", book); again["id"] != id {
		t.Error("a retry booked twice")
	}
	if c["patientName"] != "Nguyễn Thị Hoa" || c["birthDate"] != "1980-02-03" {
		t.Errorf("patient is %v %v", c["patientName"], c["birthDate"])
	}
	if a := h.memory.resource("Appointment/" + id); a["status"] != "booked" || a["start"] != "2026-11-23T07:30:00+07:00" {
		t.Errorf("Appointment is %v", a)
	}
	if len(h.memory.relations) != 1 {
		t.Errorf("%d relations, want the doctor's", len(h.memory.relations))
	}
	if _, class := h.call("q", "Book", map[string]any{"patient": "p2", "doctor": "d", "start": start}); class != "conflict" {
		t.Errorf("a taken slot answered %q", class)
	}
	if _, class := h.call("q", "Book", map[string]any{"patient": "p2", "doctor": "d", "start": "2026-11-23T07:31:00+07:00"}); class != "precondition" {
		t.Errorf("a time without a slot answered %q", class)
	}
	for _, who := range []string{"q", "x"} {
		if _, class := h.call(who, "GetConsultation", map[string]any{"id": id}); class != "forbidden" {
			t.Errorf("%s saw it: %q", who, class)
		}
	}
	if _, class := h.call("p", "Join", map[string]any{"id": id}); class != "precondition" {
		t.Errorf("a patient joined before Admit: %q", class)
	}
	if got := h.must("g", "GetConsultation", map[string]any{"id": id}); got["id"] != id {
		t.Error("the guardian does not see it")
	}
	if got := h.must("p", "CheckIn", map[string]any{"id": id}); got["status"] != "waiting" || got["place"] != 1.0 {
		t.Errorf("waits as %v at %v", got["status"], got["place"])
	}
	if _, class := h.call("p", "Admit", map[string]any{"id": id}); class != "forbidden" {
		t.Errorf("a patient opened the room: %q", class)
	}
	if q := h.must("d", "Queue", map[string]any{}); len(q["waiting"].([]any)) != 1 {
		t.Errorf("queue is %v", q)
	}
	h.must("d", "Admit", map[string]any{"id": id})
	if e := h.memory.resource("Encounter/" + id); e["status"] != "in-progress" || e["class"].(map[string]any)["code"] != "VR" {
		t.Errorf("Encounter is %v", e)
	}
	h.must("d", "Invite", map[string]any{"id": id, "account": "x"})
	if got := h.must("x", "GetConsultation", map[string]any{"id": id}); got["draft"] != "" {
		t.Error("the specialist sees the draft")
	}
	h.must("d", "SaveNote", map[string]any{"id": id, "text": "nháp"})
	if got := h.must("p", "GetConsultation", map[string]any{"id": id}); got["draft"] != "" || got["note"] != "" {
		t.Error("the patient sees the draft")
	}
	h.must("d", "SaveNote", map[string]any{"id": id, "text": "Theo dõi huyết áp", "final": true})
	doc := h.memory.resource("DocumentReference/" + id)
	data := doc["content"].([]any)[0].(map[string]any)["attachment"].(map[string]any)["data"].(string)
	if b, err := base64.StdEncoding.DecodeString(data); err != nil || string(b) != "Theo dõi huyết áp" {
		t.Errorf("note is %q", b)
	}
	prescribe := map[string]any{"id": id, "medicines": []any{
		map[string]any{"name": "Paracetamol 500 mg", "dose": "1 viên", "perDay": 2, "days": 5, "instruction": "sau ăn", "quantity": "10 viên"},
	}}
	first := h.must("d", "Prescribe", prescribe)["prescriptions"].([]any)
	second := h.must("d", "Prescribe", prescribe)["prescriptions"].([]any)
	if len(first) != 1 || len(second) != 1 {
		t.Fatalf("prescriptions are %v, then %v", first, second)
	}
	line := h.memory.resource("MedicationRequest/" + first[0].(string))["dosageInstruction"].([]any)[0].(map[string]any)["text"]
	if line != "1 viên × 2 lần/ngày × 5 ngày, sau ăn" {
		t.Errorf("the patient reads %q", line)
	}
	h.must("d", "End", map[string]any{"id": id})
	if e := h.memory.resource("Encounter/" + id); e["status"] != "finished" {
		t.Errorf("Encounter is %v", e)
	}
	if a := h.memory.resource("Appointment/" + id); a["status"] != "fulfilled" {
		t.Errorf("Appointment is %v", a)
	}
	if _, class := h.call("d", "Join", map[string]any{"id": id}); class != "precondition" {
		t.Errorf("an ended consultation was joined: %q", class)
	}
}

func TestOneOfManyWinsASlot(t *testing.T) {
	h := newHouse(t)
	h.hours()
	var wg sync.WaitGroup
	classes := make(chan string, 12)
	for i := range 12 {
		wg.Go(func() {
			who := []string{"p", "q"}[i%2]
			_, class := h.call(who, "Book", map[string]any{"patient": map[string]string{"p": "p1", "q": "p2"}[who], "doctor": "d", "start": "2026-11-23T08:00:00+07:00"})
			classes <- class
		})
	}
	wg.Wait()
	close(classes)
	got := map[string]int{}
	for c := range classes {
		got[c]++
	}
	if got[""] != 1 || got["conflict"] != 11 {
		t.Errorf("outcomes are %v, want one booking and eleven conflicts", got)
	}
}

func TestCancellingFreesTheSlotAndEndsTheRelation(t *testing.T) {
	h := newHouse(t)
	h.hours()
	book := map[string]any{"patient": "p1", "doctor": "d", "start": "2026-11-23T08:00:00+07:00"}
	id := h.must("g", "Book", book)["id"].(string) // a guardian, for her ward
	moved := h.must("p", "Reschedule", map[string]any{"id": id, "start": "2026-11-24T08:00:00+07:00"})
	if moved["start"] != "2026-11-24T08:00:00+07:00" || len(h.memory.relations) != 1 {
		t.Errorf("moved to %v with %d relations", moved["start"], len(h.memory.relations))
	}
	h.must("p", "Cancel", map[string]any{"id": id, "reason": "bận"})
	if len(h.memory.relations) != 0 {
		t.Error("the doctor may still reach the record")
	}
	if a := h.memory.resource("Appointment/" + id); a["status"] != "cancelled" {
		t.Errorf("Appointment is %v", a["status"])
	}
	h.must("p", "Book", book)
}

func TestWhatTheRecordMissedIsCarriedLater(t *testing.T) {
	h := newHouse(t)
	h.hours()
	id := h.must("p", "Book", map[string]any{"patient": "p1", "doctor": "d"})["id"].(string)
	h.must("p", "CheckIn", map[string]any{"id": id})
	h.memory.mu.Lock()
	h.memory.down = true
	h.memory.mu.Unlock()
	h.must("d", "Admit", map[string]any{"id": id})
	h.must("d", "SaveNote", map[string]any{"id": id, "text": "Kết luận", "final": true})
	if h.memory.resource("Encounter/"+id) != nil {
		t.Fatal("written while down")
	}
	h.memory.mu.Lock()
	h.memory.down = false
	h.memory.mu.Unlock()
	// The sweep compares with the database's clock.
	h.at(time.Now().Add(time.Minute))
	for range 2 {
		if err := h.module.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if h.memory.resource("Encounter/"+id) == nil || h.memory.resource("DocumentReference/"+id) == nil {
		t.Error("nothing was carried")
	}
	h.memory.mu.Lock()
	writes := h.memory.writes
	h.memory.mu.Unlock()
	if err := h.module.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.memory.mu.Lock()
	defer h.memory.mu.Unlock()
	if h.memory.writes != writes {
		t.Error("what is recorded was written again")
	}
}

func TestABookingOfNobodyLeavesNothing(t *testing.T) {
	h := newHouse(t)
	h.hours()
	delete(h.memory.resources, "Patient/p1")
	if _, class := h.call("p", "Book", map[string]any{"patient": "p1", "doctor": "d", "start": "2026-11-23T08:00:00+07:00"}); class != "not-found" {
		t.Errorf("answered %q", class)
	}
	h.must("q", "Book", map[string]any{"patient": "p2", "doctor": "d", "start": "2026-11-23T08:00:00+07:00"})
}

func TestADayThatIsOverIsMissed(t *testing.T) {
	h := newHouse(t)
	h.hours()
	id := h.must("p", "Book", map[string]any{"patient": "p1", "doctor": "d", "start": "2026-11-23T08:00:00+07:00"})["id"].(string)
	h.at(monday.Add(20 * time.Hour))
	if err := h.module.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := h.must("p", "GetConsultation", map[string]any{"id": id}); got["status"] != "missed" {
		t.Errorf("status is %v", got["status"])
	}
}
