package consults

import (
	"context"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/kit"
	"github.com/yba-health/yba/pkg/rtc"
	consultsv1 "github.com/yba-health/yba/proto/gen/yba/consults/v1"
	"github.com/yba-health/yba/services/consults/consult"
)

// maxHistory is how many lines of chat a page gets at the start.
const maxHistory = 500

const joinOperation = "consults.Join"

// Limits of one socket, in messages a second with a burst.
const (
	signalRate, signalBurst = 30, 150
	offerRate, offerBurst   = 1, 10
	chatRate, chatBurst     = 2, 20
)

// serveRoom is the signalling WebSocket.
func (s *Service) serveRoom(w http.ResponseWriter, r *http.Request) {
	t, principal, c, err := s.admit(r)
	if err != nil {
		kit.EncodeError(r.Context(), err, w)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{OriginPatterns: s.origins})
	if err != nil {
		return // Accept has answered
	}
	ws.SetReadLimit(maxSignal)
	ctx, cancel := context.WithCancel(guard.WithPrincipal(r.Context(), principal))
	defer cancel()
	out := newConn(ws, cancel)
	written := make(chan struct{})
	go func() { defer close(written); out.run(ctx) }() // ends with ctx or out
	defer func() { <-written }()

	p := &person{seat: consult.SeatID(c.ID, t.Account), account: t.Account, name: principal.GetName(), role: t.Role, conn: out}
	room, err := s.sit(ctx, c, p, out, principal)
	if err != nil {
		s.log.Debug("no seat", "error", err)
		out.send(refusal(err))
		out.finish("refused")
		return
	}
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() { defer close(watched); s.watch(watching, principal, out, room, p) }() // ends with watching
	defer func() { stop(); <-watched }()
	left := s.converse(ctx, ws, out, room, p)
	if !out.finished() {
		cancel() // nobody is there to write to
	}
	if left {
		s.hall.gone(room, p)
		return
	}
	s.hall.broken(room, p)
}

// admit turns the token of the request into a seat's holder. Every refusal is
// in the audit log.
func (s *Service) admit(r *http.Request) (t consult.SeatToken, p *guard.Principal, c consult.Consultation, err error) {
	ctx := r.Context()
	p = &guard.Principal{}
	defer func() {
		s.guard.Note(guard.WithPrincipal(ctx, p), joinOperation, c.Patient, target(c.ID), err)
	}()
	q := r.URL.Query()
	token := q.Get("seat")
	if token == "" {
		token = q.Get("resume")
	}
	if len(token) != 32 {
		return t, p, c, fault.New(fault.Unauthenticated, "the seat's token is missing: call Join", nil)
	}
	t, err = s.store.UseSeat(ctx, consult.HashToken(token), s.owner, s.now())
	if fault.Is(err, fault.NotFound) {
		return t, p, c, fault.New(fault.Unauthenticated, "this token was used, has expired or was revoked: call Join again", nil)
	}
	if err != nil {
		return t, p, c, err
	}
	if err = protojson.Unmarshal(t.Principal, p); err != nil {
		return t, p, c, err
	}
	if c, err = s.store.Get(ctx, t.Consultation); err != nil {
		return t, p, c, err
	}
	// The account may have been disabled, or the relation ended, since Join.
	entered, err := s.guard.Enter(guard.WithPrincipal(ctx, p), joinOperation, guard.Rules{}, &consultsv1.JoinRequest{Id: c.ID})
	if err != nil {
		return t, p, c, err
	}
	if t.Role, err = s.role(entered, &c); err == nil {
		err = c.MayJoin(t.Role)
	}
	return t, p, c, err
}

// watch asks again and again whether p may be in the room: the account may be
// disabled, the session signed out, a guardian's relation ended.
func (s *Service) watch(ctx context.Context, principal *guard.Principal, out *conn, r *room, p *person) {
	check := time.NewTicker(s.recheck)
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-check.C:
		}
		patient, err := s.welcome(ctx, principal, r.id)
		switch fault.Of(err).Class {
		case fault.Forbidden, fault.Unauthenticated, fault.Precondition, fault.NotFound:
		default:
			continue // allowed, or nobody can say at the moment
		}
		s.guard.Note(guard.WithPrincipal(ctx, principal), joinOperation, patient, target(r.id), err)
		if err := s.store.RevokeSeats(context.WithoutCancel(ctx), r.id, p.account); err != nil {
			s.log.Error("seat not revoked", "error", err)
		}
		out.end("removed")
		s.hall.gone(r, p)
		return
	}
}

// welcome says whether the principal may still be in the room.
func (s *Service) welcome(ctx context.Context, principal *guard.Principal, consultation string) (patient string, err error) {
	entered, err := s.guard.Enter(guard.WithPrincipal(ctx, principal), joinOperation, guard.Rules{}, &consultsv1.JoinRequest{Id: consultation})
	if err != nil {
		return "", err
	}
	c, role, err := s.get(entered, consultation)
	if err == nil {
		err = c.MayJoin(role)
	}
	return c.Patient, err
}

