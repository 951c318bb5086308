package terminology

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
)

// Definition is a ValueSet as it was found.
type Definition struct {
	Version string
	// Key tells one version of one ValueSet from every other.
	Key  string
	Body []byte
}

// Limits of a value set's definition.
const (
	maxDepth   = 20
	maxPattern = 200
	maxParts   = 500
)

// resolver finds what a value set names. It notes the keys of all that was
// found: the same keys mean the same expansion.
type resolver struct {
	store Store
	// versions of code systems to use where none is named (system-version),
	// and in any case (force-system-version).
	versions, forced map[string]string
	keys             []string
	path             []string
	parts            int
}

// named finds the value set of a canonical, "url" or "url|version".
func (r *resolver) named(ctx context.Context, canonical string) (*Set, error) {
	if len(r.path) > maxDepth {
		return nil, fault.New(fault.Unprocessable, "value sets refer to each other more than 20 deep", nil)
	}
	if slices.Contains(r.path, canonical) {
		return nil, fault.Newf(fault.Unprocessable, "the value set %s is made of itself", canonical)
	}
	r.path = append(r.path, canonical)
	defer func() { r.path = r.path[:len(r.path)-1] }()
	if set, err := r.implicit(ctx, canonical); set != nil || err != nil {
		return set, err
	}
	url, version, _ := strings.Cut(canonical, "|")
	list, err := r.store.ValueSets(ctx, url)
	if err != nil {
		return nil, err
	}
	for _, d := range list {
		if version != "" && d.Version != version {
			continue
		}
		doc, err := fhir.Parse(d.Body)
		if err != nil {
			return nil, err
		}
		r.keys = append(r.keys, d.Key)
		return r.defined(ctx, doc.Root())
	}
	s, err := r.store.SystemOf(ctx, url)
	if err != nil {
		return nil, err
	}
	if s != nil && (version == "" || version == s.Version) {
		return r.whole(s, url), nil
	}
	return nil, fault.Newf(fault.NotFound, "the value set %s is not known here; store it as a ValueSet, or load its code system", canonical)
}

func (r *resolver) whole(s *System, url string, filters ...Filter) *Set {
	r.keys = append(r.keys, systemKey(s))
	return &Set{URL: url, Version: s.Version, Name: s.Name, Parts: []Part{{URL: s.URL, Version: s.Version, System: s, Filters: filters}}}
}

// implicit reads value sets that every code system has: "<system>?fhir_vs" and
// "<system>?fhir_vs=isa/<code>" (https://hl7.org/fhir/R4/snomedct.html#implicit).
func (r *resolver) implicit(ctx context.Context, canonical string) (*Set, error) {
	url, query, ok := strings.Cut(canonical, "?fhir_vs")
	if !ok {
		return nil, nil
	}
	s, err := r.system(ctx, url, "")
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, unknownSystem(url)
	}
	if query == "" {
		return r.whole(s, canonical), nil
	}
	if code, ok := strings.CutPrefix(query, "=isa/"); ok && code != "" {
		return r.whole(s, canonical, Filter{Property: "concept", Op: "is-a", Value: code}), nil
	}
	return nil, fault.New(fault.NotFound, "of the implicit value sets only ?fhir_vs and ?fhir_vs=isa/<code> are known here", nil)
}

func unknownSystem(url string) error {
	return fault.Newf(fault.NotFound, "the code system %s is not loaded here; see `yba terminology import`, or store it as a CodeSystem whose content is complete", url)
}

func systemKey(s *System) string { return fmt.Sprintf("system:%d", s.ID) }

// system finds a version of a code system, "" for the preferred one; nil when
// it is not loaded.
func (r *resolver) system(ctx context.Context, url, version string) (*System, error) {
	if v := r.forced[url]; v != "" {
		version = v
	} else if version == "" {
		version = r.versions[url]
	}
	list, err := r.store.Systems(ctx, url)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if version == "" || list[i].Version == version {
			return &list[i], nil
		}
	}
	if len(list) > 0 {
		return nil, fault.Newf(fault.Unprocessable, "version %s of the code system %s is not loaded here; version %s is", version, url, list[0].Version)
	}
	return nil, nil
}

// defined reads a ValueSet resource.
func (r *resolver) defined(ctx context.Context, v fhir.Value) (*Set, error) {
	if v.Get("resourceType").Str() != "ValueSet" {
		return nil, fault.New(fault.Invalid, "this is no ValueSet", nil).In("resourceType")
	}
	set := &Set{URL: v.Get("url").Str(), Version: v.Get("version").Str(), Name: v.Get("name").Str(), Title: v.Get("title").Str()}
	compose := v.Get("compose")
	if !compose.Exists() {
		// What was expanded elsewhere and sent without its definition.
		set.Parts = contained(v.At("expansion", "contains"), nil)
		return set, nil
	}
	if x := compose.Get("inactive"); x.Exists() {
		set.ActiveOnly = !x.True()
	}
	for x := range compose.Get("include").Items() {
		p, err := r.part(ctx, x)
		if err != nil {
			return nil, err
		}
		set.Parts = append(set.Parts, p)
	}
	for x := range compose.Get("exclude").Items() {
		p, err := r.part(ctx, x)
		if err != nil {
			return nil, err
		}
		set.Without = append(set.Without, p)
	}
	return set, nil
}

