package access

import (
	"context"
	"slices"

	"github.com/yba-health/yba/pkg/fault"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	"github.com/yba-health/yba/services/access/account"
	"github.com/yba-health/yba/services/access/openid"
	"github.com/yba-health/yba/services/access/policy"
	"github.com/yba-health/yba/services/access/relation"
)

// keepMillis is how long a guard may keep a decision: a disabled account, an
// ended session or relation acts within it.
const keepMillis = 2000

// Authorize answers who holds a token, or who a principal is by now, and what
// they may reach with the operation.
func (s *Service) Authorize(ctx context.Context, req *accessv1.AuthorizeRequest) (*accessv1.Decision, error) {
	given := req.GetPrincipal()
	if given.GetService() != "" {
		return s.decideService(given, req.GetOperation())
	}
	holder, why, err := s.holder(ctx, req)
	if err != nil {
		return nil, err
	}
	if why != "" {
		// What everybody may do stays allowed to who is nobody, or nobody any more.
		d, err := s.decideAnonymous(req.GetOperation())
		if err == nil && !d.GetAllowed() {
			d.Reason = why
		}
		return d, err
	}
	return s.decideAccount(ctx, holder, req.GetOperation())
}

// holder returns who acts; why is set when that is nobody.
func (s *Service) holder(ctx context.Context, req *accessv1.AuthorizeRequest) (h openid.Holder, why string, err error) {
	p := req.GetPrincipal()
	switch {
	case req.GetToken() != "":
		h, err = s.provider.Holder(ctx, req.GetToken())
		why = "the token is not valid, has expired, or its session has ended"
	case p.GetAccount() == "":
		return h, "nobody is signed in", nil
	case p.GetSession() != "":
		h, err = s.store.Holder(ctx, p.GetSession(), s.now())
		if err == nil && h.Account.ID != p.GetAccount() {
			return h, "the session belongs to another account", nil
		}
		why = "the session has ended or the account is disabled"
	default:
		h.Account, err = s.store.Account(ctx, p.GetAccount())
		if err == nil && !h.Account.Disabled.IsZero() {
			return h, "account disabled", nil
		}
		why = "no such account"
	}
	if err == nil {
		return h, "", nil
	}
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Unauthenticated) {
		return h, why, nil
	}
	return h, "", err
}

func (s *Service) decideService(p *accessv1.Principal, operation string) (*accessv1.Decision, error) {
	d := &accessv1.Decision{Principal: p, Scope: &accessv1.Scope{}, KeepMs: keepMillis}
	kind, ok, err := s.policy.KindOf("service:"+p.GetService(), operation)
	if err != nil {
		return nil, fault.New(fault.Internal, "internal error", err)
	}
	if !ok {
		d.Reason = "no rule for service:" + p.GetService() + " on " + operation
		return d, nil
	}
	d.Allowed = true
	switch kind {
	case policy.All:
		d.Scope.All, d.Scope.Shared = true, true
	case policy.Deidentified:
		d.Scope.Deidentified, d.Scope.Shared = true, true
	case policy.Self, policy.InCare, policy.Commune, policy.None:
		// A service is nobody's patient, guardian or nurse.
		d.Scope.Shared = true
	}
	return d, nil
}

const anonymous = "anonymous"

func (s *Service) decideAnonymous(operation string) (*accessv1.Decision, error) {
	d := &accessv1.Decision{
		Principal: &accessv1.Principal{Roles: []string{anonymous}}, Scope: &accessv1.Scope{}, KeepMs: keepMillis,
	}
	_, ok, err := s.policy.KindOf(anonymous, operation)
	if err != nil {
		return nil, fault.New(fault.Internal, "internal error", err)
	}
	d.Allowed = ok
	return d, nil
}

// decideAccount unites what the account's roles reach.
func (s *Service) decideAccount(ctx context.Context, h openid.Holder, operation string) (*accessv1.Decision, error) {
	a := h.Account
	d := &accessv1.Decision{Principal: principal(a, h.Grant.ID), Scope: &accessv1.Scope{}, KeepMs: keepMillis}
	kinds := map[policy.Kind]bool{}
	for _, role := range append(slices.Clone(a.Roles), anonymous) {
		kind, ok, err := s.policy.KindOf(role, operation)
		if err != nil {
			return nil, fault.New(fault.Internal, "internal error", err)
		}
		if ok {
			kinds[kind] = true
		}
	}
	if len(kinds) == 0 {
		d.Reason = "no rule for the account's roles on " + operation
		return d, nil
	}
	d.Allowed, d.Scope.Shared = true, true
	return d, s.fill(ctx, d.Scope, a, kinds)
}

// fill puts the facts that the kinds ask for into scope.
func (s *Service) fill(ctx context.Context, scope *accessv1.Scope, a account.Account, kinds map[policy.Kind]bool) error {
	if kinds[policy.All] {
		scope.All = true
		return nil
	}
	scope.Deidentified = kinds[policy.Deidentified]
	if kinds[policy.Commune] {
		scope.Communes = s.successions.within(ctx, a.Communes)
	}
	// Who is bound to a Patient that was merged into another reaches both: what
	// was written for the old one before, or since, is theirs as well.
	if kinds[policy.Self] {
		scope.Patients = a.Merged.Patients(a.Patient)
	}
	if kinds[policy.Self] || kinds[policy.InCare] {
		relations, err := s.store.RelationsAt(ctx, a.ID, s.now())
		if err != nil {
			return err
		}
		for _, r := range relations {
			if r.Kind == relation.Guardian && !kinds[policy.Self] || r.Kind == relation.Treating && !kinds[policy.InCare] {
				continue
			}
			for _, patient := range r.Merged.Patients(r.Patient) {
				if !slices.Contains(scope.Patients, patient) {
					scope.Patients = append(scope.Patients, patient)
				}
			}
		}
	}
	return nil
}

func principal(a account.Account, session string) *accessv1.Principal {
	p := &accessv1.Principal{
		Account: a.ID, Name: a.Name, Roles: a.Roles, Patient: a.Merged.Living(a.Patient), Practitioner: a.Practitioner,
		Communes: a.Communes, Facility: a.Facility, Session: session,
	}
	if n := len(a.Merged); n > 0 {
		p.Merged = a.Merged[:n-1].Patients(a.Patient)
	}
	return p
}
