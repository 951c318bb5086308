package records

import (
	"context"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/services/records/postgres"
	"github.com/yba-health/yba/services/records/record"
)

// exports is the work at bulk exports in this process.
type exports struct {
	rung chan struct{}
	// part is how many resources one file has at most, and lease how long a
	// job is left to a worker that may have died.
	part  int
	lease time.Duration
}

// lookEvery is how often a process looks for exports that another one left.
const lookEvery = 10 * time.Second

func newExports() exports {
	return exports{rung: make(chan struct{}, 1), part: 50_000, lease: time.Minute}
}

// ring wakes the worker of this process.
func (e *exports) ring() {
	select {
	case e.rung <- struct{}{}:
	default: // it is awake already
	}
}

// work counts exports until ctx is done. What a process leaves behind when it
// dies, another one goes on with from the last file that was counted.
func (r *Records) work(ctx context.Context) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		for {
			j, err := r.store.ClaimJob(ctx, r.exports.lease)
			if err == nil && j != nil {
				err = r.count(ctx, j)
			}
			if err != nil && ctx.Err() == nil {
				r.log.Error("an export is left for later", "error", err)
			}
			if err != nil || j == nil {
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		case <-r.exports.rung:
		}
	}
}

// count finds out what a job's files are, one after the other.
func (r *Records) count(ctx context.Context, j *record.Job) error {
	for j.State == "active" {
		err := r.step(ctx, j)
		if postgres.IsMoved(err) {
			return nil // cancelled, or another worker is ahead
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// step counts the next file with the scope that who asked has now.
func (r *Records) step(ctx context.Context, j *record.Job) error {
	if j.Place == len(j.Types) {
		return r.store.AdvanceJob(ctx, j, j.Place, j.After, "complete", nil, r.exports.lease)
	}
	p := &guard.Principal{}
	if err := protojson.Unmarshal(j.Principal, p); err != nil {
		return err
	}
	entered, err := r.enter(guard.WithPrincipal(ctx, p), "Export")
	if fault.Is(err, fault.Forbidden) || fault.Is(err, fault.Unauthenticated) {
		return r.store.AdvanceJob(ctx, j, j.Place, j.After, "refused", nil, r.exports.lease)
	}
	if err != nil {
		return err
	}
	reaches, _, err := r.reaches(entered, j)
	if err != nil {
		return err
	}
	f, whole, err := r.store.CountExport(ctx, j, j.Types[j.Place], j.After, r.exports.part, reaches)
	if err != nil {
		return err
	}
	place, after := j.Place, f.Upto
	if whole {
		place, after = place+1, ""
	}
	if f.Count+f.Deleted == 0 {
		f = nil
	}
	return r.store.AdvanceJob(ctx, j, place, after, "active", f, r.exports.lease)
}
