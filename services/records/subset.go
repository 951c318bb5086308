package records

import (
	"net/url"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
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

// part reads _summary and _elements of a read
// (https://hl7.org/fhir/R4/http.html#read); it knows no others.
func part(x *record.Indexer, query string) (s fhir.Subset, err error) {
	if query == "" {
		return s, nil
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return s, fault.New(fault.Invalid, "the query is not URL-encoded", nil)
	}
	for name := range values {
		switch v := values.Get(name); {
		case name == "_format" || name == "_pretty" || v == "":
		case name == "_summary" && v == "false":
		case name == "_summary" && (v == "true" || v == "text" || v == "data"):
			s.Summary = v
		case name == "_summary":
			return s, fault.New(fault.Invalid, "_summary of a read is true, text, data or false", nil)
		case name == "_elements":
			elements, err := x.Elements(v)
			if err != nil {
				return s, err
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
	values, err := url.ParseQuery(query)
	if err != nil {
		return s, "", fault.New(fault.Invalid, "the query is not URL-encoded", nil)
	}
	only := url.Values{}
	for _, name := range []string{"_summary", "_elements"} {
		if v := values.Get(name); v != "" {
			only.Set(name, v)
			repeated += "&" + name + "=" + url.QueryEscape(v)
		}
	}
	s, err = part(x, only.Encode())
	return s, repeated, err
}
