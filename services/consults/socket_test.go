package consults

import (
	"context"
	"encoding/json"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	"github.com/yba-health/yba/pkg/rtc/rtctest"
)

const patience = 20 * time.Second

// caller is a browser in a room.
type caller struct {
	t  *testing.T
	ws *websocket.Conn
	*rtctest.Client

	mu   sync.Mutex
	seen []map[string]any
	news chan struct{}
	done chan struct{}
}

// dial opens the signalling socket; it returns nil and the status when refused.
func (h *house) dial(query string, header http.Header) (*websocket.Conn, int) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// The body of a handshake is the library's to close.
	ws, resp, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(h.url, "http")+"/api/consults/v1/"+query, &websocket.DialOptions{HTTPHeader: header}) //nolint:bodyclose // as said above
	if err != nil {
		if resp == nil {
			h.t.Fatal(err)
		}
		return nil, resp.StatusCode
	}
	ws.SetReadLimit(1 << 20)
	return ws, http.StatusSwitchingProtocols
}

func (h *house) token(account, id string) string {
	h.t.Helper()
	return h.must(account, "Join", map[string]any{"id": id})["token"].(string)
}

// sit joins as the account and begins to send.
func (h *house) sit(t *testing.T, account, query string) *caller {
	t.Helper()
	ws, status := h.dial(query, nil)
	if ws == nil {
		t.Fatalf("refused with %d", status)
	}
	client, err := rtctest.New(account, false)
	if err != nil {
		t.Fatal(err)
	}
	c := &caller{t: t, ws: ws, Client: client, news: make(chan struct{}, 1), done: make(chan struct{})}
	go c.run() // ends with the socket
	t.Cleanup(c.close)
	c.wait("hello")
	offer, err := client.Offer(true, false)
	if err != nil {
		t.Fatal(err)
	}
	c.say(map[string]any{"type": "offer", "sdp": offer})
	return c
}

func (c *caller) close() {
	_ = c.ws.CloseNow()
	<-c.done
	_ = c.Close()
}

func (c *caller) say(m map[string]any) {
	c.t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.ws.Write(ctx, websocket.MessageText, b); err != nil {
		c.t.Log("write:", err)
	}
}

func (c *caller) run() {
	defer close(c.done)
	for {
		_, b, err := c.ws.Read(context.Background())
		if err != nil {
			return
		}
		var m map[string]any
		if err := json.Unmarshal(b, &m); err != nil {
			c.t.Error(err)
			return
		}
		switch m["type"] {
		case "answer":
			if err := c.TakeAnswer(m["sdp"].(string)); err != nil {
				c.t.Error(err)
			}
		case "offer":
			answer, err := c.TakeOffer(m["sdp"].(string))
			if err != nil {
				c.t.Error(err)
				return
			}
			c.say(map[string]any{"type": "answer", "id": m["id"], "sdp": answer})
		}
		c.mu.Lock()
		c.seen = append(c.seen, m)
		c.mu.Unlock()
		select {
		case c.news <- struct{}{}:
		default:
		}
	}
}

// wait returns the latest message of the type that fits, waiting for it.
func (c *caller) wait(kind string, fits ...func(map[string]any) bool) map[string]any {
	c.t.Helper()
	late := time.After(patience)
	for {
		c.mu.Lock()
	messages:
		for i := len(c.seen) - 1; i >= 0; i-- {
			if c.seen[i]["type"] != kind {
				continue
			}
			for _, f := range fits {
				if !f(c.seen[i]) {
					continue messages
				}
			}
			m := c.seen[i]
			c.mu.Unlock()
			return m
		}
		c.mu.Unlock()
		select {
		case <-c.news:
		case <-late:
			c.t.Fatalf("no %s came", kind)
		}
	}
}

func (c *caller) hears(other string, n int) {
	c.t.Helper()
	for _, kind := range []string{"/audio", "/video"} {
		if !c.Until(patience, func() bool { return c.Received("from:"+other+kind) >= n }) {
			c.t.Fatalf("%d packets of %s from %s, want %d", c.Received("from:"+other+kind), kind, other, n)
		}
	}
}

