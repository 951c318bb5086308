package rtc

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/pion/webrtc/v3"
)

// Sent tells a receiver whose track stands at a mid of the server's offer.
type Sent struct {
	Mid    string `json:"mid"`
	Seat   string `json:"seat"`
	Source Source `json:"source"`
	Kind   string `json:"kind"`
}

// Events are how a seat speaks to signalling. The functions are called from
// the seat's goroutines and must not wait for the seat.
type Events struct {
	// Offer carries an offer for the receiving connection, to be answered with Answer.
	Offer func(id int, sdp string, tracks []Sent)
	// Changed says that the seat's own tracks began or ended.
	Changed func()
	// Silent says that packets of the seat's own track stopped or came back.
	Silent func(source Source, silent bool)
	// Quality says in a word how the seat's line is.
	Quality func(Level)
	// Again says that the browser refused our encryption and should join
	// again: it will be offered another. It may be nil.
	Again func()
}

// Candidate is RTCIceCandidateInit
// (https://www.w3.org/TR/webrtc/#dom-rtcicecandidateinit).
type Candidate struct {
	Candidate        string  `json:"candidate"`
	SDPMid           *string `json:"sdpMid"`
	SDPMLineIndex    *uint16 `json:"sdpMLineIndex"`
	UsernameFragment *string `json:"usernameFragment"`
}

// Bounds of what a browser may send.
const (
	maxSDP        = 60 << 10
	maxSections   = 8
	maxTracks     = 3
	maxCandidates = 64
	gatherWait    = 5 * time.Second
)

// Seat is one person's place in a room. It is safe for concurrent use.
type Seat struct {
	id     string
	room   *Room
	events Events
	pub    *webrtc.PeerConnection
	sub    *webrtc.PeerConnection
	done   chan struct{}
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	// publishing admits one offer of the browser at a time.
	publishing sync.Mutex

	mu         sync.Mutex
	closed     bool
	tracks     map[Source]*Track
	downs      map[*Track]*downTrack
	sources    map[string]Source
	expected   map[Source]time.Time
	muted      map[string]bool
	noVideo    bool
	candidates int
	early      map[*webrtc.PeerConnection][]webrtc.ICECandidateInit
	offering   bool
	again      bool
	restart    bool
	offerID    int
	line       line
}

func newSeat(r *Room, id string, events Events) (*Seat, error) {
	e := r.engine
	r.mu.Lock()
	use, fast := e.fast, !r.slow[id]
	if !fast {
		use = e.every
	}
	r.mu.Unlock()
	pub, err := use.publish.NewPeerConnection(e.config)
	if err != nil {
		return nil, err
	}
	sub, err := use.subscribe.NewPeerConnection(e.config)
	if err != nil {
		_ = pub.Close()
		return nil, err
	}
	s := &Seat{
		id: id, room: r, events: events, pub: pub, sub: sub, done: make(chan struct{}),
		tracks: map[Source]*Track{}, downs: map[*Track]*downTrack{}, sources: map[string]Source{}, expected: map[Source]time.Time{},
		muted: map[string]bool{}, early: map[*webrtc.PeerConnection][]webrtc.ICECandidateInit{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	pub.OnTrack(s.onTrack)
	if fast {
		var once sync.Once
		for _, pc := range []*webrtc.PeerConnection{pub, sub} {
			pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
				if state == webrtc.PeerConnectionStateFailed && pc.SCTP().Transport().State() == webrtc.DTLSTransportStateFailed {
					once.Do(s.refused)
				}
			})
		}
	}
	e.meters.seats.Inc()
	e.work.Add(1)
	s.work.Add(1)
	go s.watch() // ends with s.ctx
	return s, nil
}

// refused notes that the handshake failed while only AES-GCM was offered.
func (s *Seat) refused() {
	s.room.mu.Lock()
	s.room.slow[s.id] = true
	s.room.mu.Unlock()
	if s.events.Again != nil {
		s.events.Again()
	}
}

// ID is the seat's name in the room.
func (s *Seat) ID() string { return s.id }

// Tracks lists what the seat publishes.
func (s *Seat) Tracks() []*Track {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*Track, 0, len(s.tracks))
	for _, t := range s.tracks {
		list = append(list, t)
	}
	return list
}

// Done is closed when the seat has left and everything of it has ended.
func (s *Seat) Done() <-chan struct{} { return s.done }

// Close leaves the room and frees what the seat held. It does not wait: see Done.
func (s *Seat) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.room.left(s)
	go func() { // ends when pion has closed both connections
		_ = s.pub.Close()
		_ = s.sub.Close()
		s.work.Wait()
		s.room.changed(s)
		s.room.engine.meters.seats.Dec()
		s.room.engine.work.Done()
		close(s.done)
	}()
}

// begin counts work that Close waits for; false after Close.
func (s *Seat) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.work.Add(1)
	return true
}

// Mute says that the person turned the microphone ("audio") or the camera
// ("video") off, so that silence is not taken for a fault.
func (s *Seat) Mute(kind string, muted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.muted[kind] = muted
}

// ReceiveVideo turns pictures of others off and on: a poor line keeps its
// strength for the sound.
func (s *Seat) ReceiveVideo(on bool) {
	s.mu.Lock()
	s.noVideo = !on
	s.mu.Unlock()
	s.applyPause()
}

func (s *Seat) applyPause() {
	s.mu.Lock()
	pause := s.noVideo || s.line.pausing()
	downs := make([]*downTrack, 0, len(s.downs))
	for _, d := range s.downs {
		downs = append(downs, d)
	}
	s.mu.Unlock()
	for _, d := range downs {
		if d.track.video {
			d.pause(pause)
		}
	}
}

// Remove ends the person's stay; the same as Close, by the room's side.
func (r *Room) Remove(id string) {
	r.mu.Lock()
	s := r.seats[id]
	r.mu.Unlock()
	if s != nil {
		s.Close()
	}
}

// Seats lists who is in the room.
func (r *Room) Seats() []string {
	var ids []string
	for _, s := range r.others(nil) {
		ids = append(ids, s.id)
	}
	slices.Sort(ids)
	return ids
}
