package bulk

import (
	"context"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/services/records/postgres"
	"github.com/yba-health/yba/services/records/record"
)

// lookEvery is how often a process looks for exports that another one left.
const lookEvery = 10 * time.Second

// ring wakes the worker of this process.
func (b *Bulk) ring() {
	select {
	case b.rung <- struct{}{}:
	default: // it is awake already
	}
}

// Work counts exports until ctx is done. What a process leaves behind when it
// dies, another one goes on with from the last file that was counted.
func (b *Bulk) Work(ctx context.Context) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		for {
			j, err := b.Store.ClaimJob(ctx, b.Lease)
			if err == nil && j != nil {
				err = b.count(ctx, j)
			}
			if err != nil && ctx.Err() == nil {
				b.Log.Error("an export is left for later", "error", err)
			}
			if err != nil || j == nil {
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		case <-b.rung:
		}
	}
}

// count finds out what a job's files are, one after the other.
func (b *Bulk) count(ctx context.Context, j *record.Job) error {
	for j.State == "active" {
		err := b.step(ctx, j)
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
func (b *Bulk) step(ctx context.Context, j *record.Job) error {
	if j.Place == len(j.Types) {
		return b.Store.AdvanceJob(ctx, j, j.Place, j.After, "complete", nil, b.Lease)
	}
	p := &guard.Principal{}
	if err := protojson.Unmarshal(j.Principal, p); err != nil {
		return err
	}
	entered, err := b.Enter(guard.WithPrincipal(ctx, p), "Export")
	var w *wanted
	if err == nil {
		w, err = b.wanted(entered, j)
	}
	if fault.Is(err, fault.Forbidden) || fault.Is(err, fault.Unauthenticated) {
		return b.Store.AdvanceJob(ctx, j, j.Place, j.After, "refused", nil, b.Lease)
	}
	if err != nil {
		return err
	}
	reaches, _, err := b.reaches(entered, j)
	if err != nil {
		return err
	}
	typ := j.Types[j.Place]
	f, whole, err := b.Store.CountExport(ctx, j, typ, j.After, b.Part, w.selection(typ, reaches))
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
	return b.Store.AdvanceJob(ctx, j, place, after, "active", f, b.Lease)
}
