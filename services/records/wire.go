package records

import (
	"context"
	"log/slog"
	"time"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/bulk"
	"github.com/yba-health/yba/services/records/postgres"
	"github.com/yba-health/yba/services/records/terminology"
)

// Deps are what the operations work with.
type Deps struct {
	Config      config.Config
	Definitions *fhir.Definitions
	Store       *postgres.Store
	Now         func() time.Time
	Log         *slog.Logger
	// Base is the public address of /fhir/R4, for links that are made without
	// a request.
	Base string
	// Enter asks whether the caller may use another operation than the one
	// that runs, and returns a context with its scope.
	Enter func(ctx context.Context, method string) (context.Context, error)
}

// Operations are all operations of the service: those on resources, and those
// of the packages that work over them.
type Operations struct {
	*Records
	*bulk.Bulk
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
		now: d.Now, log: d.Log, base: d.Base, enter: d.Enter,
	}
	d.Store.Base, d.Store.Expander = d.Base, expander{r.terms}
	return &Operations{Records: r, Bulk: bulk.New(bulk.Deps{
		Store: d.Store, Definitions: d.Definitions, Now: d.Now, Log: d.Log, Base: d.Base, Enter: d.Enter,
		Reach: r.reach, Shown: r.shown, Valid: r.valid,
	})}, nil
}
