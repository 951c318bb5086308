package stations

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

// systemHousehold is the number of the household's book.
const systemHousehold = "https://yba.health/fhir/sid/household"

// groupResource is what a station reads of a Group.
type groupResource struct {
	ID        string
	Extension []extension
}

// RegisterHousehold opens a household without members yet.
func (s *Service) RegisterHousehold(ctx context.Context, req *stationsv1.RegisterHouseholdRequest) (*stationsv1.Household, error) {
	for _, err := range []error{
		checkClientID(req.GetClientId()), checkText("hamlet", req.GetHamlet(), 100),
		checkText("address", req.GetAddress(), 200), checkText("code", req.GetCode(), 50),
	} {
		if err != nil {
			return nil, err
		}
	}
	hamlet, address := strings.TrimSpace(req.GetHamlet()), strings.TrimSpace(req.GetAddress())
	h, err := enter(ctx, s, kindHousehold, req.GetClientId(), req, &stationsv1.Household{}, func() (*stationsv1.Household, Outcome, error) {
		commune, _, err := s.commune(ctx, req.GetCommune())
		if err != nil {
			return nil, Outcome{}, err
		}
		at, err := s.hamlet(ctx, commune, hamlet)
		if err != nil {
			return nil, Outcome{}, err
		}
		identifiers := []element{clientIdentifier(req.GetClientId(), "")}
		if code := strings.TrimSpace(req.GetCode()); code != "" {
			identifiers = append(identifiers, element{"system": systemHousehold, "value": code})
		}
		group := element{
			"resourceType": "Group", "active": true, "type": "person", "actual": true, "identifier": identifiers,
			"code": concept("Hộ gia đình", coding(fhir.SystemGroupKind, "household", "")), "extension": place(commune, at),
			"name": joinNonEmpty(", ", "Hộ "+address, hamlet, commune.Name),
		}
		if facility := guard.PrincipalOf(ctx).GetFacility(); facility != "" {
			group["managingEntity"] = reference("Organization/" + facility)
		}
		t := &transaction{}
		t.create(req.GetClientId(), "", group)
		// In nobody's compartment; commune() has checked that it is the nurse's.
		refs, err := t.send(guard.As(ctx, name), s.Records)
		if err != nil {
			return nil, Outcome{}, err
		}
		return &stationsv1.Household{Id: idOf(refs[0])}, Outcome{}, nil
	})
	if err != nil {
		return nil, err
	}
	// The ledger holds the id only; the rest is what was sent.
	return &stationsv1.Household{Id: h.GetId(), Address: address, Commune: req.GetCommune(), Hamlet: hamlet}, nil
}

// household reads a Group with all it holds, and its version.
func (s *Service) household(ctx context.Context, id string) (map[string]json.RawMessage, int64, error) {
	group, r, err := read[map[string]json.RawMessage](ctx, s.Records, "Group", id)
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Gone) {
		return nil, 0, invalid("", "Không tìm thấy hộ này. Xin chọn lại hộ hoặc lập hộ mới.")
	}
	return group, r.GetVersion(), err
}

func groupPlace(group map[string]json.RawMessage) (commune, hamlet string) {
	var list []extension
	if json.Unmarshal(group["extension"], &list) != nil {
		return "", ""
	}
	return unitOf(list)
}

// addMember returns the Group with one more member, and as its head where the
// relation says so. Everything else in it stays byte for byte.
func addMember(group map[string]json.RawMessage, ref, display, relation string) (json.RawMessage, error) {
	member := element{"entity": element{"reference": ref, "display": display}}
	if relation != "" {
		member["extension"] = []element{{"url": extensionRelation, "valueCode": relation}}
	}
	if err := appendTo(group, "member", member, nil); err != nil {
		return nil, err
	}
	if relation == "head" {
		head := element{"url": fhir.ExtensionHouseholdHead, "valueReference": reference(ref)}
		// A household has one head; the new one takes the place.
		if err := appendTo(group, "extension", head, isHead); err != nil {
			return nil, err
		}
	}
	return json.Marshal(group)
}

func isHead(b json.RawMessage) bool {
	var e extension
	return json.Unmarshal(b, &e) == nil && e.URL == fhir.ExtensionHouseholdHead
}

// appendTo adds to a list of the resource, without the elements to drop.
func appendTo(resource map[string]json.RawMessage, key string, e element, drop func(json.RawMessage) bool) error {
	var list, kept []json.RawMessage
	if old, ok := resource[key]; ok {
		if err := json.Unmarshal(old, &list); err != nil {
			return fault.New(fault.Internal, "internal error", err)
		}
	}
	for _, one := range list {
		if drop == nil || !drop(one) {
			kept = append(kept, one)
		}
	}
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	resource[key], err = json.Marshal(append(kept, b))
	return err
}
