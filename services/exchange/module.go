package exchange

import "github.com/yba-health/yba/pkg/app"

// Module is the service for cmd/yba. It has no tables.
var Module = app.Module{
	Name: "exchange",
	New:  func(d app.Deps) (app.Service, error) { return New(d.Now) },
}
