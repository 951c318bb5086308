package rtc

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v3"
)

// Source is what a track shows.
type Source string

// The sources.
const (
	Microphone Source = "microphone"
	Camera     Source = "camera"
	Screen     Source = "screen"
)

const (
	// videoCache is about two seconds of a picture at 1 Mbit/s; audioCache is four.
	videoCache = 256
	audioCache = 200
	// keyFrameEvery bounds how often a publisher is asked for a key frame,
	// which costs it ten times an ordinary one.
	keyFrameEvery = 500 * time.Millisecond
	maxPacket     = 1500
)

// Track is what one seat publishes from one source.
type Track struct {
	seat   *Seat
	source Source
	video  bool
	ssrc   uint32
	cache  *packetCache

	// last is when the latest packet came, Unix nanoseconds.
	last   atomic.Int64
	silent atomic.Bool

	mu       sync.Mutex
	receive  []*downTrack
	asked    time.Time
	askAgain bool
}

func newTrack(s *Seat, source Source, remote *webrtc.TrackRemote) *Track {
	t := &Track{seat: s, source: source, video: remote.Kind() == webrtc.RTPCodecTypeVideo, ssrc: uint32(remote.SSRC())}
	size := audioCache
	if t.video {
		size = videoCache
	}
	t.cache = newPacketCache(size)
	t.last.Store(time.Now().UnixNano())
	return t
}

// Source says what the track shows.
func (t *Track) Source() Source { return t.source }

// run reads the publisher's packets until it stops sending for good.
func (t *Track) run(remote *webrtc.TrackRemote) {
	var (
		buf    = make([]byte, maxPacket)
		packet rtp.Packet
		newest extended
	)
	for {
		n, _, err := remote.Read(buf)
		if err != nil {
			return
		}
		if err := packet.Unmarshal(buf[:n]); err != nil {
			continue
		}
		now := time.Now()
		t.last.Store(now.UnixNano())
		t.seat.room.engine.meters.received.Inc()
		seq := unwrap(newest, packet.SequenceNumber)
		if newest == 0 {
			seq = firstCycle + extended(packet.SequenceNumber)
		}
		newest = max(newest, seq)
		empty := len(packet.Payload) == 0
		if !empty {
			t.cache.put(seq, packet.Timestamp, packet.Marker, packet.Payload)
		}
		key := t.video && !empty && startsKeyFrame(packet.Payload)
		t.mu.Lock()
		receivers := t.receive
		t.mu.Unlock()
		for _, d := range receivers {
			if empty {
				d.skip(seq)
				continue
			}
			if d.forward(seq, packet.Timestamp, packet.Marker, packet.Payload, key) {
				t.RequestKeyFrame()
			}
		}
		if t.askAgainDue(now) {
			t.RequestKeyFrame()
		}
	}
}

// startsKeyFrame reports whether a VP8 payload begins a key frame: the S bit
// and partition 0 in the descriptor (RFC 7741 section 4.2), and the P bit
// clear in the frame's header (RFC 6386 section 9.1).
func startsKeyFrame(p []byte) bool {
	if len(p) < 1 || p[0]&0x10 == 0 || p[0]&0x07 != 0 {
		return false
	}
	at := 1
	if p[0]&0x80 != 0 {
		if len(p) < 2 {
			return false
		}
		x := p[1]
		at++
		if x&0x80 != 0 {
			if at >= len(p) {
				return false
			}
			if p[at]&0x80 != 0 {
				at++
			}
			at++
		}
		if x&0x40 != 0 {
			at++
		}
		if x&0x30 != 0 {
			at++
		}
	}
	return at < len(p) && p[at]&0x01 == 0
}

// RequestKeyFrame asks the publisher for a key frame, at most twice a second;
// what is asked in between is asked once at its end.
func (t *Track) RequestKeyFrame() {
	if !t.video {
		return
	}
	t.mu.Lock()
	now := time.Now()
	if now.Sub(t.asked) < keyFrameEvery {
		t.askAgain = true
		t.mu.Unlock()
		return
	}
	t.asked, t.askAgain = now, false
	t.mu.Unlock()
	t.seat.room.engine.meters.keyFrames.Inc()
	// A connection that is closing needs no key frame.
	_ = t.seat.pub.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: t.ssrc}})
}

func (t *Track) askAgainDue(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.askAgain && now.Sub(t.asked) >= keyFrameEvery
}

func (t *Track) add(d *downTrack) {
	t.mu.Lock()
	// A new slice, because run reads the old one without the lock.
	t.receive = append(slices.Clone(t.receive), d)
	t.mu.Unlock()
	t.RequestKeyFrame()
}

func (t *Track) remove(d *downTrack) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.receive = slices.DeleteFunc(slices.Clone(t.receive), func(x *downTrack) bool { return x == d })
}

// rate is what the slowest receiver that has the picture can take, in bit/s.
func (t *Track) rate() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	lowest := uint64(maxRate)
	for _, d := range t.receive {
		if r, ok := d.allowed(); ok {
			lowest = min(lowest, r)
		}
	}
	return max(lowest, minRate)
}
