package bulk

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
)

// keepExport is how long an export can be downloaded.
const keepExport = 24 * time.Hour

// Parameters are those of a kick-off
// (https://hl7.org/fhir/uv/bulkdata/export.html#query-parameters), and what
// each asks for.
var Parameters = [][2]string{
	{"_outputFormat", "The format of the files: " + NDJSON},
	{"_since", "Only what was written at this time or later, and what was deleted since"},
	{"_until", "Only what was last written before this time"},
	{"_type", "Only these types, parted by commas"},
	{"_typeFilter", "Of a type only what a search (Type?criteria) finds; of several for one type, one has to find it"},
	{"_elements", "Only these top-level elements, as name or Type.name, parted by commas, and those that must be there"},
}

// Export begins a bulk export (https://hl7.org/fhir/uv/bulkdata/export.html).
// What it consists of is fixed now; nothing is copied.
func (b *Bulk) Export(ctx context.Context, req *recordsv1.ExportRequest) (*recordsv1.ExportResponse, error) {
	j := &record.Job{ID: uuid.NewString(), Level: req.GetLevel(), Request: req.GetRequest(), Account: reader(ctx), Horizon: b.Now()}
	if err := b.asked(ctx, j, req); err != nil {
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
	return &recordsv1.ExportResponse{Job: j.ID, Ignored: j.Ignored}, nil
}

// asked reads the parameters into j. What a lenient request asks for in vain
// is noted there.
func (b *Bulk) asked(ctx context.Context, j *record.Job, req *recordsv1.ExportRequest) error {
	values, err := url.ParseQuery(req.GetQuery())
	if err != nil {
		return fault.New(fault.Invalid, "the query is not URL-encoded", nil)
	}
	for name, list := range values {
		if all := name + strings.Join(list, ""); !utf8.ValidString(all) || strings.ContainsRune(all, 0) {
			return fault.New(fault.Invalid, "the query is not UTF-8", nil)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.ContainsFunc(Parameters, func(p [2]string) bool { return p[0] == name }) && name != "_format" {
			j.Ignored = append(j.Ignored, name)
		}
	}
	b.types(j, values["_type"])
	slices.Sort(j.Ignored)
	if len(j.Ignored) > 0 && !req.GetLenient() {
		first, _, _ := strings.Cut(j.Ignored[0], "=")
		return fault.Newf(fault.Invalid, "$export does not know %s: it has %s, at the level of patients with types of their compartments; "+
			"send Prefer: handling=lenient to ignore the rest", strings.Join(j.Ignored, ", "), parameterNames()).In(first)
	}
	if len(j.Types) == 0 {
		return fault.New(fault.Invalid, "no type is left to export", nil).In("_type")
	}
	if err := formats(values); err != nil {
		return err
	}
	if j.Since, err = instant(values, "_since"); err != nil {
		return err
	}
	if j.Until, err = instant(values, "_until"); err != nil {
		return err
	}
	if j.Until > 0 && j.Until <= j.Since {
		return fault.New(fault.Invalid, "_until must be later than _since: nothing lies between them", nil).In("_until")
	}
	j.Elements = strings.Join(values["_elements"], ",")
	if err := b.filters(ctx, j, values["_typeFilter"], req.GetLenient()); err != nil {
		return err
	}
	_, err = b.wanted(ctx, j)
	return err
}

func parameterNames() string {
	names := make([]string, len(Parameters))
	for i, p := range Parameters {
		names[i] = p[0]
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// formats checks the format of the files.
func formats(values url.Values) error {
	for _, v := range values["_outputFormat"] {
		// A plus that was not encoded arrives as a blank.
		if !slices.Contains([]string{NDJSON, "application/ndjson", "ndjson"}, strings.ReplaceAll(v, " ", "+")) {
			return fault.New(fault.Invalid, "the only _outputFormat is "+NDJSON, nil).In("_outputFormat")
		}
	}
	return nil
}

// instant reads a time that may be given once, in microseconds; 0 where it is not.
func instant(values url.Values, name string) (int64, error) {
	v := values[name]
	if len(v) == 0 {
		return 0, nil
	}
	if len(v) > 1 {
		return 0, fault.New(fault.Invalid, name+" is given once at most", nil).In(name)
	}
	low, _, err := fhir.TimeRange(v[0], record.Zone)
	if err != nil {
		return 0, fault.Of(err).In(name)
	}
	return low.UnixMicro(), nil
}

// types reads which types are asked for: all that there are at the level, if
// none is named.
func (b *Bulk) types(j *record.Job, lists []string) {
	names := b.Definitions.Types
	if len(lists) > 0 {
		names = strings.Split(strings.Join(lists, ","), ",")
	}
	for _, t := range names {
		n := b.Definitions.Number(t)
		switch {
		case n != 0 && (j.Level == "system" || b.compartmental(t)):
			j.Types = append(j.Types, n)
		case len(lists) > 0:
			j.Ignored = append(j.Ignored, "_type="+t)
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
