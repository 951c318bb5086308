package coverage

import (
	"context"

	"github.com/yba-health/yba/pkg/app"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
	"github.com/yba-health/yba/services/coverage/geography"
	"github.com/yba-health/yba/services/coverage/postgres"
)

// Module is the service for cmd/yba.
var Module = app.Module{
	Name:       "coverage",
	Migrations: postgres.Migrations(),
	New:        func(d app.Deps) (app.Service, error) { return New(d) },
}

// New returns the service.
func New(d app.Deps) (*Service, error) {
	indicators, err := loadIndicators()
	if err != nil {
		return nil, err
	}
	// The list of communes is public; reading it needs no user's right.
	alone := func(ctx context.Context) context.Context {
		return guard.As(guard.WithPrincipal(ctx, nil), "coverage")
	}
	store := postgres.New(d.DB)
	s := &Service{
		indicators: indicators, store: store, now: d.Now,
		shelf:     geography.NewShelf(stationsv1.NewStationsClient(d.Conn("stations")), alone, d.Now, d.Log),
		reporter:  &reporter{store: store, province: d.Config.Province},
		projector: newProjector(recordsv1.NewRecordsClient(d.Conn("records")), store, d.Now, d.Log, d.Metrics),
	}
	return s, s.operations()
}

// Start begins to follow the log. Records may start later.
func (s *Service) Start(ctx context.Context) error {
	s.background = s.projector.follower()
	s.background.Start(ctx)
	return nil
}

// Drain has nothing that outlives a call.
func (s *Service) Drain(context.Context) {}

// Stop ends the projection and waits for it.
func (s *Service) Stop(ctx context.Context) error {
	if s.background == nil {
		return nil
	}
	return s.background.Stop(ctx)
}
