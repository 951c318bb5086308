package coverage

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/projection"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/coverage/readmodel"
)

// projector carries the log into the read model.
type projector struct {
	records recordsv1.RecordsClient
	store   readmodel.Store
	now     func() time.Time
	log     *slog.Logger
	// wait is how long the log may let us wait for a change.
	wait  time.Duration
	limit int32

	applied prometheus.Counter
	skipped prometheus.Counter
}

func newProjector(records recordsv1.RecordsClient, store readmodel.Store, now func() time.Time, log *slog.Logger, reg prometheus.Registerer) *projector {
	return &projector{
		records: records, store: store, now: now, log: log,
		wait: 5 * time.Second, limit: 1000,
		applied: promauto.With(reg).NewCounter(prometheus.CounterOpts{
			Name: "yba_coverage_changes_total", Help: "Changes of the log applied to the read model.",
		}),
		skipped: promauto.With(reg).NewCounter(prometheus.CounterOpts{
			Name: "yba_coverage_unreadable_total", Help: "Changes that could not be read and are not counted.",
		}),
	}
}

// follower lets the process that has the lock project; the others wait for it.
func (p *projector) follower() *projection.Follower {
	return &projection.Follower{
		Hold:  p.store.Hold,
		Steps: []projection.Step{{Take: p.round, Behind: "coverage is not following the log"}},
		Retry: 2 * time.Second, Log: p.log,
	}
}

// round carries each generation one batch on and reports whether there may be more.
func (p *projector) round(ctx context.Context) (more bool, err error) {
	list, err := p.store.Generations(ctx)
	if err != nil {
		return false, err
	}
	if len(list) == 1 {
		_, more, err := p.step(ctx, list[0], p.wait)
		return more, err
	}
	// While a rebuild runs, the live generation goes on without waiting.
	if _, _, err := p.step(ctx, list[0], 0); err != nil {
		return false, err
	}
	end, _, err := p.step(ctx, list[1], 0)
	if err != nil || !end {
		return !end, err
	}
	p.log.Info("coverage was rebuilt", "changes", list[1].Applied)
	return true, p.store.Switch(ctx, list[1].ID)
}

// settle is how long a write of records may be under way before the log shows
// it. What was written longer ago than this before an empty answer is counted.
const settle = time.Minute

// step applies one batch. It reports whether there was nothing after the
// generation's place, and whether there may be more after the batch.
func (p *projector) step(ctx context.Context, g readmodel.Generation, wait time.Duration) (end, more bool, err error) {
	asked := p.now()
	answer, err := p.records.Changes(guard.As(ctx, "coverage"), &recordsv1.ChangesRequest{
		Cursor: g.Cursor, Limit: p.limit, WaitMs: int32(wait.Milliseconds()), Types: readmodel.Types,
	})
	if err != nil {
		return false, false, err
	}
	b := readmodel.Batch{From: g.Cursor, Next: answer.GetCursor(), Changes: len(answer.GetChanges()), Today: readmodel.DayOf(p.now())}
	for _, c := range answer.GetChanges() {
		f, err := readmodel.ReadChange(c)
		if err != nil {
			// One bad row must not stop all figures; it is counted and logged.
			p.skipped.Inc()
			p.log.Error("a change cannot be read and is not counted", "seq", c.GetSeq(), "error", err)
			continue
		}
		b.Facts = append(b.Facts, f)
		if at, err := time.Parse(time.RFC3339, c.GetAt()); err == nil && at.After(b.AsOf) {
			b.AsOf = at
		}
	}
	end = b.Changes == 0 && b.Next == b.From
	if at := asked.Add(-settle); end && at.After(b.AsOf) {
		b.AsOf = at
	}
	if err := p.store.Apply(ctx, g.ID, b); err != nil {
		if errors.Is(err, readmodel.ErrMoved) {
			return false, true, nil
		}
		return false, false, err
	}
	p.applied.Add(float64(b.Changes))
	return end, answer.GetMore(), nil
}
