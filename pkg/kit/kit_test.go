package kit_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/kit"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	exchangev1 "github.com/yba-health/yba/proto/gen/yba/exchange/v1"
)

// ledger is the smallest access service: it knows one token, and keeps what
// it is told for the log.
type ledger struct {
	accessv1.AccessClient
	mu      sync.Mutex
	entries []*accessv1.AuditEntry
}

func (l *ledger) Authorize(_ context.Context, r *accessv1.AuthorizeRequest, _ ...grpc.CallOption) (*accessv1.Decision, error) {
	p := r.GetPrincipal()
	if p == nil && r.GetToken() == "good" {
		p = &accessv1.Principal{Account: "a1", Roles: []string{"nurse"}}
	}
	if p == nil {
		return &accessv1.Decision{Principal: &accessv1.Principal{}, Reason: "no token"}, nil
	}
	return &accessv1.Decision{Principal: p, Allowed: p.GetService() != "stranger", Scope: &accessv1.Scope{Shared: true}}, nil
}

func (l *ledger) Append(_ context.Context, r *accessv1.AppendRequest, _ ...grpc.CallOption) (*accessv1.AppendResponse, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, r.GetEntries()...)
	return &accessv1.AppendResponse{}, nil
}

func check(ctx context.Context, r *exchangev1.CheckIdentifierRequest) (*exchangev1.CheckedIdentifier, error) {
	switch r.GetValue() {
	case "panic":
		panic("as asked")
	case "bad":
		return nil, fault.New(fault.Unprocessable, "not a number", nil).In("value")
	}
	return &exchangev1.CheckedIdentifier{
		Value: strings.ToUpper(r.GetValue()), Kind: guard.PrincipalOf(ctx).GetAccount(), System: guard.ReasonOf(ctx),
		Parts: map[string]string{"sex": "female"},
	}, nil
}

type fixture struct {
	ledger  *ledger
	auditor *guard.Auditor
	guard   *guard.Guard
	table   kit.Table
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{ledger: &ledger{}}
	log := slog.New(slog.DiscardHandler)
	f.auditor = guard.NewAuditor(f.ledger, log)
	t.Cleanup(f.auditor.Close)
	f.guard = guard.New(f.ledger, f.auditor, log, prometheus.NewRegistry())
	var err error
	if f.table, err = kit.NewTable(&exchangev1.Exchange_ServiceDesc, kit.Op("CheckIdentifier", check)); err != nil {
		t.Fatal(err)
	}
	return f
}

