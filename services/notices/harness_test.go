package notices

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/pg/pgtest"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	noticesv1 "github.com/yba-health/yba/proto/gen/yba/notices/v1"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/notices/message"
	"github.com/yba-health/yba/services/notices/postgres"
)

// memoryRecords is a change log and Patients in memory.
type memoryRecords struct {
	recordsv1.RecordsClient
	rows   []*recordsv1.Change
	bodies map[string]string
}

func (r *memoryRecords) add(kind, id string, version int64, at time.Time, body string) {
	r.rows = append(r.rows, &recordsv1.Change{
		Seq: int64(len(r.rows) + 1), Type: kind, Id: id, Version: version, Patient: "7", At: at.Format(time.RFC3339), Op: "update", Body: []byte(body),
	})
}

func (r *memoryRecords) Changes(ctx context.Context, req *recordsv1.ChangesRequest, _ ...grpc.CallOption) (*recordsv1.ChangesResponse, error) {
	if guard.PrincipalOf(ctx).GetService() != "notices" {
		return nil, errors.New("who asks?")
	}
	from, _ := strconv.Atoi(req.GetCursor())
	rows := r.rows[from:]
	if len(rows) == 0 {
		return &recordsv1.ChangesResponse{Cursor: req.GetCursor()}, nil
	}
	rows = rows[:min(len(rows), int(req.GetLimit()))]
	return &recordsv1.ChangesResponse{Changes: rows, Cursor: strconv.Itoa(from + len(rows))}, nil
}

func (r *memoryRecords) Read(_ context.Context, req *recordsv1.ReadRequest, _ ...grpc.CallOption) (*recordsv1.Resource, error) {
	b, ok := r.bodies[req.GetType()+"/"+req.GetId()]
	if !ok {
		return nil, fault.New(fault.NotFound, "not found", nil)
	}
	return &recordsv1.Resource{Body: []byte(b)}, nil
}

// memoryAccess has accounts and relations.
type memoryAccess struct {
	accessv1.AccessClient
	accounts  []*accessv1.Account
	relations []*accessv1.Relation
	down      bool
}

func (a *memoryAccess) ListAccounts(_ context.Context, req *accessv1.ListAccountsRequest, _ ...grpc.CallOption) (*accessv1.ListAccountsResponse, error) {
	if a.down {
		return nil, fault.New(fault.Unavailable, "down", nil)
	}
	out := &accessv1.ListAccountsResponse{}
	for _, x := range a.accounts {
		if req.GetPatient() != "" && req.GetPatient() == x.GetPatient() || req.GetPractitioner() != "" && req.GetPractitioner() == x.GetPractitioner() ||
			req.GetAccount() != "" && req.GetAccount() == x.GetId() {
			out.Accounts = append(out.Accounts, x)
		}
	}
	return out, nil
}

func (a *memoryAccess) ListRelations(_ context.Context, req *accessv1.ListRelationsRequest, _ ...grpc.CallOption) (*accessv1.ListRelationsResponse, error) {
	out := &accessv1.ListRelationsResponse{}
	for _, r := range a.relations {
		if r.GetPatient() == req.GetPatient() {
			out.Relations = append(out.Relations, r)
		}
	}
	return out, nil
}

// recorder is a channel that fails as often as asked.
type recorder struct {
	fail int
	err  error
	got  []message.Message
}

func (r *recorder) Send(_ context.Context, m message.Message) error {
	if r.fail > 0 {
		r.fail--
		return r.err
	}
	r.got = append(r.got, m)
	return nil
}

type suite struct {
	*Service
	records *memoryRecords
	access  *memoryAccess
	push    *recorder
	clock   time.Time
	spool   string
}

func newSuite(t *testing.T) *suite {
	t.Helper()
	db, _ := pgtest.New(t, pgtest.Schema{Service: "notices", Migrations: postgres.Migrations()})
	words, err := loadWording()
	if err != nil {
		t.Fatal(err)
	}
	x := &suite{
		records: &memoryRecords{bodies: map[string]string{"Patient/7": `{"telecom":[{"system":"phone","value":"0901234567"},{"system":"email","value":"hoa@example.com"}]}`}},
		access: &memoryAccess{
			accounts: []*accessv1.Account{{Id: "hoa", Patient: "7"}, {Id: "bs", Practitioner: "55"}, {Id: "closed", Patient: "7", Disabled: true}, {Id: "other", Patient: "77"}, {Id: "mother", Patient: "70"}},
			relations: []*accessv1.Relation{
				{Account: "mother", Patient: "7", Kind: "guardian"},
				{Account: "bs", Patient: "7", Kind: "treating"},
				{Account: "aunt", Patient: "7", Kind: "guardian", Until: "2026-01-01T00:00:00Z"},
			},
		},
		push: &recorder{err: errors.New("down")}, clock: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), spool: t.TempDir(),
	}
	now := func() time.Time { return x.clock }
	quiet := slog.New(slog.DiscardHandler)
	store := postgres.New(db)
	channels := map[string]message.Channel{message.Push: x.push}
	for _, name := range []string{message.SMS, message.Email} {
		if channels[name], err = message.NewSpool(x.spool, name); err != nil {
			t.Fatal(err)
		}
	}
	x.Service = &Service{
		store: store, key: "key", now: now, writer: &writer{words},
		people:  &people{access: x.access, records: x.records, now: now},
		carrier: newCarrier(store, channels, now, quiet, prometheus.NewRegistry()),
		log:     quiet, retry: time.Millisecond, woken: make(chan struct{}, 1),
	}
	x.follower = &follower{records: x.records, store: store, people: x.people, writer: x.writer, now: now, log: quiet, limit: 2}
	if err := x.operations(); err != nil {
		t.Fatal(err)
	}
	return x
}

func as(t *testing.T, account string) context.Context {
	t.Helper()
	return guard.WithPrincipal(t.Context(), &guard.Principal{Account: account})
}

func (x *suite) follow(t *testing.T) {
	t.Helper()
	for {
		before, err := x.store.Cursor(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.follower.step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after, err := x.store.Cursor(t.Context()); err != nil || after == before {
			return
		}
	}
}

func (x *suite) told(t *testing.T, account string) []string {
	t.Helper()
	r, err := x.ListNotices(as(t, account), &noticesv1.ListNoticesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, n := range r.GetNotices() {
		out = append(out, n.GetKind())
	}
	slices.Reverse(out)
	return out
}

func (x *suite) carry(t *testing.T) {
	t.Helper()
	for {
		n, err := x.carrier.step(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// spooled reads what went to the gateway of a channel.
func (x *suite) spooled(t *testing.T, channel string) []message.Spooled {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(x.spool, channel, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out []message.Spooled
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var m message.Spooled
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

func (x *suite) subscribe(t *testing.T, account string) {
	t.Helper()
	if err := x.store.Subscribe(t.Context(), message.Subscription{Account: account, Endpoint: "https://push.example.com/1", P256dh: "p", Auth: "a"}); err != nil {
		t.Fatal(err)
	}
}

func appointment(status, start string) string {
	return fmt.Sprintf(`{"status":%q,"start":%q,"appointmentType":{"coding":[{"system":"https://yba.health/fhir/CodeSystem/service-kind","code":"remote"}]},
		"identifier":[{"system":"https://yba.health/fhir/sid/consultation","value":"c9"}],"reasonCode":[{"text":"ho ra máu"}],
		"participant":[{"actor":{"reference":"Patient/7"}},{"actor":{"reference":"Practitioner/55"}}]}`, status, start)
}
