package access

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/vitext"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/access/account"
	"github.com/yba-health/yba/services/access/relation"
)

// Me tells the signed-in person about themselves and whom they care for.
func (s *Service) Me(ctx context.Context, _ *accessv1.MeRequest) (*accessv1.Account, error) {
	a, err := s.store.Account(ctx, guard.PrincipalOf(ctx).GetAccount())
	if err != nil {
		return nil, err
	}
	m := message(a)
	relations, err := s.store.RelationsAt(ctx, a.ID, s.now())
	if err != nil {
		return nil, err
	}
	for _, r := range relations {
		ward := r.Merged.Living(r.Patient)
		if r.Kind == relation.Guardian && !slices.ContainsFunc(m.Wards, func(w *accessv1.Ward) bool { return w.GetPatient() == ward }) {
			m.Wards = append(m.Wards, &accessv1.Ward{Patient: ward, Name: s.patientName(ctx, ward)})
		}
	}
	return m, nil
}

// patientName reads a person's name from the record; without it the apps say
// what they can, so a failure is not the caller's.
func (s *Service) patientName(ctx context.Context, patient string) string {
	r, err := s.records.Read(guard.As(ctx, "access"), &recordsv1.ReadRequest{Type: "Patient", Id: patient})
	if err != nil {
		s.log.Warn("a name could not be read", "error", err)
		return ""
	}
	var p struct {
		Name []struct {
			Text   string   `json:"text"`
			Family string   `json:"family"`
			Given  []string `json:"given"`
		} `json:"name"`
	}
	if err := json.Unmarshal(r.GetBody(), &p); err != nil || len(p.Name) == 0 {
		return ""
	}
	if p.Name[0].Text != "" {
		return p.Name[0].Text
	}
	// The family name comes first.
	return strings.TrimSpace(p.Name[0].Family + " " + strings.Join(p.Name[0].Given, " "))
}

func message(a account.Account) *accessv1.Account {
	return &accessv1.Account{
		Id: a.ID, Username: a.Username, Name: a.Name, Roles: a.Roles, Patient: a.Merged.Living(a.Patient), Practitioner: a.Practitioner,
		Communes: a.Communes, Facility: a.Facility, Disabled: !a.Disabled.IsZero(), Created: formatTime(a.Created),
	}
}

// CreateAccount opens an account. A service that asks again for a person whose
// account was never activated gets a new code for that account.
func (s *Service) CreateAccount(ctx context.Context, req *accessv1.CreateAccountRequest) (*accessv1.CreateAccountResponse, error) {
	a := newAccount(req)
	if err := mayGive(guard.PrincipalOf(ctx), a.Roles); err != nil {
		return nil, err
	}
	a, code, err := s.door.Add(ctx, a, req.GetPassword())
	if fault.Is(err, fault.Conflict) && guard.PrincipalOf(ctx).GetService() != "" && a.Patient != "" && req.GetPassword() == "" {
		// The station is asked again because the slip with the code got lost.
		// Where the person has none, the username is another's: still a conflict.
		known, missing := s.store.AccountByPatient(ctx, a.Patient)
		if missing == nil {
			a = known
			code, err = s.door.Renew(ctx, a)
		} else if !fault.Is(missing, fault.NotFound) {
			err = missing
		}
	}
	if err != nil {
		return nil, err
	}
	guard.Touch(ctx, a.Patient, "account/"+a.ID)
	return &accessv1.CreateAccountResponse{Account: message(a), ActivationCode: code}, nil
}

// mayGive keeps everybody from opening an account that may do more than they:
// services open accounts for patients and guardians, and only administrators
// make administrators and importers.
func mayGive(p *accessv1.Principal, roles []string) error {
	for _, r := range roles {
		public := r == "patient" || r == "guardian"
		powerful := r == "administrator" || r == "importer"
		if p.GetService() != "" && !public || powerful && !slices.Contains(p.GetRoles(), "administrator") {
			return fault.New(fault.Forbidden, "you may not open an account with this role", errors.New("role "+r)).In("roles")
		}
	}
	return nil
}

// maxAccounts bounds a list of accounts; a search narrows it.
const maxAccounts = 200

// ListAccounts finds accounts by part of a username or name, or exactly those
// of one Patient, one Practitioner or one id.
func (s *Service) ListAccounts(ctx context.Context, req *accessv1.ListAccountsRequest) (*accessv1.ListAccountsResponse, error) {
	if r := req.GetRole(); r != "" && !slices.Contains(account.Roles, r) {
		return nil, fault.New(fault.Invalid, "there is no such role", nil).In("role")
	}
	var all []account.Account
	var err error
	if exact := (account.Exact{ID: req.GetAccount(), Patient: req.GetPatient(), Practitioner: req.GetPractitioner()}); exact != (account.Exact{}) {
		all, err = s.store.ExactAccounts(ctx, exact, maxAccounts)
	} else {
		all, err = s.store.Accounts(ctx, vitext.Fold(req.GetQuery()), req.GetRole(), maxAccounts)
	}
	if err != nil {
		return nil, err
	}
	resp := &accessv1.ListAccountsResponse{}
	for _, a := range all {
		resp.Accounts = append(resp.Accounts, message(a))
	}
	return resp, nil
}

// SetPassword changes one's own password, or another's by an administrator.
// All other sessions of the account end.
func (s *Service) SetPassword(ctx context.Context, req *accessv1.SetPasswordRequest) (*accessv1.SetPasswordResponse, error) {
	p := guard.PrincipalOf(ctx)
	id, keep := req.GetAccount(), ""
	own := id == "" || id == p.GetAccount()
	if !own && !slices.Contains(p.GetRoles(), "administrator") {
		return nil, fault.New(fault.Forbidden, "you may change your own password only", nil).In("account")
	}
	if own {
		id = p.GetAccount()
	}
	a, err := s.store.Account(ctx, id)
	if err != nil {
		return nil, err
	}
	if own {
		// The throttle of sign-in counts here too: a session left open on a
		// shared PC is no place to guess at.
		if _, err := s.door.Enter(ctx, a.Username, req.GetOldPassword(), "session:"+p.GetSession()); err != nil {
			if fault.Is(err, fault.Unauthenticated) {
				return nil, fault.New(fault.Forbidden, "the old password is wrong", err).In("old_password")
			}
			return nil, err
		}
		if h, err := s.store.Holder(ctx, p.GetSession(), s.now()); err == nil {
			keep = h.Session.ID
		}
	}
	if err := s.door.SetPassword(ctx, a, req.GetNewPassword()); err != nil {
		return nil, err
	}
	guard.Touch(ctx, "", "account/"+a.ID)
	if err := s.store.EndSessions(ctx, a.ID, keep, "password changed", s.now()); err != nil {
		return nil, err
	}
	s.forget()
	return &accessv1.SetPasswordResponse{}, nil
}

// DisableAccount ends all sessions and refuses sign-in from now on.
func (s *Service) DisableAccount(ctx context.Context, req *accessv1.DisableAccountRequest) (*accessv1.DisableAccountResponse, error) {
	if req.GetAccount() == guard.PrincipalOf(ctx).GetAccount() {
		return nil, fault.New(fault.Invalid, "you cannot disable the account you are using", nil).In("account")
	}
	if err := s.store.DisableAccount(ctx, req.GetAccount(), s.now()); err != nil {
		return nil, err
	}
	guard.Touch(ctx, "", "account/"+req.GetAccount())
	if err := s.store.EndSessions(ctx, req.GetAccount(), "", "account disabled", s.now()); err != nil {
		return nil, err
	}
	s.forget()
	return &accessv1.DisableAccountResponse{}, nil
}
