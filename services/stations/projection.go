package stations

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/projection"
	"github.com/yba-health/yba/pkg/units"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/stations/rules"
)

const (
	// batch is how many changes one transaction of the projection takes.
	batch = 1000
	// patience is how long the log is waited on before it is asked again.
	patience = 20 * time.Second
	// pause is how long the projection rests after a failure.
	pause = 2 * time.Second
)

// Start begins to follow the change log. Every process does: the cursor moves
// only from where a process has read it, and whoever was slower reads again.
func (s *Service) Start(ctx context.Context) error {
	s.follower = &projection.Follower{
		Steps: []projection.Step{{
			Take:   func(ctx context.Context) (bool, error) { return s.Follow(ctx, patience) },
			Behind: "the list of due vaccinations is behind",
		}},
		Retry: pause, Log: s.Log,
	}
	s.follower.Start(guard.As(ctx, name))
	return nil
}

// Stop ends the projection and waits for it.
func (s *Service) Stop(ctx context.Context) error {
	if s.follower == nil {
		return nil
	}
	return s.follower.Stop(ctx)
}

// Follow reads one stretch of the change log into the read model, waiting up
// to wait when there is nothing new, and reports whether there may be more.
func (s *Service) Follow(ctx context.Context, wait time.Duration) (more bool, err error) {
	from, err := s.Store.Cursor(ctx)
	if err != nil {
		return false, err
	}
	answer, err := s.Records.Changes(ctx, &recordsv1.ChangesRequest{
		Cursor: from, Limit: batch, WaitMs: int32(wait.Milliseconds()), Types: []string{"Patient", "Immunization"},
	})
	if err != nil {
		return false, err
	}
	if answer.GetCursor() == from {
		return false, nil
	}
	_, err = s.Store.Apply(ctx, from, answer.GetCursor(), s.dueChanges(answer.GetChanges()))
	return err == nil && answer.GetMore(), err
}

// dueChanges is what changes mean to the read model. The last change of a
// resource wins; the log is in the order of commits.
func (s *Service) dueChanges(list []*recordsv1.Change) DueChanges {
	last := map[string]*recordsv1.Change{}
	var order []string
	for _, c := range list {
		key := c.GetType() + "/" + c.GetId()
		if _, ok := last[key]; !ok {
			order = append(order, key)
		}
		last[key] = c
	}
	var out DueChanges
	// A child stays one year beyond the oldest age of any call.
	oldest := day(s.Now()).AddDate(-1, 0, -oldestDue(s.schedules[len(s.schedules)-1]))
	for _, key := range slices.Clip(order) {
		c := last[key]
		switch c.GetType() {
		case "Patient":
			if child, ok := childOf(c); ok && child.Birth.After(oldest) {
				out.Children = append(out.Children, child)
			} else {
				out.RemovedChildren = append(out.RemovedChildren, c.GetId())
			}
		case "Immunization":
			var r immunizationResource
			g, ok := Given{}, false
			if c.GetOp() != "delete" && json.Unmarshal(c.GetBody(), &r) == nil {
				g, ok = r.given()
			}
			if ok && s.counts(g, c) {
				g.Immunization, g.Patient = c.GetId(), c.GetPatient()
				out.Given = append(out.Given, g)
			} else {
				out.RemovedGiven = append(out.RemovedGiven, c.GetId())
			}
		}
	}
	return out
}

// counts reports whether the read model has a use for a dose. The log holds
// what anyone may write as FHIR: what no schedule knows is left out, so that
// no odd value can bring the projection to a stop.
func (s *Service) counts(g Given, c *recordsv1.Change) bool {
	known := slices.ContainsFunc(s.schedules, func(l rules.Schedule) bool { _, ok := l.Vaccine(g.Vaccine); return ok })
	return known && c.GetPatient() != "" && g.Dose < 100 && g.On.Year() >= 1900
}

// childOf reads a Patient; false for whom nobody can be called: deleted,
// dead, of unknown commune or without an exact date of birth.
func childOf(c *recordsv1.Change) (Child, bool) {
	var p patientResource
	if c.GetOp() == "delete" || json.Unmarshal(c.GetBody(), &p) != nil || !p.living() || len(p.Address) == 0 {
		return Child{}, false
	}
	commune, _ := unitOf(p.Address[0].Extension)
	b, err := parseBirth(p.BirthDate)
	if _, bad := units.ParseKey(commune); bad != nil || err != nil || !b.exact() {
		return Child{}, false
	}
	return Child{Patient: c.GetId(), Commune: commune, Birth: b.first}, true
}
