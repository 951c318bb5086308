package coverage

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	coveragev1 "github.com/yba-health/yba/proto/gen/yba/coverage/v1"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/coverage/readmodel"
)

// model is an independent, slow count of the same thing.
type model struct {
	persons map[string]person
	created map[string]time.Time
	uses    map[string]use
}

type use struct {
	version int64
	patient string
	day     string
}

func TestRandomChangesInAnyOrderEqualARebuildAndASlowCount(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			log := newLog()
			s := newService(t, log, mergedProvince())
			s.projector.limit = 17
			m := model{map[string]person{}, map[string]time.Time{}, map[string]use{}}
			communes := []string{key("a", oldLaw), key("b", oldLaw), key("a", newLaw), key("c", newLaw), ""}
			births := []string{"1980-02-29", "2008-11-01", "2008", "2020-01-01", ""}
			versions := map[string]int64{}
			var rows []*recordsv1.Change
			for range 400 {
				at := clock.Add(-time.Duration(rnd.IntN(700*24)) * time.Hour)
				id := fmt.Sprint(rnd.IntN(40))
				if rnd.IntN(2) == 0 {
					versions[id]++
					p := person{
						id: id, version: versions[id], commune: communes[rnd.IntN(5)], birth: births[rnd.IntN(5)], at: at,
						dead: rnd.IntN(12) == 0, deleted: rnd.IntN(12) == 0,
					}
					m.persons[id] = p
					if first, ok := m.created[id]; !ok || at.Before(first) {
						m.created[id] = at
					}
					rows = append(rows, p.change(t))
					continue
				}
				e := fmt.Sprintf("e%d", rnd.IntN(60))
				versions[e]++
				class, status := []string{"VR", "VR", "AMB"}[rnd.IntN(3)], []string{"finished", "finished", "in-progress"}[rnd.IntN(3)]
				u := use{version: versions[e], patient: id}
				if class == "VR" && status == "finished" {
					u.day = at.Add(7 * time.Hour).Format(time.DateOnly)
				}
				m.uses[e] = u
				rows = append(rows, encounter(t, e, id, class, status, versions[e], at))
			}
			rnd.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
			for len(rows) > 0 {
				n := min(len(rows), 1+rnd.IntN(40))
				log.add(rows[:n]...)
				// A change that is delivered twice counts once.
				log.add(rows[rnd.IntN(n)])
				rows = rows[n:]
				catchUp(t, s)
			}
			incremental := all(t, s)
			wantCreated, wantRemote := m.count()
			expect(t, "records, slow count", numeratorsByPlace(incremental[readmodel.RecordCreated]), wantCreated)
			expect(t, "remote, slow count", numeratorsByPlace(incremental[readmodel.RemoteCareAdults]), wantRemote)
			if _, err := s.Rebuild(t.Context(), &coveragev1.RebuildRequest{}); err != nil {
				t.Fatal(err)
			}
			expect(t, "while rebuilding", all(t, s), incremental)
			catchUp(t, s)
			p, err := s.GetProgress(t.Context(), nil)
			if err != nil || p.GetRebuilding() {
				t.Fatalf("progress %v, %v", p, err)
			}
			expect(t, "rebuilt", all(t, s), incremental)
		})
	}
}

func all(t *testing.T, s *Service) map[string]map[string]readmodel.Count {
	t.Helper()
	out := map[string]map[string]readmodel.Count{}
	today := readmodel.DayOf(clock)
	for _, i := range []string{readmodel.RecordCreated, readmodel.RemoteCareAdults} {
		list, err := s.store.Counts(t.Context(), i, today, today.Add(0, -30))
		if err != nil {
			t.Fatal(err)
		}
		out[i] = map[string]readmodel.Count{}
		for _, c := range list {
			out[i][c.Commune+" "+c.Hamlet] = c
		}
	}
	return out
}

func numeratorsByPlace(m map[string]readmodel.Count) map[string]int {
	out := map[string]int{}
	for _, c := range m {
		if c.Now != 0 {
			out[c.Commune] += c.Now
		}
	}
	return out
}

func (m model) count() (created, remote map[string]int) {
	created, remote = map[string]int{}, map[string]int{}
	year, today := clock.AddDate(-1, 0, 0).Format(time.DateOnly), clock.Add(7*time.Hour).Format(time.DateOnly)
	grown := map[string]bool{"1980-02-29": true, "2008-11-01": true} // on 21 November 2026
	for id, p := range m.persons {
		if p.dead || p.deleted {
			continue
		}
		created[p.commune]++
		if !grown[p.birth] {
			continue
		}
		for _, u := range m.uses {
			if u.patient == id && u.day > year && u.day <= today {
				remote[p.commune]++
				break
			}
		}
	}
	return created, remote
}
