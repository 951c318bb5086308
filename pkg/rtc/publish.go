package rtc

import (
	"strings"
	"time"

	"github.com/pion/webrtc/v3"

	"github.com/yba-health/yba/pkg/fault"
)

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
	sections, candidates := 0, 0
	for line := range strings.Lines(sdp) {
		// Each candidate makes us send checks to an address of the browser's choice.
		if strings.HasPrefix(line, "a=candidate:") {
			if candidates++; candidates > maxCandidates {
				return fault.Newf(fault.Limited, "at most %d candidates", maxCandidates).In("sdp")
			}
		}
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
