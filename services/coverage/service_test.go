package coverage

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/pg/pgtest"
	coveragev1 "github.com/yba-health/yba/proto/gen/yba/coverage/v1"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/coverage/geography"
	"github.com/yba-health/yba/services/coverage/postgres"
	"github.com/yba-health/yba/services/coverage/readmodel"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

var clock = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

func newService(t testing.TB, log *memoryLog, units *memoryUnits) *Service {
	t.Helper()
	db, _ := pgtest.New(t, pgtest.Schema{Service: "coverage", Migrations: postgres.Migrations()})
	indicators, err := loadIndicators()
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return clock }
	quiet := slog.New(slog.DiscardHandler)
	store := postgres.New(db)
	s := &Service{
		indicators: indicators, store: store, now: now,
		shelf:     geography.NewShelf(units, func(ctx context.Context) context.Context { return guard.As(ctx, "coverage") }, now, quiet),
		reporter:  &reporter{store: store, province: province},
		projector: newProjector(log, store, now, quiet, prometheus.NewRegistry()),
	}
	if err := s.operations(); err != nil {
		t.Fatal(err)
	}
	return s
}

// catchUp projects until the end of the log is reached by every generation.
func catchUp(t testing.TB, s *Service) {
	t.Helper()
	for {
		list, err := s.store.Generations(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		end, _, err := s.projector.step(t.Context(), list[0], 0)
		if err != nil {
			t.Fatal(err)
		}
		if end && len(list) == 1 {
			return
		}
		if len(list) == 2 {
			if _, err := s.projector.round(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func report(t testing.TB, s *Service, indicator, geography string) *coveragev1.ReportResponse {
	t.Helper()
	r, err := s.Report(guard.WithScope(t.Context(), &guard.Scope{All: true}), &coveragev1.ReportRequest{Indicator: indicator, Geography: geography})
	if err != nil {
		t.Fatal(err)
	}
	var sum int32
	for _, f := range r.GetCommunes() {
		sum += f.GetNumerator()
	}
	if sum != r.GetTotal().GetNumerator() {
		t.Errorf("%s in %s: communes add up to %d, the total is %d", indicator, geography, sum, r.GetTotal().GetNumerator())
	}
	return r
}

func numerators(r *coveragev1.ReportResponse) map[string]int32 {
	out := map[string]int32{}
	for _, f := range r.GetCommunes() {
		name := f.GetCode()
		if name == "" {
			name = f.GetName()
		}
		out[name] = f.GetNumerator()
	}
	return out
}

func expect(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestMergerMovesPeopleAndCountsNobodyTwice(t *testing.T) {
	log := newLog()
	s := newService(t, log, mergedProvince())
	year := clock.AddDate(-1, 0, 0)
	for i, p := range []person{
		{commune: key("a", oldLaw)},
		{commune: key("b", oldLaw)},
		{commune: key("b", oldLaw)},
		{commune: key("c", oldLaw)},                            // split, no hamlet: unknown today
		{commune: key("a", newLaw)},                            // unknown before
		{commune: key("a", newLaw), hamlet: key("bh", oldLaw)}, // b before
		{commune: key("c", newLaw)},
		{}, // no address
	} {
		p.id, p.version, p.at, p.birth = fmt.Sprint(i), 1, year, "1980-01-01"
		log.add(p.change(t))
	}
	catchUp(t, s)
	now := report(t, s, readmodel.RecordCreated, "")
	expect(t, "today", numerators(now), map[string]int32{key("a", newLaw): 5, key("c", newLaw): 1, unknownCommune: 2})
	before := report(t, s, readmodel.RecordCreated, lastDay)
	expect(t, "before the merger", numerators(before), map[string]int32{key("a", oldLaw): 1, key("b", oldLaw): 3, key("c", oldLaw): 1, unknownOldCommune: 3})
	if now.GetTotal().GetNumerator() != 8 || before.GetTotal().GetNumerator() != 8 {
		t.Errorf("totals %d and %d, want 8", now.GetTotal().GetNumerator(), before.GetTotal().GetNumerator())
	}
}

func TestMoveDeathAndDeletionChangeTheCommunes(t *testing.T) {
	log := newLog()
	s := newService(t, log, mergedProvince())
	at := clock.AddDate(0, 0, -40)
	p := person{id: "1", version: 1, commune: key("a", newLaw), birth: "1990", at: at}
	q := person{id: "2", version: 1, commune: key("a", newLaw), birth: "1990", at: clock.AddDate(0, 0, -3)}
	log.add(p.change(t), q.change(t), encounter(t, "e1", "1", "VR", "finished", 1, at))
	catchUp(t, s)
	r := report(t, s, readmodel.RecordCreated, "")
	expect(t, "at first", numerators(r), map[string]int32{key("a", newLaw): 2, key("c", newLaw): 0})
	expect(t, "remote", numerators(report(t, s, readmodel.RemoteCareAdults, "")), map[string]int32{key("a", newLaw): 1, key("c", newLaw): 0})
	p.version, p.commune, p.at = 2, key("c", newLaw), clock
	log.add(p.change(t))
	catchUp(t, s)
	expect(t, "after moving", numerators(report(t, s, readmodel.RecordCreated, "")), map[string]int32{key("a", newLaw): 1, key("c", newLaw): 1})
	expect(t, "remote after moving", numerators(report(t, s, readmodel.RemoteCareAdults, "")), map[string]int32{key("a", newLaw): 0, key("c", newLaw): 1})
	p.version, p.dead = 3, true
	q.version, q.deleted = 2, true
	log.add(p.change(t), q.change(t))
	// An older version that comes late brings nobody back.
	q.version, q.deleted = 1, false
	log.add(q.change(t))
	catchUp(t, s)
	expect(t, "at last", numerators(report(t, s, readmodel.RecordCreated, "")), map[string]int32{key("a", newLaw): 0, key("c", newLaw): 0})
}

func TestSharesNeedAnOfficialDenominator(t *testing.T) {
	log := newLog()
	s := newService(t, log, mergedProvince())
	for i, day := range []int{-100, -100, -1} {
		p := person{id: fmt.Sprint(i), version: 1, commune: key("a", newLaw), birth: "1990", at: clock.AddDate(0, 0, day)}
		log.add(p.change(t))
	}
	catchUp(t, s)
	if r := report(t, s, readmodel.RecordCreated, ""); r.GetCommunes()[0].Share != nil || r.GetTotal().Share != nil {
		t.Errorf("a share without a denominator: %v", r)
	}
	set := func(commune, date string, people int32) error {
		_, err := s.SetPopulation(t.Context(), &coveragev1.SetPopulationRequest{Rows: []*coveragev1.Population{
			{Commune: commune, Date: date, People: people, Adults: people / 2, Source: "Cục Thống kê"},
		}})
		return err
	}
	for _, err := range []error{set(key("a", newLaw), "2026-01-01", 4), set(key("a", newLaw), "2026-11-10", 8), set(key("a", newLaw), "2027-01-01", 1000)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r := report(t, s, readmodel.RecordCreated, "")
	a := r.GetCommunes()[0]
	if a.GetShare() != 3.0/8 || a.GetBefore() != 2.0/4 || a.GetDenominatorSource() != "Cục Thống kê (2026-11-10)" {
		t.Errorf("commune a: %v", a)
	}
	if r.GetTotal().Share != nil {
		t.Error("the total has a share though commune c has no number")
	}
	if err := set(key("c", newLaw), "2026-01-01", 2); err != nil {
		t.Fatal(err)
	}
	if got := report(t, s, readmodel.RecordCreated, "").GetTotal().GetShare(); got != 3.0/10 {
		t.Errorf("total share %v, want 0.3", got)
	}
	for _, commune := range []string{"a", "a@2001-01-01", ""} {
		if err := set(commune, "2026-01-01", 5); !fault.Is(err, fault.Invalid) || fault.Of(err).At != "rows[0].commune" {
			t.Errorf("commune %q: %v", commune, err)
		}
	}
}

// Where everything was loaded this month, "0 % 30 days ago" would make the
// load look like progress.
func TestAYoungLogHasNoShareOfThirtyDaysAgo(t *testing.T) {
	for name, c := range map[string]struct {
		days int
		want bool
	}{
		"loaded today": {0, false}, "29 days old": {-29, false}, "30 days old": {-30, true}, "folded long ago": {-900, true},
	} {
		t.Run(name, func(t *testing.T) {
			log := newLog()
			s := newService(t, log, mergedProvince())
			for i, commune := range []string{key("a", newLaw), key("c", newLaw)} {
				p := person{id: fmt.Sprint(i), version: 1, commune: commune, birth: "1990", at: clock.AddDate(0, 0, c.days)}
				log.add(p.change(t))
				// A consultation of another time and place, entered with the rest:
				// its day is its own, so that its comparison stands.
				log.add(encounter(t, "e"+p.id, p.id, "VR", "finished", 1, clock.AddDate(0, -3, 0)))
			}
			catchUp(t, s)
			var rows []*coveragev1.Population
			for _, commune := range []string{key("a", newLaw), key("c", newLaw)} {
				rows = append(rows, &coveragev1.Population{Commune: commune, Date: "2026-01-01", People: 4, Adults: 2, Source: "Cục Thống kê"})
			}
			if _, err := s.SetPopulation(t.Context(), &coveragev1.SetPopulationRequest{Rows: rows}); err != nil {
				t.Fatal(err)
			}
			r := report(t, s, readmodel.RecordCreated, "")
			for _, f := range append(r.GetCommunes(), r.GetTotal()) {
				if (f.Before != nil) != c.want || c.want && f.GetBefore() != 0.25 || f.GetShare() != 0.25 {
					t.Errorf("%s: %v", f.GetName(), f)
				}
			}
			if f := report(t, s, readmodel.RemoteCareAdults, "").GetTotal(); f.Before == nil || f.GetBefore() != 0.5 {
				t.Errorf("remote care: %v, want 0.5 before", f)
			}
		})
	}
}

func TestFacilitiesWithRemoteCareAreCounted(t *testing.T) {
	log := newLog()
	s := newService(t, log, mergedProvince())
	at := clock.AddDate(0, 0, -90).Format(time.RFC3339)
	add := func(kind, id, op string, version int64, v map[string]any) {
		log.add(&recordsv1.Change{Type: kind, Id: id, Version: version, At: at, Op: op, Body: body(t, v)})
	}
	station := func(commune string) map[string]any {
		return map[string]any{
			"identifier": []any{map[string]string{"system": "http://fhir.hl7.org.vn/core/sid/ma-cskcb"}},
			"address":    []any{map[string]any{"extension": []any{unitCoding("https://yba.health/fhir/unit", commune)}}},
		}
	}
	offer := func(of string) map[string]any {
		return map[string]any{"providedBy": map[string]string{"reference": "Organization/" + of}, "category": []any{map[string]any{
			"coding": []any{map[string]string{"system": "https://yba.health/fhir/CodeSystem/service-kind", "code": "remote"}},
		}}}
	}
	add("Organization", "1", "create", 1, station(key("a", newLaw)))
	add("Organization", "2", "create", 1, station(key("a", newLaw)))
	add("Organization", "3", "create", 1, station(key("c", newLaw)))
	add("Organization", "4", "create", 1, map[string]any{"name": "Bảo hiểm"})
	add("HealthcareService", "h1", "create", 1, offer("1"))
	add("HealthcareService", "h3", "create", 1, offer("3"))
	add("HealthcareService", "h3", "delete", 2, nil)
	catchUp(t, s)
	r := report(t, s, readmodel.FacilitiesRemote, "")
	if tot := r.GetTotal(); tot.GetNumerator() != 1 || tot.GetDenominator() != 3 || tot.GetBefore() != 1.0/3 {
		t.Errorf("total %v, want 1 of 3", tot)
	}
	if a := r.GetCommunes()[0]; a.GetShare() != 0.5 {
		t.Errorf("commune a %v, want a half", a)
	}
}

func TestTwoProcessesCannotApplyTheSameBatch(t *testing.T) {
	log := newLog()
	s := newService(t, log, mergedProvince())
	log.add(person{id: "1", version: 1, commune: key("a", newLaw), birth: "1990", at: clock}.change(t))
	list, err := s.store.Generations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, _, err := s.projector.step(t.Context(), list[0], 0); err != nil {
			t.Fatal(err)
		}
	}
	if g, err := s.store.Generations(t.Context()); err != nil || g[0].Applied != 1 {
		t.Errorf("applied %v, %v; want 1 change", g, err)
	}
	first, err := s.store.Hold(t.Context())
	if err != nil || first == nil {
		t.Fatal(first, err)
	}
	if second, err := s.store.Hold(t.Context()); err != nil || second != nil {
		t.Errorf("two hold the lock: %v, %v", second, err)
	}
	first.Release(t.Context())
	again, err := s.store.Hold(t.Context())
	if err != nil || again == nil {
		t.Fatalf("the lock was not released: %v", err)
	}
	again.Release(t.Context())
}

func TestRunningServiceFollowsTheLogAndStops(t *testing.T) {
	log := newLog()
	s := newService(t, log, mergedProvince())
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	log.add(person{id: "1", version: 1, commune: key("a", newLaw), birth: "1990", at: clock}.change(t))
	for report(t, s, readmodel.RecordCreated, "").GetTotal().GetNumerator() != 1 {
		if t.Context().Err() != nil {
			t.Fatal("never counted")
		}
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestNextTargetIsShown(t *testing.T) {
	s := newService(t, newLog(), mergedProvince())
	if got := report(t, s, readmodel.RecordCreated, "").GetTarget(); got.GetBy() != "2030-12-31" || got.GetShare() != 1 {
		t.Errorf("national target %v", got)
	}
	_, err := s.SetTargets(t.Context(), &coveragev1.SetTargetsRequest{Targets: []*coveragev1.Target{
		{Indicator: readmodel.RecordCreated, By: "2025-12-31", Share: .9, Level: "province", Source: "x"},
		{Indicator: readmodel.RecordCreated, By: "2027-12-31", Share: .95, Level: "province", Source: "x"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := report(t, s, readmodel.RecordCreated, "").GetTarget(); got.GetBy() != "2027-12-31" || got.GetLevel() != "province" {
		t.Errorf("target %v, want that of 2027", got)
	}
	for at, bad := range map[string]*coveragev1.Target{
		"targets[0].indicator": {Indicator: "x", By: "2027-12-31", Share: .5, Level: "province", Source: "x"},
		"targets[0].share":     {Indicator: readmodel.RecordCreated, By: "2027-12-31", Share: 95, Level: "province", Source: "x"},
		"targets[0].source":    {Indicator: readmodel.RecordCreated, By: "2027-12-31", Share: .5, Level: "national"},
	} {
		if _, err := s.SetTargets(t.Context(), &coveragev1.SetTargetsRequest{Targets: []*coveragev1.Target{bad}}); fault.Of(err).At != at {
			t.Errorf("%s: %v", at, err)
		}
	}
}

func BenchmarkReport100k(b *testing.B) {
	log := newLog()
	s := newService(b, log, mergedProvince())
	rnd := rand.New(rand.NewPCG(1, 1))
	communes := []string{key("a", newLaw), key("c", newLaw), key("b", oldLaw)}
	for i := range 100_000 {
		id := fmt.Sprint(i)
		at := clock.Add(-time.Duration(rnd.IntN(700*24)) * time.Hour)
		// 900 places: as many hamlets as a province has.
		log.add(person{id: id, version: 1, commune: communes[i%3], hamlet: key(fmt.Sprintf("%03d", i%300), newLaw), birth: "1980", at: at}.change(b))
		if i%10 == 0 {
			log.add(encounter(b, "e"+id, id, "VR", "finished", 1, at))
		}
	}
	begun := time.Now()
	catchUp(b, s)
	b.ReportMetric(110_000/time.Since(begun).Seconds(), "versions/s")
	for b.Loop() {
		report(b, s, readmodel.RecordCreated, "")
	}
}
