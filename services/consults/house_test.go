package consults

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
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
	"github.com/yba-health/yba/services/consults/postgres"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// memory answers for records and access as far as this service asks them.
type memory struct {
	mu        sync.Mutex
	people    map[string]*accessv1.Principal // by token and by account
	wards     map[string]string              // guardian's account → patient
	relations map[string]*accessv1.Relation
	audit     []*accessv1.AuditEntry
	resources map[string]map[string]any
	writes    int
	down      bool
	refuse    bool // refuses relations
	disabled  map[string]bool
}

func newMemory() *memory {
	m := &memory{
		people: map[string]*accessv1.Principal{}, wards: map[string]string{"g": "p1"}, relations: map[string]*accessv1.Relation{},
		resources: map[string]map[string]any{}, disabled: map[string]bool{},
	}
	for _, p := range []*accessv1.Principal{
		{Account: "p", Name: "Nguyễn Thị Hoa", Roles: []string{"patient"}, Patient: "p1"},
		{Account: "q", Name: "Lê Văn Nam", Roles: []string{"patient"}, Patient: "p2"},
		{Account: "g", Name: "Trần Văn Bình", Roles: []string{"guardian"}},
		{Account: "d", Name: "BS. Phạm Minh", Roles: []string{"doctor"}, Practitioner: "pr1", Facility: "f1"},
		{Account: "n", Name: "ĐD. Hồ Thị Mai", Roles: []string{"nurse"}},
		{Account: "x", Name: "BS. Vũ Lan", Roles: []string{"specialist"}},
	} {
		m.people[p.Account] = p
	}
	for id, name := range map[string]string{"p1": "Nguyễn Thị Hoa", "p2": "Lê Văn Nam"} {
		m.resources["Patient/"+id] = map[string]any{
			"resourceType": "Patient", "name": []any{map[string]any{"use": "official", "text": name}}, "birthDate": "1980-02-03", "gender": "female",
		}
	}
	return m
}

func (m *memory) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errors.New("no streams")
}

func (m *memory) Invoke(ctx context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	answer, err := m.answer(ctx, method[strings.LastIndex(method, "/")+1:], args)
	if err != nil {
		return err
	}
	proto.Merge(reply.(proto.Message), answer)
	return nil
}

func (m *memory) answer(ctx context.Context, method string, args any) (proto.Message, error) {
	switch req := args.(type) {
	case *accessv1.AuthorizeRequest:
		p := req.GetPrincipal()
		if p == nil {
			if p = m.people[strings.TrimPrefix(req.GetToken(), "token-")]; p == nil {
				return &accessv1.Decision{Principal: &accessv1.Principal{}, Reason: "no token"}, nil
			}
		}
		if m.disabled[p.GetAccount()] {
			return &accessv1.Decision{Principal: p, Reason: "disabled"}, nil
		}
		scope := &accessv1.Scope{Shared: true}
		for _, id := range []string{p.GetPatient(), m.wards[p.GetAccount()]} {
			if id != "" {
				scope.Patients = append(scope.Patients, id)
			}
		}
		return &accessv1.Decision{Principal: p, Allowed: true, Scope: scope}, nil
	case *accessv1.AppendRequest:
		m.audit = append(m.audit, req.GetEntries()...)
		return &accessv1.AppendResponse{}, nil
	case *accessv1.Relation:
		if guard.PrincipalOf(ctx).GetService() != "consults" {
			return nil, fault.New(fault.Forbidden, "only the service grants", nil)
		}
		if m.refuse {
			return nil, fault.New(fault.Invalid, "there is no such account", nil)
		}
		r := proto.Clone(req).(*accessv1.Relation)
		r.Id = fmt.Sprint("r", len(m.relations)+1)
		m.relations[r.Id] = r
		return r, nil
	case *accessv1.EndRelationRequest:
		delete(m.relations, req.GetId())
		return &accessv1.EndRelationResponse{}, nil
	case *accessv1.ListRelationsRequest:
		resp := &accessv1.ListRelationsResponse{}
		if w := m.wards[req.GetAccount()]; w != "" && w == req.GetPatient() {
			resp.Relations = append(resp.Relations, &accessv1.Relation{Account: req.GetAccount(), Patient: w, Kind: "guardian"})
		}
		return resp, nil
	case *accessv1.ListAccountsRequest:
		resp := &accessv1.ListAccountsResponse{}
		for _, p := range m.people {
			if p.GetAccount() == req.GetAccount() {
				resp.Accounts = append(resp.Accounts, &accessv1.Account{Id: p.GetAccount(), Name: p.GetName(), Roles: p.GetRoles(), Disabled: m.disabled[p.GetAccount()]})
			}
		}
		return resp, nil
	}
	if m.down {
		return nil, fault.New(fault.Unavailable, "down", nil)
	}
	switch req := args.(type) {
	case *recordsv1.ReadRequest:
		r := m.resources[req.GetType()+"/"+req.GetId()]
		if r == nil {
			return nil, fault.New(fault.NotFound, "no such person", nil)
		}
		b, err := json.Marshal(r)
		return &recordsv1.Resource{Type: req.GetType(), Id: req.GetId(), Body: b}, err
	case *recordsv1.UpdateRequest:
		return &recordsv1.Resource{}, m.keep(req.GetType()+"/"+req.GetId(), req.GetBody())
	case *recordsv1.TransactRequest:
		var b struct {
			Type  string `json:"type"`
			Entry []struct {
				Resource json.RawMessage `json:"resource"`
				Request  struct{ Method, URL string }
			} `json:"entry"`
		}
		if err := json.Unmarshal(req.GetBundle(), &b); err != nil || b.Type != "transaction" {
			return nil, fault.New(fault.Invalid, "no transaction", err)
		}
		for _, e := range b.Entry {
			if err := m.keep(e.Request.URL, e.Resource); err != nil {
				return nil, err
			}
		}
		return &recordsv1.Bundle{}, nil
	}
	return nil, fmt.Errorf("%s is not asked", method)
}

