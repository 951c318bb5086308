package projection

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// breath is the least time between two looks at a log that was read to its
// end: one that answers at once may be empty, or be written all the time, and
// then there is more to take in one look.
const breath = 100 * time.Millisecond

// Step is one kind of work that is done again and again.
type Step struct {
	// Take takes one batch, waiting for it if need be, and reports whether
	// there may be more. A batch that failed is taken again.
	Take func(ctx context.Context) (more bool, err error)
	// Behind is what the log says when Take fails.
	Behind string
}

// Follower works in the background from Start to Stop.
type Follower struct {
	// Hold takes the lock of the work, nil when another process has it. A nil
	// Hold lets every process work.
	Hold func(ctx context.Context) (*Lock, error)
	// Steps are taken side by side, since most of their time is waiting.
	Steps []Step
	// Retry is the pause after a failure and between tries for the lock.
	Retry time.Duration
	Log   *slog.Logger

	stop context.CancelFunc
	done sync.WaitGroup
}

// Start begins the work. It outlives ctx, the context of starting, and keeps
// its values; Stop ends it. What the work needs may start later.
func (f *Follower) Start(ctx context.Context) {
	ctx, f.stop = context.WithCancel(context.WithoutCancel(ctx))
	f.done.Go(func() { f.run(ctx) })
}

// Stop ends the work and waits for it, but not longer than ctx. It may be
// called without Start.
func (f *Follower) Stop(ctx context.Context) error {
	if f.stop == nil {
		return nil
	}
	f.stop()
	done := make(chan struct{})
	go func() { f.done.Wait(); close(done) }() // ends with the steps
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *Follower) run(ctx context.Context) {
	if f.Hold == nil {
		f.work(ctx, nil)
		return
	}
	for ctx.Err() == nil {
		lock, err := f.Hold(ctx)
		if err != nil && ctx.Err() == nil {
			f.Log.Warn("background work waits for its lock", "error", err)
		}
		if lock != nil {
			f.work(ctx, lock)
			lock.Release(ctx)
		}
		pause(ctx, f.Retry)
	}
}

// work takes the steps until ctx is done or the lock is lost.
func (f *Follower) work(ctx context.Context, lock *Lock) {
	ctx, lost := context.WithCancel(ctx)
	defer lost()
	var all sync.WaitGroup
	for _, s := range f.Steps {
		all.Go(func() {
			for ctx.Err() == nil {
				f.take(ctx, s)
				if lock == nil || ctx.Err() != nil {
					continue
				}
				if err := lock.Check(ctx); err != nil {
					if ctx.Err() == nil {
						f.Log.Warn("the lock of background work was lost", "error", err)
					}
					lost()
				}
			}
		})
	}
	all.Wait()
}

func (f *Follower) take(ctx context.Context, s Step) {
	begun := time.Now()
	more, err := s.Take(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		f.Log.Warn(s.Behind, "error", err)
		pause(ctx, f.Retry)
	case !more && time.Since(begun) < breath:
		pause(ctx, breath)
	}
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
