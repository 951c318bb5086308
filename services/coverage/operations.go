package coverage

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/kit"
	"github.com/yba-health/yba/pkg/projection"
	coveragev1 "github.com/yba-health/yba/proto/gen/yba/coverage/v1"
	"github.com/yba-health/yba/services/coverage/geography"
	"github.com/yba-health/yba/services/coverage/readmodel"
)

// Service answers the department. Use New.
type Service struct {
	indicators []Indicator
	store      readmodel.Store
	shelf      *geography.Shelf
	reporter   *reporter
	projector  *projector
	now        func() time.Time
	table      kit.Table
	background *projection.Follower
}

func (s *Service) operations() error {
	var err error
	s.table, err = kit.NewTable(&coveragev1.Coverage_ServiceDesc,
		// Figures are about nobody in particular; what changes them is audited.
		kit.Op("ListIndicators", s.ListIndicators, kit.Unaudited),
		kit.Op("Report", s.Report, kit.Unaudited),
		kit.Op("Export", s.Export),
		kit.Op("SetPopulation", s.SetPopulation),
		kit.Op("SetTargets", s.SetTargets),
		kit.Op("Rebuild", s.Rebuild),
		kit.Op("GetProgress", s.GetProgress, kit.Unaudited),
	)
	return err
}

// Table lists the operations.
func (s *Service) Table() kit.Table { return s.table }

// Routes adds nothing: every operation is in the table.
func (s *Service) Routes(*http.ServeMux) {}

// ListIndicators lists the definitions with their targets.
func (s *Service) ListIndicators(ctx context.Context, _ *coveragev1.ListIndicatorsRequest) (*coveragev1.ListIndicatorsResponse, error) {
	entered, err := s.store.Targets(ctx)
	if err != nil {
		return nil, err
	}
	out := &coveragev1.ListIndicatorsResponse{}
	for _, i := range s.indicators {
		out.Indicators = append(out.Indicators, i.message(i.targets(entered)))
	}
	return out, nil
}

// Report gives one indicator for every commune and for the province.
func (s *Service) Report(ctx context.Context, req *coveragev1.ReportRequest) (*coveragev1.ReportResponse, error) {
	i, ok := s.indicator(req.GetIndicator())
	if !ok {
		return nil, fault.Newf(fault.NotFound, "there is no such indicator; there are %s", strings.Join(order, ", ")).In("indicator")
	}
	today := readmodel.DayOf(s.now())
	on := today
	if req.GetGeography() != "" {
		if on, ok = readmodel.ParseDay(req.GetGeography()); !ok || on > today {
			return nil, fault.New(fault.Invalid, "geography must be a date such as 2025-06-30 and not in the future", nil).In("geography")
		}
	}
	book, err := s.shelf.Book(ctx, string(today))
	if err != nil {
		return nil, err
	}
	// Read before the figures: what is counted may be newer than this, never older.
	generations, err := s.store.Generations(ctx)
	if err != nil {
		return nil, err
	}
	var communes []string
	if scope := guard.ScopeOf(ctx); !scope.GetAll() && !scope.GetDeidentified() && len(scope.GetCommunes()) > 0 {
		communes = scope.GetCommunes()
	}
	r, err := s.reporter.report(ctx, i, book, on, today, communes)
	if err != nil {
		return nil, err
	}
	entered, err := s.store.Targets(ctx)
	if err != nil {
		return nil, err
	}
	targets := i.targets(entered)
	out := &coveragev1.ReportResponse{
		Indicator: i.message(targets), Total: r.Total.message(), AsOf: timestamp(generations[0].AsOf), Geography: string(on),
	}
	for n := range r.Communes {
		out.Communes = append(out.Communes, r.Communes[n].message())
	}
	if t := due(targets, today); t != nil {
		out.Target = targetMessage(*t)
	}
	return out, nil
}

func (s *Service) indicator(id string) (Indicator, bool) {
	for _, i := range s.indicators {
		if i.ID == id {
			return i, true
		}
	}
	return Indicator{}, false
}

func (f *Figure) message() *coveragev1.Figure {
	m := &coveragev1.Figure{
		Code: f.Unit, Name: f.Name, Numerator: int32(f.Numerator), Denominator: int32(f.Denominator),
		DenominatorSource: f.Source, Before: f.Before,
	}
	if f.Measured {
		share := f.Share()
		m.Share = &share
	}
	return m
}

func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// maxRows bounds one call of SetPopulation and SetTargets.
const maxRows = 20_000

