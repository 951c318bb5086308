package access

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/yba-health/yba/pkg/guard"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

// successions knows which units became part of which as a whole, so that a
// nurse reaches residents whose records still name the old commune. A unit of
// which only a part was given away is left out: its people must be assigned
// one by one.
type successions struct {
	stations stationsv1.StationsClient
	now      func() time.Time
	log      *slog.Logger

	mu   sync.Mutex
	next time.Time
	// into lists the old units by the key of the new one.
	into map[string][]string
}

// How long successions are kept, how soon a failure is tried again, and how
// long an answer is waited for.
const (
	successionsKept  = time.Minute
	successionsRetry = 5 * time.Second
	successionsWait  = 2 * time.Second
)

// within returns communes and all units that became part of them as a whole,
// however many reforms ago. Without the stations service it returns what was
// known last, at least the communes themselves.
func (s *successions) within(ctx context.Context, communes []string) []string {
	into := s.current(ctx)
	all := slices.Clone(communes)
	for i := 0; i < len(all); i++ {
		for _, old := range into[all[i]] {
			if !slices.Contains(all, old) {
				all = append(all, old)
			}
		}
	}
	return all
}

func (s *successions) current(ctx context.Context) map[string][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if now.Before(s.next) {
		return s.into
	}
	ctx, cancel := context.WithTimeout(guard.As(context.WithoutCancel(ctx), "access"), successionsWait)
	defer cancel()
	resp, err := s.stations.ListSuccessions(ctx, &stationsv1.ListSuccessionsRequest{})
	if err != nil {
		s.next = now.Add(successionsRetry)
		s.log.Warn("successions of administrative units are not available; communes count as they are", "error", err)
		return s.into
	}
	s.next = now.Add(successionsKept)
	s.into = map[string][]string{}
	for _, x := range resp.GetSuccessions() {
		if x.GetExtent() != "full" {
			continue
		}
		key := x.GetNewCode() + "@" + x.GetNewValidFrom()
		s.into[key] = append(s.into[key], x.GetOldCode()+"@"+x.GetOldValidFrom())
	}
	return s.into
}
