package rtc

import (
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v3"
)

// Level says in a word how a line is.
type Level string

// The levels. A poor line gets no pictures.
const (
	Good Level = "good"
	Fair Level = "fair"
	Poor Level = "poor"
	Lost Level = "lost"
)

const (
	watchEvery = time.Second
	// pauseAfter and resumeAfter keep a line that comes and goes from
	// switching the picture with it.
	pauseAfter  = 3
	resumeAfter = 10
)

// line follows a seat's receiving side second by second.
type line struct {
	level Level
	// poor and well count seconds in a row.
	poor, well int
	paused     bool
}

func (l *line) pausing() bool { return l.paused }

// judge turns the worst loss and the lowest rate of the last second into a
// level; connected is false while ICE has no way.
func judge(connected bool, loss float64, rate uint64) Level {
	switch {
	case !connected:
		return Lost
	case loss > .15 || rate > 0 && rate < minRate:
		return Poor
	case loss > .04 || rate > 0 && rate < 2*minRate:
		return Fair
	default:
		return Good
	}
}

// next takes up a second's level and reports whether the level changed and
// whether pausing did.
func (l *line) next(level Level) (changed, pauseChanged bool) {
	changed = l.level != level
	l.level = level
	if level == Poor {
		l.poor, l.well = l.poor+1, 0
	} else {
		l.poor, l.well = 0, l.well+1
	}
	switch {
	case !l.paused && l.poor >= pauseAfter:
		l.paused = true
		return changed, true
	case l.paused && l.well >= resumeAfter:
		l.paused = false
		return changed, true
	}
	return changed, false
}

// watch looks at the seat once a second until it leaves.
func (s *Seat) watch() {
	defer s.work.Done()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case now := <-tick.C:
			s.watchTracks(now)
			s.watchLine()
			s.limitRate()
		}
	}
}

// watchTracks reports tracks whose packets stopped or never came.
func (s *Seat) watchTracks(now time.Time) {
	silence := s.room.engine.silence
	type news struct {
		source Source
		silent bool
	}
	var list []news
	s.mu.Lock()
	for source, t := range s.tracks {
		kind := "audio"
		if t.video {
			kind = "video"
		}
		quiet := now.UnixNano()-t.last.Load() > int64(silence) && !s.muted[kind]
		if t.silent.Swap(quiet) != quiet {
			list = append(list, news{source, quiet})
		}
	}
	for source, since := range s.expected {
		if now.Sub(since) > silence {
			delete(s.expected, source)
			if kind := map[bool]string{true: "audio", false: "video"}[source == Microphone]; !s.muted[kind] {
				list = append(list, news{source, true})
			}
		}
	}
	s.mu.Unlock()
	for _, n := range list {
		if n.silent {
			s.room.engine.meters.silent.Inc()
		}
		s.events.Silent(n.source, n.silent)
	}
}

func connected(pc *webrtc.PeerConnection) bool {
	switch pc.ICEConnectionState() {
	case webrtc.ICEConnectionStateDisconnected, webrtc.ICEConnectionStateFailed:
		return false
	default:
		return true
	}
}

func (s *Seat) watchLine() {
	s.mu.Lock()
	loss, rate := 0.0, uint64(0)
	for _, d := range s.downs {
		d.mu.Lock()
		loss = max(loss, d.loss)
		if d.track.video && d.remb > 0 && !d.paused && (rate == 0 || d.remb < rate) {
			rate = d.remb
		}
		d.mu.Unlock()
	}
	changed, pause := s.line.next(judge(connected(s.pub) && connected(s.sub), loss, rate))
	level := s.line.level
	s.mu.Unlock()
	if changed {
		s.events.Quality(level)
	}
	if pause {
		s.applyPause()
	}
}

// limitRate asks the publisher for no more than its receivers can take (REMB,
// draft-alvestrand-rmcat-remb-03).
func (s *Seat) limitRate() {
	var total uint64
	var ssrcs []uint32
	for _, t := range s.Tracks() {
		if t.video {
			total += t.rate()
			ssrcs = append(ssrcs, t.ssrc)
		}
	}
	if len(ssrcs) > 0 {
		// A connection that is closing needs no limit.
		_ = s.pub.WriteRTCP([]rtcp.Packet{&rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: float32(total), SSRCs: ssrcs}})
	}
}
