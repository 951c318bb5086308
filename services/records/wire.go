package records

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/kit"
	"github.com/yba-health/yba/services/records/bulk"
	"github.com/yba-health/yba/services/records/postgres"
	"github.com/yba-health/yba/services/records/record"
	"github.com/yba-health/yba/services/records/rest"
	"github.com/yba-health/yba/services/records/subscription"
	"github.com/yba-health/yba/services/records/terminology"
)

// Deps are what the operations work with.
type Deps struct {
	Config      config.Config
	Definitions *fhir.Definitions
	Store       *postgres.Store
	Now         func() time.Time
	Log         *slog.Logger
	Metrics     prometheus.Registerer
	// Base is the public address of /fhir/R4, for links that are made without
	// a request.
	Base string
	// Enter asks whether the caller may use another operation than the one
	// that runs, and returns a context with its scope.
	Enter func(ctx context.Context, method string) (context.Context, error)
	// Call runs another operation than the one that runs, behind the guard:
	// with its own right, its own audit and its own measure.
	Call func(ctx context.Context, method string, request any) (any, error)
	// Act returns a context in which the owner of a Subscription acts with
	// the scope that it has by now for being told of events.
	Act func(ctx context.Context, owner string) (context.Context, error)
	// Note writes one disclosure to the audit log.
	Note func(ctx context.Context, patient, target string)
}

// Operations are all operations of the service: those on resources, and those
// of the packages that work over them.
type Operations struct {
	*Records
	*bulk.Bulk
	*subscription.Hooks
	*rest.Description
}

// Wire makes the operations. Packages over Records know nothing of it; what
// they need of it is given to them here.
func Wire(d Deps) (*Operations, error) {
	chosen, err := newSettings(d.Config, d.Definitions)
	if err != nil {
		return nil, err
	}
	r := &Records{
		store: d.Store, defs: d.Definitions, terms: terminology.New(d.Store.Terms()), settings: chosen,
		now: d.Now, log: d.Log, base: d.Base, enter: d.Enter, call: d.Call,
	}
	d.Store.Base, d.Store.Expander = d.Base, expander{r.terms, r.canonical, d.Base}
	hooks, err := subscription.New(subscription.Deps{
		Store: d.Store, Definitions: d.Definitions, Now: d.Now, Log: d.Log, Metrics: d.Metrics, Base: d.Base,
		Networks: d.Config.HookNets, Act: d.Act, Note: d.Note,
		Reach: r.reach, Whole: r.whole, Update: r.Update,
		Search: func(ctx context.Context, q *record.Query, reach record.Reach) ([]record.Stored, error) {
			page, err := d.Store.Search(ctx, nil, q, reach)
			if err != nil {
				return nil, err
			}
			return page.Matches, nil
		},
	})
	if err != nil {
		return nil, err
	}
	r.admit = hooks.Admit
	files := bulk.New(bulk.Deps{
		Store: d.Store, Definitions: d.Definitions, Now: d.Now, Log: d.Log, Base: d.Base, Enter: d.Enter,
		Reach: r.reach, Following: r.following, Shown: r.part, Anonymous: anonymous, Valid: r.valid,
	})
	return &Operations{Records: r, Bulk: files, Hooks: hooks, Description: r.description()}, nil
}

func (r *Records) description() *rest.Description {
	return &rest.Description{
		Definitions: r.defs, Now: r.now, Base: r.base, Indexer: r.store.Indexer,
		UpdateCreate: r.settings.updateCreate, DeleteMany: r.settings.deleteMany, Enforced: r.settings.enforced, CORS: r.settings.cors,
	}
}

// Face makes the FHIR face of the operations in t; origin is the public one,
// and notifications serves the websockets of Subscriptions.
func (o *Operations) Face(t kit.Table, g *guard.Guard, origin string, notifications http.Handler) (*rest.Face, error) {
	return rest.New(rest.Deps{
		Table: t, Guard: g, Public: origin, Notifications: notifications,
		Open: o.binary, Upload: o.upload, MaxContent: o.settings.maxContent, Unchanged: unchanged,
	})
}
