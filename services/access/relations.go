package access

import (
	"context"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	"github.com/yba-health/yba/services/access/account"
	"github.com/yba-health/yba/services/access/relation"
)

// GrantRelation lets an account reach a patient.
func (s *Service) GrantRelation(ctx context.Context, req *accessv1.Relation) (*accessv1.Relation, error) {
	r := relation.Relation{
		ID: account.NewID(), Account: req.GetAccount(), Patient: req.GetPatient(), Kind: req.GetKind(), Reason: req.GetReason(),
		Granted: s.now(), Granter: actor(ctx),
	}
	var err error
	if r.From, err = parseTime("from", req.GetFrom()); err != nil {
		return nil, err
	}
	if r.From.IsZero() {
		r.From = s.now()
	}
	if r.Until, err = parseTime("until", req.GetUntil()); err != nil {
		return nil, err
	}
	if err := r.Check(); err != nil {
		return nil, err
	}
	if _, err := s.store.Account(ctx, r.Account); fault.Is(err, fault.NotFound) {
		return nil, fault.New(fault.Invalid, "there is no such account", err).In("account")
	} else if err != nil {
		return nil, err
	}
	// A repeated grant is one relation: callers try again after a lost answer.
	same, err := s.living(ctx, r)
	if err != nil {
		return nil, err
	}
	if same != nil {
		guard.Touch(ctx, r.Patient, "relation/"+same.ID)
		return relationMessage(*same), nil
	}
	if err := s.store.AddRelation(ctx, r); err != nil {
		return nil, err
	}
	guard.Touch(ctx, r.Patient, "relation/"+r.ID)
	s.forget()
	return relationMessage(r), nil
}

// living finds a relation that says all that r says already.
func (s *Service) living(ctx context.Context, r relation.Relation) (*relation.Relation, error) {
	all, err := s.store.Relations(ctx, r.Account, r.Patient)
	if err != nil {
		return nil, err
	}
	for _, x := range all {
		if x.Patient == r.Patient && x.Kind == r.Kind && x.Reason == r.Reason && x.Until.Equal(r.Until) && !x.From.After(r.From) {
			return &x, nil
		}
	}
	return nil, nil
}

// EndRelation ends a relation now.
func (s *Service) EndRelation(ctx context.Context, req *accessv1.EndRelationRequest) (*accessv1.EndRelationResponse, error) {
	r, err := s.store.Relation(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	guard.Touch(ctx, r.Patient, "relation/"+r.ID)
	if !guard.Covers(guard.ScopeOf(ctx), r.Merged.Living(r.Patient), "") {
		return nil, fault.New(fault.Forbidden, "you may not reach this record", nil)
	}
	if err := s.store.EndRelation(ctx, r.ID, s.now()); err != nil {
		return nil, err
	}
	s.forget()
	return &accessv1.EndRelationResponse{}, nil
}

// ListRelations lists relations, newest first: to patients and guardians their
// own and those to their records, to administrators and services all.
func (s *Service) ListRelations(ctx context.Context, req *accessv1.ListRelationsRequest) (*accessv1.ListRelationsResponse, error) {
	scope, p := guard.ScopeOf(ctx), guard.PrincipalOf(ctx)
	accountID := req.GetAccount()
	if accountID == "" && req.GetPatient() == "" {
		if p.GetService() != "" || scope.GetAll() {
			return nil, fault.New(fault.Invalid, "name an account or a patient", nil)
		}
		accountID = p.GetAccount()
	}
	all, err := s.store.Relations(ctx, accountID, req.GetPatient())
	if err != nil {
		return nil, err
	}
	resp := &accessv1.ListRelationsResponse{}
	names := map[string]string{}
	for _, r := range all {
		patient := r.Merged.Living(r.Patient)
		if r.Account != p.GetAccount() && !guard.Covers(scope, patient, "") {
			continue
		}
		m := relationMessage(r)
		// Services look relations up by the hundred and have names of their own.
		if p.GetService() == "" {
			if _, known := names[patient]; !known {
				names[patient] = s.patientName(ctx, patient)
			}
			m.PatientName = names[patient]
		}
		guard.Touch(ctx, patient, "")
		resp.Relations = append(resp.Relations, m)
	}
	return resp, nil
}

func relationMessage(r relation.Relation) *accessv1.Relation {
	return &accessv1.Relation{
		Id: r.ID, Account: r.Account, Patient: r.Merged.Living(r.Patient), Kind: r.Kind,
		From: formatTime(r.From), Until: formatTime(r.Until), Reason: r.Reason,
	}
}
