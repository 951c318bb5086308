package records

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
	"github.com/yba-health/yba/services/records/record"
)

// keepExport is how long an export can be downloaded.
const keepExport = 24 * time.Hour

// exportPage is how many lines one page of a file has at most.
const exportPage = 1000

// Export begins a bulk export (https://hl7.org/fhir/uv/bulkdata/export.html).
// What it consists of is fixed now; nothing is copied.
func (r *Records) Export(ctx context.Context, req *recordsv1.ExportRequest) (*recordsv1.ExportResponse, error) {
	j := &record.Job{ID: uuid.NewString(), Level: req.GetLevel(), Request: req.GetRequest(), Account: reader(ctx)}
	if err := r.exportQuery(ctx, j, req); err != nil {
		return nil, err
	}
	members, err := r.members(ctx, j, req.GetGroup())
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
	if err := r.store.AddJob(ctx, j, keepExport, members); err != nil {
		return nil, err
	}
	guard.Touch(ctx, "", exportTarget(j.ID))
	r.exports.ring()
	return &recordsv1.ExportResponse{Job: j.ID}, nil
}

// exportTarget is how the audit log names an export.
func exportTarget(job string) string { return "$export/" + job }

// reader is who is given an export's data.
func reader(ctx context.Context) string { return author(ctx).Actor }

