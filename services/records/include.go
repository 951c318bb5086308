package records

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/record"
)

const (
	// maxIncluded bounds the resources that one page brings along.
	maxIncluded = 1000
	// maxIncludedBytes bounds their bodies.
	maxIncludedBytes = 24 << 20
	// maxRounds bounds how far :iterate follows references.
	maxRounds = 8
	// maxNamed bounds the versions that references name; each is read by itself.
	maxNamed = 50
)

// including collects what _include and _revinclude bring along, within the
// same scope as the matches. What is there already is not included again, so
// a circle of references ends.
type including struct {
	r     *Records
	x     *record.Indexer
	q     *record.Query
	reach record.Reach
	// current are the resources that are there in their current version, as
	// "Type/id"; versions are all that are there, as "Type/id/_history/n".
	current, versions map[string]bool

	out   []record.Stored
	bytes int
	over  bool
}

// included returns what a page brings along, and says where it stopped.
func (r *Records) included(ctx context.Context, x *record.Indexer, q *record.Query, matches []record.Stored, reach record.Reach) ([]record.Stored, []fhir.Issue, error) {
	if len(q.Includes) == 0 || len(matches) == 0 {
		return nil, nil, nil
	}
	in := &including{r: r, x: x, q: q, reach: reach, current: map[string]bool{}, versions: map[string]bool{}}
	for i := range matches {
		name, version := in.names(&matches[i])
		in.current[name], in.versions[version] = true, true
	}
	rounds := 0
	for fresh := matches; len(fresh) > 0 && !in.over; rounds++ {
		if rounds == maxRounds {
			in.over = true
			break
		}
		begun := len(in.out)
		if err := in.round(ctx, fresh, rounds > 0); err != nil {
			return nil, nil, err
		}
		fresh = in.out[begun:]
	}
	if !in.over {
		return in.out, nil, nil
	}
	return in.out, []fhir.Issue{{
		Severity: "warning", Code: "too-costly",
		Diagnostics: "not everything that was asked for is included: a page brings along at most " + strconv.Itoa(maxIncluded) +
			" resources in " + strconv.Itoa(maxRounds) + " rounds; ask for fewer matches by _count",
	}}, nil
}

// names are those of a resource and of its version.
func (in *including) names(x *record.Stored) (name, version string) {
	name = in.r.defs.TypeOf(x.Type) + "/" + x.ID
	return name, name + "/_history/" + strconv.FormatInt(x.Version, 10)
}

// add brings along what is not there yet; current tells that the list is of
// current versions.
func (in *including) add(list []record.Stored, current bool) {
	for i := range list {
		name, version := in.names(&list[i])
		there := in.versions[version] || current && in.current[name]
		if in.current[name] = in.current[name] || current; there {
			continue
		}
		if in.bytes += len(list[i].Body); len(in.out) >= maxIncluded || in.bytes > maxIncludedBytes {
			in.over = true
			return
		}
		in.versions[version] = true
		in.out = append(in.out, list[i])
	}
}

// round applies the includes to resources: all of them to the matches, those
// with :iterate also to what was included before.
func (in *including) round(ctx context.Context, of []record.Stored, again bool) error {
	w := wanted{refs: map[record.Ref]bool{}, versions: map[string]record.Ref{}, urls: map[string]map[string]bool{}}
	for i := range of {
		if err := in.collect(&of[i], again, &w); err != nil {
			return err
		}
	}
	if err := in.forward(ctx, &w); err != nil {
		return err
	}
	for _, inc := range in.q.Includes {
		if !inc.Reverse || again && !inc.Iterate || in.over {
			continue
		}
		var own []record.Ref
		for i := range of {
			if (inc.Target == "" || in.r.defs.TypeOf(of[i].Type) == inc.Target) && (inc.Narrowed == 0 || inc.Narrowed == of[i].Type) {
				own = append(own, record.Ref{Type: of[i].Type, Target: of[i].ID})
			}
		}
		list, err := in.r.store.Referring(ctx, inc.Numbers, own, maxIncluded+len(in.versions)+1, in.reach)
		if err != nil {
			return err
		}
		in.add(list, true)
	}
	return nil
}

// wanted are the targets of a round: resources, versions of them, and
// canonical URLs by the type that they name.
type wanted struct {
	refs     map[record.Ref]bool
	versions map[string]record.Ref
	urls     map[string]map[string]bool
}

