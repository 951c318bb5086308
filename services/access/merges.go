package access

import (
	"context"
	"errors"
	"time"

	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/projection"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/access/merge"
)

const (
	// mergesWait is how long records may let us wait for a merge, in milliseconds.
	mergesWait = 5000
	// mergesRetry is the pause while records is not there.
	mergesRetry = time.Second
)

// following keeps up with the merges of Patients that records made and undid.
func (s *Service) following() *projection.Follower {
	return &projection.Follower{
		Hold:  s.store.HoldMerges,
		Steps: []projection.Step{{Take: s.followMerges, Behind: "access does not follow the merges of Patients: who is bound to a merged one reaches the old record only"}},
		Retry: mergesRetry, Log: s.log,
	}
}

// followMerges takes the next merges and reports whether there may be more.
func (s *Service) followMerges(ctx context.Context) (more bool, err error) {
	cursor, err := s.store.MergesCursor(ctx)
	if err != nil {
		return false, err
	}
	answer, err := s.records.Merges(guard.As(ctx, "access"), &recordsv1.MergesRequest{Cursor: cursor, WaitMs: mergesWait})
	if err != nil || answer.GetCursor() == cursor {
		return false, err
	}
	list := make([]merge.Merged, 0, len(answer.GetPatients()))
	for _, x := range answer.GetPatients() {
		list = append(list, merge.Merged{Patient: x.GetPatient(), Into: x.GetInto()})
	}
	err = s.store.ApplyMerges(ctx, cursor, answer.GetCursor(), list)
	if errors.Is(err, merge.ErrMoved) {
		return true, nil
	}
	if err == nil {
		s.forget()
	}
	return answer.GetMore(), err
}
