package exchange

import (
	"context"
	"net/http"
	"time"

	"github.com/yba-health/yba/pkg/kit"
	exchangev1 "github.com/yba-health/yba/proto/gen/yba/exchange/v1"
)

// Service answers what the national formats say.
type Service struct {
	now   func() time.Time
	table kit.Table
}

// New returns the service; now is the clock.
func New(now func() time.Time) (*Service, error) {
	s := &Service{now: now}
	var err error
	s.table, err = kit.NewTable(&exchangev1.Exchange_ServiceDesc,
		// A check of digits opens nobody's record.
		kit.Op("CheckIdentifier", s.CheckIdentifier, kit.Unaudited),
	)
	return s, err
}

// CheckIdentifier parses and checks a national identifier. A wrong one is an
// answer, not an error: the form shows the problem beside the field.
func (s *Service) CheckIdentifier(_ context.Context, req *exchangev1.CheckIdentifierRequest) (*exchangev1.CheckedIdentifier, error) {
	c := Check(req.GetKind(), req.GetValue(), s.now())
	return &exchangev1.CheckedIdentifier{
		Kind: c.Kind, Value: c.Value, Valid: c.Valid(), Problem: c.Problem, System: c.System, Parts: c.Parts,
	}, nil
}

// Table lists the operations.
func (s *Service) Table() kit.Table { return s.table }

// Routes adds nothing: every operation is in the table.
func (s *Service) Routes(*http.ServeMux) {}

// Start has no background work to begin.
func (s *Service) Start(context.Context) error { return nil }

// Drain has nothing that outlives a call.
func (s *Service) Drain(context.Context) {}

// Stop has no background work to end.
func (s *Service) Stop(context.Context) error { return nil }
