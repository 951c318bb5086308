package projection_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/pg/pgtest"
	"github.com/yba-health/yba/pkg/projection"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// key is the lock of these tests.
const key = 0x7962612e74657374

// next is how a test's step answers; the step waits for it, as for a change.
type next struct {
	moved bool
	err   error
}

// steps is a step that tells the test when it is taken and waits to be answered.
type steps struct {
	taken  chan struct{}
	answer chan next
}

func newSteps() *steps { return &steps{make(chan struct{}), make(chan next)} }

func (s *steps) take(ctx context.Context) (bool, error) {
	select {
	case s.taken <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	select {
	case n := <-s.answer:
		return n.moved, n.err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func (s *steps) follower(db *sql.DB) *projection.Follower {
	f := &projection.Follower{
		Steps: []projection.Step{{Take: s.take, Behind: "behind"}},
		Retry: time.Millisecond, Log: slog.New(slog.DiscardHandler),
	}
	if db != nil {
		f.Hold = func(ctx context.Context) (*projection.Lock, error) { return projection.Hold(ctx, db, key) }
	}
	return f
}

// wait fails the test when nothing comes within a time that no machine needs.
func wait(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(30 * time.Second):
		t.Fatal(what)
	}
}

func stop(t *testing.T, f *projection.Follower) {
	t.Helper()
	if err := f.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAFailedStepIsTakenAgainAndStopEndsAWait(t *testing.T) {
	s := newSteps()
	f := s.follower(nil)
	f.Start(t.Context())
	for _, n := range []next{{true, nil}, {false, errors.New("records is down")}, {false, nil}, {true, nil}} {
		wait(t, s.taken, "the step was not taken")
		s.answer <- n
	}
	wait(t, s.taken, "the step was not taken after the last")
	stop(t, f) // while the step waits
	select {
	case <-s.taken:
		t.Error("a step was taken after Stop")
	default:
	}
}

func TestTheWorkOutlivesItsStartAndKeepsItsValues(t *testing.T) {
	type name struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), name{}, "coverage"))
	taken, values := make(chan struct{}), make(chan any, 1)
	f := &projection.Follower{Log: slog.New(slog.DiscardHandler), Retry: time.Millisecond, Steps: []projection.Step{{
		Take: func(ctx context.Context) (bool, error) {
			<-taken
			select {
			case values <- ctx.Value(name{}):
			default:
			}
			return false, ctx.Err()
		},
	}}}
	f.Start(ctx)
	cancel()
	close(taken)
	select {
	case v := <-values:
		if v != "coverage" {
			t.Errorf("the step saw %v", v)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the work ended with its start")
	}
	stop(t, f)
}

func TestALogThatDoesNotWaitIsNotAskedWithoutABreath(t *testing.T) {
	s := newSteps()
	f := s.follower(nil)
	f.Start(t.Context())
	defer stop(t, f)
	wait(t, s.taken, "the step was not taken")
	s.answer <- next{moved: false}
	begun := time.Now()
	wait(t, s.taken, "the step was not taken again")
	if d := time.Since(begun); d < 90*time.Millisecond {
		t.Errorf("asked again after %s", d)
	}
}

func TestStopDoesNotWaitLongerThanItsContext(t *testing.T) {
	release, begun := make(chan struct{}), make(chan struct{})
	f := &projection.Follower{Log: slog.New(slog.DiscardHandler), Steps: []projection.Step{{
		Take: func(context.Context) (bool, error) { close(begun); <-release; return true, nil },
	}}}
	if err := f.Stop(t.Context()); err != nil {
		t.Errorf("Stop without Start: %v", err)
	}
	f.Start(t.Context())
	wait(t, begun, "the step was not taken")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
	stop(t, f)
}

func TestStepsAreTakenSideBySide(t *testing.T) {
	a, b := newSteps(), newSteps()
	f := a.follower(nil)
	f.Steps = append(f.Steps, projection.Step{Take: b.take})
	f.Start(t.Context())
	defer stop(t, f)
	// Neither is answered, so one after the other would stop here.
	wait(t, a.taken, "the first step was not taken")
	wait(t, b.taken, "the second step was not taken")
}

func TestOneFollowerAtATimeWorksUnderALock(t *testing.T) {
	db, _ := pgtest.New(t)
	a, b := newSteps(), newSteps()
	first, second := a.follower(db), b.follower(db)
	first.Start(t.Context())
	wait(t, a.taken, "the first did not begin")
	asked := make(chan struct{}, 1)
	hold := second.Hold
	tries := 0
	second.Hold = func(ctx context.Context) (*projection.Lock, error) {
		if tries++; tries == 3 { // it has been refused twice by now
			asked <- struct{}{}
		}
		return hold(ctx)
	}
	second.Start(t.Context())
	defer stop(t, second)
	wait(t, asked, "the second did not ask for the lock")
	select {
	case <-b.taken:
		t.Fatal("both work at once")
	default:
	}
	stop(t, first)
	wait(t, b.taken, "the second did not go on where the first stopped")
}

func TestALostLockIsTakenAgain(t *testing.T) {
	db, _ := pgtest.New(t)
	s := newSteps()
	f := s.follower(db)
	f.Start(t.Context())
	defer stop(t, f)
	wait(t, s.taken, "the step was not taken")
	var holder int
	if err := db.QueryRowContext(t.Context(), `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&holder); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `SELECT pg_terminate_backend($1, 10000)`, holder); err != nil {
		t.Fatal(err)
	}
	s.answer <- next{moved: true}
	wait(t, s.taken, "the step was not taken after the connection was lost")
	var other int
	if err := db.QueryRowContext(t.Context(), `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&other); err != nil {
		t.Fatal(err)
	}
	if other == holder {
		t.Error("the lock is still held by the lost connection")
	}
}

func TestAReleasedLockIsFree(t *testing.T) {
	db, _ := pgtest.New(t)
	lock, err := projection.Hold(t.Context(), db, key)
	if err != nil || lock == nil {
		t.Fatal(lock, err)
	}
	if other, err := projection.Hold(t.Context(), db, key); err != nil || other != nil {
		t.Errorf("two hold the lock: %v, %v", other, err)
	}
	if err := lock.Check(t.Context()); err != nil {
		t.Error(err)
	}
	lock.Release(t.Context())
	again, err := projection.Hold(t.Context(), db, key)
	if err != nil || again == nil {
		t.Fatalf("the lock was not released: %v", err)
	}
	again.Release(t.Context())
}
