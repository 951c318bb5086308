package consults

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/yba-health/yba/pkg/app"
	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/kit"
	"github.com/yba-health/yba/pkg/rtc"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/consults/consult"
	"github.com/yba-health/yba/services/consults/postgres"
)

// Module is the service as cmd/yba runs it.
var Module = app.Module{Name: name, Migrations: postgres.Migrations(), New: New}

// module joins the service with the media port and its background work.
type module struct {
	*Service
	table  kit.Table
	dsn    string
	engine *rtc.Engine
	turn   *rtc.TURN
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// New opens the media port and, unless it is turned off, the TURN port.
func New(d app.Deps) (app.Service, error) {
	log := d.Log.With("service", name)
	engine, err := rtc.New(rtc.Config{Port: d.Config.MediaPort, IPs: d.Config.MediaIPs, Log: log, Metrics: d.Metrics})
	if err != nil {
		return nil, err
	}
	m := &module{dsn: d.DSN, engine: engine, cancel: func() {}}
	ice, err := m.relay(d, log)
	if err != nil {
		return nil, m.fail(err)
	}
	h := newHub()
	m.Service = &Service{
		store:   postgres.New(d.DB),
		records: recordsv1.NewRecordsClient(d.Conn("records")),
		access:  accessv1.NewAccessClient(d.Conn("access")),
		hub:     h, hall: newHall(engine, func(doctor, _ string) { h.wake(doctor) }),
		owner: owner(engine), recheck: checkEvery,
		guard: d.Guard, ice: ice, origins: origins(&d.Config), log: log, now: d.Now,
	}
	if m.table, err = m.Service.table(); err != nil {
		return nil, m.fail(err)
	}
	return m, nil
}

func (m *module) fail(err error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = m.engine.Close(ctx)
	if m.turn != nil {
		_ = m.turn.Close()
	}
	return err
}

// owner names the process by its media port, which no other one can have: a
// process that is started anew takes its rooms over at once.
func owner(e *rtc.Engine) string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%v:%d", host, e.Addresses(), e.Port())
}

// relay starts the embedded TURN server, or names the configured ones.
func (m *module) relay(d app.Deps, log *slog.Logger) (iceServers, error) {
	secret := []byte(d.Config.TURNSecret)
	if len(d.Config.TURNURLs) > 0 {
		if len(secret) == 0 {
			return iceServers{}, fmt.Errorf("turn-urls needs their turn-secret; set YBA_TURN_SECRET")
		}
		return iceServers{d.Config.TURNURLs, secret}, nil
	}
	if d.Config.TURNPort == 0 {
		return iceServers{}, nil
	}
	if len(secret) == 0 {
		secret = make([]byte, 32)
		// crypto/rand.Read never fails (Go 1.24).
		_, _ = rand.Read(secret)
	}
	turn, err := rtc.ListenTURN(rtc.TURNConfig{
		Port: d.Config.TURNPort, Secret: secret, Relays: m.engine.Addresses(), MediaPort: m.engine.Port(), Log: log, Now: d.Now,
	})
	if err != nil {
		return iceServers{}, err
	}
	m.turn = turn
	at := net.JoinHostPort(turnHost(&d.Config), fmt.Sprint(turn.Port()))
	return iceServers{[]string{"turn:" + at + "?transport=udp", "turn:" + at + "?transport=tcp"}, secret}, nil
}

// turnHost is where browsers reach the TURN port: the media address if one is
// configured, else the host of the public URL.
func turnHost(c *config.Config) string {
	if len(c.MediaIPs) > 0 {
		return c.MediaIPs[0]
	}
	if u, err := url.Parse(c.BaseURL()); err == nil && u.Hostname() != "" {
		return u.Hostname()
	}
	return "localhost"
}

// origins are the hosts whose pages may open the WebSockets, beside the
// request's own host.
func origins(c *config.Config) []string {
	if u, err := url.Parse(c.BaseURL()); err == nil && u.Host != "" {
		return []string{u.Host}
	}
	return nil
}

// Table lists the operations.
func (m *module) Table() kit.Table { return m.table }

// Start listens for changes and sweeps.
func (m *module) Start(ctx context.Context) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	m.cancel = cancel
	if err := listen(ctx, m.dsn, m.log, func(doctor, id string) { m.heard(ctx, doctor, id) }); err != nil {
		cancel()
		return err
	}
	m.every(ctx, recordEvery, "sweep", m.sweep)
	m.every(ctx, consult.LeaseEvery, "leases of rooms", m.holdRooms)
	return nil
}

// every calls f again and again until ctx ends.
func (m *module) every(ctx context.Context, d time.Duration, what string, f func(context.Context) error) {
	m.work.Add(1)
	go func() { // ends with ctx
		defer m.work.Done()
		tick := time.NewTicker(d)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := f(ctx); err != nil && ctx.Err() == nil {
					m.log.Warn(what, "error", err)
				}
			}
		}
	}()
}

// Drain takes nobody into a room any more and waits for those in one.
func (m *module) Drain(ctx context.Context) { m.hall.drain(ctx) }

// Stop ends rooms, ports and background work.
func (m *module) Stop(ctx context.Context) error {
	m.cancel()
	for _, r := range m.hall.all() {
		m.hall.close(r.id, "draining")
	}
	if m.turn != nil {
		_ = m.turn.Close()
	}
	err := m.engine.Close(ctx)
	m.work.Wait()
	return errors.Join(err, m.store.ReleaseRooms(ctx, m.owner))
}
