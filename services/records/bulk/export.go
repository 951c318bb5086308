package bulk

import (
	"context"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
)

// FilePath is where files are downloaded, below the base.
const FilePath = "/$export-file"

// exportTarget is how the audit log names an export.
func exportTarget(job string) string { return "$export/" + job }

// reader is who is given an export's data.
func reader(ctx context.Context) string { return caller.Author(ctx).Actor }

// job returns an export that the caller may see: whose it is, and who
// reaches everything.
func (b *Bulk) job(ctx context.Context, id string) (*record.Job, error) {
	if _, err := uuid.Parse(id); err != nil {
		return nil, caller.Hidden(ctx, fault.New(fault.NotFound, "there is no such export", nil))
	}
	j, err := b.Store.Job(ctx, id)
	if err == nil && j.Account != reader(ctx) && caller.Restricted(ctx) {
		err = fault.New(fault.NotFound, "there is no such export", nil)
	}
	return j, caller.Hidden(ctx, err)
}

// ExportStatus tells how far an export is, and at its end what it consists of.
func (b *Bulk) ExportStatus(ctx context.Context, req *recordsv1.ExportStatusRequest) (*recordsv1.ExportStatusResponse, error) {
	j, err := b.job(ctx, req.GetJob())
	if err != nil {
		return nil, err
	}
	guard.Touch(ctx, "", exportTarget(j.ID))
	if j.State == "refused" {
		return nil, fault.New(fault.Forbidden, "who asked for the export may not export any more", nil)
	}
	resp := &recordsv1.ExportStatusResponse{Complete: j.State == "complete", Expires: fhir.Instant(j.Expires)}
	files, err := b.Store.Files(ctx, j.ID)
	if err != nil {
		return nil, err
	}
	if resp.GetComplete() {
		resp.Manifest = b.manifest(ctx, j, files)
		return resp, nil
	}
	n := int64(0)
	for _, f := range files {
		n += f.Count + f.Deleted
	}
	resp.Progress = strconv.FormatInt(n, 10) + " resources found in " + strconv.Itoa(j.Place) + " of " + strconv.Itoa(len(j.Types)) + " types"
	return resp, nil
}

// manifest is the answer of a complete export
// (https://hl7.org/fhir/uv/bulkdata/export.html#response---complete-status).
func (b *Bulk) manifest(ctx context.Context, j *record.Job, files []record.JobFile) []byte {
	base := caller.Base(ctx, b.Base)
	list := func(deleted bool) string {
		var out []string
		for _, f := range files {
			n, typ, query := f.Count, b.Definitions.TypeOf(f.Type), "?job="+j.ID+"&file="+strconv.Itoa(f.File)
			if deleted {
				n, typ, query = f.Deleted, "Bundle", query+"&deleted=true"
			}
			if n > 0 {
				out = append(out, `{"type":"`+typ+`","url":`+fhir.Quote(base+FilePath+query)+`,"count":`+strconv.FormatInt(n, 10)+`}`)
			}
		}
		return "[" + strings.Join(out, ",") + "]"
	}
	errors := "[]"
	if n := len(j.Ignored); n > 0 {
		errors = `[{"type":"OperationOutcome","url":` + fhir.Quote(base+FilePath+"?job="+j.ID+"&file="+strconv.Itoa(errorFile)) + `,"count":` + strconv.Itoa(n) + `}]`
	}
	return []byte(`{"transactionTime":"` + fhir.Instant(j.Horizon) + `","request":` + fhir.Quote(j.Request) +
		`,"requiresAccessToken":true,"output":` + list(false) + `,"deleted":` + list(true) + `,"error":` + errors + `}`)
}

// ExportCancel ends an export and forgets it. There are no files to remove:
// they are read from the log.
func (b *Bulk) ExportCancel(ctx context.Context, req *recordsv1.ExportCancelRequest) (*recordsv1.ExportCancelResponse, error) {
	j, err := b.job(ctx, req.GetJob())
	if err != nil {
		return nil, err
	}
	guard.Touch(ctx, "", exportTarget(j.ID))
	return &recordsv1.ExportCancelResponse{}, b.Store.RemoveJob(ctx, j.ID)
}
