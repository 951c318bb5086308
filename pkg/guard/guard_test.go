package guard_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	consultsv1 "github.com/yba-health/yba/proto/gen/yba/consults/v1"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// decider answers every question with one decision and counts the questions.
type decider struct {
	accessv1.AccessClient
	decision *accessv1.Decision
	asked    int
	entries  chan *accessv1.AuditEntry
}

func (d *decider) Authorize(context.Context, *accessv1.AuthorizeRequest, ...grpc.CallOption) (*accessv1.Decision, error) {
	d.asked++
	return d.decision, nil
}

func (d *decider) Append(_ context.Context, r *accessv1.AppendRequest, _ ...grpc.CallOption) (*accessv1.AppendResponse, error) {
	for _, e := range r.GetEntries() {
		d.entries <- e
	}
	return &accessv1.AppendResponse{}, nil
}

func newGuard(t *testing.T, decision *accessv1.Decision) (*guard.Guard, *decider) {
	t.Helper()
	d := &decider{decision: decision, entries: make(chan *accessv1.AuditEntry, 100)}
	a := guard.NewAuditor(d, slog.New(slog.DiscardHandler))
	t.Cleanup(a.Close)
	return guard.New(d, a, slog.New(slog.DiscardHandler), prometheus.NewRegistry()), d
}

func allowed(s *accessv1.Scope) *accessv1.Decision {
	return &accessv1.Decision{Principal: &accessv1.Principal{Account: "a1"}, Allowed: true, Scope: s, KeepMs: 1000}
}

func TestRequestThatNamesAnotherPatientNeverReachesTheService(t *testing.T) {
	for name, c := range map[string]struct {
		scope *accessv1.Scope
		ok    bool
	}{
		"own record":             {&accessv1.Scope{Patients: []string{"p1"}}, true},
		"another's record":       {&accessv1.Scope{Patients: []string{"p2"}}, false},
		"no patients at all":     {&accessv1.Scope{Shared: true}, false},
		"all":                    {&accessv1.Scope{All: true}, true},
		"communes: records asks": {&accessv1.Scope{Communes: []string{"99001@2025-07-01"}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			g, d := newGuard(t, allowed(c.scope))
			ran := false
			e := g.Middleware("consults.Book", guard.Rules{})(func(context.Context, any) (any, error) { ran = true; return nil, nil })
			_, err := e(guard.WithToken(t.Context(), "x"), &consultsv1.BookRequest{Patient: "p1"})
			if ran != c.ok || (err == nil) != c.ok {
				t.Fatalf("ran %v, error %v", ran, err)
			}
			entry := <-d.entries
			if entry.GetPatient() != "p1" || (entry.GetOutcome() == "denied") == c.ok {
				t.Errorf("audited as %v", entry)
			}
		})
	}
}

func TestWithoutADecisionNothingIsReached(t *testing.T) {
	if s := guard.ScopeOf(t.Context()); guard.Covers(s, "p1", "99001@2025-07-01") || s.GetShared() {
		t.Errorf("scope %v", s)
	}
}

func TestInternalOperationsAreForServicesOnly(t *testing.T) {
	g, _ := newGuard(t, allowed(&accessv1.Scope{All: true}))
	e := g.Middleware("access.Append", guard.Rules{Internal: true})(func(context.Context, any) (any, error) { return nil, nil })
	for name, p := range map[string]*guard.Principal{"nobody": nil, "a person": {Account: "a1", Roles: []string{"administrator"}}} {
		ctx := t.Context()
		if p != nil {
			ctx = guard.WithPrincipal(ctx, p)
		}
		if _, err := e(ctx, nil); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s got %v", name, err)
		}
	}
	if _, err := e(guard.As(t.Context(), "guard"), nil); err != nil {
		t.Errorf("a service got %v", err)
	}
}

func TestDecisionIsKeptUntilForgotten(t *testing.T) {
	g, d := newGuard(t, allowed(&accessv1.Scope{All: true}))
	e := g.Middleware("records.Read", guard.Rules{})(func(context.Context, any) (any, error) { return nil, nil })
	ctx := guard.WithToken(t.Context(), "x")
	for range 3 {
		if _, err := e(ctx, nil); err != nil {
			t.Fatal(err)
		}
	}
	if d.asked != 1 {
		t.Errorf("asked %d times, want once", d.asked)
	}
	g.Forget()
	if _, err := e(ctx, nil); err != nil || d.asked != 2 {
		t.Errorf("after Forget: asked %d times, error %v", d.asked, err)
	}
}

