package rtc

import (
	"github.com/pion/webrtc/v3"

	"github.com/yba-health/yba/pkg/fault"
)

// renegotiate brings the receiving connection in line with what the room
// publishes. One offer is in flight at a time; what changes meanwhile is
// taken up when its answer is here.
func (s *Seat) renegotiate(restart bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restart = s.restart || restart
	if s.closed {
		return
	}
	if s.offering {
		s.again = true
		return
	}
	s.offering, s.again = true, false
	s.work.Add(1)
	go s.offer() // ends when the offer is out
}

// RestartICE finds new ways to the receiving connection without leaving the
// room (RFC 8445 section 9); for the sending one the browser offers.
func (s *Seat) RestartICE() { s.renegotiate(true) }

func (s *Seat) offer() {
	defer s.work.Done()
	changed, err := s.reconcile()
	s.mu.Lock()
	restart := s.restart
	s.restart = false
	s.mu.Unlock()
	// A restart before the first offer has nothing to restart.
	restart = restart && s.sub.RemoteDescription() != nil
	if err == nil && (changed || restart) {
		err = s.sendOffer(restart)
	}
	if err != nil {
		s.room.engine.log.Debug("no offer", "error", err)
	}
	if err != nil || !changed && !restart {
		s.answered()
	}
}

// answered lets the next offer go.
func (s *Seat) answered() {
	s.mu.Lock()
	s.offering = false
	again := s.again || s.restart
	restart := s.restart
	s.mu.Unlock()
	if again {
		s.renegotiate(restart)
	}
}

// reconcile adds what the room publishes and this seat lacks, and removes
// what has ended.
func (s *Seat) reconcile() (changed bool, err error) {
	wanted := map[*Track]bool{}
	for _, t := range s.room.tracksFor(s) {
		wanted[t] = true
	}
	s.mu.Lock()
	var gone, missing []*Track
	for t := range s.downs {
		if !wanted[t] {
			gone = append(gone, t)
		}
	}
	for t := range wanted {
		if s.downs[t] == nil {
			missing = append(missing, t)
		}
	}
	s.mu.Unlock()
	for _, t := range gone {
		s.mu.Lock()
		d := s.downs[t]
		delete(s.downs, t)
		s.mu.Unlock()
		t.remove(d)
		if err := s.sub.RemoveTrack(d.sender); err != nil {
			return changed, err
		}
		changed = true
	}
	for _, t := range missing {
		d := newDownTrack(t)
		s.mu.Lock()
		d.paused = t.video && (s.noVideo || s.line.pausing())
		s.mu.Unlock()
		if d.sender, err = s.addTrack(d); err != nil {
			return changed, err
		}
		s.mu.Lock()
		s.downs[t] = d
		s.work.Add(1)
		s.mu.Unlock()
		go func() { // ends when the sender stops
			defer s.work.Done()
			d.run(d.sender)
		}()
		changed = true
	}
	return changed, nil
}

// addTrack takes the place of a track that has ended before it opens a new
// one, so that the SDP does not grow with every reload of somebody's page.
func (s *Seat) addTrack(d *downTrack) (*webrtc.RTPSender, error) {
	for _, t := range s.sub.GetTransceivers() {
		if t.Kind() == d.Kind() && t.Sender() == nil && t.Mid() != "" {
			return s.sub.AddTrack(d)
		}
	}
	t, err := s.sub.AddTransceiverFromTrack(d, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return nil, err
	}
	return t.Sender(), nil
}

func (s *Seat) sendOffer(restart bool) error {
	d, err := s.sub.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(s.sub)
	if err := s.sub.SetLocalDescription(d); err != nil {
		return err
	}
	if err := s.gathered(gathered); err != nil {
		return err
	}
	s.mu.Lock()
	s.offerID++
	id := s.offerID
	byS := map[*webrtc.RTPSender]*Track{}
	for t, d := range s.downs {
		byS[d.sender] = t
	}
	s.mu.Unlock()
	var sent []Sent
	for _, tr := range s.sub.GetTransceivers() {
		if t := byS[tr.Sender()]; t != nil && tr.Sender() != nil {
			sent = append(sent, Sent{Mid: tr.Mid(), Seat: t.seat.id, Source: t.source, Kind: tr.Kind().String()})
		}
	}
	s.events.Offer(id, s.sub.LocalDescription().SDP, sent)
	return nil
}

// Answer takes the browser's answer to the offer id.
func (s *Seat) Answer(id int, sdp string) error {
	if err := checkSDP(sdp); err != nil {
		return err
	}
	if !s.begin() {
		return errLeft
	}
	defer s.work.Done()
	s.mu.Lock()
	current := s.offering && id == s.offerID
	s.mu.Unlock()
	if !current {
		return fault.New(fault.Conflict, "this is not the answer to the latest offer", nil).In("id")
	}
	if err := s.sub.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}); err != nil {
		return fault.New(fault.Invalid, "the answer cannot be taken", err).In("sdp")
	}
	s.addEarly(s.sub)
	s.answered()
	return nil
}
