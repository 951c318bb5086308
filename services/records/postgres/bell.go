package postgres

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"time"

	"github.com/lib/pq"
)

// channel is what readers of the log listen on.
const channel = "records_changes"

// bell wakes readers of the change log. NOTIFY within a writing transaction
// would make commits wait for each other, so a notice follows the commit from
// one goroutine, many writes in one. A lost notice costs a reader one poll.
type bell struct {
	dsn    string
	db     *sql.DB
	errors *slog.Logger

	// log rings when the change log may have grown, queue when events of
	// Subscriptions wait.
	log, queue rings

	want chan struct{}
}

func newBell(dsn string, db *sql.DB, log *slog.Logger) *bell {
	return &bell{dsn: dsn, db: db, errors: log, want: make(chan struct{}, 1)}
}

// rings wakes whoever waits.
type rings struct {
	mu   sync.Mutex
	next chan struct{} // closed when something may be new
}

// wait returns a channel that is closed at the next ring.
func (r *rings) wait() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == nil {
		r.next = make(chan struct{})
	}
	return r.next
}

func (r *rings) ring() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next != nil {
		close(r.next)
		r.next = nil
	}
}

// queuedPayload is what a notice holds when events of Subscriptions wait.
// Their one follower sends it with the transaction that queues them.
const queuedPayload = "queued"

// notifyEvery bounds how often other processes are told.
const notifyEvery = 20 * time.Millisecond

// run notifies and listens until ctx is done, also where there is no database
// to listen to.
func (b *bell) run(ctx context.Context) error {
	listener := pq.NewListener(b.dsn, 100*time.Millisecond, 10*time.Second, func(_ pq.ListenerEventType, err error) {
		if err != nil {
			b.errors.Warn("listening for changes was interrupted", "error", err)
		}
	})
	defer listener.Close()
	// Listen waits for a connection, and gives up when the listener is closed.
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	if err := listener.Listen(channel); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	go func() { // it ends with ctx, as what follows does
		for {
			select {
			case <-ctx.Done():
				return
			case n := <-listener.Notify:
				if n == nil || n.Extra == queuedPayload { // nil after a reconnection: something may have been missed
					b.queue.ring()
				}
				if n == nil || n.Extra == "" {
					b.log.ring()
				}
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.want:
			if _, err := b.db.ExecContext(ctx, `NOTIFY `+channel); err != nil && ctx.Err() == nil {
				b.errors.Warn("changes were not announced", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(notifyEvery):
		}
	}
}

// Announce tells readers of the log, here and in other processes, that
// something was committed. Readers here hear of it by the same notice, so that
// busy writers do not make them look at the log for every single write.
func (s *Store) Announce() {
	select {
	case s.bell.want <- struct{}{}:
	default:
	}
}

// Rung returns a channel that is closed when something may be new.
func (s *Store) Rung() <-chan struct{} { return s.bell.log.wait() }

// Queued returns a channel that is closed when events of Subscriptions may
// wait, whichever process queued them.
func (s *Store) Queued() <-chan struct{} { return s.bell.queue.wait() }

// Run carries notices of changes until ctx is done.
func (s *Store) Run(ctx context.Context) error { return s.bell.run(ctx) }
