package notices

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// person is a recipient.
type person struct {
	account, language string
	// ward is true when the person is told about somebody they care for.
	ward         bool
	phone, email string
}

// people finds who is to be told.
type people struct {
	access  accessv1.AccessClient
	records recordsv1.RecordsClient
	now     func() time.Time
}

// ofPatient returns the patient's own accounts and those of the guardians.
func (p *people) ofPatient(ctx context.Context, patient string) ([]person, error) {
	out, err := p.accounts(ctx, &accessv1.ListAccountsRequest{Patient: patient}, func(a *accessv1.Account) bool { return a.GetPatient() == patient }, "Patient/"+patient)
	if err != nil {
		return nil, err
	}
	relations, err := p.access.ListRelations(ctx, &accessv1.ListRelationsRequest{Patient: patient})
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	known, reached := map[string]bool{}, map[string]bool{}
	for _, x := range out {
		known[x.account] = true
		reached[x.phone], reached[x.email] = true, true
	}
	for _, r := range relations.GetRelations() {
		if r.GetKind() != "guardian" || r.GetPatient() != patient || known[r.GetAccount()] || !p.holds(r) {
			continue
		}
		known[r.GetAccount()] = true
		g, err := p.guardian(ctx, r.GetAccount())
		if err != nil {
			return nil, err
		}
		if g == nil {
			continue
		}
		// A child's record often holds the mother's number: one message is enough.
		if reached[g.phone] {
			g.phone = ""
		}
		if reached[g.email] {
			g.email = ""
		}
		reached[g.phone], reached[g.email] = true, true
		out = append(out, *g)
	}
	return out, nil
}

// guardian returns who has the account, or nil when it is closed. A guardian's
// number stands in the guardian's own record; the ward, often a child, has none.
func (p *people) guardian(ctx context.Context, account string) (*person, error) {
	list, err := p.access.ListAccounts(ctx, &accessv1.ListAccountsRequest{Account: account})
	if err != nil {
		return nil, err
	}
	for _, a := range list.GetAccounts() {
		if a.GetId() != account || a.GetDisabled() {
			continue
		}
		g := &person{account: account, language: languages[0], ward: true}
		if a.GetPatient() != "" {
			if g.phone, g.email, err = p.telecom(ctx, "Patient/"+a.GetPatient()); err != nil {
				return nil, err
			}
		}
		return g, nil
	}
	return nil, nil
}

// holds reports whether a relation is in force.
func (p *people) holds(r *accessv1.Relation) bool {
	now := p.now()
	if from, err := time.Parse(time.RFC3339, r.GetFrom()); r.GetFrom() != "" && (err != nil || from.After(now)) {
		return false
	}
	until, err := time.Parse(time.RFC3339, r.GetUntil())
	return r.GetUntil() == "" || err == nil && until.After(now)
}

func (p *people) ofPractitioner(ctx context.Context, id string) ([]person, error) {
	return p.accounts(ctx, &accessv1.ListAccountsRequest{Practitioner: id}, func(a *accessv1.Account) bool { return a.GetPractitioner() == id }, "Practitioner/"+id)
}

// accounts asks access by its exact query; the answer is checked again, since
// a notice that reached a stranger could not be called back.
func (p *people) accounts(ctx context.Context, query *accessv1.ListAccountsRequest, is func(*accessv1.Account) bool, reference string) ([]person, error) {
	list, err := p.access.ListAccounts(ctx, query)
	if err != nil {
		return nil, err
	}
	var out []person
	for _, a := range list.GetAccounts() {
		if is(a) && !a.GetDisabled() {
			out = append(out, person{account: a.GetId(), language: languages[0]})
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	phone, email, err := p.telecom(ctx, reference)
	if err != nil {
		return nil, err
	}
	// One number and one address for the person, however many accounts.
	out[0].phone, out[0].email = phone, email
	return out, nil
}

// telecom reads where SMS and e-mail go from the resource itself, so that
// notices keeps no second copy.
func (p *people) telecom(ctx context.Context, reference string) (phone, email string, err error) {
	kind, id, _ := strings.Cut(reference, "/")
	r, err := p.records.Read(ctx, &recordsv1.ReadRequest{Type: kind, Id: id})
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Gone) {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	phone, email = telecomOf(r.GetBody())
	return phone, email, nil
}

// telecomOf returns the first phone number and e-mail address that are in
// use; of phones a mobile one first. A body that cannot be read has none.
func telecomOf(body []byte) (phone, email string) {
	var r struct {
		Telecom []struct {
			System, Value, Use string
			Period             struct{ End string }
		}
	}
	if json.Unmarshal(body, &r) != nil {
		return "", ""
	}
	mobile := false
	for _, t := range r.Telecom {
		if t.Use == "old" || t.Period.End != "" || t.Value == "" || len(t.Value) > 254 {
			continue
		}
		switch {
		case (t.System == "phone" || t.System == "sms") && (phone == "" || !mobile && t.Use == "mobile"):
			phone, mobile = t.Value, t.Use == "mobile"
		case t.System == "email" && email == "":
			email = t.Value
		}
	}
	return phone, email
}
