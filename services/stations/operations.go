package stations

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/kit"
	"github.com/yba-health/yba/pkg/projection"
	"github.com/yba-health/yba/pkg/units"
	"github.com/yba-health/yba/pkg/vitext"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	exchangev1 "github.com/yba-health/yba/proto/gen/yba/exchange/v1"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
	"github.com/yba-health/yba/services/stations/rules"
)

// name is the service's name where it acts for a user.
const name = "stations"

// Needs is what the service is made of.
type Needs struct {
	Store    Store
	Records  recordsv1.RecordsClient
	Access   accessv1.AccessClient
	Exchange exchangev1.ExchangeClient
	Log      *slog.Logger
	Now      func() time.Time
}

// Service is the work of the stations.
type Service struct {
	Needs
	schedules rules.Schedules
	table     kit.Table
	follower  *projection.Follower
}

// New returns the service.
func New(n Needs) (*Service, error) {
	schedules, err := rules.Immunization()
	if err != nil {
		return nil, err
	}
	s := &Service{Needs: n, schedules: schedules}
	s.table, err = kit.NewTable(&stationsv1.Stations_ServiceDesc,
		kit.Op("ListUnits", s.ListUnits, kit.Unaudited),
		kit.Op("ImportUnits", s.ImportUnits),
		kit.Op("ListSuccessions", s.ListSuccessions, kit.Unaudited),
		kit.Op("FindPeople", s.FindPeople),
		kit.Op("GetPerson", s.GetPerson),
		kit.Op("RegisterHousehold", s.RegisterHousehold),
		kit.Op("RegisterPerson", s.RegisterPerson),
		kit.Op("OpenAccount", s.OpenAccount),
		kit.Op("RecordVisit", s.RecordVisit),
		kit.Op("RecordImmunization", s.RecordImmunization),
		kit.Op("ListVaccines", s.ListVaccines, kit.Unaudited),
		kit.Op("Today", s.Today),
	)
	return s, err
}

// Table lists the operations.
func (s *Service) Table() kit.Table { return s.table }

// Routes adds nothing: every operation is in the table.
func (s *Service) Routes(*http.ServeMux) {}

// Drain has nothing that outlives a call but the projection, which Stop ends.
func (s *Service) Drain(context.Context) {}

// commune returns the commune with the key, in force today and within the
// caller's scope, and its province.
func (s *Service) commune(ctx context.Context, text string) (commune, province units.Unit, err error) {
	key, err := units.ParseKey(text)
	if err != nil {
		return commune, province, fault.New(fault.Invalid, "Xin chọn xã trong danh sách (mã xã phải kèm ngày hiệu lực, như 95012@2025-07-01).", err).In("commune")
	}
	today := units.Date(day(s.Now()).Format(time.DateOnly))
	commune, err = s.Store.Unit(ctx, key)
	switch {
	case fault.Is(err, fault.NotFound):
		return commune, province, invalid("commune", "Không có xã này trong danh mục. Xin chọn lại trong danh sách.")
	case err != nil:
		return commune, province, err
	case commune.Level != units.Commune:
		return commune, province, invalid("commune", "Đây không phải là đơn vị cấp xã. Xin chọn xã, phường hoặc đặc khu.")
	case !commune.In(today):
		return commune, province, invalid("commune", "Xã này không còn sau sắp xếp đơn vị hành chính. Xin chọn xã hiện nay.")
	}
	if err := reaches(ctx, text); err != nil {
		return commune, province, err
	}
	above, err := s.Store.Units(ctx, units.Province, "", today)
	if err != nil {
		return commune, province, err
	}
	if i := slices.IndexFunc(above, func(u units.Unit) bool { return u.Code == commune.Parent }); i >= 0 {
		province = above[i]
	}
	return commune, province, nil
}

// hamlet returns the hamlet of a commune that goes by what was typed. Its code
// tells later into which part of a divided commune a person has come. A name
// that is in no list stays as it was typed.
func (s *Service) hamlet(ctx context.Context, commune units.Unit, typed string) (units.Unit, error) {
	if typed == "" {
		return units.Unit{}, nil
	}
	list, err := s.Store.Units(ctx, units.Hamlet, commune.Code, units.Date(day(s.Now()).Format(time.DateOnly)))
	if err != nil {
		return units.Unit{}, err
	}
	// Marks tell hamlets apart (Phú Mỹ, Phú Mỳ), so they are ignored only where
	// nobody else is meant.
	for _, form := range []func(string) string{strings.ToLower, vitext.Fold} {
		var found []units.Unit
		for _, u := range list {
			if n := form(typed); n == form(u.Name) || n == strings.TrimPrefix(form(u.Name), form(u.Kind)+" ") {
				found = append(found, u)
			}
		}
		if len(found) == 1 {
			return found[0], nil
		}
	}
	return units.Unit{Name: typed}, nil
}

// reaches refuses a commune that the caller does not serve.
func reaches(ctx context.Context, commune string) error {
	if sc := guard.ScopeOf(ctx); !sc.GetAll() && !slices.Contains(sc.GetCommunes(), commune) {
		return fault.New(fault.Forbidden, "Xã này không thuộc trạm của anh/chị.", nil).In("commune")
	}
	return nil
}

// station names whose list of the day an entry belongs to.
func station(p *guard.Principal) string {
	if p.GetFacility() != "" {
		return p.GetFacility()
	}
	return "account/" + p.GetAccount()
}

// within puts err at a place of the input.
func within(place string, err error) error { return fault.Of(err).In(place) }
