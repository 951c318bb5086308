package bulk

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
)

// maxFilters bounds the searches that every resource of an export is put to.
const maxFilters = 50

// nextFilter finds where a search begins in a list parted by commas, as
// Bulk Data 1 wrote it: commas within a search part values.
var nextFilter = regexp.MustCompile(`,[A-Z][A-Za-z]*\?`)

// searches parts the value of a _typeFilter.
func searches(value string) (list []string) {
	from := 0
	for _, at := range nextFilter.FindAllStringIndex(value, -1) {
		list, from = append(list, value[from:at[0]]), at[0]+1
	}
	return append(list, value[from:])
}

// filters reads the searches of _typeFilter
// (https://hl7.org/fhir/uv/bulkdata/export.html#_typefilter-query-parameter)
// into j. Where a lenient request has one that cannot be judged, its type is
// exported whole: then nothing is missing that was asked for.
func (b *Bulk) filters(ctx context.Context, j *record.Job, values []string, lenient bool) error {
	x, err := b.Store.Indexer(ctx)
	if err != nil {
		return err
	}
	var whole []string
	n := 0
	for i, value := range values {
		for _, search := range searches(value) {
			if n++; n > maxFilters {
				return fault.Newf(fault.Invalid, "at most %d searches are allowed", maxFilters).In("_typeFilter")
			}
			typ, err := b.judgeable(x.AsOf(j.Horizon), j, search, lenient)
			if err == nil {
				j.Filters = append(j.Filters, search)
				continue
			}
			if !lenient || !fault.Is(err, fault.Unprocessable) {
				f := fault.Of(err)
				refused := fault.New(fault.Invalid, f.Message, nil)
				refused.At = f.At
				return refused.In("_typeFilter[" + strconv.Itoa(i) + "]")
			}
			if whole = append(whole, typ+"?"); !slices.Contains(j.Ignored, "_typeFilter="+typ) {
				j.Ignored = append(j.Ignored, "_typeFilter="+typ)
			}
		}
	}
	slices.Sort(j.Ignored)
	j.Filters = slices.DeleteFunc(j.Filters, func(search string) bool {
		return slices.ContainsFunc(whole, func(typ string) bool { return strings.HasPrefix(search, typ) })
	})
	return nil
}

// judgeable checks a search, Type?criteria. What is understood but cannot be
// asked of the export's resources alone is fault.Unprocessable.
func (b *Bulk) judgeable(x *record.Indexer, j *record.Job, search string, lenient bool) (typ string, err error) {
	typ, criteria, ok := strings.Cut(search, "?")
	number := b.Definitions.Number(typ)
	if !ok || number == 0 {
		return "", fault.New(fault.Invalid, "Type?criteria is expected, such as Observation?status=final", nil)
	}
	if !slices.Contains(j.Types, number) {
		return typ, fault.New(fault.Unprocessable, typ+" is not among the types that are exported; see _type", nil)
	}
	q, err := x.ParseQuery(typ, criteria, lenient)
	if err != nil {
		return typ, err
	}
	if len(q.Ignored) > 0 {
		return typ, fault.Newf(fault.Unprocessable, "%s has no search parameter %q", typ, q.Ignored[0])
	}
	return typ, q.Matchable()
}

// wanted is what an export has of the resources in its reach, and which part
// of them it shows.
type wanted struct {
	indexer  *record.Indexer
	filters  map[int16][]*record.Query
	elements map[string][]string
}

// wanted reads what a job was asked for. It is the same whenever it is read:
// how approximate a date is depends on the time of asking. Who may see no
// names by now must not learn them from what was asked for.
func (b *Bulk) wanted(ctx context.Context, j *record.Job) (*wanted, error) {
	x, err := b.Store.Indexer(ctx)
	if err != nil {
		return nil, err
	}
	w := &wanted{indexer: x.AsOf(j.Horizon), filters: map[int16][]*record.Query{}}
	for _, search := range j.Filters {
		typ, criteria, _ := strings.Cut(search, "?")
		q, err := w.indexer.ParseQuery(typ, criteria, false)
		if err != nil {
			return nil, err
		}
		w.filters[q.Number] = append(w.filters[q.Number], q)
	}
	if j.Elements != "" {
		if w.elements, err = x.Elements(j.Elements); err != nil {
			return nil, fault.Of(err).In("_elements")
		}
	}
	if caller.Deidentified(ctx) {
		return w, b.anonymous(ctx, j, w)
	}
	return w, nil
}

// selection is what there is of a type within all the reaches.
func (w *wanted) selection(typ int16, reaches []record.Reach) record.Selection {
	sel := record.Selection{Reaches: reaches, Outlined: w.elements != nil}
	if list := w.filters[typ]; list != nil {
		sel.Finds = func(x *record.Stored) (bool, error) {
			seen, err := w.indexer.Seen(x)
			if err != nil || seen == nil {
				return false, err
			}
			return slices.ContainsFunc(list, func(q *record.Query) bool { return q.Matches(seen) }), nil
		}
	}
	return sel
}

// part is what is shown of the resources of a type: the elements that are
// named for it, and those that are named for all.
func (w *wanted) part(typ string) fhir.Subset {
	if w.elements == nil {
		return fhir.Subset{}
	}
	return fhir.Subset{Elements: append(append([]string{}, w.elements[typ]...), w.elements[""]...)}
}

// anonymous refuses what could single out a person: a time, a Group, and the
// searches that are refused elsewhere, too.
func (b *Bulk) anonymous(ctx context.Context, j *record.Job, w *wanted) error {
	if j.Since > 0 || j.Until > 0 || j.Level == "group" {
		return fault.New(fault.Forbidden, "records without names are exported as a whole, without _since, _until and a Group", nil)
	}
	for _, list := range w.filters {
		for _, q := range list {
			if err := b.Anonymous(ctx, q); err != nil {
				return fault.Of(err).In("_typeFilter")
			}
		}
	}
	return nil
}
