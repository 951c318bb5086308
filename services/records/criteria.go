package records

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
)

// criteria reads the search of a conditional interaction. It must name
// something that belongs to one resource only.
func (r *Records) criteria(ctx context.Context, typ, query string) (*record.Query, error) {
	x, err := r.store.Indexer(ctx)
	if err != nil {
		return nil, err
	}
	// If-None-Exist holds what stands behind the question mark
	// (https://hl7.org/fhir/R4/http.html#ccreate); some clients send it with
	// the type before it, or with the whole address.
	if before, after, ok := strings.Cut(query, "?"); ok && (before == "" || before == typ || strings.HasSuffix(before, "/"+typ)) {
		query = after
	}
	q, err := x.ParseQuery(typ, query, false)
	if err != nil {
		return nil, err
	}
	if len(q.Texts) > 0 {
		return nil, fault.New(fault.Invalid, "_text and _content cannot be a condition: no words belong to one resource only", nil)
	}
	if len(q.Filters) == 0 {
		return nil, fault.New(fault.Invalid, "the condition names no search parameter, such as identifier=system|value", nil)
	}
	q.Count, q.Total, q.CountOnly, q.Cursor = 2, false, false, nil
	return q, nil
}

// deleteLimit makes the criteria of a delete find several resources, where
// the installation allows that, and returns the _count that bounds them.
func (r *Records) deleteLimit(q *record.Query, query string) (int, error) {
	if r.settings.deleteMany == 1 {
		return 0, nil
	}
	q.Count = r.settings.deleteMany
	pairs, err := record.Pairs(query)
	if err != nil {
		return 0, err
	}
	for _, p := range pairs {
		if p[0] != "_count" || p[1] == "" {
			continue
		}
		n, err := strconv.Atoi(p[1])
		if err != nil || n < 1 {
			return 0, fault.New(fault.Invalid, "_count must be a whole number above 0", nil).In("_count")
		}
		q.Count = min(n, q.Count)
		return q.Count, nil
	}
	return 0, nil
}

// matches finds what conditional changes are about. Equal criteria wait for
// each other, and of equal conditional creates in one Bundle the first wins.
// Deletes come first, and a create is asked for what they leave
// (https://hl7.org/fhir/R4/http.html#trules).
func (b *batch) matches(ctx context.Context) error {
	var types []int16
	var criteria []string
	for _, c := range b.list {
		if c.match != nil {
			types, criteria = append(types, c.number), append(criteria, c.match.Canonical())
		}
	}
	if err := b.r.store.Hold(ctx, b.tx, types, criteria); err != nil {
		return err
	}
	first := map[string]*change{}
	for _, c := range slices.Clone(b.list) {
		if c.match == nil {
			continue
		}
		key := c.match.Canonical()
		if same := first[key]; same != nil && (same.verb != "delete" || c.verb != "create") {
			if c.verb != "create" || same.verb != "create" {
				// https://hl7.org/fhir/R4/http.html#trules: identities must not overlap
				return c.fail(fault.New(fault.Invalid, "two entries have the same condition", nil))
			}
			c.id, c.stored, c.settled = same.id, same.stored, true
			continue
		}
		first[key] = c
		match := b.matchOne
		if c.verb == "delete" {
			match = b.matchMany
		}
		if err := match(ctx, c); err != nil {
			return c.fail(err)
		}
	}
	return nil
}

// matchOne finds the only match of a conditional create, update or patch.
func (b *batch) matchOne(ctx context.Context, c *change) error {
	var gone map[record.Ref]bool
	if c.verb == "create" {
		gone = b.deleting()
	}
	x, err := b.find(ctx, c.match, c.verb != "patch" && identifies(c.match), gone)
	switch {
	case err != nil:
		return err
	case x == nil && c.verb == "patch":
		return caller.Hidden(ctx, fault.New(fault.NotFound, "the condition matches nothing", nil))
	case x == nil:
		return nil
	case c.verb == "create":
		c.id, c.stored, c.settled = x.ID, x, true
	case c.own && c.id != x.ID:
		// https://hl7.org/fhir/R4/http.html#cond-update
		return fault.New(fault.Invalid, "the condition matches another resource than the one whose id is given", nil)
	default:
		c.id, c.matched = x.ID, x.Version
	}
	return nil
}

// matchMany finds what a conditional delete deletes; nothing is no error
// (https://hl7.org/fhir/R4/http.html#3.1.0.7.1).
func (b *batch) matchMany(ctx context.Context, c *change) error {
	reach, err := b.r.reach(ctx)
	if err != nil {
		return err
	}
	page, err := b.r.store.Search(ctx, b.tx, c.match, reach)
	if err != nil {
		return err
	}
	many := b.r.settings.deleteMany
	if page.Next != nil && c.limit == 0 || len(page.Matches) > many {
		if many == 1 {
			return several()
		}
		return fault.Newf(fault.Precondition, "the condition matches more than the %d resources that can be deleted at once; say with _count how many to delete", many)
	}
	if len(page.Matches) == 0 {
		c.settled = true
		return nil
	}
	for i, x := range page.Matches {
		d := c
		if i > 0 {
			d = &change{verb: c.verb, typ: c.typ, number: c.number, ifMatch: c.ifMatch, place: c.place}
			c.also = append(c.also, d)
			b.list = append(b.list, d)
		}
		d.id, d.matched = x.ID, x.Version
	}
	return nil
}

func several() error {
	return fault.New(fault.Precondition, "the condition matches several resources", nil)
}

// identifies reports whether a condition asks for a Patient by nothing but
// identifiers. One person must not be enrolled twice, wherever they live, so
// this condition alone looks beyond the caller's reach; every other one would
// tell what another's record holds.
func identifies(q *record.Query) bool {
	for _, f := range q.Filters {
		if f.Param.Code != "identifier" || f.Modifier != "" {
			return false
		}
		for _, v := range f.Values {
			if v.System == "" || v.Code == "" {
				return false
			}
		}
	}
	return q.Type == "Patient"
}

// deleting returns what the Bundle deletes. Deletes come before all other
// changes, so it is known when the first create asks.
func (b *batch) deleting() map[record.Ref]bool {
	if b.gone == nil {
		b.gone = map[record.Ref]bool{}
		for _, c := range b.list {
			if c.verb == "delete" && !c.settled {
				b.gone[record.Ref{Type: c.number, Target: c.id}] = true
			}
		}
	}
	return b.gone
}

// find returns the only match of a condition, nil for none; what is gone does
// not count. everywhere also looks beyond the caller's reach, and then refuses.
func (b *batch) find(ctx context.Context, q *record.Query, everywhere bool, gone map[record.Ref]bool) (*record.Stored, error) {
	reach, err := b.r.reach(ctx)
	if err != nil {
		return nil, err
	}
	if len(gone) > 0 {
		more := *q
		more.Count = min(q.Count+len(gone), record.MaxCount)
		q = &more
	}
	page, err := b.r.store.Search(ctx, b.tx, q, reach)
	if err != nil {
		return nil, err
	}
	if everywhere && !reach.All {
		all, err := b.r.store.Search(ctx, b.tx, q, record.Reach{All: true})
		if err != nil {
			return nil, err
		}
		if len(all.Matches) > len(page.Matches) {
			return nil, outside()
		}
	}
	left := slices.DeleteFunc(page.Matches, func(x record.Stored) bool { return gone[record.Ref{Type: x.Type, Target: x.ID}] })
	switch len(left) {
	case 0:
		return nil, nil
	case 1:
		return &left[0], nil
	}
	return nil, several()
}
