package postgres

import (
	"context"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/record"
)

// stored expands the ValueSets and CodeSystems that are stored as resources.
type stored struct{ s *Store }

// maxCodes bounds a value set in a search.
const maxCodes = 50_000

// Expand returns the codes that a stored ValueSet lists in its expansion or,
// without one, in its definition.
func (e stored) Expand(ctx context.Context, url string, r record.Reach) ([]record.Coding, error) {
	v, err := e.canonical(ctx, "ValueSet", url, r)
	if err != nil {
		return nil, err
	}
	var out []record.Coding
	if x := v.Get("expansion"); x.Exists() {
		var contains func(fhir.Value)
		contains = func(v fhir.Value) {
			for c := range v.Get("contains").Items() {
				if code := c.Get("code").Str(); code != "" && !c.Get("abstract").True() {
					out = append(out, record.Coding{System: c.Get("system").Str(), Code: code})
				}
				contains(c)
			}
		}
		contains(x)
		return out, nil
	}
	compose := v.Get("compose")
	whole := !compose.Get("exclude").Exists()
	for i := range compose.Get("include").Items() {
		whole = whole && i.Get("concept").Exists() && !i.Get("valueSet").Exists()
		for c := range i.Get("concept").Items() {
			out = append(out, record.Coding{System: i.Get("system").Str(), Code: c.Get("code").Str()})
		}
	}
	if !whole || len(out) == 0 || len(out) > maxCodes {
		return nil, fault.New(fault.Unprocessable, "the value set does not list its codes: store it with an expansion", nil)
	}
	return out, nil
}

// Related follows the concepts of a stored CodeSystem.
func (e stored) Related(ctx context.Context, c record.Coding, below bool, r record.Reach) ([]record.Coding, error) {
	v, err := e.canonical(ctx, "CodeSystem", c.System, r)
	if err != nil {
		return nil, err
	}
	var out []record.Coding
	var down func(v fhir.Value, inside bool)
	down = func(v fhir.Value, inside bool) {
		for x := range v.Get("concept").Items() {
			code := x.Get("code").Str()
			if inside || code == c.Code {
				out = append(out, record.Coding{System: c.System, Code: code})
			}
			down(x, inside || code == c.Code)
		}
	}
	var up func(v fhir.Value) bool
	up = func(v fhir.Value) bool {
		for x := range v.Get("concept").Items() {
			if code := x.Get("code").Str(); code == c.Code || up(x) {
				out = append(out, record.Coding{System: c.System, Code: code})
				return true
			}
		}
		return false
	}
	if below {
		down(v, false)
	} else {
		up(v)
	}
	return out, nil
}

// canonical reads the resource with that URL, the newest without |version.
func (e stored) canonical(ctx context.Context, typ, canonical string, r record.Reach) (fhir.Value, error) {
	url, version, _ := strings.Cut(canonical, "|")
	x, err := e.s.Indexer(ctx)
	if err != nil {
		return fhir.Value{}, err
	}
	q := &sqlText{}
	q.WriteString(`SELECT ` + currentColumns + ` FROM records.uris t JOIN records.current c ON c.patient = t.patient AND c.key = t.key
		WHERE t.param = ` + q.arg(x.Number(typ, "url")) + ` AND t.uri = ` + q.arg(record.Clip(url)) + ` AND ` + q.reach("t.patient", r) +
		` ORDER BY c.updated DESC LIMIT 100`)
	list, _, err := e.s.current(ctx, nil, false, true, q)
	if err != nil {
		return fhir.Value{}, err
	}
	for i := range list {
		doc, err := fhir.Parse(list[i].Body)
		if err != nil {
			return fhir.Value{}, err
		}
		if v := doc.Root(); version == "" || v.Get("version").Str() == version {
			return v, nil
		}
	}
	return fhir.Value{}, fault.Newf(fault.Unprocessable, "there is no %s with this URL", typ)
}

// coded returns what a token must fulfil that is in a value set, or above or
// below a code.
func (b *search) coded(ctx context.Context, f record.Filter, v record.Value, t string) (string, error) {
	var codes []record.Coding
	var err error
	switch f.Modifier {
	case "in", "not-in":
		codes, err = b.s.Expander.Expand(ctx, v.Text, b.reach)
	default:
		if v.System == "" {
			return "", fault.Newf(fault.Invalid, ":%s needs system|code", f.Modifier)
		}
		codes, err = b.s.Expander.Related(ctx, record.Coding{System: v.System, Code: v.Code}, f.Modifier == "below", b.reach)
	}
	if err != nil {
		return "", err
	}
	implied := false // code elements have no system of their own
	for _, p := range f.Param.Paths {
		implied = implied || p.Type == "code"
	}
	var systems, list array
	for _, c := range codes {
		id, err := b.s.known(ctx, c.System)
		if err != nil {
			return "", err
		}
		if id >= 0 {
			systems.int(int64(id))
			list.text(record.Clip(c.Code))
		}
		if implied {
			systems.int(0)
			list.text(record.Clip(c.Code))
		}
	}
	return "(" + t + ".system, " + t + ".code) IN (SELECT * FROM unnest(" + b.arg(systems.arg()) + "::int[], " + b.arg(list.arg()) + "::text[]))", nil
}
