package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/yba-health/yba/pkg/app"
	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/kit"
	"github.com/yba-health/yba/pkg/obs"
	"github.com/yba-health/yba/pkg/pg"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	"github.com/yba-health/yba/services/gateway"
	"github.com/yba-health/yba/services/gateway/web"
)

// suite is one process of the system: some services, perhaps the gateway, and
// what they share.
type suite struct {
	cfg     *config.Config
	log     *slog.Logger
	modules []app.Module
	edge    bool

	signer  *guard.Signer
	local   *kit.Local
	peers   map[string]*grpc.ClientConn
	auditor *guard.Auditor
	guard   *guard.Guard
	metrics *prometheus.Registry
	show    http.Handler

	embedded *pg.Embedded
	dsn      string
	pools    []*sql.DB
	running  []app.Service

	listener net.Listener
	http     *http.Server
	grpc     *grpc.Server
	failed   chan error
	// broken gets an error when the private PostgreSQL is gone for good; nil
	// without one.
	broken <-chan error
	ready  atomic.Bool
	// undo holds what stop does last, in reverse order.
	undo []func() error
}

// newSuite checks the configuration and takes the address and the data
// folder, so that what cannot work fails in a sentence before anything runs.
func newSuite(ctx context.Context, cfg *config.Config, log *slog.Logger, names []string) (*suite, error) {
	chosen, edge, err := choose(names)
	if err != nil {
		return nil, err
	}
	s := &suite{cfg: cfg, log: log, modules: chosen, edge: edge, local: kit.NewLocal(), peers: map[string]*grpc.ClientConn{}, failed: make(chan error, 4)}
	if cfg.PublicURL == "" && (cfg.TLSCert == "") != (cfg.TLSKey == "") {
		return nil, errors.New("tls-cert and tls-key go together")
	}
	s.listener, err = listen(ctx, cfg.Listen)
	if err != nil {
		return nil, err
	}
	s.undo = append(s.undo, func() error { _ = s.listener.Close(); return nil })
	if err := s.prepare(); err != nil {
		return nil, errors.Join(err, s.stop(ctx))
	}
	return s, nil
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use by another program: stop that one, or choose another port with PORT=… (YBA_LISTEN)", address)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	return l, nil
}

func (s *suite) prepare() error {
	if s.cfg.DatabaseURL == "" {
		release, err := lock(s.cfg)
		if err != nil {
			return err
		}
		s.undo = append(s.undo, func() error { release(); return nil })
	}
	key, err := internalKey(s.cfg)
	if err != nil {
		return err
	}
	s.signer = guard.NewSigner(key)
	for name, address := range s.cfg.Peers {
		conn, err := kit.Dial(address, s.signer)
		if err != nil {
			return fmt.Errorf("peer %s: %w", name, err)
		}
		s.peers[name] = conn
		s.undo = append(s.undo, conn.Close)
	}
	s.metrics, s.show = obs.Metrics()
	access := accessv1.NewAccessClient(s.conn("access"))
	s.auditor = guard.NewAuditor(access, s.log)
	s.guard = guard.New(access, s.auditor, s.log, s.metrics)
	return nil
}

// internalKey is the key for calls between processes. One process needs none,
// so it makes one that nobody else knows.
func internalKey(cfg *config.Config) ([]byte, error) {
	if cfg.InternalKey == "" {
		if len(cfg.Peers) > 0 || cfg.GRPCListen != "" {
			return nil, errors.New("services in several processes need the same YBA_INTERNAL_KEY: 64 hexadecimal digits, such as `openssl rand -hex 32` prints")
		}
		key := make([]byte, 32)
		_, err := rand.Read(key)
		return key, err
	}
	key, err := hex.DecodeString(cfg.InternalKey)
	if err != nil || len(key) != 32 {
		return nil, errors.New("YBA_INTERNAL_KEY must be 64 hexadecimal digits")
	}
	return key, nil
}

