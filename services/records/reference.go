package records

import (
	"bytes"
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/record"
)

// references notes what the entries of a Bundle may be referred to as.
func (b *batch) references() {
	b.resolved = map[string]*change{}
	for _, c := range b.list {
		if c.fullURL != "" && c.verb != "delete" {
			b.resolved[c.fullURL] = c
		}
	}
}

// link puts what the references in c become into e
// (https://hl7.org/fhir/R4/http.html#trules): references, elements of the
// types uri, url, oid and uuid, and the links of the narrative.
func (b *batch) link(ctx context.Context, c *change, e *fhir.Edits) error {
	for v := range c.body.Strings() {
		switch {
		case v.Named("reference"): // in R4 this is always Reference.reference
			old := v.Str()
			now, err := b.resolve(ctx, c, v, old)
			if err != nil {
				return err
			}
			if now != old {
				e.Replace(v, fhir.Quote(now))
			}
		case v.Named("div"):
			if old := v.Str(); len(b.resolved) > 0 {
				if now := b.narrative(old); now != old {
					e.Replace(v, fhir.Quote(now))
				}
			}
		default:
			raw := v.Raw()
			to := b.resolved[string(raw[1:len(raw)-1])]
			if to == nil {
				continue
			}
			switch b.r.defs.TypeOfElement(v) {
			case "uri", "url", "oid", "uuid":
				e.Replace(v, fhir.Quote(to.reference()))
			}
		}
	}
	return nil
}

func (c *change) reference() string { return c.typ + "/" + c.id }

var links = regexp.MustCompile(`\b(?:href|src)\s*=\s*(?:"[^"]*"|'[^']*')`)

// narrative replaces links that are exactly an entry's fullUrl.
func (b *batch) narrative(div string) string {
	return links.ReplaceAllStringFunc(div, func(attribute string) string {
		i := strings.IndexAny(attribute, `"'`)
		if c := b.resolved[attribute[i+1:len(attribute)-1]]; c != nil {
			return attribute[:i+1] + c.reference() + attribute[len(attribute)-1:]
		}
		return attribute
	})
}

const noEntry = "the Bundle has no entry with this fullUrl"

// resolve returns what a reference becomes.
func (b *batch) resolve(ctx context.Context, from *change, at fhir.Value, reference string) (string, error) {
	if c, version := b.entry(from, reference); c != nil {
		if version == "" {
			return c.reference(), nil
		}
		return c.reference() + "/_history/" + strconv.FormatInt(c.next(), 10), nil
	}
	reference = b.r.relative(ctx, reference)
	fail := func(message string) error {
		return fault.New(fault.Unprocessable, message, nil).In(at.Path())
	}
	if placeholder(reference) && len(b.resolved) > 0 {
		return "", fail(noEntry)
	}
	typ, query, ok := strings.Cut(reference, "?")
	if !ok || b.r.defs.Number(typ) == 0 {
		return reference, nil
	}
	q, err := b.r.criteria(ctx, typ, query)
	if err != nil {
		return "", fail("the conditional reference cannot be read: " + fault.Of(err).Message)
	}
	key := q.Canonical()
	if c := b.asked[key]; c != nil {
		return c.reference(), nil
	}
	c, err := b.conditional(ctx, q)
	if err != nil {
		f := fault.Of(err)
		return "", fault.New(f.Class, f.Message, err).In(at.Path())
	}
	if c == nil {
		return "", fail("the conditional reference matches nothing")
	}
	if b.asked == nil {
		b.asked = map[string]*change{}
	}
	b.asked[key] = c
	return c.reference(), nil
}

// named reports whether a body may hold an address of this server: it names
// the host. Slashes may be escaped in JSON, so they are not looked for.
func (b *batch) named(ctx context.Context, body fhir.Value) bool {
	for _, base := range b.r.bases(ctx) {
		_, rest, _ := strings.Cut(base, "://")
		if host, _, _ := strings.Cut(rest, "/"); host != "" && bytes.Contains(body.Raw(), []byte(host)) {
			return true
		}
	}
	return false
}

