package stations

import (
	"context"
	"crypto/sha256"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
)

// stale is how long a claim may stand without an outcome. It is longer than
// any call may take.
const stale = 2 * time.Minute

// The kinds of entry.
const (
	kindHousehold    = "household"
	kindRegistration = "registration"
	kindVisit        = "visit"
	kindImmunization = "immunization"
)

// refused ends an entry with an answer that is not kept: nothing was written,
// and the same client id may be sent again with more (a list of duplicates).
type refused[T proto.Message] struct{ answer T }

func (refused[T]) Error() string { return "refused" }

// enter carries an entry out once: the first call of a client id does it and
// keeps the answer, every later one gets that answer.
func enter[T proto.Message](ctx context.Context, s *Service, kind, clientID string, request proto.Message, empty T, do func() (T, Outcome, error)) (T, error) {
	var none T
	// Deterministic: the same message gives the same bytes in one version of
	// the program; between versions a retry is at worst refused as different.
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)
	if err != nil {
		return none, err
	}
	digest := sha256.Sum256(b)
	p := guard.PrincipalOf(ctx)
	claim := Claim{ClientID: clientID, Account: p.GetAccount(), Station: station(p), Kind: kind, Digest: digest[:], At: s.Now().UTC().Truncate(time.Microsecond)}
	done, err := s.Store.Claim(ctx, claim, stale)
	if err != nil {
		return none, err
	}
	if done != nil {
		if done.Patient != "" {
			guard.Touch(ctx, done.Patient, "")
		}
		if err := proto.Unmarshal(done.Answer, empty); err != nil {
			return none, err
		}
		return empty, nil
	}
	answer, outcome, err := do()
	if err == nil {
		outcome.Answer, err = proto.Marshal(answer)
	}
	if err == nil {
		// What was written stays written though the caller has left.
		err = s.Store.Finish(context.WithoutCancel(ctx), claim, outcome)
	}
	if err == nil {
		return answer, nil
	}
	if release := s.Store.Release(context.WithoutCancel(ctx), claim); release != nil {
		s.Log.Warn("an entry's claim stays until it is stale", "kind", kind, "error", fault.Of(release).Error())
	}
	return none, err
}
