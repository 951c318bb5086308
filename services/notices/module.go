package notices

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/yba-health/yba/pkg/app"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/notices/message"
	"github.com/yba-health/yba/services/notices/postgres"
)

// Module is the service for cmd/yba.
var Module = app.Module{
	Name:       "notices",
	Migrations: postgres.Migrations(),
	New:        func(d app.Deps) (app.Service, error) { return New(d, message.PublicClient()) },
}

// New returns the service. Client carries Web Push.
func New(d app.Deps, client *http.Client) (*Service, error) {
	folder, err := d.Config.Folder("notices")
	if err != nil {
		return nil, err
	}
	keys, err := message.LoadVAPID(folder)
	if err != nil {
		return nil, err
	}
	spool := d.Config.Spool
	if spool == "" {
		spool = filepath.Join(d.Config.Data, "spool")
	}
	channels := map[string]message.Channel{message.Push: message.NewWebPush(keys, contact(d.Config.BaseURL()), client)}
	for _, name := range []string{message.SMS, message.Email} {
		if channels[name], err = message.NewSpool(spool, name); err != nil {
			return nil, err
		}
	}
	words, err := loadWording()
	if err != nil {
		return nil, err
	}
	store := postgres.New(d.DB)
	records := recordsv1.NewRecordsClient(d.Conn("records"))
	s := &Service{
		store: store, key: keys.Public, now: d.Now, writer: &writer{words},
		people:     &people{access: accessv1.NewAccessClient(d.Conn("access")), records: records, now: d.Now},
		carrier:    newCarrier(store, channels, d.Now, d.Log, d.Metrics),
		background: background{log: d.Log, retry: 2 * time.Second, woken: make(chan struct{}, 1)},
	}
	s.follower = &follower{
		records: records, store: store, people: s.people, writer: s.writer, now: d.Now, log: d.Log,
		wait: 20 * time.Second, limit: 200,
	}
	return s, s.operations()
}

// contact is whom push services may turn to (RFC 8292, section 2.1); an https
// address or one of mail.
func contact(base string) string {
	if strings.HasPrefix(base, "https:") {
		return base
	}
	return "admin@localhost.invalid"
}

// background follows the log and empties the outbox.
type background struct {
	log   *slog.Logger
	retry time.Duration
	stop  context.CancelFunc
	done  sync.WaitGroup
	// woken says that the outbox has something new.
	woken chan struct{}
}

func (b *background) wake() {
	select {
	case b.woken <- struct{}{}:
	default:
	}
}

// Start begins to follow the log. Records and access may start later.
func (s *Service) Start(ctx context.Context) error {
	// The work outlives the context of starting; Stop ends it.
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.done.Go(func() { s.run(ctx) })
	return nil
}

// run works while this process holds the lock.
func (s *Service) run(ctx context.Context) {
	for ctx.Err() == nil {
		if lock, err := s.store.Hold(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("notices are not sent", "error", err)
		} else if lock != nil {
			s.work(ctx, lock)
			lock.Release()
		}
		s.pause(ctx, s.retry)
	}
}

// work follows and carries side by side, since following waits for changes,
// until the lock is lost.
func (s *Service) work(ctx context.Context, lock message.Lock) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var both sync.WaitGroup
	both.Go(func() {
		for ctx.Err() == nil {
			if err := s.follower.step(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("notices are not following the log", "error", err)
				pause(ctx, s.retry)
			}
			s.wake()
		}
	})
	both.Go(func() {
		for ctx.Err() == nil {
			n, err := s.carrier.step(ctx)
			if err != nil && ctx.Err() == nil {
				s.log.Warn("messages are not carried", "error", err)
			}
			if n == 0 {
				s.pause(ctx, s.retry)
			}
			if err := lock.Check(ctx); err != nil {
				stop()
			}
		}
	})
	both.Wait()
}

// pause waits until something is in the outbox, d has passed or ctx is done.
func (b *background) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-b.woken:
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// Drain has nothing that outlives a call.
func (s *Service) Drain(context.Context) {}

// Stop ends background work and waits for it; what is in the outbox stays.
func (s *Service) Stop(ctx context.Context) error {
	if s.stop == nil {
		return nil
	}
	s.stop()
	done := make(chan struct{})
	go func() { s.done.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
