package notices

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/app"
	"github.com/yba-health/yba/pkg/projection"
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
		people:  &people{access: accessv1.NewAccessClient(d.Conn("access")), records: records, now: d.Now},
		carrier: newCarrier(store, channels, d.Now, d.Log, d.Metrics),
		log:     d.Log, retry: 2 * time.Second, woken: make(chan struct{}, 1),
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

// Start begins to follow the log and to empty the outbox, in the process that
// has the lock. Records and access may start later.
func (s *Service) Start(ctx context.Context) error {
	s.background = &projection.Follower{
		Hold: s.store.Hold,
		Steps: []projection.Step{
			{Behind: "notices are not following the log", Take: func(ctx context.Context) (bool, error) {
				more, err := s.follower.step(ctx)
				s.wake()
				return more, err
			}},
			{Behind: "messages are not carried", Take: func(ctx context.Context) (bool, error) {
				n, err := s.carrier.step(ctx)
				if n == 0 && err == nil {
					s.rest(ctx)
				}
				return true, err
			}},
		},
		Retry: s.retry, Log: s.log,
	}
	s.background.Start(ctx)
	return nil
}

// wake says that the outbox may have something new.
func (s *Service) wake() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// rest waits until something is in the outbox or may be due again.
func (s *Service) rest(ctx context.Context) {
	t := time.NewTimer(s.retry)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-s.woken:
	}
}

// Drain has nothing that outlives a call.
func (s *Service) Drain(context.Context) {}

// Stop ends background work and waits for it; what is in the outbox stays.
func (s *Service) Stop(ctx context.Context) error {
	if s.background == nil {
		return nil
	}
	return s.background.Stop(ctx)
}