// collect reads from a resource's own bytes what it refers to.
func (in *including) collect(x *record.Stored, again bool, w *wanted) error {
	typ := in.r.defs.TypeOf(x.Type)
	var doc *fhir.Doc
	for _, inc := range in.q.Includes {
		if inc.Reverse || again && !inc.Iterate || inc.Source != typ {
			continue
		}
		if doc == nil {
			var err error
			if doc, err = fhir.Parse(x.Body); err != nil {
				return err
			}
		}
		for _, path := range inc.Param.Paths {
			path.Walk(doc.Root(), func(v fhir.Value) { in.target(inc, path, v, w) })
		}
	}
	return nil
}

func (in *including) target(inc record.Include, path fhir.Path, v fhir.Value, w *wanted) {
	if v.Kind() == fhir.String {
		in.canonical(inc, v.Str(), w)
		return
	}
	s := strings.TrimPrefix(v.Get("reference").Str(), in.r.base+"/")
	ref := in.x.ParseReference(s)
	typ := in.r.defs.TypeOf(ref.Type)
	if ref.Type <= 0 || path.Target != "" && path.Target != typ || inc.Target != "" && inc.Target != typ {
		return
	}
	if parts := strings.Split(s, "/"); len(parts) == 4 && parts[2] == "_history" {
		w.versions[s] = ref
		return
	}
	w.refs[ref] = true
}

// canonical notes a reference by canonical URL
// (https://hl7.org/fhir/R4/references.html#canonical).
func (in *including) canonical(inc record.Include, url string, w *wanted) {
	if ref := in.x.ParseReference(url); ref.Type > 0 {
		w.refs[ref] = true
		return
	}
	for _, t := range inc.Param.Targets {
		if inc.Target == "" || inc.Target == t {
			if w.urls[t] == nil {
				w.urls[t] = map[string]bool{}
			}
			w.urls[t][url] = true
		}
	}
}

// forward reads what was collected.
func (in *including) forward(ctx context.Context, w *wanted) error {
	old, err := in.named(ctx, w)
	if err != nil {
		return err
	}
	var refs []record.Ref
	for ref := range w.refs {
		if !in.current[in.r.defs.TypeOf(ref.Type)+"/"+ref.Target] {
			refs = append(refs, ref)
		}
	}
	// One order, so that the same question has the same answer.
	slices.SortFunc(refs, func(a, b record.Ref) int { return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Target, b.Target)) })
	if len(refs) > maxIncluded {
		refs, in.over = refs[:maxIncluded], true
	}
	list, err := in.r.store.ReadMany(ctx, nil, refs, in.reach)
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b record.Stored) int { return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID)) })
	in.add(list, true)
	in.add(old, false)
	for _, typ := range slices.Sorted(maps.Keys(w.urls)) {
		if err := in.byURL(ctx, typ, w.urls[typ]); err != nil {
			return err
		}
	}
	return nil
}

// named reads the versions that references name. In the place of one that is
// not there, or of one too many, the current one is wanted.
func (in *including) named(ctx context.Context, w *wanted) ([]record.Stored, error) {
	var list []record.Stored
	for _, s := range slices.Sorted(maps.Keys(w.versions)) {
		if in.versions[s] {
			continue
		}
		ref := w.versions[s]
		n, err := strconv.ParseInt(s[strings.LastIndexByte(s, '/')+1:], 10, 64)
		if err != nil || len(list) == maxNamed {
			in.over = in.over || err == nil
			w.refs[ref] = true
			continue
		}
		x, err := in.r.store.ReadVersion(ctx, ref.Type, ref.Target, n, in.reach)
		switch {
		case err != nil && !fault.Is(err, fault.NotFound):
			return nil, err
		case err != nil || x.Deleted:
			w.refs[ref] = true
		default:
			list = append(list, *x)
		}
	}
	return list, nil
}

// byURL includes the resources of a type that canonical references name, with
// the version that stands behind "|" if there is one.
func (in *including) byURL(ctx context.Context, typ string, urls map[string]bool) error {
	number := in.x.Number(typ, "url")
	if number == 0 {
		return nil
	}
	var bare []string
	for u := range urls {
		u, _, _ = strings.Cut(u, "|")
		bare = append(bare, u)
	}
	list, err := in.r.store.ByURL(ctx, number, bare, maxIncluded+1, in.reach)
	if err != nil {
		return err
	}
	var keep []record.Stored
	for _, x := range list {
		doc, err := fhir.Parse(x.Body)
		if err != nil {
			return err
		}
		u := doc.Root().Get("url").Str()
		if urls[u] || urls[u+"|"+doc.Root().Get("version").Str()] {
			keep = append(keep, x)
		}
	}
	in.add(keep, true)
	return nil
}
