// Package app says what a service is to the process that runs it, and what
// it gets from it. Services are put together in cmd/yba.
package app

import (
	"context"
	"database/sql"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/kit"
)

// Deps is what a service is made of. Every field is set.
type Deps struct {
	Config config.Config
	// DB is a pool on the suite's database; the service's tables live in the
	// schema of its own name.
	DB *sql.DB
	// DSN opens further connections (LISTEN).
	DSN string
	// Conn returns a connection to another service, in this process or in
	// another one, for the generated clients:
	// recordsv1.NewRecordsClient(d.Conn("records")). It may be asked for a
	// service that starts later.
	Conn    func(service string) grpc.ClientConnInterface
	Guard   *guard.Guard
	Log     *slog.Logger
	Metrics prometheus.Registerer
	// Now is the clock.
	Now func() time.Time
}

// Service is one of the suite's services.
type Service interface {
	// Table lists the operations.
	Table() kit.Table
	// Routes adds plain HTTP handlers (FHIR, sign-in pages, WebSockets) to the
	// service's own mux. Each of them passes the guard by itself.
	Routes(mux *http.ServeMux)
	// Start begins background work (projections, timers) and returns.
	Start(ctx context.Context) error
	// Drain stops taking new work, such as calls, and lets the running end
	// until ctx is done.
	Drain(ctx context.Context)
	// Stop ends background work and waits for it.
	Stop(ctx context.Context) error
}

// Module is how the process makes a service.
type Module struct {
	Name string
	// Paths are the path prefixes, besides /api/<name>/, that the edge sends
	// to the service: "/fhir/R4/".
	Paths []string
	// Migrations is nil for a service without tables.
	Migrations fs.FS
	New        func(Deps) (Service, error)
}