// clients returns the same service called in-process and over gRPC.
func (f *fixture) clients(t *testing.T) map[string]exchangev1.ExchangeClient {
	t.Helper()
	local := kit.NewLocal()
	local.Serve(f.guard, f.table)

	signer := guard.NewSigner([]byte("0123456789abcdef0123456789abcdef"))
	server := kit.NewGRPCServer()
	kit.MountGRPC(server, f.guard, signer, f.table)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	conn, err := kit.Dial(l.Addr().String(), signer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return map[string]exchangev1.ExchangeClient{
		"in process": exchangev1.NewExchangeClient(local), "over gRPC": exchangev1.NewExchangeClient(conn),
	}
}

func TestBothFormsAnswerAlike(t *testing.T) {
	f := newFixture(t)
	nobody := t.Context()
	ctx := guard.WithReason(guard.WithPrincipal(nobody, &guard.Principal{Account: "nurse-1"}), "khám cấp cứu")
	for form, c := range f.clients(t) {
		t.Run(form, func(t *testing.T) {
			got, err := c.CheckIdentifier(ctx, &exchangev1.CheckIdentifierRequest{Value: "abc"})
			if err != nil {
				t.Fatal(err)
			}
			if got.GetValue() != "ABC" || got.GetKind() != "nurse-1" || got.GetSystem() != "khám cấp cứu" || got.GetParts()["sex"] != "female" {
				t.Errorf("answer %v", got)
			}
			_, err = c.CheckIdentifier(ctx, &exchangev1.CheckIdentifierRequest{Value: "bad"})
			if e := fault.Of(err); e.Class != fault.Unprocessable || e.Message != "not a number" || e.At != "value" {
				t.Errorf("class, message and place did not survive: %+v", e)
			}
			_, err = c.CheckIdentifier(ctx, &exchangev1.CheckIdentifierRequest{Value: "panic"})
			if e := fault.Of(err); e.Class != fault.Internal || strings.Contains(e.Message, "as asked") {
				t.Errorf("a panic showed as %+v", e)
			}
			_, err = c.CheckIdentifier(guard.As(ctx, "stranger"), &exchangev1.CheckIdentifierRequest{Value: "abc"})
			if !fault.Is(err, fault.Forbidden) {
				t.Errorf("refused service got %v", err)
			}
			if _, err = c.CheckIdentifier(nobody, &exchangev1.CheckIdentifierRequest{}); err == nil {
				t.Error("a call without a principal went through")
			}
		})
	}
}

func TestForgedPrincipalIsRefused(t *testing.T) {
	f := newFixture(t)
	server := kit.NewGRPCServer()
	kit.MountGRPC(server, f.guard, guard.NewSigner([]byte("the services' own key")), f.table)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	conn, err := kit.Dial(l.Addr().String(), guard.NewSigner([]byte("another key")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ctx := guard.WithPrincipal(t.Context(), &guard.Principal{Account: "a1", Roles: []string{"administrator"}})
	_, err = exchangev1.NewExchangeClient(conn).CheckIdentifier(ctx, &exchangev1.CheckIdentifierRequest{Value: "abc"})
	if !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("got %v", err)
	}
}

func TestHTTP(t *testing.T) {
	f := newFixture(t)
	mux := http.NewServeMux()
	kit.MountHTTP(mux, f.guard, f.table)
	for _, c := range []struct {
		name, token, kind, body string
		status                  int
		want                    string
	}{
		{"answers", "good", "application/json", `{"value":"abc"}`, 200, `"value":"ABC"`},
		{"keeps the reason", "good", "application/json", `{"value":"abc"}`, 200, `"system":"khám cấp cứu"`},
		{"empty lists and strings are there", "good", "application/json", `{}`, 200, `"problem":""`},
		{"without a token", "", "application/json", `{"value":"abc"}`, 401, `"class":"unauthenticated"`},
		{"unknown field", "good", "application/json", `{"wert":"abc"}`, 400, `unknown field \"wert\"`},
		{"not JSON", "good", "application/json", `{`, 400, `"class":"invalid"`},
		{"another content type", "good", "text/plain", `{}`, 400, `application/json`},
		{"too large", "good", "application/json", `{"value":"` + strings.Repeat("x", kit.MaxBody) + `"}`, 413, `"class":"too-large"`},
		{"place and class", "good", "application/json", `{"value":"bad"}`, 422, `"at":"value"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/api/exchange/v1/CheckIdentifier", strings.NewReader(c.body))
			r.Header.Set("Content-Type", c.kind)
			r.Header.Set(kit.ReasonHeader, "kh%C3%A1m%20c%E1%BA%A5p%20c%E1%BB%A9u")
			if c.token != "" {
				r.Header.Set("Authorization", "Bearer "+c.token)
			}
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			body, _ := io.ReadAll(w.Body)
			text := strings.ReplaceAll(string(body), `": `, `":`)
			if w.Code != c.status || !strings.Contains(text, c.want) {
				t.Errorf("%d %s, want %d with %s", w.Code, text, c.status, c.want)
			}
		})
	}
}

func TestEveryOperationIsAudited(t *testing.T) {
	f := newFixture(t)
	for _, c := range f.clients(t) {
		ctx := guard.WithPrincipal(t.Context(), &guard.Principal{Account: "a1", Name: "Hoa"})
		_, _ = c.CheckIdentifier(ctx, &exchangev1.CheckIdentifierRequest{Value: "abc"})
		_, _ = c.CheckIdentifier(ctx, &exchangev1.CheckIdentifierRequest{Value: "bad"})
		_, _ = c.CheckIdentifier(guard.As(ctx, "stranger"), &exchangev1.CheckIdentifierRequest{Value: "abc"})
	}
	f.auditor.Flush()
	got := map[string]int{}
	for _, e := range f.ledger.entries {
		got[e.GetOutcome()]++
		if e.GetOperation() != "exchange.CheckIdentifier" || e.GetAccount() != "a1" {
			t.Errorf("entry %v", e)
		}
	}
	if got["ok"] != 2 || got["failed"] != 2 || got["denied"] != 2 {
		t.Errorf("entries by outcome: %v, want two of each", got)
	}
}

func TestTableMustMatchTheProto(t *testing.T) {
	if _, err := kit.NewTable(&exchangev1.Exchange_ServiceDesc); err == nil {
		t.Error("a method without an operation was accepted")
	}
	if _, err := kit.NewTable(&exchangev1.Exchange_ServiceDesc, kit.Op("CheckIdentifier", check), kit.Op("Other", check)); err == nil {
		t.Error("an operation without a method was accepted")
	}
}
