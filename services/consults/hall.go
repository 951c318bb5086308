package consults

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/rtc"
	"github.com/yba-health/yba/services/consults/consult"
)

// linger is how long a seat whose socket broke keeps its media and its place.
const linger = 20 * time.Second

// hall holds the rooms of this process.
type hall struct {
	engine *rtc.Engine
	// changed tells that somebody came or went.
	changed func(doctor, consultation string)

	mu       sync.Mutex
	rooms    map[string]*room
	draining bool
}

// room is a consultation's media room and the people in it.
type room struct {
	id, doctor string
	media      *rtc.Room
	people     map[string]*person
}

// person is somebody's place in a room; conn is nil while their socket is broken.
type person struct {
	seat, account, name    string
	role                   consult.Role
	conn                   *conn
	media                  *rtc.Seat
	audioMuted, videoMuted bool
	leaving                *time.Timer
}

func newHall(e *rtc.Engine, changed func(doctor, consultation string)) *hall {
	return &hall{engine: e, changed: changed, rooms: map[string]*room{}}
}

// enter gives p a place. The same account's earlier one is taken over.
func (h *hall) enter(c *consult.Consultation, p *person, events func(*room) rtc.Events) (*room, error) {
	h.mu.Lock()
	if h.draining {
		h.mu.Unlock()
		return nil, fault.New(fault.Unavailable, "the server is restarting; connect again in a moment", nil)
	}
	r := h.rooms[c.ID]
	if r == nil {
		r = &room{id: c.ID, doctor: c.Doctor, media: h.engine.NewRoom(), people: map[string]*person{}}
		h.rooms[c.ID] = r
	}
	old := r.people[p.seat]
	if old == nil && len(r.people) >= rtc.MaxSeats {
		h.mu.Unlock()
		return nil, fault.Newf(fault.Limited, "the room is full: %d people at most", rtc.MaxSeats)
	}
	r.people[p.seat] = p
	h.mu.Unlock()
	if old != nil {
		h.mu.Lock()
		p.audioMuted, p.videoMuted = old.audioMuted, old.videoMuted
		stopTimer(old.leaving)
		before := old.conn
		h.mu.Unlock()
		if before != nil {
			before.end("replaced")
		}
	}
	media, err := r.media.Join(p.seat, events(r))
	if err != nil {
		h.gone(r, p)
		return nil, err
	}
	h.mu.Lock()
	p.media = media
	stale := r.people[p.seat] != p
	h.mu.Unlock()
	if stale {
		media.Close()
		return nil, fault.New(fault.Conflict, "the seat was opened elsewhere", nil)
	}
	return r, nil
}

func stopTimer(t *time.Timer) {
	if t != nil {
		t.Stop()
	}
}

// broken notes that p's socket ended. Media goes on for a moment: the page
// may come back.
func (h *hall) broken(r *room, p *person) {
	h.mu.Lock()
	p.conn = nil
	if r.people[p.seat] == p {
		p.leaving = time.AfterFunc(linger, func() { h.gone(r, p) })
	}
	h.mu.Unlock()
	h.tell(r)
}

// gone frees p's place, and the room with the last one.
func (h *hall) gone(r *room, p *person) {
	h.mu.Lock()
	here := r.people[p.seat] == p
	if here {
		delete(r.people, p.seat)
	}
	stopTimer(p.leaving)
	media := p.media
	empty := len(r.people) == 0 && h.rooms[r.id] == r
	if empty {
		delete(h.rooms, r.id)
	}
	h.mu.Unlock()
	if media != nil {
		media.Close()
	}
	if empty {
		r.media.Close()
	}
	h.tell(r)
}

// close ends a room for everybody.
func (h *hall) close(consultation, reason string) {
	h.mu.Lock()
	r := h.rooms[consultation]
	if r == nil {
		h.mu.Unlock()
		return
	}
	delete(h.rooms, consultation)
	people := r.list()
	clear(r.people)
	h.mu.Unlock()
	for _, p := range people {
		h.mu.Lock()
		stopTimer(p.leaving)
		c := p.conn
		h.mu.Unlock()
		if c != nil {
			c.end(reason)
		}
	}
	r.media.Close()
	h.changed(r.doctor, r.id)
}

func (r *room) list() []*person {
	list := make([]*person, 0, len(r.people))
	for _, p := range r.people {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *person) int { return strings.Compare(a.seat, b.seat) })
	return list
}

func (h *hall) present(consultation, account string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rooms[consultation]
	if r == nil {
		return false
	}
	p := r.people[consult.SeatID(consultation, account)]
	return p != nil && p.conn != nil
}

// members is what everybody sees of everybody.
func (h *hall) members(r *room) []memberState {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := []memberState{}
	for _, p := range r.list() {
		m := memberState{
			Seat: p.seat, Account: p.account, Name: p.name, Role: p.role, Present: p.conn != nil,
			AudioMuted: p.audioMuted, VideoMuted: p.videoMuted,
		}
		if p.media != nil {
			for _, t := range p.media.Tracks() {
				switch t.Source() {
				case rtc.Microphone:
					m.Audio = true
				case rtc.Camera:
					m.Video = true
				case rtc.Screen:
					m.Screen = true
				}
			}
		}
		list = append(list, m)
	}
	return list
}

// tell sends everybody the members.
func (h *hall) tell(r *room) {
	h.send(r, membersMessage{"members", h.members(r)})
	h.changed(r.doctor, r.id)
}

func (h *hall) send(r *room, m any) {
	h.mu.Lock()
	people := r.list()
	conns := make([]*conn, 0, len(people))
	for _, p := range people {
		if p.conn != nil {
			conns = append(conns, p.conn)
		}
	}
	h.mu.Unlock()
	for _, c := range conns {
		c.send(m)
	}
}

func (h *hall) mute(r *room, p *person, m *sayMute) {
	h.mu.Lock()
	if m.Kind == "audio" {
		p.audioMuted = m.Muted
	} else {
		p.videoMuted = m.Muted
	}
	h.mu.Unlock()
	p.media.Mute(m.Kind, m.Muted)
	h.tell(r)
}

// holdRooms keeps the leases of this process's rooms, and closes the rooms
// that another process has taken over: their people find them there.
func (s *Service) holdRooms(ctx context.Context) error {
	rooms := s.hall.all()
	ids := make([]string, 0, len(rooms))
	for _, r := range rooms {
		ids = append(ids, r.id)
	}
	lost, err := s.store.HoldRooms(ctx, s.owner, ids)
	for _, id := range lost {
		s.log.Warn("a room was taken over by another process", "consultation", id)
		s.hall.close(id, "draining")
	}
	return err
}

func (h *hall) all() []*room {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]*room, 0, len(h.rooms))
	for _, r := range h.rooms {
		list = append(list, r)
	}
	return list
}

// drain takes nobody in any more, tells the rooms, and waits for them until
// ctx is done.
func (h *hall) drain(ctx context.Context) {
	h.mu.Lock()
	h.draining = true
	h.mu.Unlock()
	rooms := h.all()
	for _, r := range rooms {
		h.send(r, endedMessage{Type: "draining"})
	}
	for _, r := range rooms {
		r.media.Wait(ctx)
	}
	for _, r := range h.all() {
		h.close(r.id, "draining")
	}
}
