package rtc

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// meters are the engine's metrics; none carries a room or a seat.
type meters struct {
	rooms, seats, tracks prometheus.Gauge
	received, sent       prometheus.Counter
	resent, missing      prometheus.Counter
	keyFrames, silent    prometheus.Counter
}

func newMeters(reg prometheus.Registerer) *meters {
	f := promauto.With(reg)
	gauge := func(name, help string) prometheus.Gauge {
		return f.NewGauge(prometheus.GaugeOpts{Name: "yba_rtc_" + name, Help: help})
	}
	count := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: "yba_rtc_" + name, Help: help})
	}
	return &meters{
		rooms: gauge("rooms", "Open media rooms."), seats: gauge("seats", "People in media rooms."), tracks: gauge("tracks", "Published tracks."),
		received: count("packets_received_total", "RTP packets received."), sent: count("packets_sent_total", "RTP packets forwarded."),
		resent: count("packets_resent_total", "RTP packets sent again from the cache."), missing: count("packets_missing_total", "Lost RTP packets that the cache no longer had."),
		keyFrames: count("key_frames_asked_total", "Key frames asked of publishers."), silent: count("tracks_silent_total", "Tracks whose packets stopped."),
	}
}