func (m *memory) keep(key string, body []byte) error {
	var r map[string]any
	if err := json.Unmarshal(body, &r); err != nil {
		return err
	}
	if key != fmt.Sprint(r["resourceType"], "/", r["id"]) {
		return fault.New(fault.Invalid, "id differs from the URL", nil)
	}
	m.resources[key] = r
	m.writes++
	return nil
}

func (m *memory) resource(key string) map[string]any {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.resources[key]
}

// house is the whole service behind HTTP.
type house struct {
	t       testing.TB
	memory  *memory
	module  *module
	url     string
	db      *sql.DB
	mu      sync.Mutex
	clock   time.Time
	auditor *guard.Auditor
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clock
}

func (h *house) at(clock time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock = clock
}

// monday is a Monday, 07:00 in Viet Nam.
var monday = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func newHouse(t testing.TB) *house {
	t.Helper()
	db, dsn := pgtest.New(t, pgtest.Schema{Service: "consults", Migrations: postgres.Migrations()})
	h := &house{t: t, db: db, memory: newMemory(), clock: monday}
	log := slog.New(slog.DiscardHandler)
	reg := prometheus.NewRegistry()
	access := accessv1.NewAccessClient(h.memory)
	h.auditor = guard.NewAuditor(access, log)
	g := guard.New(access, h.auditor, log, reg)
	cfg := config.Default()
	cfg.MediaPort, cfg.TURNPort, cfg.MediaIPs = 0, 0, []string{"127.0.0.1"}
	service, err := New(app.Deps{
		Config: cfg, DB: db, DSN: dsn, Guard: g, Log: log, Metrics: reg, Now: h.now,
		Conn: func(string) grpc.ClientConnInterface { return h.memory },
	})
	if err != nil {
		t.Fatal(err)
	}
	h.module = service.(*module)
	if err := service.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	kit.MountHTTP(mux, g, service.Table())
	service.Routes(mux)
	server := httptest.NewServer(mux)
	h.url = server.URL
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		if err := service.Stop(ctx); err != nil {
			t.Error(err)
		}
		server.Close()
		h.auditor.Close()
	})
	return h
}

// call posts an operation as the account and returns the answer, or the error's class.
func (h *house) call(account, method string, req map[string]any) (map[string]any, string) {
	h.t.Helper()
	b, err := json.Marshal(req)
	if err != nil {
		h.t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, h.url+"/api/consults/v1/"+method, bytes.NewReader(b))
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer token-"+account)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(body, &out); err != nil {
		h.t.Fatalf("%s: %s", method, body)
	}
	if e, ok := out["error"].(map[string]any); ok {
		return e, e["class"].(string)
	}
	return out, ""
}

// must is call for what must succeed.
func (h *house) must(account, method string, req map[string]any) map[string]any {
	h.t.Helper()
	out, class := h.call(account, method, req)
	if class != "" {
		h.t.Fatalf("%s by %s: %v", method, account, out)
	}
	return out
}

// hours makes d a doctor from 07:30 to 09:00 each Monday and Tuesday.
func (h *house) hours() {
	h.t.Helper()
	h.must("d", "SetHours", map[string]any{"hours": []any{
		map[string]any{"weekday": 1, "from": "07:30", "until": "09:00"}, map[string]any{"weekday": 2, "from": "07:30", "until": "09:00"},
	}, "slotMinutes": 30, "facilityName": "TTYT huyện"})
}

// active returns a consultation of p with d whose room is open.
func (h *house) active() string {
	h.t.Helper()
	h.hours()
	id := h.must("p", "Book", map[string]any{"patient": "p1", "doctor": "d", "reason": "Đau đầu"})["id"].(string)
	h.must("p", "CheckIn", map[string]any{"id": id})
	h.must("d", "Admit", map[string]any{"id": id})
	return id
}
