package access

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/yba-health/yba/pkg/app"
	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/kit"
	"github.com/yba-health/yba/pkg/projection"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
	"github.com/yba-health/yba/services/access/account"
	"github.com/yba-health/yba/services/access/openid"
	"github.com/yba-health/yba/services/access/policy"
)

// Service implements the operations of access.
type Service struct {
	store       Store
	policy      *policy.Policy
	door        *account.Door
	provider    *openid.Provider
	successions *successions
	records     recordsv1.RecordsClient
	// forget drops the decisions that this process's guard keeps.
	forget func()
	log    *slog.Logger
	now    func() time.Time
	table  kit.Table

	merges *projection.Follower
	stop   context.CancelFunc
	done   sync.WaitGroup
}

var _ app.Service = (*Service)(nil)

// New returns the service on a store.
func New(d app.Deps, store Store) (*Service, error) {
	p, err := policy.Load()
	if err != nil {
		return nil, err
	}
	hasher, err := account.NewHasher()
	if err != nil {
		return nil, err
	}
	folder, err := d.Config.Folder("access")
	if err != nil {
		return nil, err
	}
	keys, err := openid.LoadKeys(folder)
	if err != nil {
		return nil, err
	}
	issuer, err := Issuer(d.Config)
	if err != nil {
		return nil, err
	}
	s := &Service{
		store: store, policy: p, door: account.NewDoor(store, hasher, d.Now),
		successions: &successions{stations: stationsv1.NewStationsClient(d.Conn("stations")), now: d.Now, log: d.Log},
		records:     recordsv1.NewRecordsClient(d.Conn("records")),
		forget:      d.Guard.Forget, log: d.Log, now: d.Now,
	}
	s.merges = s.following()
	s.provider, err = openid.New(openid.Options{
		Issuer: issuer, BehindEdge: d.Config.GRPCListen != "", Keys: keys, Store: store, Door: s.door, Log: d.Log, Now: d.Now,
		Ended: s.forget, Note: s.note,
	})
	if err != nil {
		return nil, err
	}
	s.table, err = kit.NewTable(&accessv1.Access_ServiceDesc,
		kit.Op("Authorize", s.Authorize, kit.Internal),
		kit.Op("Append", s.Append, kit.Internal),
		kit.Op("Me", s.Me, kit.Unaudited),
		kit.Op("CreateAccount", s.CreateAccount),
		kit.Op("ListAccounts", s.ListAccounts),
		kit.Op("SetPassword", s.SetPassword),
		kit.Op("DisableAccount", s.DisableAccount),
		kit.Op("GrantRelation", s.GrantRelation),
		kit.Op("EndRelation", s.EndRelation),
		kit.Op("ListRelations", s.ListRelations),
		kit.Op("AccessLog", s.AccessLog),
		kit.Op("ListAudit", s.ListAudit),
	)
	return s, err
}

// Table implements app.Service.
func (s *Service) Table() kit.Table { return s.table }

// Routes implements app.Service.
func (s *Service) Routes(mux *http.ServeMux) { s.provider.Routes(mux) }

// sweepEvery is how often expired requests, tokens and counters are removed.
const sweepEvery = time.Hour

// Start implements app.Service.
func (s *Service) Start(ctx context.Context) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = cancel
	s.merges.Start(ctx)
	s.done.Go(func() { // Stop cancels and waits
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		for {
			if err := s.store.Sweep(ctx, s.now()); err != nil && ctx.Err() == nil {
				s.log.Error("expired sign-ins were not removed", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return nil
}

// Drain implements app.Service; requests are short.
func (s *Service) Drain(context.Context) {}

// Stop implements app.Service.
func (s *Service) Stop(ctx context.Context) error {
	err := s.merges.Stop(ctx)
	if s.stop != nil {
		s.stop()
	}
	s.done.Wait()
	return err
}

// note writes what happens outside an operation (a sign-in) to the audit log.
func (s *Service) note(ctx context.Context, operation string, a account.Account, outcome, reason string) {
	_, err := s.Append(ctx, &accessv1.AppendRequest{Entries: []*accessv1.AuditEntry{{
		At: s.now().UTC().Format(time.RFC3339Nano), Operation: operation, Account: a.ID, Name: a.Name, Roles: a.Roles,
		Facility: a.Facility, Patient: a.Merged.Living(a.Patient), Outcome: outcome, Reason: reason,
	}}})
	if err != nil {
		s.log.Error("a sign-in was not written to the audit log", "operation", operation, "error", err)
	}
}

// actor is who called, for records of who granted what.
func actor(ctx context.Context) string {
	p := guard.PrincipalOf(ctx)
	switch {
	case p.GetService() != "" && p.GetAccount() != "":
		return "service:" + p.GetService() + " for " + p.GetAccount()
	case p.GetService() != "":
		return "service:" + p.GetService()
	}
	return p.GetAccount()
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// parseTime reads an RFC 3339 time or date; empty is zero.
func parseTime(field, v string) (time.Time, error) {
	if v == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, v); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fault.New(fault.Invalid, "write the time as 2026-11-21T07:30:00+07:00", nil).In(field)
}