func target(consultation string) string {
	if consultation == "" {
		return ""
	}
	return "consultation/" + consultation
}

// sit takes the seat and says hello.
func (s *Service) sit(ctx context.Context, c consult.Consultation, p *person, out *conn, principal *guard.Principal) (*room, error) {
	resume, err := s.seat(ctx, &c, p.role, principal, consult.ResumeLife)
	if err != nil {
		return nil, err
	}
	chat, err := s.store.Chat(ctx, c.ID, maxHistory)
	if err != nil {
		return nil, err
	}
	if chat == nil {
		chat = []consult.Message{}
	}
	// Offers may come before hello is out; they wait for it.
	greeted := make(chan struct{})
	defer close(greeted)
	after := func(f func()) {
		select {
		case <-greeted:
			f()
		default:
			go func() { <-greeted; f() }() // ends when sit returns
		}
	}
	room, err := s.hall.enter(&c, p, func(r *room) rtc.Events {
		return rtc.Events{
			Offer: func(id int, sdp string, tracks []rtc.Sent) {
				after(func() { out.send(offerMessage{"offer", id, sdp, tracks}) })
			},
			Changed: func() { s.hall.tell(r) },
			Silent: func(source rtc.Source, silent bool) {
				s.hall.send(r, silentMessage{"silent", p.seat, source, silent})
			},
			Again:   func() { after(func() { out.end("draining") }) },
			Quality: func(l rtc.Level) { after(func() { out.send(qualityMessage{"quality", l}) }) },
		}
	})
	if err != nil {
		return nil, err
	}
	// The room may have ended between the check and the door.
	if now, err := s.store.Get(ctx, c.ID); err != nil || now.MayJoin(p.role) != nil {
		s.hall.gone(room, p)
		return nil, fault.New(fault.Gone, "the consultation is over", err)
	}
	out.send(helloMessage{
		Type: "hello", Seat: p.seat, Resume: resume, Consultation: c.ID, Role: p.role,
		IceServers: iceOf(s.ice.forSeat(p.seat, s.now())), Members: s.hall.members(room), Chat: chat,
	})
	s.hall.tell(room)
	return room, nil
}

// converse carries out what the browser says until the socket ends, and
// reports whether the person left on purpose.
func (s *Service) converse(ctx context.Context, ws *websocket.Conn, out *conn, r *room, p *person) (left bool) {
	all := rate.NewLimiter(signalRate, signalBurst)
	offers := rate.NewLimiter(offerRate, offerBurst)
	chats := rate.NewLimiter(chatRate, chatBurst)
	for {
		kind, b, err := ws.Read(ctx)
		if err != nil {
			return false
		}
		if kind != websocket.MessageText {
			err = fault.New(fault.Invalid, "messages are text", nil)
		}
		var m any
		if err == nil {
			m, err = parseSignal(b)
		}
		if err != nil || !all.Allow() {
			if err == nil {
				err = errTooMany
			}
			out.send(refusal(err))
			out.finish("refused")
			return false
		}
		switch m.(type) {
		case *sayOffer, *sayRestart:
			if !offers.Allow() {
				out.send(refusal(errTooMany))
				continue
			}
		case *sayChat:
			if !chats.Allow() {
				out.send(refusal(errTooMany))
				continue
			}
		case *sayLeave:
			// The resume token ends with the seat.
			if err := s.store.RevokeSeats(context.WithoutCancel(ctx), r.id, p.account); err != nil {
				s.log.Error("seat not revoked", "error", err)
			}
			out.end("left")
			return true
		}
		if err := s.carryOut(ctx, m, out, r, p); err != nil {
			out.send(refusal(err))
		}
	}
}

var errTooMany = fault.New(fault.Limited, "too many messages; slow down", nil)

func (s *Service) carryOut(ctx context.Context, m any, out *conn, r *room, p *person) error {
	switch m := m.(type) {
	case *sayOffer:
		answer, err := p.media.Publish(m.SDP, m.Sources)
		if err != nil {
			return err
		}
		out.send(answerMessage{"answer", answer})
	case *sayAnswer:
		return p.media.Answer(m.ID, m.SDP)
	case *sayCandidate:
		return p.media.Candidate(m.PC == "publish", m.Candidate)
	case *sayRestart:
		p.media.RestartICE()
	case *sayReceive:
		p.media.ReceiveVideo(m.Video)
	case *sayMute:
		s.hall.mute(r, p, m)
	case *sayChat:
		kept, err := s.store.Say(ctx, consult.Message{
			Consultation: r.id, ID: m.ID, Account: p.account, Name: p.name, Role: p.role, Text: m.Text, At: s.now().UTC(),
		})
		if err != nil {
			return err
		}
		s.hall.send(r, chatMessage{"chat", kept})
	}
	return nil
}
