package consults

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"
	"github.com/lib/pq"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	consultsv1 "github.com/yba-health/yba/proto/gen/yba/consults/v1"
	"github.com/yba-health/yba/services/consults/consult"
	"github.com/yba-health/yba/services/consults/postgres"
)

const (
	helloWait = 5 * time.Second
	// checkEvery asks the guard again, so that a session that has ended ends
	// its socket too.
	checkEvery = time.Minute
)

// hub wakes the live sockets of a doctor's consultations. What happens in
// another process comes by NOTIFY.
type hub struct {
	mu   sync.Mutex
	subs map[chan struct{}]string // the doctor whose queue it follows
}

func newHub() *hub { return &hub{subs: map[chan struct{}]string{}} }

func (h *hub) subscribe(doctor string) (wake chan struct{}, cancel func()) {
	wake = make(chan struct{}, 1)
	h.mu.Lock()
	h.subs[wake] = doctor
	h.mu.Unlock()
	return wake, func() {
		h.mu.Lock()
		delete(h.subs, wake)
		h.mu.Unlock()
	}
}

// wake wakes who follows the doctor; an empty doctor wakes everybody.
func (h *hub) wake(doctor string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c, d := range h.subs {
		if doctor != "" && d != doctor {
			continue
		}
		select {
		case c <- struct{}{}:
		default: // it has not looked at the last one yet
		}
	}
}

// listen passes notifications on until ctx ends. heard is told each one.
func listen(ctx context.Context, dsn string, log *slog.Logger, heard func(doctor, consultation string)) error {
	l := pq.NewListener(dsn, 200*time.Millisecond, 10*time.Second, func(_ pq.ListenerEventType, err error) {
		if err != nil {
			log.Warn("notifications interrupted", "error", err)
		}
	})
	if err := l.Listen(postgres.Channel); err != nil {
		_ = l.Close()
		return err
	}
	go func() { // ends with ctx
		defer l.Close()
		for {
			select {
			case <-ctx.Done():
				return
			case n := <-l.Notify:
				if n == nil { // reconnected: something may have been missed
					heard("", "")
					continue
				}
				doctor, id, _ := strings.Cut(n.Extra, "/")
				heard(doctor, id)
			}
		}
	}()
	return nil
}

// heard reacts to a change that any process made.
func (s *Service) heard(ctx context.Context, doctor, consultation string) {
	s.hub.wake(doctor)
	ids := []string{consultation}
	if consultation == "" {
		ids = nil
		for _, r := range s.hall.all() {
			ids = append(ids, r.id)
		}
	}
	for _, id := range ids {
		if !s.hall.has(id) {
			continue
		}
		if c, err := s.store.Get(ctx, id); err == nil && c.Status.Over() {
			s.hall.close(id, "ended")
		}
	}
}

func (h *hall) has(consultation string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rooms[consultation] != nil
}

type liveHello struct {
	Token        string `json:"token"`
	Consultation string `json:"consultation"`
}

type liveError struct {
	Type  string            `json:"type"`
	Error map[string]string `json:"error"`
}

// serveLive is the WebSocket of live events.
func (s *Service) serveLive(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{OriginPatterns: s.origins})
	if err != nil {
		return // Accept has answered
	}
	ws.SetReadLimit(16 << 10)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	out := newConn(ws, cancel)
	first, err := firstMessage(ctx, ws)
	// From here on the browser has nothing to say; reading answers pings.
	ctx = ws.CloseRead(ctx)
	written := make(chan struct{})
	go func() { defer close(written); out.run(ctx) }() // ends with ctx or out
	defer func() { <-written }()
	if err == nil {
		err = s.follow(guard.WithToken(ctx, first.Token), first.Consultation, out)
	}
	if err != nil {
		f := fault.Of(err)
		out.send(liveError{"error", map[string]string{"class": f.Class.String(), "message": f.Message, "at": f.At}})
	}
	out.finish("")
}

func firstMessage(ctx context.Context, ws *websocket.Conn) (m liveHello, err error) {
	ctx, cancel := context.WithTimeout(ctx, helloWait)
	defer cancel()
	_, b, err := ws.Read(ctx)
	if err != nil {
		return m, fault.New(fault.Unauthenticated, "the first message carries the access token, within 5 seconds", err)
	}
	err = strict(b, &m)
	if err == nil && m.Token == "" {
		err = fault.New(fault.Unauthenticated, "the first message carries the access token", nil).In("token")
	}
	return m, err
}

// follow sends what changes until ctx ends or the guard refuses.
func (s *Service) follow(ctx context.Context, consultation string, out *conn) error {
	look, doctor, err := s.look(ctx, consultation)
	if err != nil {
		return err
	}
	// Subscribed before the first look, so that nothing falls in between.
	wake, cancel := s.hub.subscribe(doctor)
	defer cancel()
	out.send(endedMessage{Type: "ready"})
	check := time.NewTicker(checkEvery)
	defer check.Stop()
	var last []byte
	for {
		m, err := look(ctx)
		if err != nil {
			return err
		}
		// A queue's message says only that there is news; the first look is none.
		if consultation == "" && last != nil || consultation != "" && !bytes.Equal(m, last) {
			out.queue(m)
		}
		last = m
	again:
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-check.C:
			if _, err := look(ctx); err != nil {
				return err
			}
			goto again
		}
	}
}

// look authorises the caller and returns how to make the next message, and
// whose queue to follow.
func (s *Service) look(ctx context.Context, consultation string) (func(context.Context) ([]byte, error), string, error) {
	if consultation == "" {
		enter := func(ctx context.Context) (context.Context, error) {
			return s.guard.Enter(ctx, "consults.Queue", guard.Rules{}, &consultsv1.QueueRequest{})
		}
		entered, err := enter(ctx)
		s.guard.Note(entered, "consults.Queue", "", "live", err)
		return func(ctx context.Context) ([]byte, error) {
			_, err := enter(ctx)
			return []byte(`{"type":"queue"}`), err
		}, guard.PrincipalOf(entered).GetAccount(), err
	}
	get := func(ctx context.Context) (context.Context, consult.Consultation, consult.Role, error) {
		entered, err := s.guard.Enter(ctx, "consults.GetConsultation", guard.Rules{}, &consultsv1.GetConsultationRequest{Id: consultation})
		if err != nil {
			return entered, consult.Consultation{}, "", err
		}
		c, role, err := s.get(entered, consultation)
		return entered, c, role, err
	}
	entered, c, _, err := get(ctx)
	place := ""
	if _, bad := uuid.Parse(consultation); bad == nil {
		place = target(consultation)
	}
	s.guard.Note(entered, "consults.GetConsultation", c.Patient, place, err)
	return func(ctx context.Context) ([]byte, error) {
		entered, c, role, err := get(ctx)
		if err != nil {
			return nil, err
		}
		v, err := s.show(entered, &c, role)
		if err != nil {
			return nil, err
		}
		b, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(v)
		if err != nil {
			return nil, err
		}
		return append(append([]byte(`{"type":"consultation","consultation":`), b...), '}'), nil
	}, c.Doctor, err
}
