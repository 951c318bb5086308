package subscription

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
)

// SocketPath is where websockets are opened, relative to the base.
const SocketPath = "/$notifications"

const (
	// helloWait bounds how long an open socket may be bound to nothing.
	helloWait = 15 * time.Second
	writeWait = 20 * time.Second
	pingEvery = 30 * time.Second
	maxBound  = 50
)

// socket is one websocket and the Subscriptions that it is bound to
// (http://hl7.org/fhir/uv/subscriptions-backport/STU1.1/channels.html#websockets).
type socket struct {
	h     *Hooks
	ws    *websocket.Conn
	bound []*binding
}

type binding struct {
	id, actor string
	// told is the number of the last event that was sent here.
	told int64
	// sent is when something was, for heartbeats.
	sent time.Time
}

// ServeSocket is a stream: whoever opens it is nobody until a token that an
// operation behind the guard has given binds it to a Subscription.
func (h *Hooks) ServeSocket(closing context.Context) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// No cookie opens anything here, so that a page of another origin gains nothing.
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return // Accept has answered
		}
		ws.SetReadLimit(4 << 10)
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		stop := context.AfterFunc(closing, cancel)
		defer stop()
		s := &socket{h: h, ws: ws}
		code, reason := websocket.StatusNormalClosure, ""
		if err := s.run(ctx); err != nil && ctx.Err() == nil { //nolint:contextcheck // it is the request's own
			code, reason = websocket.StatusPolicyViolation, fault.Of(err).Message
		} else if closing.Err() != nil {
			code = websocket.StatusGoingAway
		}
		_ = ws.Close(code, reason)
	})
}

// read passes on what the client says until nobody listens any more. ctx
// outlives that: a Read that is cancelled breaks the connection, and the client
// would not be told why.
func (s *socket) read(ctx context.Context, words chan<- string, over <-chan struct{}) {
	defer close(words)
	for {
		typ, b, err := s.ws.Read(ctx)
		if err != nil || typ != websocket.MessageText {
			return
		}
		select {
		case words <- string(b):
		case <-over:
			return
		}
	}
}

func (s *socket) run(ctx context.Context) error {
	words, over := make(chan string), make(chan struct{})
	defer close(over)
	go s.read(ctx, words, over) // ends with the socket
	look, ping := time.NewTicker(s.h.idle), time.NewTicker(pingEvery)
	defer look.Stop()
	defer ping.Stop()
	hello := time.NewTimer(helloWait)
	defer hello.Stop()
	for {
		queued := s.h.waiting()
		for _, b := range s.bound {
			if err := s.tell(ctx, b); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case word, ok := <-words:
			if !ok {
				return nil
			}
			if err := s.bind(ctx, word); err != nil {
				return err
			}
		case <-hello.C:
			if len(s.bound) == 0 {
				return fault.New(fault.Unauthenticated, "send bind-with-token and a token", nil)
			}
		case <-queued:
		case <-look.C:
		case <-ping.C:
			waiting, done := context.WithTimeout(ctx, writeWait)
			err := s.ws.Ping(waiting)
			done()
			if err != nil {
				return err
			}
		}
	}
}

// bind reads "bind-with-token" and a token, and shakes hands.
func (s *socket) bind(ctx context.Context, word string) error {
	token, ok := strings.CutPrefix(strings.TrimSpace(word), "bind-with-token")
	if token = strings.Trim(token, " :"); !ok || token == "" || len(s.bound) >= maxBound {
		return fault.New(fault.Invalid, "bind-with-token and a token are expected", nil)
	}
	id, actor, err := s.h.Store.Redeem(ctx, digest(token), s.h.Now())
	if err != nil {
		return err
	}
	b := &binding{id: id, actor: actor}
	k, spec, _, _, err := s.current(ctx, b)
	if err != nil {
		return err
	}
	b.told = k.Last
	s.bound = append(s.bound, b)
	return s.write(ctx, b, k, spec, Handshake, nil)
}

// current reads the Subscription with the rights of who bound it by now.
func (s *socket) current(ctx context.Context, b *binding) (k *Kept, spec *Spec, act context.Context, list []Queued, err error) {
	gone := fault.New(fault.Forbidden, "the Subscription is over, or may not be followed any more", nil)
	if k, err = s.h.Store.Get(ctx, b.id); err != nil {
		return nil, nil, nil, nil, err
	}
	if k == nil || k.Status == Off || k.Status == Failed || k.Channel != WebSocket {
		return nil, nil, nil, nil, gone
	}
	act, reach, ok, err := s.h.reach(ctx, b.actor)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	if ok {
		_, err = s.h.Store.Read(ctx, nil, s.h.Definitions.Number("Subscription"), b.id, reach)
	}
	if !ok || fault.Is(err, fault.NotFound) {
		return nil, nil, nil, nil, gone
	}
	if err != nil {
		return nil, nil, nil, nil, err
	}
	if spec, err = s.h.spec(ctx, k); err != nil {
		return nil, nil, nil, nil, err
	}
	if k.Last > b.told {
		list, err = s.h.Store.Events(ctx, b.id, b.told, k.Last, "", spec.MaxCount)
	}
	return k, spec, act, list, err
}

// tell sends what is new, and a heartbeat where nothing was for a while.
func (s *socket) tell(ctx context.Context, b *binding) error {
	for {
		k, spec, act, list, err := s.current(ctx, b)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			if spec.Heartbeat > 0 && s.h.Now().Sub(b.sent) >= spec.Heartbeat {
				return s.write(ctx, b, k, spec, Heartbeat, nil)
			}
			return nil
		}
		reach, err := s.h.Reach(act)
		if err != nil {
			return err
		}
		told, seen, withheld, err := s.h.story(act, list, reach)
		if err != nil {
			return err
		}
		if len(told) > 0 {
			if err := s.write(ctx, b, k, spec, Event, told); err != nil {
				return err
			}
			for _, x := range seen {
				s.h.Note(act, x.PatientID, s.h.Definitions.TypeOf(x.Type)+"/"+x.ID)
			}
			s.h.delivered.Inc()
			b.told = told[len(told)-1].Number
		}
		for _, n := range withheld {
			b.told = max(b.told, n)
		}
	}
}

func (s *socket) write(ctx context.Context, b *binding, k *Kept, spec *Spec, kind string, told []Told) error {
	n := s.h.standing(k, spec, s.h.Base)
	n.Kind, n.Events = kind, told
	if len(told) > 0 {
		n.Last = told[len(told)-1].Number
	}
	ctx, done := context.WithTimeout(ctx, writeWait)
	defer done()
	b.sent = s.h.Now()
	return s.ws.Write(ctx, websocket.MessageText, n.JSON())
}

// TopicList tells the topics in the CapabilityStatement.
func TopicList() string {
	var b strings.Builder
	for i, t := range Topics() {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"url":` + fhir.Quote(ExtensionTopic) + `,"valueCanonical":` + fhir.Quote(t.URL) + `}`)
	}
	return `"extension":[` + b.String() + `],`
}
