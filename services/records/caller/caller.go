// Package caller says in whose name an operation runs: who writes, whether
// they see everything and see names, and by which address they came.
package caller

import (
	"context"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/services/records/record"
)

// Author says who writes, and why: the user's own reason, and the service
// that acts for them.
func Author(ctx context.Context) record.Author {
	p := guard.PrincipalOf(ctx)
	by := record.Author{Actor: p.GetAccount(), Reason: guard.ReasonOf(ctx)}
	if by.Actor == "" && p.GetService() != "" {
		by.Actor = "service:" + p.GetService()
	} else if p.GetService() != "" {
		by.Reason = strings.TrimSpace("service:" + p.GetService() + " " + by.Reason)
	}
	return by
}

// Restricted reports whether the caller sees less than everything.
func Restricted(ctx context.Context) bool { return !guard.ScopeOf(ctx).GetAll() }

// Deidentified reports whether the caller sees records without names only.
func Deidentified(ctx context.Context) bool {
	s := guard.ScopeOf(ctx)
	return s.GetDeidentified() && !s.GetAll()
}

// Hidden makes what is absent and what is out of reach answer alike for a
// caller who does not see everything. The refusal stands in the audit log.
func Hidden(ctx context.Context, err error) error {
	if fault.Is(err, fault.NotFound) && Restricted(ctx) {
		return fault.New(fault.Forbidden, "there is no such record that you may reach", err)
	}
	return err
}

// baseKey carries the address of the FHIR face that the request came to.
type baseKey struct{}

// WithBase returns a context in which links begin with base.
func WithBase(ctx context.Context, base string) context.Context {
	return context.WithValue(ctx, baseKey{}, base)
}

// Base returns the address of the FHIR face that the request came to, or
// otherwise where it came by another way.
func Base(ctx context.Context, otherwise string) string {
	if b, ok := ctx.Value(baseKey{}).(string); ok {
		return b
	}
	return otherwise
}
