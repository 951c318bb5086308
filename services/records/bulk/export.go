package bulk

import (
	"bytes"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
)

// FilePath is where files are downloaded, below the base.
const FilePath = "/$export-file"

// keepExport is how long an export can be downloaded.
const keepExport = 24 * time.Hour

// exportPage is how many lines one page of a file has at most.
const exportPage = 1000

// Export begins a bulk export (https://hl7.org/fhir/uv/bulkdata/export.html).
// What it consists of is fixed now; nothing is copied.
func (b *Bulk) Export(ctx context.Context, req *recordsv1.ExportRequest) (*recordsv1.ExportResponse, error) {
	j := &record.Job{ID: uuid.NewString(), Level: req.GetLevel(), Request: req.GetRequest(), Account: reader(ctx)}
	if err := b.exportQuery(ctx, j, req); err != nil {
		return nil, err
	}
	members, err := b.members(ctx, j, req.GetGroup())
	if err != nil {
		return nil, err
	}
	p := guard.PrincipalOf(ctx)
	// The session may end before the export does; the account's rights are
	// asked for again at every step.
	who, err := protojson.Marshal(&guard.Principal{Account: p.GetAccount(), Service: p.GetService()})
	if err != nil {
		return nil, err
	}
	j.Principal = who
	if j.Scope, err = protojson.Marshal(guard.ScopeOf(ctx)); err != nil {
		return nil, err
	}
	if err := b.Store.AddJob(ctx, j, keepExport, members); err != nil {
		return nil, err
	}
	guard.Touch(ctx, "", exportTarget(j.ID))
	b.ring()
	return &recordsv1.ExportResponse{Job: j.ID}, nil
}

// exportTarget is how the audit log names an export.
func exportTarget(job string) string { return "$export/" + job }

// reader is who is given an export's data.
func reader(ctx context.Context) string { return caller.Author(ctx).Actor }

func (b *Bulk) exportQuery(ctx context.Context, j *record.Job, req *recordsv1.ExportRequest) error {
	values, err := url.ParseQuery(req.GetQuery())
	if err != nil {
		return fault.New(fault.Invalid, "the query is not URL-encoded", nil)
	}
	for name, v := range values {
		switch name {
		case "_outputFormat":
			if !slices.Contains([]string{NDJSON, "application/ndjson", "ndjson"}, v[0]) {
				return fault.New(fault.Invalid, "the only _outputFormat is "+NDJSON, nil).In(name)
			}
		case "_since":
			low, _, err := fhir.TimeRange(v[0], record.Zone)
			if err != nil {
				return fault.Of(err).In(name)
			}
			j.Since = low.UnixMicro()
		case "_type":
			for t := range strings.SplitSeq(strings.Join(v, ","), ",") {
				n := b.Definitions.Number(t)
				if n != 0 && (j.Level == "system" || b.compartmental(t)) {
					j.Types = append(j.Types, n)
				} else if !req.GetLenient() {
					return fault.New(fault.Invalid, "_type lists resource types, at the level of patients those of their compartments", nil).In(name)
				}
			}
			if len(j.Types) == 0 {
				return fault.New(fault.Invalid, "no type is left to export", nil).In(name)
			}
		case "_format":
		default:
			if !req.GetLenient() {
				return fault.New(fault.Invalid, "$export has the parameters _outputFormat, _since and _type; "+
					"send Prefer: handling=lenient to ignore others", nil)
			}
		}
	}
	// A time or a Group could single out a person.
	if caller.Deidentified(ctx) && (j.Since > 0 || j.Level == "group") {
		return fault.New(fault.Forbidden, "records without names are exported as a whole, without _since and without a Group", nil)
	}
	if j.Types == nil {
		for _, t := range b.Definitions.Types {
			if j.Level == "system" || b.compartmental(t) {
				j.Types = append(j.Types, b.Definitions.Number(t))
			}
		}
	}
	// Patients first, so that the files can be imported in their order.
	patient := b.Definitions.Number("Patient")
	slices.SortFunc(j.Types, func(x, y int16) int {
		if (x == patient) != (y == patient) {
			return map[bool]int{true: -1, false: 1}[x == patient]
		}
		return strings.Compare(b.Definitions.TypeOf(x), b.Definitions.TypeOf(y))
	})
	j.Types = slices.Compact(j.Types)
	return nil
}

// compartmental reports whether resources of the type lie in patients' compartments.
func (b *Bulk) compartmental(typ string) bool {
	return typ == "Patient" || len(b.Definitions.Compartment(typ)) > 0
}

// members returns the patients of a Group, as it is now and as the caller may read it.
func (b *Bulk) members(ctx context.Context, j *record.Job, group string) ([]int64, error) {
	if j.Level != "group" {
		return nil, nil
	}
	reach, err := b.Reach(ctx)
	if err != nil {
		return nil, err
	}
	if !fhir.ValidID(group) {
		return nil, caller.Hidden(ctx, fault.New(fault.NotFound, "there is no such resource", nil))
	}
	x, err := b.Store.Read(ctx, nil, b.Definitions.Number("Group"), group, reach)
	if err != nil {
		return nil, caller.Hidden(ctx, err)
	}
	guard.Touch(ctx, x.PatientID, "Group/"+x.ID)
	if x.Deleted {
		return nil, fault.New(fault.Gone, "the Group was deleted; its history is kept", nil)
	}
	doc, err := fhir.Parse(x.Body)
	if err != nil {
		return nil, err
	}
	var ids []string
	for m := range doc.Root().Get("member").Items() {
		id, ok := strings.CutPrefix(m.At("entity", "reference").Str(), "Patient/")
		if ok && !m.Get("inactive").True() {
			id, _, _ = strings.Cut(id, "/")
			ids = append(ids, id)
		}
	}
	keys, err := b.Store.PatientKeys(ctx, ids)
	list := make([]int64, 0, len(keys))
	for _, k := range keys {
		list = append(list, k)
	}
	return list, err
}

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
	return []byte(`{"transactionTime":"` + fhir.Instant(j.Horizon) + `","request":` + fhir.Quote(j.Request) +
		`,"requiresAccessToken":true,"output":` + list(false) + `,"deleted":` + list(true) + `,"error":[]}`)
}

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
	list, more, err := b.Store.ReadExport(ctx, j, f, req.GetDeleted(), max(after, f.After), exportPage, reaches)
	if err != nil {
		return nil, err
	}
	if err := b.told(ctx, j, list); err != nil {
		return nil, err
	}
	shown := ctx
	if asked.GetDeidentified() && !asked.GetAll() {
		shown = guard.WithScope(ctx, asked)
	}
	var out bytes.Buffer
	for i := range list {
		if err := b.exportLine(shown, &out, &list[i]); err != nil {
			return nil, err
		}
	}
	resp := &recordsv1.ExportFileResponse{Lines: out.Bytes()}
	if more {
		resp.Next = list[len(list)-1].ID
	}
	return resp, nil
}

// exportLine writes a resource as one line, or its deletion as a Bundle.
func (b *Bulk) exportLine(ctx context.Context, out *bytes.Buffer, x *record.Stored) error {
	body, id, err := b.Shown(ctx, x)
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
