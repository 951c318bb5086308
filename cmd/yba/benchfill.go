package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/yba-health/yba/pkg/fhirclient"
)

// fillConnections is how many bundles are on their way at the same time.
const fillConnections = 6

// sampled is how many people, spread evenly over what was filled in, the
// lines are measured with afterwards: more than any cache of ours was just
// warmed with.
const sampled = 400

// fillStore sends the folder's bundles again and again as transactions, which
// give everything new ids, until the store holds b.fill resources.
func (b *bench) fillStore(ctx context.Context, client *fhirclient.Client, say func(string)) (measure, []string, error) {
	held, err := b.held(ctx, client)
	if err != nil {
		return measure{}, nil, err
	}
	files, err := bundleFiles(b.data)
	if err != nil {
		return measure{}, nil, err
	}
	bodies := make([][]byte, len(files))
	for i, f := range files {
		if bodies[i], err = os.ReadFile(f); err != nil {
			return measure{}, nil, err
		}
	}
	var (
		next     atomic.Int64
		stored   atomic.Int64
		patients []string
		mu       sync.Mutex
		group    sync.WaitGroup
		failure  error
		begin    = time.Now()
		before   = b.processors(ctx)
		wanted   = int64(b.fill - held)
	)
	for range fillConnections {
		group.Go(func() {
			for stored.Load() < wanted && ctx.Err() == nil {
				i := int(next.Add(1) - 1)
				saved, err := client.Transaction(ctx, bodies[i%len(bodies)])
				if err != nil {
					mu.Lock()
					failure = fmt.Errorf("filling: %w", err)
					mu.Unlock()
					return
				}
				n := stored.Add(int64(len(saved)))
				if n/250_000 > (n-int64(len(saved)))/250_000 {
					say(fmt.Sprintf("%d resources, %.0f a second", n, float64(n)/time.Since(begin).Seconds()))
				}
				for _, s := range saved {
					if s.Type == "Patient" {
						mu.Lock()
						patients = append(patients, s.ID)
						mu.Unlock()
					}
				}
			}
		})
	}
	group.Wait()
	if err := cmp.Or(ctx.Err(), failure); err != nil {
		return measure{}, nil, err
	}
	n := int(stored.Load())
	m := measure{Name: "fill, resources", Connections: fillConnections, Count: n, PerSecond: float64(n) / time.Since(begin).Seconds()}
	m.spent(before, b.processors(ctx))
	return m, spread(patients, sampled), nil
}

// somePatients picks people of a store that is full already: in the order of
// ids, which are random, those come from everywhere.
func (b *bench) somePatients(ctx context.Context, client *fhirclient.Client) ([]string, error) {
	var list []string
	for body, err := range client.Search(ctx, "Patient", url.Values{"_sort": {"_id"}, "_count": {strconv.Itoa(sampled)}, "_elements": {"id"}}) {
		if err != nil {
			return nil, fmt.Errorf("looking for patients: %w", err)
		}
		var p struct{ ID string }
		if err := json.Unmarshal(body, &p); err != nil {
			return nil, fmt.Errorf("a patient cannot be read: %w", err)
		}
		if list = append(list, p.ID); len(list) == sampled {
			break
		}
	}
	return list, nil
}

// held counts what the store holds, by the types of the bundles.
func (b *bench) held(ctx context.Context, client *fhirclient.Client) (int, error) {
	sum := 0
	for _, typ := range []string{
		"Patient", "Observation", "Condition", "Encounter", "MedicationRequest", "Procedure", "Claim", "ExplanationOfBenefit",
		"Immunization", "DiagnosticReport", "CarePlan", "Organization", "Practitioner",
	} {
		n, err := client.Count(ctx, typ, nil)
		if err != nil {
			return 0, fmt.Errorf("counting %s: %w", typ, err)
		}
		sum += n
	}
	return sum, nil
}

// spread picks n of list at even distances.
func spread(list []string, n int) []string {
	if len(list) <= n {
		return list
	}
	out := make([]string, n)
	for i := range out {
		out[i] = list[i*len(list)/n]
	}
	return out
}