func TestDoctorPatientAndSpecialistMeet(t *testing.T) {
	h := newHouse(t)
	id := h.active()
	h.must("d", "Invite", map[string]any{"id": id, "account": "x"})
	d := h.sit(t, "d", "rooms?seat="+h.token("d", id))
	p := h.sit(t, "p", "rooms?seat="+h.token("p", id))
	d.hears("p", 20)
	p.hears("d", 20)
	x := h.sit(t, "x", "rooms?seat="+h.token("x", id))
	for _, c := range []*caller{d, p} {
		c.hears("x", 20)
	}
	x.hears("d", 20)
	x.hears("p", 20)
	if got := h.must("p", "GetConsultation", map[string]any{"id": id}); !got["members"].([]any)[0].(map[string]any)["present"].(bool) {
		t.Error("the doctor does not count as present")
	}
	x.say(map[string]any{"type": "leave"})
	x.wait("ended")
	d.wait("members", func(m map[string]any) bool { return len(m["members"].([]any)) == 2 })

	h.must("d", "End", map[string]any{"id": id})
	if m := p.wait("ended"); m["reason"] != "ended" {
		t.Errorf("ended because of %v", m["reason"])
	}
	if n := len(h.module.hall.all()); n != 0 {
		t.Errorf("%d rooms are left", n)
	}
}

func TestASeatsTokenWorksOnceAndAReloadComesBack(t *testing.T) {
	h := newHouse(t)
	id := h.active()
	d := h.sit(t, "d", "rooms?seat="+h.token("d", id))
	token := h.token("p", id)
	p := h.sit(t, "p", "rooms?seat="+token)
	d.hears("p", 10)
	if ws, status := h.dial("rooms?seat="+token, nil); ws != nil || status != http.StatusUnauthorized {
		t.Fatalf("a second use answered %d", status)
	}
	line := uuid.NewString()
	for range 2 {
		p.say(map[string]any{"type": "chat", "id": line, "text": "Chào bác sĩ"})
	}
	d.wait("chat")

	resume := p.wait("hello")["resume"].(string)
	seat := p.wait("hello")["seat"]
	p.close() // the page is reloaded
	d.wait("members", func(m map[string]any) bool { return strings.Contains(toJSON(m), `"present":false`) })
	again := h.sit(t, "p", "rooms?resume="+resume)
	hello := again.wait("hello")
	if hello["seat"] != seat || hello["resume"] == resume {
		t.Errorf("came back to %v with resume token unchanged: %v", hello["seat"], hello["resume"] == resume)
	}
	if chat := hello["chat"].([]any); len(chat) != 1 || chat[0].(map[string]any)["text"] != "Chào bác sĩ" {
		t.Errorf("chat is %v", chat)
	}
	again.hears("d", 10)
	d.hears("p", d.Received("from:p/audio")+20)
	if ws, status := h.dial("rooms?resume="+resume, nil); ws != nil || status != http.StatusUnauthorized {
		t.Errorf("a resume token worked twice: %d", status)
	}
}

func toJSON(m map[string]any) string {
	b, _ := json.Marshal(m) // it came from JSON
	return string(b)
}

func TestStrangersAreRefusedAtTheDoorAndNoted(t *testing.T) {
	h := newHouse(t)
	id := h.active()
	if _, class := h.call("q", "Join", map[string]any{"id": id}); class != "forbidden" {
		t.Errorf("a stranger joined: %q", class)
	}
	for _, query := range []string{"rooms", "rooms?seat=" + strings.Repeat("0", 32), "rooms?seat=" + id} {
		if ws, status := h.dial(query, nil); ws != nil || status != http.StatusUnauthorized {
			t.Errorf("%s answered %d", query, status)
		}
	}
	if ws, status := h.dial("rooms?seat="+h.token("p", id), http.Header{"Origin": {"https://evil.example"}}); ws != nil || status != http.StatusForbidden {
		t.Errorf("a foreign page opened a seat: %d", status)
	}
	token := h.token("p", id)
	h.memory.mu.Lock()
	h.memory.disabled["p"] = true
	h.memory.mu.Unlock()
	if ws, status := h.dial("rooms?seat="+token, nil); ws != nil || status != http.StatusForbidden {
		t.Errorf("a disabled account entered: %d", status)
	}
	h.auditor.Flush()
	h.memory.mu.Lock()
	defer h.memory.mu.Unlock()
	denied := 0
	for _, e := range h.memory.audit {
		if e.GetOperation() == "consults.Join" && e.GetOutcome() == "denied" {
			denied++
		}
	}
	if denied != 5 {
		t.Errorf("%d refusals in the audit log, want 5", denied)
	}
}