// SetPopulation keeps official numbers of people.
func (s *Service) SetPopulation(ctx context.Context, req *coveragev1.SetPopulationRequest) (*coveragev1.SetPopulationResponse, error) {
	if len(req.GetRows()) > maxRows {
		return nil, fault.Newf(fault.TooLarge, "at most %d rows at once", maxRows).In("rows")
	}
	book, err := s.shelf.Book(ctx, string(readmodel.DayOf(s.now())))
	if err != nil {
		return nil, err
	}
	var rows []readmodel.Population
	for n, r := range req.GetRows() {
		at := "rows[" + strconv.Itoa(n) + "]"
		if _, ok := book.Unit(r.GetCommune()); !ok {
			return nil, fault.New(fault.Invalid, "no known unit; write the code and the day it came into force, such as 22015@2025-07-01", nil).In(at + ".commune")
		}
		day, ok := readmodel.ParseDay(r.GetDate())
		if !ok {
			return nil, fault.New(fault.Invalid, "must be a date such as 2026-04-01", nil).In(at + ".date")
		}
		if r.GetPeople() <= 0 || r.GetAdults() < 0 || r.GetAdults() > r.GetPeople() {
			return nil, fault.New(fault.Invalid, "people must be more than 0 and adults not more than people", nil).In(at)
		}
		if strings.TrimSpace(r.GetSource()) == "" {
			return nil, fault.New(fault.Invalid, "name the source: a number without one is not published", nil).In(at + ".source")
		}
		rows = append(rows, readmodel.Population{
			Unit: r.GetCommune(), Day: day, People: int(r.GetPeople()), Adults: int(r.GetAdults()), Source: strings.TrimSpace(r.GetSource()),
		})
	}
	return &coveragev1.SetPopulationResponse{}, s.store.SetPopulation(ctx, rows)
}

// SetTargets keeps dated targets.
func (s *Service) SetTargets(ctx context.Context, req *coveragev1.SetTargetsRequest) (*coveragev1.SetTargetsResponse, error) {
	if len(req.GetTargets()) > maxRows {
		return nil, fault.Newf(fault.TooLarge, "at most %d targets at once", maxRows).In("targets")
	}
	var list []readmodel.Target
	for n, t := range req.GetTargets() {
		at := "targets[" + strconv.Itoa(n) + "]"
		if _, ok := s.indicator(t.GetIndicator()); !ok {
			return nil, fault.Newf(fault.Invalid, "there is no such indicator; there are %s", strings.Join(order, ", ")).In(at + ".indicator")
		}
		by, ok := readmodel.ParseDay(t.GetBy())
		if !ok {
			return nil, fault.New(fault.Invalid, "must be a date such as 2030-12-31", nil).In(at + ".by")
		}
		if t.GetLevel() != "province" && t.GetLevel() != "national" {
			return nil, fault.New(fault.Invalid, "must be province or national", nil).In(at + ".level")
		}
		if !(t.GetShare() > 0 && t.GetShare() <= 1) {
			return nil, fault.New(fault.Invalid, "must be more than 0 and at most 1 (1 is 100 %)", nil).In(at + ".share")
		}
		if strings.TrimSpace(t.GetSource()) == "" {
			return nil, fault.New(fault.Invalid, "name the text that sets the target", nil).In(at + ".source")
		}
		list = append(list, readmodel.Target{Indicator: t.GetIndicator(), By: by, Level: t.GetLevel(), Share: t.GetShare(), Source: strings.TrimSpace(t.GetSource())})
	}
	return &coveragev1.SetTargetsResponse{}, s.store.SetTargets(ctx, list)
}

// Rebuild begins a second generation; the projection builds it from the log
// and switches when it has caught up.
func (s *Service) Rebuild(ctx context.Context, _ *coveragev1.RebuildRequest) (*coveragev1.Progress, error) {
	if err := s.store.Build(ctx); err != nil {
		return nil, err
	}
	return s.GetProgress(ctx, nil)
}

// GetProgress tells of the generation being built, else of the live one.
func (s *Service) GetProgress(ctx context.Context, _ *coveragev1.GetProgressRequest) (*coveragev1.Progress, error) {
	list, err := s.store.Generations(ctx)
	if err != nil {
		return nil, err
	}
	g := list[len(list)-1]
	return &coveragev1.Progress{Applied: g.Applied, AsOf: timestamp(g.AsOf), Rebuilding: !g.Live, Cursor: g.Cursor}, nil
}
