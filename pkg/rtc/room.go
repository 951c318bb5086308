package rtc

import (
	"context"
	"sync"

	"github.com/yba-health/yba/pkg/fault"
)

// MaxSeats bounds a room.
const MaxSeats = 6

// Room is where the tracks of each seat reach all the others.
type Room struct {
	engine *Engine

	mu     sync.Mutex
	seats  map[string]*Seat
	closed bool
	// slow are the seats whose browsers have no AES-GCM.
	slow map[string]bool
}

// NewRoom opens a room; Close ends it.
func (e *Engine) NewRoom() *Room {
	r := &Room{engine: e, seats: map[string]*Seat{}, slow: map[string]bool{}}
	e.mu.Lock()
	e.rooms[r] = struct{}{}
	e.mu.Unlock()
	e.meters.rooms.Inc()
	return r
}

// Join gives the seat id two new peer connections. A seat that is in the room
// already is replaced: the same person came back with a new page.
func (r *Room) Join(id string, events Events) (*Seat, error) {
	s, err := newSeat(r, id, events)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	old := r.seats[id]
	if r.closed || old == nil && len(r.seats) >= MaxSeats {
		closed := r.closed
		r.mu.Unlock()
		s.Close()
		if closed {
			return nil, fault.New(fault.Gone, "the room is closed", nil)
		}
		return nil, fault.Newf(fault.Limited, "the room is full: %d people at most", MaxSeats)
	}
	r.seats[id] = s
	r.mu.Unlock()
	if old != nil {
		old.Close()
	}
	s.renegotiate(false)
	return s, nil
}

// Close ends the room and all its seats.
func (r *Room) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	for _, s := range r.others(nil) {
		s.Close()
	}
	r.engine.mu.Lock()
	_, open := r.engine.rooms[r]
	delete(r.engine.rooms, r)
	r.engine.mu.Unlock()
	if open {
		r.engine.meters.rooms.Dec()
	}
}

// Wait waits until nobody is in the room or ctx is done.
func (r *Room) Wait(ctx context.Context) {
	for _, s := range r.others(nil) {
		select {
		case <-s.done:
		case <-ctx.Done():
			return
		}
	}
}

func (r *Room) others(than *Seat) []*Seat {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*Seat, 0, len(r.seats))
	for _, s := range r.seats {
		if s != than {
			list = append(list, s)
		}
	}
	return list
}

func (r *Room) left(s *Seat) {
	r.mu.Lock()
	if r.seats[s.id] == s {
		delete(r.seats, s.id)
	}
	r.mu.Unlock()
}

// changed makes everybody but the publisher take up or give up tracks.
func (r *Room) changed(publisher *Seat) {
	for _, s := range r.others(publisher) {
		s.renegotiate(false)
	}
}

// tracksFor lists what s should receive.
func (r *Room) tracksFor(s *Seat) []*Track {
	var list []*Track
	for _, o := range r.others(s) {
		if o.id != s.id {
			list = append(list, o.Tracks()...)
		}
	}
	return list
}
