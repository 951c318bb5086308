package access_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/yba-health/yba/pkg/app"
	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/kit"
	"github.com/yba-health/yba/pkg/pg/pgtest"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
	"github.com/yba-health/yba/services/access"
	"github.com/yba-health/yba/services/access/openid"
	"github.com/yba-health/yba/services/access/postgres"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// world is the service as a process runs it: behind the guard, over HTTP and
// as a client, on a database of its own.
type world struct {
	t       testing.TB
	service *access.Service
	store   *postgres.Store
	client  accessv1.AccessClient
	guard   *guard.Guard
	auditor *guard.Auditor
	clock   *clock
	server  *httptest.Server
	dsn     string
	data    string
	config  config.Config
	feed    *feed
}

// neighbours answers what access asks of stations and follows in records; no
// successions mean that stations is not running.
type neighbours struct {
	successions []*stationsv1.Succession
	feed        *feed
}

func (n *neighbours) Invoke(_ context.Context, _ string, req, reply any, _ ...grpc.CallOption) error {
	switch resp := reply.(type) {
	case *stationsv1.ListSuccessionsResponse:
		if n.successions != nil {
			resp.Successions = n.successions
			return nil
		}
	case *recordsv1.MergesResponse:
		if ask, ok := req.(*recordsv1.MergesRequest); ok {
			proto.Merge(resp, n.feed.after(ask.GetCursor()))
			return nil
		}
	}
	return fault.New(fault.Unavailable, "this part of the system is not running", nil)
}

func (n *neighbours) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errors.New("no streams")
}

func newWorld(t testing.TB, successions ...*stationsv1.Succession) *world {
	t.Helper()
	db, dsn := pgtest.New(t, pgtest.Schema{Service: "access", Migrations: postgres.Migrations()})
	w := &world{t: t, clock: &clock{t: time.Now().Truncate(time.Second)}, store: postgres.New(db), dsn: dsn, data: t.TempDir()}
	mux := http.NewServeMux()
	w.server = httptest.NewServer(mux)
	t.Cleanup(w.server.Close)
	shareKey(t, w.data)
	cfg := config.Default()
	cfg.Data, cfg.PublicURL = w.data, w.server.URL
	w.config = cfg

	local := kit.NewLocal()
	w.client = accessv1.NewAccessClient(local)
	log := slog.New(slog.DiscardHandler)
	w.auditor = guard.NewAuditor(w.client, log)
	w.guard = guard.New(w.client, w.auditor, log, prometheus.NewRegistry())
	w.feed = &feed{}
	near := &neighbours{successions, w.feed}
	s, err := access.New(app.Deps{
		Config: cfg, DB: db, DSN: dsn, Guard: w.guard, Log: log, Metrics: prometheus.NewRegistry(), Now: w.clock.now,
		Conn: func(service string) grpc.ClientConnInterface {
			if service == "access" {
				return local
			}
			return near
		},
	}, w.store)
	if err != nil {
		t.Fatal(err)
	}
	w.service = s
	local.Serve(w.guard, s.Table())
	kit.MountHTTP(mux, w.guard, s.Table())
	s.Routes(mux)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.auditor.Close()
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return w
}

// signingKey is made once, since an RSA key takes its time.
var signingKey = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "yba-access-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if _, err := openid.LoadKeys(dir); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, "signing-key.pem"))
})

func shareKey(t testing.TB, data string) {
	t.Helper()
	key, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(data, "access")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "signing-key.pem"), key, 0o600); err != nil {
		t.Fatal(err)
	}
}

const password = "con mèo ngủ trưa"

// open makes an account straight through the command's door.
func (w *world) open(username string, roles []string, change func(*accessv1.CreateAccountRequest)) *accessv1.Account {
	w.t.Helper()
	req := &accessv1.CreateAccountRequest{Username: username, Name: "Nguyễn Thị " + strings.ToUpper(username[:1]) + username[1:], Roles: roles, Password: password}
	if change != nil {
		change(req)
	}
	a, _, err := access.OpenAccount(w.t.Context(), w.store, req, w.clock.now)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// as is a context in which the account acts.
func (w *world) as(a *accessv1.Account) context.Context {
	return guard.WithPrincipal(w.t.Context(), &accessv1.Principal{Account: a.GetId()})
}

func (w *world) relate(a *accessv1.Account, patient, kind string, from, until time.Time) string {
	w.t.Helper()
	format := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Format(time.RFC3339)
	}
	r, err := w.client.GrantRelation(guard.As(w.t.Context(), "consults"), &accessv1.Relation{
		Account: a.GetId(), Patient: patient, Kind: kind, From: format(from), Until: format(until), Reason: "consultation/9",
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.GetId()
}

func (w *world) authorize(req *accessv1.AuthorizeRequest) *accessv1.Decision {
	w.t.Helper()
	d, err := w.client.Authorize(guard.As(w.t.Context(), "guard"), req)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// openWithCode opens a patient's account as the stations service does.
func openWithCode(t testing.TB, w *world, username string) (*accessv1.Account, string, error) {
	t.Helper()
	resp, err := w.client.CreateAccount(guard.As(t.Context(), "stations"), &accessv1.CreateAccountRequest{
		Username: username, Name: "Lê Văn Bé", Roles: []string{"patient"}, Patient: "p8",
	})
	return resp.GetAccount(), resp.GetActivationCode(), err
}
