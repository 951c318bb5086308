package records

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
	"github.com/yba-health/yba/services/records/terminology"
)

// Records carries out the operations. Its methods are those of the proto.
type Records struct {
	store Store
	defs  *fhir.Definitions
	terms *terminology.Server
	now   func() time.Time
	log   *slog.Logger
	// settings are the installation's.
	settings settings
	// base is the public address of /fhir/R4, for links that are made without
	// a request.
	base string
	// enter asks whether the caller may use another operation than the one
	// that runs, and returns a context with its scope.
	enter func(ctx context.Context, method string) (context.Context, error)
	// call runs another operation than the one that runs, behind the guard:
	// with its own right, its own audit and its own measure.
	call func(ctx context.Context, method string, request any) (any, error)

	// admit refuses a Subscription that cannot be delivered.
	admit func(ctx context.Context, v fhir.Value) error

	// pseudonyms is the key by which pseudonyms are made, once it was read.
	pseudonyms atomic.Pointer[[]byte]
}

// reach turns the scope of the operation into keys.
func (r *Records) reach(ctx context.Context) (record.Reach, error) {
	s := guard.ScopeOf(ctx)
	if s.GetAll() || s.GetDeidentified() {
		return record.Reach{All: true, Shared: true}, nil
	}
	reach := record.Reach{Shared: s.GetShared(), Communes: s.GetCommunes()}
	if actor := caller.Author(ctx).Actor; actor != "" {
		// What belongs to the account itself.
		reach.Patients = append(reach.Patients, record.Account(actor))
	}
	if len(s.GetPatients()) > 0 {
		keys, err := r.store.PatientKeys(ctx, s.GetPatients())
		if err != nil {
			return reach, err
		}
		for _, id := range s.GetPatients() {
			if k, ok := keys[id]; ok {
				reach.Patients = append(reach.Patients, k)
			}
		}
	}
	return reach, nil
}

func (r *Records) number(typ string) (int16, error) {
	n := r.defs.Number(typ)
	if n == 0 {
		return 0, fault.New(fault.NotFound, "there is no such resource type in FHIR R4", nil)
	}
	return n, nil
}

// answer makes the proto's resource of a stored one, without what identifies
// a person where the scope says so, and cut down as the query asks.
func (r *Records) answer(ctx context.Context, x *record.Stored, query string) (*recordsv1.Resource, error) {
	var asked fhir.Subset
	if query != "" {
		indexer, err := r.store.Indexer(ctx)
		if err != nil {
			return nil, err
		}
		if asked, err = askedPart(indexer, query); err != nil {
			return nil, err
		}
	}
	body, id, err := r.part(ctx, x, asked)
	if err != nil {
		return nil, err
	}
	a := &recordsv1.Resource{Type: r.defs.TypeOf(x.Type), Id: id, Version: x.Version, Body: body, Deleted: x.Deleted}
	if !x.Updated.IsZero() {
		a.LastUpdated = fhir.Instant(x.Updated)
	}
	return a, nil
}

func (r *Records) touch(ctx context.Context, x *record.Stored) {
	guard.Touch(ctx, x.PatientID, r.defs.TypeOf(x.Type)+"/"+x.ID)
}
