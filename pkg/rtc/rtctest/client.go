// Package rtctest has a person without a browser: a client of a room with
// both peer connections, that sends sound and pictures and counts what it
// receives.
package rtctest

import (
	"bytes"
	"errors"
	"sync"
	"time"

	"github.com/pion/dtls/v2"
	"github.com/pion/ice/v2"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v3"
	"github.com/pion/webrtc/v3/pkg/media"
)

// Client is one person's two connections. Close ends it.
type Client struct {
	pub, sub *webrtc.PeerConnection
	name     string
	tracks   []*webrtc.TrackLocalStaticSample
	stop     chan struct{}
	work     sync.WaitGroup
	once     sync.Once

	mu       sync.Mutex
	received map[string]int
	streams  map[string]Stream
	repeats  map[string]map[uint16]int
	changed  chan struct{}
}

// Stream is the latest of a received track.
type Stream struct {
	SSRC uint32
	Seq  uint16
}

// New returns a client whose payloads carry name. The servers, of which there
// may be none, are for relaying; relayOnly uses nothing else.
func New(name string, relayOnly bool, servers ...webrtc.ICEServer) (*Client, error) {
	return build(name, relayOnly, servers)
}

// NewWithoutGCM returns a client that encrypts as old browsers do.
func NewWithoutGCM(name string) (*Client, error) {
	return build(name, false, nil, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
}

func build(name string, relayOnly bool, servers []webrtc.ICEServer, profiles ...dtls.SRTPProtectionProfile) (*Client, error) {
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	// So that a packet that comes twice is seen twice.
	s.DisableSRTPReplayProtection(true)
	if len(profiles) > 0 {
		s.SetSRTPProtectionProfiles(profiles...)
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(s), webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	config := webrtc.Configuration{ICEServers: servers}
	if relayOnly {
		config.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	pub, err := api.NewPeerConnection(config)
	if err != nil {
		return nil, err
	}
	sub, err := api.NewPeerConnection(config)
	if err != nil {
		return nil, errors.Join(err, pub.Close())
	}
	c := &Client{
		pub: pub, sub: sub, name: name, stop: make(chan struct{}), received: map[string]int{},
		streams: map[string]Stream{}, repeats: map[string]map[uint16]int{}, changed: make(chan struct{}, 1),
	}
	sub.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { c.count(t) })
	return c, nil
}

// count notes each packet under "<stream>/<kind>" and "from:<name>/<kind>".
func (c *Client) count(t *webrtc.TrackRemote) {
	key := t.StreamID() + "/" + t.Kind().String()
	for {
		p, _, err := t.ReadRTP()
		if err != nil {
			return
		}
		c.mu.Lock()
		c.received[key]++
		if from := sender(p); from != "" {
			c.received["from:"+from+"/"+t.Kind().String()]++
		}
		c.streams[key] = Stream{uint32(t.SSRC()), p.SequenceNumber}
		if c.repeats[key] == nil {
			c.repeats[key] = map[uint16]int{}
		}
		c.repeats[key][p.SequenceNumber]++
		c.mu.Unlock()
		select {
		case c.changed <- struct{}{}:
		default:
		}
	}
}

// sender reads the name that the sender put into the payload.
func sender(p *rtp.Packet) string {
	_, rest, ok := bytes.Cut(p.Payload, []byte("<"))
	if !ok {
		return ""
	}
	name, _, _ := bytes.Cut(rest, []byte(">"))
	return string(name)
}

// Offer adds sound and, if asked, a picture on the first call, and returns
// the offer with all candidates. restart asks for an ICE restart.
func (c *Client) Offer(video, restart bool) (string, error) {
	if c.tracks == nil {
		mimes := []string{webrtc.MimeTypeOpus}
		if video {
			mimes = append(mimes, webrtc.MimeTypeVP8)
		}
		for _, mime := range mimes {
			t, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: mime}, mime, c.name)
			if err != nil {
				return "", err
			}
			if _, err := c.pub.AddTransceiverFromTrack(t, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
				return "", err
			}
			c.tracks = append(c.tracks, t)
		}
	}
	d, err := c.pub.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(c.pub)
	if err := c.pub.SetLocalDescription(d); err != nil {
		return "", err
	}
	<-gathered
	return c.pub.LocalDescription().SDP, nil
}

// TakeAnswer takes the server's answer and, the first time, begins to send.
func (c *Client) TakeAnswer(sdp string) error {
	if err := c.pub.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}); err != nil {
		return err
	}
	c.once.Do(func() {
		c.work.Add(1)
		go c.send() // ends with Close
	})
	return nil
}

func (c *Client) send() {
	defer c.work.Done()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-tick.C:
			for _, t := range c.tracks {
				// The first byte is a VP8 key frame's; for Opus it is any.
				b := append([]byte{0x10, 0, 0}, "<"+c.name+">"...)
				// Until the connection stands, samples go nowhere.
				_ = t.WriteSample(media.Sample{Data: b, Duration: 20 * time.Millisecond})
			}
		}
	}
}

// TakeOffer takes the server's offer and returns the answer with all candidates.
func (c *Client) TakeOffer(sdp string) (string, error) {
	if err := c.sub.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: sdp}); err != nil {
		return "", err
	}
	d, err := c.sub.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(c.sub)
	if err := c.sub.SetLocalDescription(d); err != nil {
		return "", err
	}
	<-gathered
	return c.sub.LocalDescription().SDP, nil
}

// Received is the number of packets under "<seat>/audio" or "from:<name>/video".
func (c *Client) Received(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.received[key]
}

// Stream is the latest of the track "<seat>/audio".
func (c *Client) Stream(key string) Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streams[key]
}

// Times is how often the packet seq of the track came.
func (c *Client) Times(key string, seq uint16) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.repeats[key][seq]
}

// Nack tells the server that packet seq of a track was lost.
func (c *Client) Nack(ssrc uint32, seq uint16) error {
	return c.sub.WriteRTCP([]rtcp.Packet{&rtcp.TransportLayerNack{
		SenderSSRC: 1, MediaSSRC: ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers([]uint16{seq}),
	}})
}

// Until waits until ok or for the time, and reports which. It looks with each packet.
func (c *Client) Until(wait time.Duration, ok func() bool) bool {
	late := time.After(wait)
	for !ok() {
		select {
		case <-c.changed:
		case <-late:
			return ok()
		}
	}
	return true
}

// Mute stops sending for good, without telling anybody.
func (c *Client) Mute() {
	select {
	case <-c.stop:
	default:
		close(c.stop)
	}
	c.work.Wait()
}

// Close ends both connections.
func (c *Client) Close() error {
	c.Mute()
	return errors.Join(c.pub.Close(), c.sub.Close())
}
