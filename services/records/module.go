package records

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/yba-health/yba/pkg/app"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/kit"
	"github.com/yba-health/yba/pkg/projection"
	"github.com/yba-health/yba/services/records/postgres"
	"github.com/yba-health/yba/services/records/rest"
	termstore "github.com/yba-health/yba/services/records/terminology/postgres"
)

// Module is how the process makes the service.
var Module = app.Module{Name: "records", Paths: []string{"/fhir/R4"}, Migrations: postgres.Migrations(), New: New}

// service is the running service.
type service struct {
	*Operations

	table kit.Table
	face  *rest.Face
	terms *termstore.Store

	stop context.CancelFunc
	done sync.WaitGroup
	// closing ends the websockets.
	closing   context.CancelFunc
	followers []*projection.Follower
}

// New makes the service.
func New(d app.Deps) (app.Service, error) {
	defs, err := fhir.R4()
	if err != nil {
		return nil, err
	}
	store, err := postgres.New(d.DB, d.DSN, defs, d.Log)
	if err != nil {
		return nil, err
	}
	o, err := Wire(Deps{
		Config: d.Config, Definitions: defs, Store: store, Now: d.Now, Log: d.Log, Metrics: d.Metrics, Base: d.Config.BaseURL() + rest.Prefix,
		Enter: func(ctx context.Context, method string) (context.Context, error) {
			return d.Guard.Enter(ctx, "records."+method, guard.Rules{}, nil)
		},
		Act: func(ctx context.Context, owner string) (context.Context, error) {
			return d.Guard.Enter(guard.Behalf(ctx, owner), told, guard.Rules{}, nil)
		},
		Note: func(ctx context.Context, patient, target string) { d.Guard.Note(ctx, told, patient, target, nil) },
	})
	if err != nil {
		return nil, err
	}
	table, err := o.Table()
	if err != nil {
		return nil, err
	}
	closing, end := context.WithCancel(context.Background())
	face, err := o.Face(table, d.Guard, strings.TrimSuffix(d.Config.PublicURL, "/"), o.ServeSocket(closing))
	if err != nil {
		end()
		return nil, err
	}
	s := &service{Operations: o, table: table, face: face, terms: store.Terms(), closing: end}
	s.followers = []*projection.Follower{{
		Hold:  func(ctx context.Context) (*projection.Lock, error) { return projection.Hold(ctx, d.DB, hooksLock) },
		Steps: []projection.Step{{Take: o.Follow, Behind: "Subscriptions are not following the log"}, {Take: o.Tend, Behind: "events of Subscriptions are not tended"}},
		Retry: time.Second, Log: d.Log,
	}, {Retry: time.Second, Log: d.Log}}
	for range deliverers {
		s.followers[1].Steps = append(s.followers[1].Steps, projection.Step{Take: o.Deliver, Behind: "notifications are not delivered"})
	}
	return s, nil
}

const (
	// told is the operation whose right and scope notifications have.
	told = "records.SubscriptionEvents"
	// deliverers is how many receivers are called at once.
	deliverers = 4
	// hooksLock is "records" and what it locks.
	hooksLock = 0x7265636f72647301
)

// Table lists the operations.
func (s *service) Table() kit.Table { return s.table }

// Routes adds the FHIR face.
func (s *service) Routes(mux *http.ServeMux) { s.face.Routes(mux) }

// Start begins to carry notices of changes between processes.
func (s *service) Start(ctx context.Context) error {
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.done.Go(func() {
		if err := s.store.Run(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("notices of changes stopped; readers fall back on looking every second", "error", err)
		}
	})
	s.done.Go(func() { s.reindex(ctx) })
	s.done.Go(func() { s.Work(ctx) })
	for _, f := range s.followers {
		f.Start(ctx)
	}
	s.done.Go(func() {
		// The first user should not wait for it.
		if err := s.terms.Ready(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("the base terminology could not be loaded; the first use tries again", "error", err)
		}
	})
	return nil
}

// Drain ends websockets, whose clients come again; requests end by themselves.
func (s *service) Drain(context.Context) { s.closing() }

// Stop ends the background work and waits for it.
func (s *service) Stop(ctx context.Context) error {
	s.closing()
	var errs []error
	for _, f := range s.followers {
		errs = append(errs, f.Stop(ctx))
	}
	if s.stop != nil {
		s.stop()
	}
	s.done.Wait()
	return errors.Join(errs...)
}
