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
	dsn string
	db  *sql.DB
	log *slog.Logger

	mu   sync.Mutex
	rung chan struct{} // closed when something may be new

	want chan struct{}
}

func newBell(dsn string, db *sql.DB, log *slog.Logger) *bell {
	return &bell{dsn: dsn, db: db, log: log, rung: make(chan struct{}), want: make(chan struct{}, 1)}
}

// wait returns a channel that is closed at the next ring.
func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rung
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.rung)
	b.rung = make(chan struct{})
}

// notifyEvery bounds how often other processes are told.
const notifyEvery = 20 * time.Millisecond

// run notifies and listens until ctx is done.
func (b *bell) run(ctx context.Context) error {
	listener := pq.NewListener(b.dsn, 100*time.Millisecond, 10*time.Second, func(_ pq.ListenerEventType, err error) {
		if err != nil {
			b.log.Warn("listening for changes was interrupted", "error", err)
		}
	})
	if err := listener.Listen(channel); err != nil {
		return err
	}
	go func() {
		defer listener.Close()
		for {
			select {
			case <-ctx.Done():
				return
			case <-listener.Notify: // also after a reconnection
				b.ring()
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.want:
			if _, err := b.db.ExecContext(ctx, `NOTIFY `+channel); err != nil && ctx.Err() == nil {
				b.log.Warn("changes were not announced", "error", err)
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
func (s *Store) Rung() <-chan struct{} { return s.bell.wait() }

// Run carries notices of changes until ctx is done.
func (s *Store) Run(ctx context.Context) error { return s.bell.run(ctx) }
