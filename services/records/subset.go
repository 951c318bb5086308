package records

import (
	"bytes"
	"context"
	"net/url"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
)

// subsetOf returns the part of a type's resources that a search shows. Plain
// names of _elements are those of the matches; what is included is named by
// its type (https://hl7.org/fhir/R4/search.html#elements).
func subsetOf(q *record.Query, typ, mode string) fhir.Subset {
	s := fhir.Subset{Summary: q.Summary, Elements: q.Elements[typ]}
	if mode == "match" && q.Elements != nil {
		s.Elements = append(append([]string{}, s.Elements...), q.Elements[""]...)
	}
	return s
}

// subset cuts a resource down.
func (r *Records) subset(body []byte, s fhir.Subset) ([]byte, error) {
	if s.Whole() || len(body) == 0 {
		return body, nil
	}
	doc, err := fhir.Parse(body)
	if err != nil {
		return nil, err
	}
	return r.defs.Subset(doc.Root(), s), nil
}

// part returns what the caller may see of a part of x. Values that are kept
// apart are read only if the part shows one.
func (r *Records) part(ctx context.Context, x *record.Stored, s fhir.Subset) ([]byte, string, error) {
	if len(x.Splices) > 0 && !s.Whole() && !caller.Deidentified(ctx) {
		body, err := r.subset(x.Marked(), s)
		if err != nil || !bytes.Contains(body, []byte(record.Marker)) {
			return body, x.ID, err
		}
	}
	body, id, err := r.shown(ctx, x)
	if err != nil {
		return nil, id, err
	}
	body, err = r.subset(body, s)
	return body, id, err
}

// whole returns the body with all its values. Of a resource that is too large
// to be held in memory they are left out, and it is tagged as a part.
func (r *Records) whole(ctx context.Context, x *record.Stored) ([]byte, error) {
	if len(x.Splices) == 0 {
		return x.Body, nil
	}
	list := []record.Stored{*x}
	if err := r.store.Fill(ctx, nil, list); err != nil {
		return nil, err
	}
	if len(list[0].Splices) == 0 {
		return list[0].Body, nil
	}
	doc, err := fhir.Parse(list[0].Bare())
	if err != nil {
		return nil, err
	}
	return r.defs.Subset(doc.Root(), fhir.Subset{}), nil
}

// askedPart reads _summary and _elements of a read
// (https://hl7.org/fhir/R4/http.html#read); it knows no others.
func askedPart(x *record.Indexer, query string) (s fhir.Subset, err error) {
	if query == "" {
		return s, nil
	}
	pairs, err := record.Pairs(query)
	if err != nil {
		return s, err
	}
	for _, p := range pairs {
		switch name, v := p[0], p[1]; {
		case name == "_format" || name == "_pretty" || v == "":
		case name == "_summary" && v == "false":
		case name == "_summary" && (v == "true" || v == "text" || v == "data"):
			s.Summary = v
		case name == "_summary":
			return s, fault.New(fault.Invalid, "_summary of a read is true, text, data or false", nil).In(name)
		case name == "_elements":
			elements, err := x.Elements(v)
			if err != nil {
				return s, fault.Of(err).In(name)
			}
			s.Elements = []string{}
			for _, names := range elements {
				s.Elements = append(s.Elements, names...)
			}
		default:
			return s, fault.New(fault.Invalid, "a read has the parameters _summary and _elements", nil)
		}
	}
	return s, nil
}

// historyPart reads _summary and _elements of a history, and how its links
// repeat them.
func historyPart(x *record.Indexer, query string) (s fhir.Subset, repeated string, err error) {
	pairs, err := record.Pairs(query)
	if err != nil {
		return s, "", err
	}
	only := url.Values{}
	for _, p := range pairs {
		if name, v := p[0], p[1]; v != "" && (name == "_summary" || name == "_elements") && !only.Has(name) {
			only.Set(name, v)
			repeated += "&" + name + "=" + url.QueryEscape(v)
		}
	}
	s, err = askedPart(x, only.Encode())
	return s, repeated, err
}