func TestLiveSocketsTellOfChanges(t *testing.T) {
	h := newHouse(t)
	h.hours()
	id := h.must("p", "Book", map[string]any{"patient": "p1", "doctor": "d"})["id"].(string)
	follow := func(hello string) *caller {
		ws, status := h.dial("live", nil)
		if ws == nil {
			t.Fatal(status)
		}
		client, err := rtctest.New("live", false)
		if err != nil {
			t.Fatal(err)
		}
		c := &caller{t: t, ws: ws, Client: client, news: make(chan struct{}, 1), done: make(chan struct{})}
		if err := ws.Write(t.Context(), websocket.MessageText, []byte(hello)); err != nil {
			t.Fatal(err)
		}
		go c.run() // ends with the socket
		t.Cleanup(c.close)
		return c
	}
	queue := follow(`{"token":"token-d"}`)
	queue.wait("ready")
	mine := follow(`{"token":"token-p","consultation":"` + id + `"}`)
	status := func(s string) func(map[string]any) bool {
		return func(m map[string]any) bool { return m["consultation"].(map[string]any)["status"] == s }
	}
	mine.wait("consultation", status("booked"))
	h.must("p", "CheckIn", map[string]any{"id": id})
	mine.wait("consultation", status("waiting"))
	queue.wait("queue")
	h.must("d", "Admit", map[string]any{"id": id})
	mine.wait("consultation", status("active"))

	for _, hello := range []string{`{"token":"token-q","consultation":"` + id + `"}`, `{"token":"nobody"}`, `{}`, `hello`} {
		refused := follow(hello)
		refused.wait("error")
		select {
		case <-refused.done:
		case <-time.After(patience):
			t.Errorf("%s: the socket stays open", hello)
		}
	}
}

func TestAMalformedMessageEndsTheSocket(t *testing.T) {
	h := newHouse(t)
	id := h.active()
	d := h.sit(t, "d", "rooms?seat="+h.token("d", id))
	d.say(map[string]any{"type": "leave", "now": true})
	if m := d.wait("error"); m["class"] != "invalid" {
		t.Errorf("refused as %v", m["class"])
	}
	select {
	case <-d.done:
	case <-time.After(patience):
		t.Error("the socket stays open")
	}
}

func TestDrainingWaitsForTheRooms(t *testing.T) {
	h := newHouse(t)
	id := h.active()
	d := h.sit(t, "d", "rooms?seat="+h.token("d", id))
	token := h.token("p", id)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	drained := make(chan struct{})
	go func() { h.module.Drain(ctx); close(drained) }() // ends when the doctor leaves
	d.wait("draining")
	late, _ := h.dial("rooms?seat="+token, nil)
	if late != nil {
		if _, b, err := late.Read(ctx); err != nil || !strings.Contains(string(b), "unavailable") {
			t.Errorf("while draining a newcomer got %s, %v", b, err)
		}
		_ = late.CloseNow()
	}
	select {
	case <-drained:
		t.Fatal("it did not wait")
	default:
	}
	d.say(map[string]any{"type": "leave"})
	select {
	case <-drained:
	case <-ctx.Done():
		t.Fatal("it waits for an empty room")
	}
}

func TestRoomsLeaveNoGoroutines(t *testing.T) {
	h := newHouse(t)
	id := h.active()
	before := runtime.NumGoroutine()
	d, p := h.sit(t, "d", "rooms?seat="+h.token("d", id)), h.sit(t, "p", "rooms?seat="+h.token("p", id))
	d.hears("p", 10)
	h.must("d", "End", map[string]any{"id": id})
	for _, c := range []*caller{d, p} {
		<-c.done
		c.close()
	}
	http.DefaultClient.CloseIdleConnections()
	late := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for runtime.NumGoroutine() > before {
		select {
		case <-tick.C:
		case <-late:
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}
