package records

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/yba-health/yba/pkg/app"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/kit"
	"github.com/yba-health/yba/services/records/postgres"
	"github.com/yba-health/yba/services/records/terminology"
	termstore "github.com/yba-health/yba/services/records/terminology/postgres"
)

// Module is how the process makes the service.
var Module = app.Module{Name: "records", Paths: []string{"/fhir/R4"}, Migrations: postgres.Migrations(), New: New}

// service is the running service.
type service struct {
	records *Records
	table   kit.Table
	rest    *rest
	terms   *termstore.Store

	stop context.CancelFunc
	done sync.WaitGroup
}

// New makes the service.
func New(d app.Deps) (app.Service, error) {
	defs, err := fhir.R4()
	if err != nil {
		return nil, err
	}
	chosen, err := newSettings(d.Config, defs)
	if err != nil {
		return nil, err
	}
	store, err := postgres.New(d.DB, d.DSN, defs, d.Log)
	if err != nil {
		return nil, err
	}
	base := strings.TrimSuffix(d.Config.PublicURL, "/")
	terms := store.Terms()
	r := &Records{
		store: store, defs: defs, terms: terminology.New(terms), settings: chosen, now: d.Now, log: d.Log, base: base + "/fhir/R4",
	}
	store.Base, store.Expander = r.base, expander{r.terms}
	r.enter = func(ctx context.Context, method string) (context.Context, error) {
		return d.Guard.Enter(ctx, "records."+method, guard.Rules{}, nil)
	}
	table, err := r.operations()
	if err != nil {
		return nil, err
	}
	face, err := newREST(table, d.Guard, base)
	if err != nil {
		return nil, err
	}
	return &service{records: r, table: table, rest: face, terms: terms}, nil
}

// Table lists the operations.
func (s *service) Table() kit.Table { return s.table }

// Routes adds the FHIR face.
func (s *service) Routes(mux *http.ServeMux) { s.rest.routes(mux) }

// Start begins to carry notices of changes between processes.
func (s *service) Start(ctx context.Context) error {
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.done.Go(func() {
		if err := s.records.store.Run(ctx); err != nil && ctx.Err() == nil {
			s.records.log.Error("notices of changes stopped; readers fall back on looking every second", "error", err)
		}
	})
	s.done.Go(func() { s.records.reindex(ctx) })
	s.done.Go(func() {
		// The first user should not wait for it.
		if err := s.terms.Ready(ctx); err != nil && ctx.Err() == nil {
			s.records.log.Error("the base terminology could not be loaded; the first use tries again", "error", err)
		}
	})
	return nil
}

// Drain has nothing to do: requests end by themselves.
func (s *service) Drain(context.Context) {}

// Stop ends the background work and waits for it.
func (s *service) Stop(context.Context) error {
	if s.stop != nil {
		s.stop()
	}
	s.done.Wait()
	return nil
}