func (r *Records) exportQuery(ctx context.Context, j *record.Job, req *recordsv1.ExportRequest) error {
	values, err := url.ParseQuery(req.GetQuery())
	if err != nil {
		return fault.New(fault.Invalid, "the query is not URL-encoded", nil)
	}
	for name, v := range values {
		switch name {
		case "_outputFormat":
			if !slices.Contains([]string{ndjson, "application/ndjson", "ndjson"}, v[0]) {
				return fault.New(fault.Invalid, "the only _outputFormat is "+ndjson, nil).In(name)
			}
		case "_since":
			low, _, err := fhir.TimeRange(v[0], record.Zone)
			if err != nil {
				return fault.Of(err).In(name)
			}
			j.Since = low.UnixMicro()
		case "_type":
			for t := range strings.SplitSeq(strings.Join(v, ","), ",") {
				n := r.defs.Number(t)
				if n != 0 && (j.Level == "system" || r.compartmental(t)) {
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
	if deidentified(ctx) && (j.Since > 0 || j.Level == "group") {
		return fault.New(fault.Forbidden, "records without names are exported as a whole, without _since and without a Group", nil)
	}
	if j.Types == nil {
		for _, t := range r.defs.Types {
			if j.Level == "system" || r.compartmental(t) {
				j.Types = append(j.Types, r.defs.Number(t))
			}
		}
	}
	// Patients first, so that the files can be imported in their order.
	patient := r.defs.Number("Patient")
	slices.SortFunc(j.Types, func(a, b int16) int {
		if (a == patient) != (b == patient) {
			return map[bool]int{true: -1, false: 1}[a == patient]
		}
		return strings.Compare(r.defs.TypeOf(a), r.defs.TypeOf(b))
	})
	j.Types = slices.Compact(j.Types)
	return nil
}

// compartmental reports whether resources of the type lie in patients' compartments.
func (r *Records) compartmental(typ string) bool {
	return typ == "Patient" || len(r.defs.Compartment(typ)) > 0
}

// members returns the patients of a Group, as it is now and as the caller may read it.
func (r *Records) members(ctx context.Context, j *record.Job, group string) ([]int64, error) {
	if j.Level != "group" {
		return nil, nil
	}
	reach, err := r.reach(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := r.real(ctx, "Group", group); err != nil {
		return nil, hidden(ctx, err)
	}
	x, err := r.store.Read(ctx, nil, r.defs.Number("Group"), group, reach)
	if err != nil {
		return nil, hidden(ctx, err)
	}
	r.touch(ctx, x)
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
	keys, err := r.store.PatientKeys(ctx, ids)
	list := make([]int64, 0, len(keys))
	for _, k := range keys {
		list = append(list, k)
	}
	return list, err
}

// job returns an export that the caller may see: whose it is, and who
// reaches everything.
func (r *Records) job(ctx context.Context, id string) (*record.Job, error) {
	if _, err := uuid.Parse(id); err != nil {
		return nil, hidden(ctx, fault.New(fault.NotFound, "there is no such export", nil))
	}
	j, err := r.store.Job(ctx, id)
	if err == nil && j.Account != reader(ctx) && restricted(ctx) {
		err = fault.New(fault.NotFound, "there is no such export", nil)
	}
	return j, hidden(ctx, err)
}

// ExportStatus tells how far an export is, and at its end what it consists of.
func (r *Records) ExportStatus(ctx context.Context, req *recordsv1.ExportStatusRequest) (*recordsv1.ExportStatusResponse, error) {
	j, err := r.job(ctx, req.GetJob())
	if err != nil {
		return nil, err
	}
	guard.Touch(ctx, "", exportTarget(j.ID))
	if j.State == "refused" {
		return nil, fault.New(fault.Forbidden, "who asked for the export may not export any more", nil)
	}
	resp := &recordsv1.ExportStatusResponse{Complete: j.State == "complete", Expires: stamp(j.Expires)}
	files, err := r.store.Files(ctx, j.ID)
	if err != nil {
		return nil, err
	}
	if resp.GetComplete() {
		resp.Manifest = r.manifest(ctx, j, files)
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
func (r *Records) manifest(ctx context.Context, j *record.Job, files []record.JobFile) []byte {
	base := r.baseOf(ctx)
	list := func(deleted bool) string {
		var out []string
		for _, f := range files {
			n, typ, query := f.Count, r.defs.TypeOf(f.Type), "?job="+j.ID+"&file="+strconv.Itoa(f.File)
			if deleted {
				n, typ, query = f.Deleted, "Bundle", query+"&deleted=true"
			}
			if n > 0 {
				out = append(out, `{"type":"`+typ+`","url":`+fhir.Quote(base+exportFile+query)+`,"count":`+strconv.FormatInt(n, 10)+`}`)
			}
		}
		return "[" + strings.Join(out, ",") + "]"
	}
	return []byte(`{"transactionTime":"` + stamp(j.Horizon) + `","request":` + fhir.Quote(j.Request) +
		`,"requiresAccessToken":true,"output":` + list(false) + `,"deleted":` + list(true) + `,"error":[]}`)
}

// reaches returns what the export may show: the scope of asking and that of now.
func (r *Records) reaches(ctx context.Context, j *record.Job) ([]record.Reach, *guard.Scope, error) {
	asked := &guard.Scope{}
	if err := protojson.Unmarshal(j.Scope, asked); err != nil {
		return nil, nil, err
	}
	now, err := r.reach(ctx)
	if err != nil {
		return nil, nil, err
	}
	then, err := r.reach(guard.WithScope(ctx, asked))
	return []record.Reach{now, then}, asked, err
}

// ExportFile returns a page of a file. The log is read anew for it, with the
// caller's scope as it is now, so that no file can outlive a right.
func (r *Records) ExportFile(ctx context.Context, req *recordsv1.ExportFileRequest) (*recordsv1.ExportFileResponse, error) {
	j, err := r.job(ctx, req.GetJob())
	if err != nil {
		return nil, err
	}
	guard.Touch(ctx, "", exportTarget(j.ID))
	files, err := r.store.Files(ctx, j.ID)
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
	reaches, asked, err := r.reaches(ctx, j)
	if err != nil {
		return nil, err
	}
	list, more, err := r.store.ReadExport(ctx, j, f, req.GetDeleted(), max(after, f.After), exportPage, reaches)
	if err != nil {
		return nil, err
	}
	if err := r.told(ctx, j, list); err != nil {
		return nil, err
	}
	shown := ctx
	if asked.GetDeidentified() && !asked.GetAll() {
		shown = guard.WithScope(ctx, asked)
	}
	var out bytes.Buffer
	for i := range list {
		if err := r.exportLine(shown, &out, &list[i]); err != nil {
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
func (r *Records) exportLine(ctx context.Context, out *bytes.Buffer, x *record.Stored) error {
	body, id, err := r.shown(ctx, x)
	if err != nil {
		return err
	}
	if x.Deleted {
		body = []byte(`{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"` +
			r.defs.TypeOf(x.Type) + "/" + id + `"}}]}`)
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
func (r *Records) told(ctx context.Context, j *record.Job, list []record.Stored) error {
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
	first, err := r.store.FirstRead(ctx, j.ID, reader(ctx), keys)
	for _, k := range first {
		guard.Touch(ctx, ids[k], exportTarget(j.ID))
	}
	return err
}

// ExportCancel ends an export and forgets it. There are no files to remove:
// they are read from the log.
func (r *Records) ExportCancel(ctx context.Context, req *recordsv1.ExportCancelRequest) (*recordsv1.ExportCancelResponse, error) {
	j, err := r.job(ctx, req.GetJob())
	if err != nil {
		return nil, err
	}
	guard.Touch(ctx, "", exportTarget(j.ID))
	return &recordsv1.ExportCancelResponse{}, r.store.RemoveJob(ctx, j.ID)
}
