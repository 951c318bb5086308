package notices

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/yba-health/yba/services/notices/message"
)

// carrier empties the outbox into the channels.
type carrier struct {
	store    message.Store
	channels map[string]message.Channel
	now      func() time.Time
	log      *slog.Logger
	sent     *prometheus.CounterVec
}

func newCarrier(store message.Store, channels map[string]message.Channel, now func() time.Time, log *slog.Logger, reg prometheus.Registerer) *carrier {
	return &carrier{
		store: store, channels: channels, now: now, log: log,
		sent: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
			Name: "yba_notices_sent_total", Help: "Messages by channel and outcome: sent, again, gone, late.",
		}, []string{"channel", "outcome"}),
	}
}

const (
	batchSize = 50
	// giveUp is when a message is no news any more.
	giveUp = 24 * time.Hour
	// firstPause doubles with each try, up to maxPause.
	firstPause = 10 * time.Second
	maxPause   = time.Hour
)

// step carries the messages that are due and returns how many there were.
func (c *carrier) step(ctx context.Context) (int, error) {
	list, err := c.store.Due(ctx, c.now(), batchSize)
	if err != nil {
		return 0, err
	}
	for _, o := range list {
		if err := c.carry(ctx, o); err != nil {
			return 0, err
		}
	}
	return len(list), nil
}

// carry hands one message over. Its own failure is not an error of the
// carrier: the message is put back, later each time. A crash between handing
// over and forgetting sends a message twice; the notice's id, in the payload
// and the file's name, lets the receiver see that.
func (c *carrier) carry(ctx context.Context, o message.Outgoing) error {
	m := o.Message
	outcome := "sent"
	channel, ok := c.channels[o.Channel]
	switch {
	case !ok:
		outcome = "gone"
	case c.now().Sub(m.Notice.At) > giveUp:
		outcome = "late"
	default:
		err := channel.Send(ctx, m)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, message.ErrGone) {
			c.sent.WithLabelValues(o.Channel, "gone").Inc()
			if m.Subscription.Endpoint != "" {
				return c.store.Forget(ctx, m.Subscription.Endpoint)
			}
			return c.store.Sent(ctx, m.ID)
		}
		if err != nil {
			c.log.Warn("a message is tried again later", "channel", o.Channel, "message", m.ID, "tries", m.Tries+1, "error", err)
			c.sent.WithLabelValues(o.Channel, "again").Inc()
			return c.store.Again(ctx, m.ID, c.now().Add(pauseAfter(m.Tries)))
		}
	}
	c.sent.WithLabelValues(o.Channel, outcome).Inc()
	return c.store.Sent(ctx, m.ID)
}

func pauseAfter(tries int) time.Duration {
	d := firstPause
	for range tries {
		if d *= 2; d >= maxPause {
			return maxPause
		}
	}
	return d
}
