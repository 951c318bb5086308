package stations

import (
	"context"
	"fmt"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/units"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

// ListUnits lists units in force on a day.
func (s *Service) ListUnits(ctx context.Context, req *stationsv1.ListUnitsRequest) (*stationsv1.ListUnitsResponse, error) {
	on, err := units.ParseDate(req.GetAsOf())
	if err != nil {
		return nil, fault.New(fault.Invalid, err.Error(), nil).In("as_of")
	}
	if on == "" {
		on = units.Date(day(s.Now()).Format(time.DateOnly))
	}
	list, err := s.Store.Units(ctx, units.Level(req.GetLevel()), units.Code(req.GetParent()), on)
	if err != nil {
		return nil, err
	}
	out := &stationsv1.ListUnitsResponse{}
	for _, u := range list {
		out.Units = append(out.Units, &stationsv1.Unit{
			Code: string(u.Code), Level: string(u.Level), Name: u.Name, NameEn: u.NameEn, Kind: u.Kind, Parent: string(u.Parent),
			ValidFrom: u.From.String(), ValidTo: u.To.String(),
		})
	}
	return out, nil
}

// ListSuccessions lists which unit became part of which.
func (s *Service) ListSuccessions(ctx context.Context, req *stationsv1.ListSuccessionsRequest) (*stationsv1.ListSuccessionsResponse, error) {
	list, err := s.Store.Successions(ctx, units.Code(req.GetOldCode()), units.Code(req.GetNewCode()))
	if err != nil {
		return nil, err
	}
	out := &stationsv1.ListSuccessionsResponse{}
	for _, x := range list {
		out.Successions = append(out.Successions, &stationsv1.Succession{
			OldCode: string(x.Old.Code), OldValidFrom: x.Old.From.String(), NewCode: string(x.New.Code), NewValidFrom: x.New.From.String(),
			Extent: string(x.Extent),
		})
	}
	return out, nil
}

// ImportUnits loads units and successions; all of a request or nothing.
func (s *Service) ImportUnits(ctx context.Context, req *stationsv1.ImportUnitsRequest) (*stationsv1.ImportUnitsResponse, error) {
	var list []units.Unit
	seen := map[units.Key]bool{}
	for i, u := range req.GetUnits() {
		one, err := unit(u)
		if err == nil && seen[one.Key] {
			err = fmt.Errorf("%s stands twice", one.Key)
		}
		if err != nil {
			return nil, fault.New(fault.Invalid, err.Error(), nil).In(fmt.Sprintf("units[%d]", i))
		}
		seen[one.Key] = true
		list = append(list, one)
	}
	var successions []units.Succession
	twice := map[units.Succession]bool{}
	for i, x := range req.GetSuccessions() {
		one, err := succession(x)
		key := units.Succession{Old: one.Old, New: one.New}
		if err == nil && twice[key] {
			err = fmt.Errorf("%s to %s stands twice", one.Old, one.New)
		}
		if err != nil {
			return nil, fault.New(fault.Invalid, err.Error(), nil).In(fmt.Sprintf("successions[%d]", i))
		}
		twice[key] = true
		successions = append(successions, one)
	}
	unknown, err := s.Store.ImportUnits(ctx, list, successions)
	if err != nil {
		return nil, err
	}
	out := &stationsv1.ImportUnitsResponse{Units: int32(len(list)), Successions: int32(len(successions))}
	for _, k := range unknown {
		out.Unknown = append(out.Unknown, k.String())
	}
	return out, nil
}

func unit(u *stationsv1.Unit) (units.Unit, error) {
	from, err := units.ParseDate(u.GetValidFrom())
	if err != nil {
		return units.Unit{}, err
	}
	to, err := units.ParseDate(u.GetValidTo())
	if err != nil {
		return units.Unit{}, err
	}
	one := units.Unit{
		Key: units.Key{Code: units.Code(u.GetCode()), From: from}, Level: units.Level(u.GetLevel()), Name: u.GetName(), NameEn: u.GetNameEn(),
		Kind: u.GetKind(), Parent: units.Code(u.GetParent()), To: to,
	}
	return one, one.Check()
}

func succession(x *stationsv1.Succession) (units.Succession, error) {
	old, err := units.ParseKey(x.GetOldCode() + "@" + x.GetOldValidFrom())
	if err != nil {
		return units.Succession{}, err
	}
	young, err := units.ParseKey(x.GetNewCode() + "@" + x.GetNewValidFrom())
	if err != nil {
		return units.Succession{}, err
	}
	if young.From == "" || young.From <= old.From {
		return units.Succession{}, fmt.Errorf("%s cannot have become part of %s: the new unit begins after the old one", old, young)
	}
	s := units.Succession{Old: old, New: young, Extent: units.Extent(x.GetExtent())}
	if s.Extent != units.Full && s.Extent != units.Partial {
		return s, fmt.Errorf("extent %q is neither full nor partial", x.GetExtent())
	}
	return s, nil
}
