package coverage

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/coverage/readmodel"
)

// projector carries the log into the read model. In several processes the
// one that has the lock works, the others wait for it.
type projector struct {
	records recordsv1.RecordsClient
	store   readmodel.Store
	now     func() time.Time
	log     *slog.Logger
	// wait is how long the log may let us wait for a change; retry is the
	// pause after a failure and between tries for the lock.
	wait, retry time.Duration
	limit       int32

	applied prometheus.Counter
	skipped prometheus.Counter
}

func newProjector(records recordsv1.RecordsClient, store readmodel.Store, now func() time.Time, log *slog.Logger, reg prometheus.Registerer) *projector {
	return &projector{
		records: records, store: store, now: now, log: log,
		wait: 5 * time.Second, retry: 2 * time.Second, limit: 1000,
		applied: promauto.With(reg).NewCounter(prometheus.CounterOpts{
			Name: "yba_coverage_changes_total", Help: "Changes of the log applied to the read model.",
		}),
		skipped: promauto.With(reg).NewCounter(prometheus.CounterOpts{
			Name: "yba_coverage_unreadable_total", Help: "Changes that could not be read and are not counted.",
		}),
	}
}

// run projects until ctx is done.
func (p *projector) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := p.hold(ctx); err != nil && ctx.Err() == nil {
			p.log.Warn("coverage is not following the log", "error", err)
		}
		pause(ctx, p.retry)
	}
}

func (p *projector) hold(ctx context.Context) error {
	lock, err := p.store.Hold(ctx)
	if err != nil || lock == nil {
		return err
	}
	defer lock.Release()
	for ctx.Err() == nil {
		if err := lock.Check(ctx); err != nil {
			return err
		}
		if err := p.round(ctx); err != nil {
			return err
		}
	}
	return nil
}

// round carries each generation one batch on.
func (p *projector) round(ctx context.Context) error {
	list, err := p.store.Generations(ctx)
	if err != nil {
		return err
	}
	if len(list) == 1 {
		_, err := p.step(ctx, list[0], p.wait)
		return err
	}
	// While a rebuild runs, the live generation goes on without waiting.
	if _, err := p.step(ctx, list[0], 0); err != nil {
		return err
	}
	end, err := p.step(ctx, list[1], 0)
	if err != nil || !end {
		return err
	}
	p.log.Info("coverage was rebuilt", "changes", list[1].Applied)
	return p.store.Switch(ctx, list[1].ID)
}

// settle is how long a write of records may be under way before the log shows
// it. What was written longer ago than this before an empty answer is counted.
const settle = time.Minute

// step applies one batch and reports whether the end of the log was reached.
func (p *projector) step(ctx context.Context, g readmodel.Generation, wait time.Duration) (end bool, err error) {
	asked := p.now()
	answer, err := p.records.Changes(guard.As(ctx, "coverage"), &recordsv1.ChangesRequest{
		Cursor: g.Cursor, Limit: p.limit, WaitMs: int32(wait.Milliseconds()), Types: readmodel.Types,
	})
	if err != nil {
		return false, err
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
			return false, nil
		}
		return false, err
	}
	p.applied.Add(float64(b.Changes))
	return end, nil
}

// pause waits; the end of ctx ends it.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
