package stations

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
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
	// breath is the least time between two looks at a log with nothing new.
	breath = 100 * time.Millisecond
)

// feed is the running projection.
type feed struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// Start begins to follow the change log.
func (s *Service) Start(ctx context.Context) error {
	ctx, s.feed.cancel = context.WithCancel(guard.As(context.WithoutCancel(ctx), name))
	s.feed.done.Go(func() {
		for ctx.Err() == nil {
			begun := time.Now()
			n, err := s.Follow(ctx, patience)
			rest := time.Duration(0)
			switch {
			case err != nil && ctx.Err() == nil:
				s.Log.Warn("the list of due vaccinations is behind", "error", fault.Of(err).Error())
				rest = pause
			case n == 0 && time.Since(begun) < breath:
				// The log did not wait; asking again at once would only keep it busy.
				rest = breath
			}
			select {
			case <-ctx.Done():
			case <-time.After(rest):
			}
		}
	})
	return nil
}

// Stop ends the projection and waits for it.
func (s *Service) Stop(context.Context) error {
	if s.feed.cancel != nil {
		s.feed.cancel()
	}
	s.feed.done.Wait()
	return nil
}

// Follow reads one stretch of the change log into the read model, waiting up
// to wait when there is nothing new, and reports how many changes it took.
// Several processes may follow at once: the cursor moves only from where a
// process has read it, and whoever was slower reads again.
func (s *Service) Follow(ctx context.Context, wait time.Duration) (int, error) {
	from, err := s.Store.Cursor(ctx)
	if err != nil {
		return 0, err
	}
	answer, err := s.Records.Changes(ctx, &recordsv1.ChangesRequest{
		Cursor: from, Limit: batch, WaitMs: int32(wait.Milliseconds()), Types: []string{"Patient", "Immunization"},
	})
	if err != nil {
		return 0, err
	}
	if answer.GetCursor() == from {
		return 0, nil
	}
	_, err = s.Store.Apply(ctx, from, answer.GetCursor(), s.dueChanges(answer.GetChanges()))
	return len(answer.GetChanges()), err
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
