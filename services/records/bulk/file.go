package bulk

import (
	"bytes"
	"context"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/record"
)

// exportPage is how many lines one page of a file has at most, and pageBytes
// after how many bytes it ends.
const (
	exportPage = 1000
	pageBytes  = 4 << 20
)

// reaches returns what the export may show: the scope of asking and that of now.
func (b *Bulk) reaches(ctx context.Context, j *record.Job) ([]record.Reach, *guard.Scope, error) {
	asked := &guard.Scope{}
	if err := protojson.Unmarshal(j.Scope, asked); err != nil {
		return nil, nil, err
	}
	now, err := b.Reach(ctx)
	if err != nil {
		return nil, nil, err
	}
	then, err := b.Reach(guard.WithScope(ctx, asked))
	return []record.Reach{now, then}, asked, err
}

// ExportFile returns a page of a file. The log is read anew for it, with the
// caller's scope as it is now, so that no file can outlive a right.
func (b *Bulk) ExportFile(ctx context.Context, req *recordsv1.ExportFileRequest) (*recordsv1.ExportFileResponse, error) {
	j, err := b.job(ctx, req.GetJob())
	if err != nil {
		return nil, err
	}
	guard.Touch(ctx, "", exportTarget(j.ID))
	files, err := b.Store.Files(ctx, j.ID)
	if err != nil {
		return nil, err
	}
	if j.State == "complete" && req.GetFile() == errorFile && len(j.Ignored) > 0 {
		return &recordsv1.ExportFileResponse{Lines: ignoredLines(j)}, nil
	}
	i := slices.IndexFunc(files, func(f record.JobFile) bool { return f.File == int(req.GetFile()) })
	if i < 0 || j.State != "complete" {
		return nil, fault.New(fault.NotFound, "there is no such file; ask for the export's status", nil)
	}
	f, after := &files[i], req.GetAfter()
	if after == "" {
		after = f.After
	} else if !fhir.ValidID(after) {
		return nil, fault.New(fault.Invalid, "after is not what a page gave as next", nil)
	}
	reaches, asked, err := b.reaches(ctx, j)
	if err != nil {
		return nil, err
	}
	w, err := b.wanted(ctx, j)
	if err != nil {
		return nil, err
	}
	list, next, err := b.Store.ReadExport(ctx, j, f, req.GetDeleted(), max(after, f.After), exportPage, w.selection(f.Type, reaches))
	if err != nil {
		return nil, err
	}
	shown := ctx
	if asked.GetDeidentified() && !asked.GetAll() {
		shown = guard.WithScope(ctx, asked)
	}
	var out bytes.Buffer
	part := w.part(b.Definitions.TypeOf(f.Type))
	for i := range list {
		if err := b.exportLine(shown, &out, &list[i], part); err != nil {
			return nil, err
		}
		// How long a part is, is known when it is written.
		if out.Len() > pageBytes && i < len(list)-1 {
			list, next = list[:i+1], list[i].ID
			break
		}
	}
	if err := b.told(ctx, j, list); err != nil {
		return nil, err
	}
	return &recordsv1.ExportFileResponse{Lines: out.Bytes(), Next: next}, nil
}

// errorFile is the number of the file that tells what was ignored.
const errorFile = 0

// ignoredLines tells of each parameter that was ignored
// (https://hl7.org/fhir/uv/bulkdata/export.html#response---output-manifest).
func ignoredLines(j *record.Job) []byte {
	var out []byte
	for _, name := range j.Ignored {
		out = append(out, fhir.Outcome(fhir.Issue{Severity: "warning", Code: "not-supported", Diagnostics: "ignored: " + name})...)
		out = append(out, '\n')
	}
	return out
}

// exportLine writes a part of a resource as one line, or its deletion as a Bundle.
func (b *Bulk) exportLine(ctx context.Context, out *bytes.Buffer, x *record.Stored, part fhir.Subset) error {
	body, id, err := b.Shown(ctx, x, part)
	if err != nil {
		return err
	}
	if x.Deleted {
		body = []byte(`{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"` +
			b.Definitions.TypeOf(x.Type) + "/" + id + `"}}]}`)
	}
	begun := out.Len()
	out.Write(body)
	// Between the tokens of JSON a line end is a blank; within strings there is none.
	line := out.Bytes()[begun:]
	for i, c := range line {
		if c == '\n' || c == '\r' {
			line[i] = ' '
		}
	}
	out.WriteByte('\n')
	return nil
}

// told notes for the audit log whose records are handed out: each patient
// once for an export and who downloads it, since a file of a province would
// else drown every log. The page itself is noted too.
func (b *Bulk) told(ctx context.Context, j *record.Job, list []record.Stored) error {
	ids := map[int64]string{}
	var keys []int64
	for i := range list {
		if k := list[i].Patient; k != 0 && ids[k] == "" {
			ids[k] = list[i].PatientID
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	slices.Sort(keys)
	first, err := b.Store.FirstRead(ctx, j.ID, reader(ctx), keys)
	for _, k := range first {
		guard.Touch(ctx, ids[k], exportTarget(j.ID))
	}
	return err
}
