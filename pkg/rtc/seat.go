package rtc

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/webrtc/v3"

	"github.com/yba-health/yba/pkg/fault"
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
	pub, err := e.publish.NewPeerConnection(e.config)
	if err != nil {
		return nil, err
	}
	sub, err := e.subscribe.NewPeerConnection(e.config)
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
	e.meters.seats.Inc()
	e.work.Add(1)
	s.work.Add(1)
	go s.watch() // ends with s.ctx
	return s, nil
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

var errLeft = fault.New(fault.Gone, "the seat has left the room", nil)

// Publish takes the browser's offer of what it sends and returns the answer,
// candidates included. sources says what each mid shows; a mid without one is
// the microphone or the camera.
func (s *Seat) Publish(sdp string, sources map[string]Source) (answer string, err error) {
	if err := checkSDP(sdp); err != nil {
		return "", err
	}
	for mid, source := range sources {
		if len(mid) > 16 || source != Microphone && source != Camera && source != Screen {
			return "", fault.New(fault.Invalid, "a source is microphone, camera or screen", nil).In("sources")
		}
	}
	if !s.begin() {
		return "", errLeft
	}
	defer s.work.Done()
	s.publishing.Lock()
	defer s.publishing.Unlock()
	s.mu.Lock()
	for mid, source := range sources {
		s.sources[mid] = source
	}
	s.mu.Unlock()
	if err := s.pub.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: sdp}); err != nil {
		return "", fault.New(fault.Invalid, "the offer cannot be taken", err).In("sdp")
	}
	s.addEarly(s.pub)
	d, err := s.pub.CreateAnswer(nil)
	if err != nil {
		return "", fault.New(fault.Invalid, "the offer cannot be answered", err).In("sdp")
	}
	gathered := webrtc.GatheringCompletePromise(s.pub)
	if err := s.pub.SetLocalDescription(d); err != nil {
		return "", fault.New(fault.Invalid, "the offer cannot be answered", err).In("sdp")
	}
	if err := s.gathered(gathered); err != nil {
		return "", err
	}
	s.expect()
	return s.pub.LocalDescription().SDP, nil
}

func (s *Seat) gathered(done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-s.ctx.Done():
		return errLeft
	case <-time.After(gatherWait):
		return fault.New(fault.Unavailable, "the media port gave no address", nil)
	}
}

// checkSDP bounds an SDP before pion parses it.
func checkSDP(sdp string) error {
	if len(sdp) == 0 || len(sdp) > maxSDP {
		return fault.Newf(fault.TooLarge, "the SDP must have 1 to %d bytes", maxSDP).In("sdp")
	}
	sections := 0
	for line := range strings.Lines(sdp) {
		if !strings.HasPrefix(line, "m=") {
			continue
		}
		if sections++; sections > maxSections {
			return fault.Newf(fault.Invalid, "at most %d media sections", maxSections).In("sdp")
		}
		if !strings.HasPrefix(line, "m=audio ") && !strings.HasPrefix(line, "m=video ") {
			return fault.New(fault.Invalid, "only audio and video are taken: there are no data channels", nil).In("sdp")
		}
	}
	return nil
}

// Candidate takes a candidate that the browser found for its sending
// (publish) or receiving connection. One that comes before the description
// it belongs to waits for it.
func (s *Seat) Candidate(publish bool, candidate Candidate) error {
	c := webrtc.ICECandidateInit{
		Candidate: candidate.Candidate, SDPMid: candidate.SDPMid,
		SDPMLineIndex: candidate.SDPMLineIndex, UsernameFragment: candidate.UsernameFragment,
	}
	pc := s.sub
	if publish {
		pc = s.pub
	}
	// RFC 8828 section 3.2: names of mDNS are for browsers on one network;
	// the browser's checks reach us without them.
	if strings.Contains(c.Candidate, ".local ") {
		return nil
	}
	s.mu.Lock()
	if s.candidates++; s.candidates > maxCandidates || len(c.Candidate) > 512 {
		s.mu.Unlock()
		return fault.Newf(fault.Limited, "at most %d candidates of 512 bytes", maxCandidates).In("candidate")
	}
	if pc.RemoteDescription() == nil {
		s.early[pc] = append(s.early[pc], c)
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	if err := pc.AddICECandidate(c); err != nil {
		return fault.New(fault.Invalid, "the candidate cannot be taken", err).In("candidate")
	}
	return nil
}

func (s *Seat) addEarly(pc *webrtc.PeerConnection) {
	s.mu.Lock()
	list := s.early[pc]
	delete(s.early, pc)
	s.candidates = 0
	s.mu.Unlock()
	for _, c := range list {
		// One bad candidate does not spoil the others.
		_ = pc.AddICECandidate(c)
	}
}

// onTrack is called by pion with the first packet of a track.
func (s *Seat) onTrack(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	if !s.begin() {
		return
	}
	defer s.work.Done()
	if receiver == nil {
		return
	}
	source := s.sourceOf(remote, receiver)
	t := newTrack(s, source, remote)
	m := s.room.engine.meters
	s.mu.Lock()
	_, taken := s.tracks[source]
	if taken || len(s.tracks) >= maxTracks || remote.RID() != "" && taken {
		s.mu.Unlock()
		drain(remote) // a further layer, or more than three tracks
		return
	}
	s.tracks[source] = t
	delete(s.expected, source)
	s.mu.Unlock()
	m.tracks.Inc()
	s.room.changed(s)
	s.events.Changed()
	t.run(remote)
	s.mu.Lock()
	if s.tracks[source] == t {
		delete(s.tracks, source)
	}
	s.mu.Unlock()
	m.tracks.Dec()
	s.room.changed(s)
	s.events.Changed()
}

// drain reads what nobody receives, so that pion's buffers do not fill.
func drain(remote *webrtc.TrackRemote) {
	buf := make([]byte, maxPacket)
	for {
		if _, _, err := remote.Read(buf); err != nil {
			return
		}
	}
}

func (s *Seat) sourceOf(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) Source {
	for _, t := range s.pub.GetTransceivers() {
		if t.Receiver() == receiver {
			return s.sourceAt(t.Mid(), remote.Kind())
		}
	}
	return s.sourceAt("", remote.Kind())
}

// sourceAt never lets a sound track pass for a picture or the reverse.
func (s *Seat) sourceAt(mid string, kind webrtc.RTPCodecType) Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	source, ok := s.sources[mid]
	switch {
	case kind == webrtc.RTPCodecTypeAudio:
		return Microphone
	case ok && source != Microphone:
		return source
	default:
		return Camera
	}
}

// expect notes which tracks the answered offer announced, for the watchdog.
func (s *Seat) expect() {
	announced := map[Source]bool{}
	for _, t := range s.pub.GetTransceivers() {
		if d := t.Direction(); d == webrtc.RTPTransceiverDirectionRecvonly {
			announced[s.sourceAt(t.Mid(), t.Kind())] = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for source := range announced {
		if _, here := s.tracks[source]; !here {
			s.expected[source] = now
		}
	}
	for source := range s.expected {
		if !announced[source] {
			delete(s.expected, source)
		}
	}
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
