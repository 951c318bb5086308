package access

import (
	"context"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	"github.com/yba-health/yba/services/access/audit"
)

// Append adds entries to the audit log.
func (s *Service) Append(ctx context.Context, req *accessv1.AppendRequest) (*accessv1.AppendResponse, error) {
	entries := make([]audit.Entry, 0, len(req.GetEntries()))
	for _, m := range req.GetEntries() {
		entries = append(entries, audit.From(m, s.now()))
	}
	return &accessv1.AppendResponse{}, s.store.AppendAudit(ctx, entries)
}

// Bounds of a page of the log.
const (
	defaultPage = 50
	maxPage     = 500
)

func page(limit int32) int {
	if limit <= 0 {
		return defaultPage
	}
	return min(int(limit), maxPage)
}

// AccessLog tells who read or changed a record, newest first.
func (s *Service) AccessLog(ctx context.Context, req *accessv1.AccessLogRequest) (*accessv1.AccessLogResponse, error) {
	patient, own := req.GetPatient(), guard.PrincipalOf(ctx)
	if patient == "" {
		patient = own.GetPatient()
	}
	if patient == "" {
		return nil, fault.New(fault.Invalid, "say whose record it is", nil).In("patient")
	}
	if !guard.Covers(guard.ScopeOf(ctx), patient, "") {
		return nil, fault.New(fault.Forbidden, "you may not reach this record", nil)
	}
	guard.Touch(ctx, patient, "access log")
	patients := []string{patient}
	if patient == own.GetPatient() {
		// Who looked before a merge stands under the id of that time.
		patients = append(patients, own.GetMerged()...)
	}
	return s.auditPage(ctx, audit.Query{Patients: patients, Before: req.GetBefore(), Limit: page(req.GetLimit())})
}

// ListAudit shows the audit log to an administrator.
func (s *Service) ListAudit(ctx context.Context, req *accessv1.ListAuditRequest) (*accessv1.AccessLogResponse, error) {
	return s.auditPage(ctx, audit.Query{Denied: req.GetDenied(), Before: req.GetBefore(), Limit: page(req.GetLimit())})
}

func (s *Service) auditPage(ctx context.Context, q audit.Query) (*accessv1.AccessLogResponse, error) {
	entries, err := s.store.Audit(ctx, q)
	if err != nil {
		return nil, err
	}
	resp := &accessv1.AccessLogResponse{}
	for _, e := range entries {
		resp.Entries = append(resp.Entries, e.Message())
	}
	return resp, nil
}