// conn is how a service reaches another one: in this process if it runs here.
func (s *suite) conn(service string) grpc.ClientConnInterface {
	if !slices.ContainsFunc(s.modules, func(m app.Module) bool { return m.Name == service }) {
		if c, ok := s.peers[service]; ok {
			return c
		}
	}
	return s.local
}

// heapGrowth is how far the heap may grow, in per cent, before garbage is
// collected. The live heap is small, so twice Go's own 100 costs some 10 MB
// of memory and saves about a fifth of the processor time of a read.
const heapGrowth = 200

// start brings everything up and returns when it is ready.
func (s *suite) start(ctx context.Context) error {
	if os.Getenv("GOGC") == "" { // who sets it knows better
		debug.SetGCPercent(heapGrowth)
	}
	if err := s.database(ctx); err != nil {
		return err
	}
	mux := http.NewServeMux()
	if s.cfg.GRPCListen != "" {
		s.grpc = kit.NewGRPCServer()
	}
	for _, m := range s.modules {
		svc, err := s.build(m)
		if err != nil {
			return fmt.Errorf("service %s: %w", m.Name, err)
		}
		t := svc.Table()
		s.local.Serve(s.guard, t)
		kit.MountHTTP(mux, s.guard, t)
		svc.Routes(mux)
		if s.grpc != nil {
			kit.MountGRPC(s.grpc, s.guard, s.signer, t)
		}
		s.running = append(s.running, svc)
	}
	if err := s.listen(ctx, mux); err != nil {
		return err
	}
	for i, svc := range s.running {
		if err := svc.Start(background(ctx)); err != nil {
			return fmt.Errorf("service %s: %w", s.modules[i].Name, err)
		}
	}
	s.ready.Store(true)
	return nil
}

func (s *suite) database(ctx context.Context) error {
	s.dsn = s.cfg.DatabaseURL
	if s.dsn == "" && len(s.modules) > 0 {
		e, err := pg.StartEmbedded(ctx, pg.EmbeddedOptions{Dir: filepath.Join(s.cfg.Data, postgresFolder), Log: s.log})
		if err != nil {
			return err
		}
		s.embedded, s.dsn = e, e.URL
		s.undo = append(s.undo, e.Stop)
		s.broken = e.Failed()
	}
	return migrate(ctx, s.dsn, s.modules, s.log)
}

func migrate(ctx context.Context, dsn string, modules []app.Module, log *slog.Logger) error {
	for _, m := range modules {
		if m.Migrations == nil {
			continue
		}
		db, err := pg.Open(dsn, m.Name, 2)
		if err != nil {
			return err
		}
		err = pg.Migrate(ctx, db, m.Name, m.Migrations)
		if err = errors.Join(err, db.Close()); err != nil {
			return err
		}
		log.Debug("schema is up to date", "service", m.Name)
	}
	return nil
}

func (s *suite) build(m app.Module) (app.Service, error) {
	db, err := pg.Open(s.dsn, m.Name, s.cfg.Conns)
	if err != nil {
		return nil, err
	}
	s.pools = append(s.pools, db)
	return m.New(app.Deps{
		Config: *s.cfg, DB: db, DSN: s.dsn, Conn: s.conn, Guard: s.guard,
		Log: s.log.With("service", m.Name), Metrics: s.metrics, Now: time.Now,
	})
}