// contained lists the codes of an expansion, nested ones after those around them.
func contained(list fhir.Value, parts []Part) []Part {
	for x := range list.Items() {
		c := codingOf(x)
		if c.Code != "" && !x.Get("abstract").True() {
			l := Listed{Code: c.Code, Display: c.Display}
			for d := range x.Get("designation").Items() {
				l.Designations = append(l.Designations, designationOf(d))
			}
			if n := len(parts); n > 0 && parts[n-1].URL == c.System && parts[n-1].Version == c.Version {
				parts[n-1].Listed = append(parts[n-1].Listed, l)
			} else {
				parts = append(parts, Part{URL: c.System, Version: c.Version, Enumerated: true, Listed: []Listed{l}})
			}
		}
		parts = contained(x.Get("contains"), parts)
	}
	return parts
}

func (r *resolver) part(ctx context.Context, v fhir.Value) (Part, error) {
	p := Part{URL: v.Get("system").Str(), Version: v.Get("version").Str()}
	if r.parts++; r.parts > maxParts {
		return p, fault.New(fault.Unprocessable, "the value set has more than 500 parts", nil).In(v.Path())
	}
	fail := func(err error) (Part, error) {
		f := fault.Of(err)
		if f.Class == fault.NotFound { // what the definition names, not what was asked for
			f = fault.New(fault.Unprocessable, f.Message, err)
		}
		return p, f.In(v.Path())
	}
	for x := range v.Get("valueSet").Items() {
		set, err := r.named(ctx, x.Str())
		if err != nil {
			return fail(err)
		}
		p.Sets = append(p.Sets, set)
	}
	for x := range v.Get("concept").Items() {
		l := Listed{Code: x.Get("code").Str(), Display: x.Get("display").Str()}
		for d := range x.Get("designation").Items() {
			l.Designations = append(l.Designations, designationOf(d))
		}
		p.Enumerated, p.Listed = true, append(p.Listed, l)
	}
	for x := range v.Get("filter").Items() {
		f := Filter{Property: x.Get("property").Str(), Op: x.Get("op").Str(), Value: x.Get("value").Str()}
		if err := f.check(); err != nil {
			return fail(fault.Of(err).In(strings.TrimPrefix(x.Path(), v.Path()+".")))
		}
		p.Filters = append(p.Filters, f)
	}
	if p.URL == "" {
		if len(p.Sets) == 0 || p.Enumerated || len(p.Filters) > 0 {
			return p, fault.New(fault.Unprocessable, "an include or exclude names a system or value sets", nil).In(v.Path())
		}
		return p, nil
	}
	var err error
	if p.System, err = r.system(ctx, p.URL, p.Version); err != nil {
		// A list of codes says all that is needed of them.
		if !p.Enumerated || len(p.Filters) > 0 {
			return fail(err)
		}
	}
	switch {
	case p.System != nil:
		p.Version = p.System.Version
		r.keys = append(r.keys, systemKey(p.System))
	case !p.Enumerated || len(p.Filters) > 0:
		return fail(unknownSystem(p.URL))
	}
	return p, nil
}

// check refuses filters that mean nothing, before they reach the store.
func (f Filter) check() error {
	if f.Property == "" || f.Value == "" {
		return fault.New(fault.Unprocessable, "a filter needs a property and a value", nil)
	}
	switch f.Op {
	case "=", "in", "not-in":
	case "is-a", "descendent-of", "is-not-a", "generalizes":
		if !f.hierarchical() {
			return fault.Newf(fault.Unprocessable, "%s works on the hierarchy: its property is concept", f.Op)
		}
	case "regex":
		if _, err := regexp.Compile(f.Value); err != nil || len(f.Value) > maxPattern {
			return fault.New(fault.Unprocessable, "the regular expression is not one, goes back in the text, or is longer than 200 characters", err)
		}
	case "exists":
		if f.Value != "true" && f.Value != "false" {
			return fault.New(fault.Unprocessable, "the value of exists is true or false", nil)
		}
	default:
		return fault.Newf(fault.Unprocessable, "there is no filter operator %q", f.Op)
	}
	return nil
}

func (f Filter) hierarchical() bool { return f.Property == "concept" || f.Property == "code" }
