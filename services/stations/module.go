package stations

import (
	"github.com/yba-health/yba/pkg/app"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	exchangev1 "github.com/yba-health/yba/proto/gen/yba/exchange/v1"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/stations/postgres"
	"github.com/yba-health/yba/services/stations/postgres/migrations"
)

var _ Store = (*postgres.Store)(nil)

// Module is the service for cmd/yba.
var Module = app.Module{
	Name:       name,
	Migrations: migrations.Files,
	New: func(d app.Deps) (app.Service, error) {
		return New(Needs{
			Store:    postgres.New(d.DB),
			Records:  recordsv1.NewRecordsClient(d.Conn("records")),
			Access:   accessv1.NewAccessClient(d.Conn("access")),
			Exchange: exchangev1.NewExchangeClient(d.Conn("exchange")),
			Log:      d.Log,
			Now:      d.Now,
		})
	},
}