func TestSignatureOfPrincipal(t *testing.T) {
	s := guard.NewSigner([]byte("key"))
	signed, err := s.Sign(&guard.Principal{Account: "a1"})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := s.Verify(signed); err != nil || p.GetAccount() != "a1" {
		t.Errorf("own signature: %v, %v", p, err)
	}
	for i := range signed {
		bad := append([]byte(nil), signed...)
		bad[i] ^= 1
		if _, err := s.Verify(bad); err == nil {
			t.Fatalf("a change at byte %d was not noticed", i)
		}
	}
}

func TestTouchedPatientsAreAuditedOneByOne(t *testing.T) {
	g, d := newGuard(t, allowed(&accessv1.Scope{All: true}))
	e := g.Middleware("records.Search", guard.Rules{})(func(ctx context.Context, _ any) (any, error) {
		guard.Touch(ctx, "p1", "Observation")
		guard.Touch(ctx, "p2", "Observation")
		guard.Touch(ctx, "p1", "Observation")
		return nil, nil
	})
	if _, err := e(guard.WithToken(t.Context(), "x"), nil); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for range 2 {
		select {
		case entry := <-d.entries:
			got[entry.GetPatient()] = true
		case <-time.After(5 * time.Second):
			t.Fatal("no entry")
		}
	}
	if !got["p1"] || !got["p2"] || len(d.entries) != 0 {
		t.Errorf("audited %v and %d more", got, len(d.entries))
	}
}

func TestAnEntryThatCannotBeSentHoldsNobodyUp(t *testing.T) {
	g, d := newGuard(t, allowed(&accessv1.Scope{}))
	e := g.Middleware("records.Read", guard.Rules{})(func(context.Context, any) (any, error) { return nil, nil })
	ctx := guard.WithReason(guard.WithToken(t.Context(), "x"), "a\x00b")
	for _, id := range []string{"\xff", "\x00", strings.Repeat("ế", 100_000)} {
		_, _ = e(ctx, &recordsv1.ReadRequest{Type: "Patient", Id: id})
		_, _ = e(ctx, &recordsv1.EverythingRequest{Patient: id})
		for range 2 {
			got := <-d.entries
			text := got.GetTarget() + got.GetPatient() + got.GetReason()
			if _, err := proto.Marshal(got); err != nil || strings.ContainsRune(text, 0) || len(text) > 2000 {
				t.Errorf("%.10q: %v, %d bytes", id, err, len(text))
			}
		}
	}
}

func TestADeniedReadNamesTheResource(t *testing.T) {
	g, d := newGuard(t, &accessv1.Decision{Principal: &accessv1.Principal{Account: "a1"}})
	e := g.Middleware("records.Read", guard.Rules{})(func(context.Context, any) (any, error) { return nil, nil })
	if _, err := e(guard.WithToken(t.Context(), "x"), &recordsv1.ReadRequest{Type: "Patient", Id: "p1"}); !fault.Is(err, fault.Forbidden) {
		t.Fatal(err)
	}
	if got := <-d.entries; got.GetTarget() != "Patient/p1" || got.GetPatient() != "p1" || got.GetOutcome() != "denied" {
		t.Errorf("audited as %v", got)
	}
}

func TestNoPatientIsLeftOutOfTheLogHoweverManyAreTouched(t *testing.T) {
	d := &decider{decision: allowed(&accessv1.Scope{All: true}), entries: make(chan *accessv1.AuditEntry, 10_000)}
	a := guard.NewAuditor(d, slog.New(slog.DiscardHandler))
	g := guard.New(d, a, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	e := g.Middleware("records.Transact", guard.Rules{})(func(ctx context.Context, _ any) (any, error) {
		for i := range 3000 {
			guard.Touch(ctx, fmt.Sprintf("p%d", i/2), fmt.Sprintf("Observation/%d", i))
		}
		return nil, nil
	})
	if _, err := e(guard.WithToken(t.Context(), "x"), nil); err != nil {
		t.Fatal(err)
	}
	a.Close()
	close(d.entries)
	patients := map[string]bool{}
	n := 0
	for entry := range d.entries {
		patients[entry.GetPatient()] = true
		n++
	}
	if len(patients) != 1500 || n != 2000 {
		t.Errorf("%d patients in %d entries, want 1500 in 2000", len(patients), n)
	}
}

func TestAnOperationThatOutlivesTheAuditorDoesNotPanic(t *testing.T) {
	d := &decider{decision: allowed(&accessv1.Scope{All: true}), entries: make(chan *accessv1.AuditEntry, 10)}
	a := guard.NewAuditor(d, slog.New(slog.DiscardHandler))
	g := guard.New(d, a, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	e := g.Middleware("records.Read", guard.Rules{})(func(context.Context, any) (any, error) { a.Close(); return nil, nil })
	if _, err := e(guard.WithToken(t.Context(), "x"), nil); err != nil {
		t.Error(err)
	}
	a.Close()
}
