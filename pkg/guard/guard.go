// Package guard is the one gate that every operation of every service passes:
// recover, measure, authenticate, authorise, audit, in this order. Who a
// caller is and what they may reach is decided by services/access; the guard
// asks, keeps the answer for a moment and puts it into the context.
package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-kit/kit/endpoint"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/yba-health/yba/pkg/fault"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
)

// Rules are what an operation asks of the guard beyond the policy.
type Rules struct {
	// Internal operations are called by services only, and not authorised by
	// policy: they are what authorisation itself is made of.
	Internal bool
	// Unaudited operations touch nobody's data; the audit log would drown in them.
	Unaudited bool
}

// Guard joins authentication, authorisation and audit. Use New.
type Guard struct {
	access    accessv1.AccessClient
	decisions *decisions
	audit     *Auditor
	log       *slog.Logger
	seconds   *prometheus.HistogramVec
}

// New returns a guard that asks access and writes to audit. Metrics carry the
// operation's name and the outcome's class, never anything of a request.
func New(access accessv1.AccessClient, audit *Auditor, log *slog.Logger, reg prometheus.Registerer) *Guard {
	return &Guard{
		access: access, decisions: newDecisions(), audit: audit, log: log,
		seconds: promauto.With(reg).NewHistogramVec(prometheus.HistogramOpts{
			Name:    "yba_operation_seconds",
			Help:    "Time of an operation by name and outcome.",
			Buckets: []float64{.0002, .0005, .001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"operation", "outcome"}),
	}
}

// Forget drops kept decisions, so that a changed role, relation or consent
// acts at once in this process.
func (g *Guard) Forget() { g.decisions.clear() }

// Middleware guards the named operation.
func (g *Guard) Middleware(operation string, rules Rules) endpoint.Middleware {
	return func(next endpoint.Endpoint) endpoint.Endpoint {
		return func(ctx context.Context, request any) (response any, err error) {
			begun := time.Now()
			seen := &touched{}
			defer func() {
				if r := recover(); r != nil {
					g.log.Error("operation panicked", "operation", operation, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
					err = fault.New(fault.Internal, "internal error", nil)
				}
				g.finish(ctx, operation, rules, request, seen, begun, err)
			}()
			ctx, err = g.Enter(ctx, operation, rules, request)
			if err != nil {
				return nil, err
			}
			return next(context.WithValue(ctx, touchedKey, seen), request)
		}
	}
}

// Enter authenticates and authorises without running anything: streams
// (WebSockets, downloads) call it before they begin, and Note for the log.
func (g *Guard) Enter(ctx context.Context, operation string, rules Rules, request any) (context.Context, error) {
	p := PrincipalOf(ctx)
	if rules.Internal {
		if p.GetService() == "" {
			return ctx, fault.Newf(fault.Forbidden, "%s is for services only", operation)
		}
		return WithScope(ctx, &Scope{All: true, Shared: true}), nil
	}
	d, err := g.decide(ctx, p, operation)
	if err != nil {
		return ctx, err
	}
	ctx = WithPrincipal(ctx, d.GetPrincipal())
	if !d.GetAllowed() {
		if d.GetPrincipal().GetAccount() == "" && d.GetPrincipal().GetService() == "" {
			return ctx, fault.New(fault.Unauthenticated, "sign in first", errors.New(d.GetReason()))
		}
		return ctx, fault.New(fault.Forbidden, "you may not do this", errors.New(d.GetReason()))
	}
	// A request that names a patient outside a plain list of patients is
	// refused here, so that no service can forget it. Where the scope is a
	// commune, only the record knows where the patient lives; there the
	// records service refuses.
	if named, ok := request.(interface{ GetPatient() string }); ok && named.GetPatient() != "" {
		s := d.GetScope()
		if !s.GetDeidentified() && len(s.GetCommunes()) == 0 && !Covers(s, named.GetPatient(), "") {
			return ctx, fault.New(fault.Forbidden, "you may not reach this record", errors.New("patient outside scope"))
		}
	}
	return WithScope(ctx, d.GetScope()), nil
}

func (g *Guard) decide(ctx context.Context, p *Principal, operation string) (*accessv1.Decision, error) {
	req := &accessv1.AuthorizeRequest{Operation: operation}
	if p != nil {
		req.Principal = p
	} else {
		req.Token = tokenOf(ctx)
	}
	if d := g.decisions.get(req); d != nil {
		return d, nil
	}
	d, err := g.access.Authorize(As(context.WithoutCancel(ctx), "guard"), req)
	if err != nil {
		return nil, err
	}
	g.decisions.put(req, d)
	return d, nil
}

// Note writes one access to the audit log and is for streams; operations are
// noted by Middleware.
func (g *Guard) Note(ctx context.Context, operation, patient, target string, err error) {
	g.audit.Add(entry(ctx, operation, time.Now(), touch{patient, target}, err))
}

func (g *Guard) finish(ctx context.Context, operation string, rules Rules, request any, seen *touched, begun time.Time, err error) {
	outcome := "ok"
	if err != nil {
		f := fault.Of(err)
		outcome = f.Class.String()
		if f.Class == fault.Internal || f.Class == fault.Unavailable {
			g.log.Error("operation failed", "operation", operation, "error", f.Error())
		}
	}
	g.seconds.WithLabelValues(operation, outcome).Observe(time.Since(begun).Seconds())
	if rules.Unaudited && err == nil || rules.Internal {
		return
	}
	list := seen.entries()
	if len(list) == 0 {
		t := touch{}
		if named, ok := request.(interface{ GetPatient() string }); ok {
			t.patient = named.GetPatient()
		}
		if named, ok := request.(interface{ GetId() string }); ok {
			t.target = named.GetId()
			if typed, ok := request.(interface{ GetType() string }); ok && t.target != "" {
				if typed.GetType() == "Patient" {
					t.patient = t.target
				}
				t.target = typed.GetType() + "/" + t.target
			}
		}
		list = []touch{t}
	}
	for _, t := range list {
		g.audit.Add(entry(ctx, operation, begun, t, err))
	}
}

func entry(ctx context.Context, operation string, at time.Time, t touch, err error) *accessv1.AuditEntry {
	p := PrincipalOf(ctx)
	e := &accessv1.AuditEntry{
		At: at.UTC().Format("2006-01-02T15:04:05.000Z"), Operation: operation,
		Account: p.GetAccount(), Name: p.GetName(), Roles: p.GetRoles(), Service: p.GetService(), Facility: p.GetFacility(),
		Patient: writable(t.patient), Target: writable(t.target), Outcome: "ok", Reason: writable(ReasonOf(ctx)),
	}
	if err != nil {
		e.Outcome = "failed"
		f := fault.Of(err)
		if f.Class == fault.Forbidden || f.Class == fault.Unauthenticated {
			e.Outcome = "denied"
		}
		// The class and the cause's rule, never the message: it may quote input.
		e.Reason = f.Class.String()
	}
	return e
}

// maxWritable bounds what a caller's own words add to an entry, in bytes.
const maxWritable = 500

// writable makes a caller's text fit for the log. One entry that the wire or
// the database refuses would hold up every entry behind it for ever: neither
// takes invalid UTF-8, and PostgreSQL no U+0000.
func writable(s string) string {
	if len(s) > maxWritable {
		s = s[:maxWritable]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
