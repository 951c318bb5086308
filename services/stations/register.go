package stations

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	exchangev1 "github.com/yba-health/yba/proto/gen/yba/exchange/v1"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

// RegisterPerson registers a resident, unless somebody who looks the same is
// there already.
func (s *Service) RegisterPerson(ctx context.Context, req *stationsv1.RegisterPersonRequest) (*stationsv1.RegisterPersonResponse, error) {
	r := proto.CloneOf(req)
	if err := checkRegistration(r, day(s.Now())); err != nil {
		return nil, err
	}
	checked, err := s.identifiers(ctx, r)
	if err != nil {
		return nil, err
	}
	answer, err := enter(ctx, s, kindRegistration, r.GetClientId(), req, &stationsv1.RegisterPersonResponse{},
		func() (*stationsv1.RegisterPersonResponse, Outcome, error) { return s.register(ctx, r, checked) })
	if same, ok := errors.AsType[refused[*stationsv1.RegisterPersonResponse]](err); ok {
		return same.answer, nil
	}
	if err != nil {
		return nil, err
	}
	// The ledger holds the id only; the rest is what was sent.
	return &stationsv1.RegisterPersonResponse{Person: &stationsv1.Person{
		Patient: answer.GetPerson().GetPatient(), Name: r.GetName(), BirthDate: r.GetBirthDate(), Gender: r.GetGender(), Phone: r.GetPhone(),
		Identifiers: r.GetIdentifiers(), Commune: r.GetCommune(), Hamlet: r.GetHamlet(), Address: r.GetAddress(), Household: r.GetHousehold(),
	}}, nil
}

// identifiers checks the numbers; what exchange says of a wrong one is shown
// beside its field.
func (s *Service) identifiers(ctx context.Context, r *stationsv1.RegisterPersonRequest) ([]*exchangev1.CheckedIdentifier, error) {
	var checked []*exchangev1.CheckedIdentifier
	for i, id := range r.GetIdentifiers() {
		at := fmt.Sprintf("identifiers[%d]", i)
		for field, d := range map[string]string{"from": id.GetFrom(), "until": id.GetUntil()} {
			if _, err := time.Parse(time.DateOnly, d); d != "" && err != nil {
				return nil, invalid(at+"."+field, "Ngày trên giấy tờ chưa đúng. Xin nhập như 2025-01-31.")
			}
		}
		if id.GetFrom() != "" && id.GetUntil() != "" && id.GetUntil() < id.GetFrom() {
			return nil, invalid(at+".until", "Ngày hết hạn phải sau ngày bắt đầu.")
		}
		if id.GetKind() != "cccd" && id.GetKind() != "bhyt" && id.GetKind() != "bhxh" {
			return nil, invalid(at+".kind", "Xin chọn loại giấy tờ: CCCD, BHYT hoặc BHXH.")
		}
		c, err := s.Exchange.CheckIdentifier(guard.As(ctx, name), &exchangev1.CheckIdentifierRequest{Kind: id.GetKind(), Value: id.GetValue()})
		if err != nil {
			return nil, err
		}
		if !c.GetValid() {
			return nil, invalid(at+".value", c.GetProblem())
		}
		checked = append(checked, c)
	}
	return checked, nil
}

func (s *Service) register(ctx context.Context, r *stationsv1.RegisterPersonRequest, checked []*exchangev1.CheckedIdentifier) (*stationsv1.RegisterPersonResponse, Outcome, error) {
	commune, province, err := s.commune(ctx, r.GetCommune())
	if err != nil {
		return nil, Outcome{}, err
	}
	// An earlier call may have written the person and not come to the ledger.
	before, err := search[patientResource](ctx, s.Records, "Patient", url.Values{"identifier": {fhir.SystemClient + "|" + r.GetClientId()}})
	if err != nil {
		return nil, Outcome{}, err
	}
	if len(before) > 0 {
		return registered(ctx, before[0].ID)
	}
	if !r.GetNotADuplicate() {
		same, err := s.duplicates(ctx, r, checked)
		if err != nil {
			return nil, Outcome{}, err
		}
		if len(same) > 0 {
			return nil, Outcome{}, refused[*stationsv1.RegisterPersonResponse]{&stationsv1.RegisterPersonResponse{Duplicates: same}}
		}
	}
	hamlet, err := s.hamlet(ctx, commune, r.GetHamlet())
	if err != nil {
		return nil, Outcome{}, err
	}
	patient := newPatient(r, checked, commune, province, hamlet, guard.PrincipalOf(ctx).GetFacility())
	if r.GetHousehold() == "" {
		t := &transaction{}
		t.create(r.GetClientId(), "", patient)
		refs, err := t.send(ctx, s.Records)
		if err != nil {
			return nil, Outcome{}, err
		}
		return registered(ctx, idOf(refs[0]))
	}
	id, err := s.registerInHousehold(ctx, r, patient)
	if err != nil {
		return nil, Outcome{}, err
	}
	return registered(ctx, id)
}

// registerInHousehold writes the person and the membership in one
// transaction. The household's list is in nobody's compartment, so the
// service acts; the commune was checked to be the nurse's.
func (s *Service) registerInHousehold(ctx context.Context, r *stationsv1.RegisterPersonRequest, patient element) (string, error) {
	as := guard.As(ctx, name)
	for try := 1; ; try++ {
		group, version, err := s.household(as, r.GetHousehold())
		if err != nil {
			return "", within("household", err)
		}
		if commune, _ := groupPlace(group); commune != r.GetCommune() {
			return "", invalid("household", "Hộ này ở xã khác. Xin chọn hộ trong xã của người này.")
		}
		t := &transaction{}
		ref := t.create(r.GetClientId(), "", patient)
		body, err := addMember(group, ref, r.GetName(), r.GetRelation())
		if err != nil {
			return "", err
		}
		t.update("Group", r.GetHousehold(), version, body)
		refs, err := t.send(as, s.Records)
		if err == nil {
			return idOf(refs[0]), nil
		}
		// Somebody else of the family was registered in this moment.
		if try == 5 || !fault.Is(err, fault.Precondition) && !fault.Is(err, fault.Conflict) {
			return "", err
		}
	}
}

func registered(ctx context.Context, id string) (*stationsv1.RegisterPersonResponse, Outcome, error) {
	guard.Touch(ctx, id, "Patient/"+id)
	return &stationsv1.RegisterPersonResponse{Person: &stationsv1.Person{Patient: id}}, Outcome{Patient: id, Text: "đăng ký mới"}, nil
}

// duplicates lists people who may be the one to be registered.
func (s *Service) duplicates(ctx context.Context, r *stationsv1.RegisterPersonRequest, checked []*exchangev1.CheckedIdentifier) ([]*stationsv1.Person, error) {
	a := asked{name: r.GetName(), birth: r.GetBirthDate(), gender: r.GetGender(), phone: r.GetPhone(), identifiers: map[string]string{}}
	for _, c := range checked {
		a.identifiers[c.GetKind()] = c.GetValue()
	}
	list, err := s.candidates(ctx, a)
	if err != nil {
		return nil, err
	}
	var same []*stationsv1.Person
	for _, p := range rank(a, list, false) {
		if p.GetLikeness() >= sameEnough {
			guard.Touch(ctx, p.GetPatient(), "Patient/"+p.GetPatient())
			same = append(same, p)
		}
	}
	return same[:min(len(same), 10)], nil
}
