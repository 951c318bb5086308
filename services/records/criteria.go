package records

import (
	"context"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/record"
)

// matches finds what conditional creates would make again. Equal criteria
// wait for each other, and within one Bundle the first one wins.
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
	for _, c := range b.list {
		if c.match == nil {
			continue
		}
		key := c.match.Canonical()
		if same := first[key]; same != nil {
			c.id, c.stored, c.settled = same.id, same.stored, true
			continue
		}
		first[key] = c
		x, err := b.find(ctx, c.match, identifies(c.match))
		if err != nil {
			return c.fail(err)
		}
		if x != nil {
			c.id, c.stored, c.settled = x.ID, x, true
		}
	}
	return nil
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

// find returns the only match of a condition, nil for none. everywhere also
// looks beyond the caller's reach, and then refuses.
func (b *batch) find(ctx context.Context, q *record.Query, everywhere bool) (*record.Stored, error) {
	reach, err := b.r.reach(ctx)
	if err != nil {
		return nil, err
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
	switch len(page.Matches) {
	case 0:
		return nil, nil
	case 1:
		return &page.Matches[0], nil
	}
	return nil, fault.New(fault.Precondition, "the condition matches several resources", nil)
}

// references notes what the entries of a Bundle may be referred to as.
func (b *batch) references() {
	b.resolved = map[string]string{}
	for _, c := range b.list {
		if c.fullURL != "" && c.verb != "delete" {
			b.resolved[c.fullURL] = c.typ + "/" + c.id
		}
	}
}

// resolve returns what a reference becomes.
func (b *batch) resolve(ctx context.Context, at fhir.Value, reference string) (string, error) {
	if now, ok := b.resolved[reference]; ok {
		return now, nil
	}
	fail := func(message string) error {
		f := fault.New(fault.Unprocessable, message, nil)
		f.At = at.Path()
		return f
	}
	if strings.HasPrefix(reference, "urn:uuid:") && len(b.resolved) > 0 && strings.HasSuffix(at.Path(), ".reference") {
		return "", fail("the Bundle has no entry with this fullUrl")
	}
	typ, query, ok := strings.Cut(reference, "?")
	if !ok || b.r.defs.Number(typ) == 0 || !strings.HasSuffix(at.Path(), ".reference") {
		return reference, nil
	}
	// https://hl7.org/fhir/R4/http.html#trules: conditional references
	q, err := b.r.criteria(ctx, typ, query)
	if err != nil {
		return "", fail("the conditional reference cannot be read: " + fault.Of(err).Message)
	}
	for _, c := range b.list {
		if c.match != nil && c.match.Canonical() == q.Canonical() {
			return c.typ + "/" + c.id, nil
		}
	}
	x, err := b.find(ctx, q, false)
	if err != nil {
		return "", err
	}
	if x == nil {
		return "", fail("the conditional reference matches nothing")
	}
	b.resolved[reference] = typ + "/" + x.ID
	return typ + "/" + x.ID, nil
}