// bases are the addresses of this server: by which the request came, and the
// public one.
func (r *Records) bases(ctx context.Context) [2]string { return [2]string{r.baseOf(ctx), r.base} }

// relative makes an absolute URL of this server relative to its base, which
// means the same (https://hl7.org/fhir/R4/references.html#literal): what
// belongs to whom, what may be deleted and what a search finds must not depend
// on the spelling.
func (r *Records) relative(ctx context.Context, reference string) string {
	for _, base := range r.bases(ctx) {
		if rest, ok := strings.CutPrefix(reference, base+"/"); ok {
			return rest
		}
	}
	return reference
}

// entry returns the entry that a reference is about, and the version that it
// names. A relative reference is one to the server of the entry's own fullUrl
// (https://hl7.org/fhir/R4/bundle.html#references).
func (b *batch) entry(from *change, reference string) (*change, string) {
	if len(b.resolved) == 0 {
		return nil, ""
	}
	whole, version, _ := strings.Cut(reference, "/_history/")
	if c := b.resolved[whole]; c != nil {
		return c, version
	}
	own := from.typ + "/"
	if i := strings.LastIndex(from.fullURL, own); i > 0 && strings.HasPrefix(from.fullURL, "http") && strings.Count(whole, "/") == 1 {
		return b.resolved[from.fullURL[:i]+whole], version
	}
	return nil, ""
}

// next is the version that the change leads to.
func (c *change) next() int64 {
	switch {
	case c.stored != nil:
		return c.stored.Version
	case c.old != nil:
		return c.old.Version + 1
	}
	return 1
}

// conditional returns the only resource that a conditional reference matches.
// It is looked for as everything else of the transaction leaves it
// (https://hl7.org/fhir/R4/http.html#trules): what the Bundle deletes is not
// there any more, what it writes counts in its new form.
func (b *batch) conditional(ctx context.Context, q *record.Query) (*change, error) {
	for _, c := range b.list {
		if c.match != nil && c.verb != "delete" && c.number == q.Number && c.match.Canonical() == q.Canonical() {
			return c, nil
		}
	}
	var found []*change
	written := map[string]bool{}
	for _, c := range b.list {
		if c.number != q.Number || c.settled {
			continue
		}
		written[c.id] = true
		if c.verb == "delete" {
			continue
		}
		rows, _ := b.x.Extract(c.body)
		if fits(rows, c.id, q) {
			found = append(found, c)
		}
	}
	more := *q
	more.Count = min(len(written)+2, record.MaxCount)
	reach, err := b.r.reach(ctx)
	if err != nil {
		return nil, err
	}
	page, err := b.r.store.Search(ctx, b.tx, &more, reach)
	if err != nil {
		return nil, err
	}
	for _, x := range page.Matches {
		if !written[x.ID] {
			found = append(found, &change{verb: "read", typ: q.Type, number: x.Type, id: x.ID})
		}
	}
	switch len(found) {
	case 0:
		return nil, nil
	case 1:
		return found[0], nil
	}
	return nil, several()
}

// fits reports whether a resource that is not stored yet matches criteria.
// Tokens only, which is what identifies: anything else would need the database.
func fits(rows record.Rows, id string, q *record.Query) bool {
	for _, f := range q.Filters {
		if f.Param.Type != "token" || f.Modifier != "" {
			return false
		}
		if !slices.ContainsFunc(f.Values, func(v record.Value) bool {
			if f.Param.Code == "_id" {
				return v.Code == id
			}
			return slices.ContainsFunc(rows.Tokens, func(t record.Token) bool {
				return t.Param == f.Number && (v.Code == "" || t.Code == v.Code) && (!v.HasSystem || t.System == v.System)
			})
		}) {
			return false
		}
	}
	return true
}
