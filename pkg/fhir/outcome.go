package fhir

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/yba-health/yba/pkg/fault"
)

// Issue is one issue of an OperationOutcome.
type Issue struct {
	Severity    string // error, warning, information
	Code        string // https://hl7.org/fhir/R4/valueset-issue-type.html
	Diagnostics string
	// Expression is where the issue lies ("Bundle.entry[3].resource.birthDate").
	Expression string
}

// Outcome returns an OperationOutcome.
func Outcome(issues ...Issue) []byte {
	var b bytes.Buffer
	b.WriteString(`{"resourceType":"OperationOutcome","issue":[`)
	for i, x := range issues {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"severity":` + Quote(x.Severity) + `,"code":` + Quote(x.Code))
		if x.Diagnostics != "" {
			b.WriteString(`,"diagnostics":` + Quote(x.Diagnostics))
		}
		if x.Expression != "" {
			b.WriteString(`,"expression":[` + Quote(x.Expression) + `]`)
		}
		b.WriteByte('}')
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

// IssueOf is what each class is in an OperationOutcome
// (https://hl7.org/fhir/R4/valueset-issue-type.html).
var IssueOf = map[fault.Class]string{
	fault.Internal: "exception", fault.Invalid: "invalid", fault.Unauthenticated: "login", fault.Forbidden: "forbidden",
	fault.NotFound: "not-found", fault.Conflict: "conflict", fault.Gone: "deleted", fault.Precondition: "conflict",
	fault.TooLarge: "too-long", fault.Limited: "throttled", fault.Unavailable: "transient", fault.Unprocessable: "processing",
	fault.Unsupported: "not-supported",
}

// OutcomeOf tells what is wrong; of a resource that is not valid, all of it.
func OutcomeOf(f *fault.Error) []byte {
	if invalid, ok := errors.AsType[*InvalidError](f); ok {
		return Outcome(invalid.Issues...)
	}
	return Outcome(Issue{Severity: "error", Code: IssueOf[f.Class], Diagnostics: f.Message, Expression: f.At})
}

// Inform is the outcome of what went well.
func Inform(text string) []byte {
	return Outcome(Issue{Severity: "information", Code: "informational", Diagnostics: text})
}

// ETag is the tag of a version.
func ETag(version int64) string { return `W/"` + strconv.FormatInt(version, 10) + `"` }

// BundleLink is a link of a Bundle.
type BundleLink struct{ Relation, URL string }

// BundleEntry is an entry of a Bundle; empty fields are left out.
type BundleEntry struct {
	FullURL  string
	Resource []byte
	// Mode is search.mode: match, include or outcome.
	Mode string
	// Search are further members of search, as JSON.
	Search string
	// Method and URL are those of request, in a history.
	Method, URL string
	// Status, Location, ETag and LastModified are those of response.
	Status, Location, ETag, LastModified string
	// Outcome is response.outcome.
	Outcome []byte
}

// Bundle is a Bundle that the server answers with. Resources are put into it
// as the bytes they are.
type Bundle struct {
	Type  string
	Total *int64
	Links []BundleLink
	Entry []BundleEntry
}

// JSON returns the Bundle's bytes.
func (b Bundle) JSON() []byte {
	size := 200
	for _, e := range b.Entry {
		size += len(e.Resource) + len(e.Outcome) + len(e.FullURL) + 200
	}
	out := make([]byte, 0, size)
	out = append(out, `{"resourceType":"Bundle","type":`...)
	out = append(out, Quote(b.Type)...)
	if b.Total != nil {
		out = append(out, `,"total":`...)
		out = strconv.AppendInt(out, *b.Total, 10)
	}
	if len(b.Links) > 0 {
		out = append(out, `,"link":[`...)
		for i, l := range b.Links {
			out = comma(out, i)
			out = append(out, `{"relation":`+Quote(l.Relation)+`,"url":`+Quote(l.URL)+`}`...)
		}
		out = append(out, ']')
	}
	if len(b.Entry) > 0 {
		out = append(out, `,"entry":[`...)
		for i, e := range b.Entry {
			out = comma(out, i)
			out = e.appendTo(out)
		}
		out = append(out, ']')
	}
	return append(out, '}')
}

func comma(out []byte, i int) []byte {
	if i > 0 {
		return append(out, ',')
	}
	return out
}

func (e BundleEntry) appendTo(out []byte) []byte {
	out = append(out, '{')
	n := 0
	member := func(name string, value []byte) {
		out = comma(out, n)
		n++
		out = append(out, '"')
		out = append(out, name...)
		out = append(out, `":`...)
		out = append(out, value...)
	}
	if e.FullURL != "" {
		member("fullUrl", []byte(Quote(e.FullURL)))
	}
	if len(e.Resource) > 0 {
		member("resource", e.Resource)
	}
	if e.Mode != "" {
		s := `{"mode":` + Quote(e.Mode)
		if e.Search != "" {
			s += "," + e.Search
		}
		member("search", []byte(s+`}`))
	}
	if e.Method != "" {
		member("request", []byte(`{"method":`+Quote(e.Method)+`,"url":`+Quote(e.URL)+`}`))
	}
	if e.Status != "" {
		r := []byte(`{"status":` + Quote(e.Status))
		for _, f := range [][2]string{{"location", e.Location}, {"etag", e.ETag}, {"lastModified", e.LastModified}} {
			if f[1] != "" {
				r = append(r, `,"`+f[0]+`":`+Quote(f[1])...)
			}
		}
		if len(e.Outcome) > 0 {
			r = append(append(r, `,"outcome":`...), e.Outcome...)
		}
		member("response", append(r, '}'))
	}
	return append(out, '}')
}
