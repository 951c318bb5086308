package rtc

import (
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v3"

	"github.com/yba-health/yba/pkg/fault"
)

const (
	// Rates of one picture in bit/s: below minRate a receiver loses the
	// picture rather than slowing down everybody.
	minRate   = 120_000
	startRate = 1_000_000
	maxRate   = 2_000_000
	// resendBurst bounds how many packets one report of losses brings back.
	resendBurst = 64
)

// downTrack is one receiver's copy of a track. It is a webrtc.TrackLocal.
type downTrack struct {
	track  *Track
	sender *webrtc.RTPSender

	mu        sync.Mutex
	writer    webrtc.TrackLocalWriter
	ssrc      uint32
	payload   uint8
	sendTime  uint8 // id of the abs-send-time extension, 0 without
	seq       sequencer
	needKey   bool
	paused    bool
	loss      float64
	remb      uint64
	lossRate  uint64
	resendBuf []byte
}

func newDownTrack(t *Track) *downTrack {
	return &downTrack{track: t, needKey: t.video, lossRate: startRate, resendBuf: make([]byte, 0, maxPacket)}
}

// ID implements webrtc.TrackLocal.
func (d *downTrack) ID() string { return d.track.seat.id + "-" + string(d.track.source) }

// RID implements webrtc.TrackLocal: there are no layers.
func (d *downTrack) RID() string { return "" }

// StreamID implements webrtc.TrackLocal: all tracks of a seat are one stream.
func (d *downTrack) StreamID() string { return d.track.seat.id }

// Kind implements webrtc.TrackLocal.
func (d *downTrack) Kind() webrtc.RTPCodecType {
	if d.track.video {
		return webrtc.RTPCodecTypeVideo
	}
	return webrtc.RTPCodecTypeAudio
}

// Bind implements webrtc.TrackLocal: the receiver is ready.
func (d *downTrack) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	mime := webrtc.MimeTypeOpus
	if d.track.video {
		mime = webrtc.MimeTypeVP8
	}
	for _, codec := range c.CodecParameters() {
		if codec.MimeType != mime {
			continue
		}
		d.mu.Lock()
		d.writer, d.ssrc, d.payload = c.WriteStream(), uint32(c.SSRC()), uint8(codec.PayloadType)
		for _, x := range c.HeaderExtensions() {
			if x.URI == sdp.ABSSendTimeURI && x.ID > 0 && x.ID < 15 {
				d.sendTime = uint8(x.ID)
			}
		}
		d.mu.Unlock()
		d.track.add(d)
		return codec, nil
	}
	return webrtc.RTPCodecParameters{}, fault.Newf(fault.Unprocessable, "the receiver cannot take %s", mime)
}

// Unbind implements webrtc.TrackLocal.
func (d *downTrack) Unbind(webrtc.TrackLocalContext) error {
	d.track.remove(d)
	return nil
}

// forward sends a packet on. It reports whether the receiver waits for a key frame.
func (d *downTrack) forward(seq extended, timestamp uint32, marker bool, payload []byte, key bool) (waits bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.paused {
		d.seq.drop(seq)
		return false
	}
	if d.needKey {
		if !key {
			d.seq.drop(seq)
			return true
		}
		d.needKey = false
	}
	if out, ok := d.seq.send(seq); ok {
		d.write(out, timestamp, marker, payload)
		d.track.seat.room.engine.meters.sent.Inc()
	}
	return false
}

// skip leaves a packet out that holds nothing: a probe of the publisher's line.
func (d *downTrack) skip(seq extended) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seq.drop(seq)
}

func (d *downTrack) write(out extended, timestamp uint32, marker bool, payload []byte) {
	h := rtp.Header{Version: 2, Marker: marker, PayloadType: d.payload, SequenceNumber: uint16(out), Timestamp: timestamp, SSRC: d.ssrc}
	if d.sendTime != 0 {
		if b, err := rtp.NewAbsSendTimeExtension(time.Now()).Marshal(); err == nil {
			// Without it the receiver estimates worse; the packet matters more.
			_ = h.SetExtension(d.sendTime, b)
		}
	}
	// A failed write is a lost packet, which the receiver reports.
	_, _ = d.writer.WriteRTP(&h, payload)
}

// pause stops or resumes the picture.
func (d *downTrack) pause(p bool) {
	d.mu.Lock()
	changed := d.paused != p
	d.paused = p
	if changed && !p {
		d.needKey = d.track.video
		d.lossRate = minRate * 2
	}
	d.mu.Unlock()
	if changed && !p {
		d.track.RequestKeyFrame()
	}
}

// allowed is the rate that this receiver can take of a picture it is shown.
func (d *downTrack) allowed() (rate uint64, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.paused {
		return 0, false
	}
	rate = d.lossRate
	if d.remb > 0 {
		rate = min(rate, d.remb)
	}
	return rate, true
}

// run reads the receiver's feedback until the sender stops.
func (d *downTrack) run(sender *webrtc.RTPSender) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, p := range packets {
			d.feedback(p)
		}
	}
}

func (d *downTrack) feedback(p rtcp.Packet) {
	switch p := p.(type) {
	case *rtcp.TransportLayerNack:
		d.resend(p.Nacks)
	case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
		d.track.RequestKeyFrame()
	case *rtcp.ReceiverReport:
		for _, r := range p.Reports {
			d.report(r)
		}
	case *rtcp.ReceiverEstimatedMaximumBitrate:
		d.mu.Lock()
		// The estimate is for all that the connection carries.
		d.remb = uint64(p.Bitrate) / uint64(max(1, len(p.SSRCs)))
		d.mu.Unlock()
	}
}

// report takes up what a receiver says of its losses. The rate follows as in
// loss-based congestion control: up a little below 2 %, down above 10 %.
func (d *downTrack) report(r rtcp.ReceptionReport) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.SSRC != d.ssrc {
		return
	}
	d.loss = float64(r.FractionLost) / 256
	switch {
	case d.loss < .02:
		d.lossRate = min(maxRate, d.lossRate*108/100)
	case d.loss > .1:
		d.lossRate = max(minRate/2, uint64(float64(d.lossRate)*(1-d.loss/2)))
	}
}

// resend answers lost packets from the track's cache.
func (d *downTrack) resend(pairs []rtcp.NackPair) {
	m := d.track.seat.room.engine.meters
	left := resendBurst
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range pairs {
		pairs[i].Range(func(out uint16) bool {
			seq, ok := d.seq.source(out)
			if !ok {
				m.missing.Inc()
				return left > 0
			}
			p, ok := d.track.cache.get(seq, d.resendBuf)
			if !ok {
				m.missing.Inc()
				return left > 0
			}
			// source and send are each other's inverse; the number stays that
			// of the first sending, so that it fills the receiver's hole.
			if number, ok := d.seq.send(seq); ok && uint16(number) == out {
				d.write(number, p.timestamp, p.marker, p.payload)
				m.resent.Inc()
				left--
			}
			return left > 0
		})
	}
}
