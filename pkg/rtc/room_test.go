package rtc_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v3"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/rtc"
	"github.com/yba-health/yba/pkg/rtc/rtctest"
)

const patience = 15 * time.Second

func engine(t *testing.T) *rtc.Engine {
	t.Helper()
	e, err := rtc.New(rtc.Config{
		IPs: []string{"127.0.0.1"}, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Silence: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := e.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return e
}

// person joins a room by direct calls, as signalling would.
type person struct {
	*rtctest.Client
	seat *rtc.Seat

	mu     sync.Mutex
	sent   []rtc.Sent
	silent chan rtc.Source
	again  chan struct{}
}

func join(t *testing.T, room *rtc.Room, id string, relay bool, servers ...webrtc.ICEServer) *person {
	t.Helper()
	c, err := rtctest.New(id, relay, servers...)
	if err != nil {
		t.Fatal(err)
	}
	return joinWith(t, room, id, c)
}

func joinWith(t *testing.T, room *rtc.Room, id string, c *rtctest.Client) *person {
	t.Helper()
	var err error
	p := &person{Client: c, silent: make(chan rtc.Source, 16), again: make(chan struct{}, 1)}
	ready := make(chan struct{})
	p.seat, err = room.Join(id, rtc.Events{
		Offer: func(n int, sdp string, sent []rtc.Sent) {
			p.mu.Lock()
			p.sent = sent
			p.mu.Unlock()
			go func() {
				<-ready
				answer, err := c.TakeOffer(sdp)
				if err == nil {
					err = p.seat.Answer(n, answer)
				}
				if err != nil && !fault.Is(err, fault.Gone) {
					t.Log(err)
				}
			}()
		},
		Changed: func() {},
		Quality: func(rtc.Level) {},
		Again:   func() { p.again <- struct{}{} },
		Silent: func(s rtc.Source, silent bool) {
			if silent {
				p.silent <- s
			}
		},
	})
	close(ready)
	if err != nil {
		t.Fatal(err)
	}
	offer, err := c.Offer(true, false)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := p.seat.Publish(offer, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.TakeAnswer(answer); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return p
}

// hears waits until p has n packets of both kinds from the other.
func hears(t *testing.T, p *person, other string, n int) {
	t.Helper()
	for _, kind := range []string{"/audio", "/video"} {
		if !p.Until(patience, func() bool { return p.Received("from:"+other+kind) >= n }) {
			t.Fatalf("%s received %d packets of %s of %s, want %d", p.seat.ID(), p.Received("from:"+other+kind), kind, other, n)
		}
	}
}

func TestThreePeopleHearAndSeeEachOther(t *testing.T) {
	room := engine(t).NewRoom()
	people := []*person{join(t, room, "a", false), join(t, room, "b", false), join(t, room, "c", false)}
	for _, p := range people {
		for _, o := range people {
			if p != o {
				hears(t, p, o.seat.ID(), 20)
			}
		}
		if n := p.Received("from:" + p.seat.ID() + "/audio"); n != 0 {
			t.Errorf("%s hears itself", p.seat.ID())
		}
	}
	people[0].mu.Lock()
	defer people[0].mu.Unlock()
	if len(people[0].sent) != 4 {
		t.Errorf("the offer names %d tracks, want those of two others", len(people[0].sent))
	}
}

func TestALostPacketComesAgainFromTheCache(t *testing.T) {
	room := engine(t).NewRoom()
	a, b := join(t, room, "a", false), join(t, room, "b", false)
	hears(t, b, "a", 20)
	for _, key := range []string{"a/audio", "a/video"} {
		s := b.Stream(key)
		if err := b.Nack(s.SSRC, s.Seq); err != nil {
			t.Fatal(err)
		}
		if !b.Until(patience, func() bool { return b.Times(key, s.Seq) >= 2 }) {
			t.Errorf("packet %d of %s came %d times, want it again", s.Seq, key, b.Times(key, s.Seq))
		}
	}
	_ = a
}

func TestIceRestartsWithoutLeavingTheRoom(t *testing.T) {
	room := engine(t).NewRoom()
	a, b := join(t, room, "a", false), join(t, room, "b", false)
	hears(t, b, "a", 10)
	b.seat.RestartICE()
	offer, err := a.Offer(true, true)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := a.seat.Publish(offer, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.TakeAnswer(answer); err != nil {
		t.Fatal(err)
	}
	hears(t, b, "a", b.Received("from:a/audio")+50)
}

func TestWhoComesBackTakesTheOldSeat(t *testing.T) {
	room := engine(t).NewRoom()
	a, b := join(t, room, "a", false), join(t, room, "b", false)
	hears(t, b, "a", 10)
	again := join(t, room, "a", false)
	<-a.seat.Done()
	hears(t, again, "b", 10)
	hears(t, b, "a", b.Received("from:a/audio")+30)
	if got := room.Seats(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("seats are %v", got)
	}
}

func TestABrowserWithoutGCMIsLetInAtItsSecondTry(t *testing.T) {
	room := engine(t).NewRoom()
	a := join(t, room, "a", false)
	for try := 1; ; try++ {
		c, err := rtctest.NewWithoutGCM("old")
		if err != nil {
			t.Fatal(err)
		}
		old := joinWith(t, room, "old", c)
		if try == 2 {
			hears(t, old, "a", 10)
			hears(t, a, "old", 10)
			return
		}
		select {
		case <-old.again:
		case <-time.After(patience):
			t.Fatal("it is not asked to join again")
		}
	}
}

func TestATrackWithoutPacketsIsReported(t *testing.T) {
	room := engine(t).NewRoom()
	a, b := join(t, room, "a", false), join(t, room, "b", false)
	hears(t, b, "a", 10)
	a.Mute()
	select {
	case <-a.silent:
	case <-time.After(patience):
		t.Error("nobody was told")
	}
}

func TestARoomHasSixSeats(t *testing.T) {
	room := engine(t).NewRoom()
	none := rtc.Events{Offer: func(int, string, []rtc.Sent) {}, Changed: func() {}, Quality: func(rtc.Level) {}, Silent: func(rtc.Source, bool) {}}
	for i := range rtc.MaxSeats {
		if _, err := room.Join(fmt.Sprint(i), none); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := room.Join("one more", none); !fault.Is(err, fault.Limited) {
		t.Errorf("a seventh person got %v", err)
	}
	room.Close()
	if _, err := room.Join("late", none); !fault.Is(err, fault.Gone) {
		t.Errorf("a closed room answered %v", err)
	}
}

func TestForeignOffersAreRefused(t *testing.T) {
	room := engine(t).NewRoom()
	s, err := room.Join("a", rtc.Events{Offer: func(int, string, []rtc.Sent) {}, Changed: func() {}, Quality: func(rtc.Level) {}, Silent: func(rtc.Source, bool) {}})
	if err != nil {
		t.Fatal(err)
	}
	for name, sdp := range map[string]string{
		"nothing": "", "too long": strings.Repeat("a", 70_000), "no SDP": "hello",
		"data channel": "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
		"many candidates": "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" +
			strings.Repeat("a=candidate:1 1 udp 1 203.0.113.1 9 typ host\r\n", 65),
		"many sections": "v=0\r\n" + strings.Repeat("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n", 9),
	} {
		_, err := s.Publish(sdp, nil)
		if err == nil || fault.Is(err, fault.Internal) || name == "many candidates" && !fault.Is(err, fault.Limited) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := s.Answer(1, "v=0\r\n"); !fault.Is(err, fault.Conflict) {
		t.Errorf("an answer to no offer got %v", err)
	}
}

func TestLeavingFreesEverything(t *testing.T) {
	before := runtime.NumGoroutine()
	e, err := rtc.New(rtc.Config{IPs: []string{"127.0.0.1"}, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	room := e.NewRoom()
	a, b := join(t, room, "a", false), join(t, room, "b", false)
	hears(t, b, "a", 10)
	a.seat.Close()
	<-a.seat.Done()
	if got := room.Seats(); !slices.Equal(got, []string{"b"}) {
		t.Errorf("seats are %v", got)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := e.Close(ctx); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for runtime.NumGoroutine() > before {
		select {
		case <-tick.C:
		case <-ctx.Done():
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

func TestTheRelayLeadsToTheRoom(t *testing.T) {
	e := engine(t)
	secret := []byte("a secret of the tests alone")
	turn, err := rtc.ListenTURN(rtc.TURNConfig{
		Secret: secret, Relays: e.Addresses(), MediaPort: e.Port(), Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer turn.Close()
	user, password := rtc.Credentials(secret, "seat", time.Now().Add(time.Hour))
	for _, transport := range []string{"udp", "tcp"} {
		room := e.NewRoom()
		server := webrtc.ICEServer{
			URLs:     []string{fmt.Sprintf("turn:%s?transport=%s", net.JoinHostPort("127.0.0.1", fmt.Sprint(turn.Port())), transport)},
			Username: user, Credential: password,
		}
		a, b := join(t, room, "a", true, server), join(t, room, "b", false)
		hears(t, b, "a", 10)
		hears(t, a, "b", 10)
	}
}