// listen serves HTTP (the edge's handler, or the services' own routes where
// the edge is elsewhere) and gRPC.
func (s *suite) listen(ctx context.Context, mux *http.ServeMux) error {
	var h http.Handler
	if s.edge {
		routes, err := s.routes(mux)
		if err != nil {
			return err
		}
		proxies, err := gateway.ParseProxies(s.cfg.Proxies)
		if err != nil {
			return err
		}
		origins, err := gateway.ParseOrigins(s.cfg.CORSOrigins)
		if err != nil {
			return err
		}
		h = gateway.New(gateway.Options{
			BaseURL: s.cfg.BaseURL(), Web: web.Dist, Routes: routes, RateLimit: s.cfg.RateLimit, Proxies: proxies, Origins: origins,
			Ready: s.readiness, Metrics: s.show, Log: s.log, Reg: s.metrics,
		})
	} else {
		mux.Handle("/livez", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
		mux.Handle("/readyz", gateway.Readiness(s.readiness))
		mux.Handle("/metrics", gateway.LoopbackOnly(s.show))
		h = mux
	}
	s.http = gateway.NewServer(h, s.log)
	l := s.listener
	if s.cfg.TLSCert != "" {
		cert, err := tls.LoadX509KeyPair(s.cfg.TLSCert, s.cfg.TLSKey)
		if err != nil {
			return fmt.Errorf("tls-cert and tls-key: %w", err)
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}})
	}
	go func() { // ends with Shutdown in stop
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- err
		}
	}()
	if s.grpc == nil {
		return nil
	}
	gl, err := listen(ctx, s.cfg.GRPCListen)
	if err != nil {
		return err
	}
	go func() { // ends with GracefulStop in stop
		if err := s.grpc.Serve(gl); err != nil {
			s.failed <- err
		}
	}()
	return nil
}

// routes says where the edge sends which paths.
func (s *suite) routes(mux *http.ServeMux) ([]gateway.Route, error) {
	var routes []gateway.Route
	for _, m := range modules {
		h := http.Handler(mux)
		if !slices.ContainsFunc(s.modules, func(own app.Module) bool { return own.Name == m.Name }) {
			to, ok := s.cfg.Edges[m.Name]
			if !ok {
				s.log.Warn("the gateway does not know where a service is; give --edges", "service", m.Name)
				continue
			}
			var err error
			if h, err = gateway.Proxy(to, s.log); err != nil {
				return nil, err
			}
		}
		for _, p := range append([]string{"/api/" + m.Name}, m.Paths...) {
			routes = append(routes, gateway.Route{Prefix: p, Handler: h, Service: m.Name})
		}
	}
	return routes, nil
}

func (s *suite) readiness() error {
	if !s.ready.Load() {
		return errors.New("starting or stopping")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for _, db := range s.pools {
		if err := db.PingContext(ctx); err != nil {
			return errors.New("the database does not answer")
		}
	}
	return nil
}

// wait returns when ctx is done, or with what essential has failed, so that
// whoever started the process learns that it did not end as asked.
func (s *suite) wait(ctx context.Context) error {
	var err error
	select {
	case <-ctx.Done():
		return nil
	case err = <-s.failed:
	case err = <-s.broken:
		err = fmt.Errorf("the private PostgreSQL ended by itself: %w", err)
	}
	s.log.Error("stopping", "error", err)
	return err
}

// stop drains and stops in the reverse order of starting. That ctx has ended
// is mostly why it is called, so it does not end with it.
func (s *suite) stop(ctx context.Context) error {
	s.ready.Store(false)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.DrainWait+20*time.Second)
	defer cancel()
	var errs []error
	drain, done := context.WithTimeout(ctx, s.cfg.DrainWait)
	for _, svc := range slices.Backward(s.running) {
		svc.Drain(drain)
	}
	done()
	if s.http != nil {
		shut, done := context.WithTimeout(ctx, 5*time.Second)
		if s.http.Shutdown(shut) != nil {
			_ = s.http.Close()
		}
		done()
	}
	// Calls of other processes end before what they use does.
	if s.grpc != nil {
		stopGRPC(s.grpc)
	}
	for _, svc := range slices.Backward(s.running) {
		errs = append(errs, svc.Stop(ctx))
	}
	if s.auditor != nil {
		s.auditor.Close()
	}
	for _, db := range s.pools {
		_ = db.Close() // all work is done; a connection that cannot be closed is broken already
	}
	for _, f := range slices.Backward(s.undo) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// stopGRPC lets running calls end, but readers that wait for changes do not
// hold it up for long.
func stopGRPC(g *grpc.Server) {
	cut := time.AfterFunc(2*time.Second, g.Stop)
	defer cut.Stop()
	g.GracefulStop()
}
