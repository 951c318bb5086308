package rest

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir/patch"
	"github.com/yba-health/yba/services/records/record"
)

// fhirJSON is the media type of a resource.
const fhirJSON = "application/fhir+json"

// patchFormats are the media types of a PATCH (RFC 5789 section 3.1).
const patchFormats = patch.MediaType + ", " + fhirJSON

// jsonTypes are what JSON is called in Accept and _format
// (https://hl7.org/fhir/R4/http.html#mime-type), with older names that
// clients still send.
var jsonTypes = []string{fhirJSON, "application/json", "application/json+fhir", "text/json", "json"}

// negotiated refuses other formats than JSON, for the answer with 406 and for
// the body with 415 (https://hl7.org/fhir/R4/http.html#mime-type), and
// addresses that name no resource, such as Patient/$nothing.
func (f *Face) negotiated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"type", "id", "version"} {
			if v := r.PathValue(name); v != "" && (v[0] == '$' || v[0] == '_') {
				f.nowhere(w, r)
				return
			}
		}
		// Semicolons, as in _format=application/fhir+json;fhirVersion=4.0, part
		// nothing in a query, but net/url refuses them.
		query := strings.ReplaceAll(r.URL.RawQuery, ";", "%3B")
		asked := strings.Join(r.Header.Values("Accept"), ",")
		// _format overrides Accept for clients that cannot set headers.
		if strings.Contains(query, "_format=") {
			asked = format(query)
		}
		if !acceptable(asked) {
			refuse(r.Context(), w, http.StatusNotAcceptable, "only application/fhir+json of FHIR 4.0 is spoken here")
			return
		}
		if r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
			if message := f.unreadable(r); message != "" {
				if r.Method == http.MethodPatch {
					w.Header().Set("Accept-Patch", patchFormats)
				}
				refuse(r.Context(), w, http.StatusUnsupportedMediaType, message)
				return
			}
		}
		next.ServeHTTP(w, asking(r, query))
	})
}

// format returns _format, the first one that is given. In a query that was not
// encoded, a plus is a blank; a blank that follows a semicolon stays none.
func format(query string) string {
	// What is not URL-encoded is refused behind the guard.
	pairs, _ := record.Pairs(query)
	for _, p := range pairs {
		if p[0] == "_format" {
			return strings.ReplaceAll(strings.ReplaceAll(p[1], "; ", ";"), " ", "+")
		}
	}
	return ""
}

// asking returns the request with another query, as http.StripPrefix does with
// another path.
func asking(r *http.Request, query string) *http.Request {
	if query == r.URL.RawQuery {
		return r
	}
	other, u := new(http.Request), *r.URL
	*other, u.RawQuery = *r, query
	other.URL = &u
	return other
}

// acceptable reports whether a list of media ranges allows an answer in JSON
// (RFC 9110 section 12.5.1).
func acceptable(asked string) bool {
	switch asked {
	case "", "*/*", fhirJSON, "application/json": // nearly always
		return true
	}
	named, every := false, false
	for part := range strings.SplitSeq(strings.ToLower(asked), ",") {
		kind, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			kind, _, _ = strings.Cut(strings.TrimSpace(part), ";")
		}
		q, err := strconv.ParseFloat(parameters["q"], 64)
		wanted := (err != nil || q > 0) && ofR4(parameters)
		switch {
		case slices.Contains(jsonTypes, kind):
			if wanted {
				return true
			}
			named = true
		case kind == "*/*" || kind == "application/*":
			every = every || wanted
		}
	}
	// What is named counts before what stands for all.
	return every && !named
}

// ofR4 looks at the version of FHIR that a media type may name
// (https://hl7.org/fhir/R4/versioning.html#mt-version).
func ofR4(parameters map[string]string) bool {
	v := parameters["fhirversion"]
	return v == "" || v == "4.0" || v == "4.0.1"
}

// unreadable tells why a body is not read, "" where it is.
func (f *Face) unreadable(r *http.Request) string {
	given := r.Header.Get("Content-Type")
	switch {
	case r.Header.Get("Authorization") == "": // the guard says first that nobody is signed in
		return ""
	case given == "" && r.ContentLength == 0: // there is none
		return ""
	}
	form := strings.HasSuffix(r.URL.Path, "/_search")
	if given == fhirJSON && !form {
		return ""
	}
	kind, parameters, err := mime.ParseMediaType(given)
	json := kind == fhirJSON || kind == "application/json"
	switch {
	case err == nil && (form && kind == "application/x-www-form-urlencoded" || !form && json || r.Method == http.MethodPatch && kind == patch.MediaType):
	default:
		return "Content-Type must be application/fhir+json, for _search application/x-www-form-urlencoded, for PATCH also " + patch.MediaType
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "utf8") {
		return "only UTF-8 is read (https://hl7.org/fhir/R4/json.html)"
	}
	if !ofR4(parameters) {
		return "only FHIR 4.0 is read"
	}
	return ""
}

// methods are those that a route can have.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// nowhere answers what no route serves: 405 with the methods of the address
// (RFC 9110 section 15.5.6), or 404 where there are none.
func (f *Face) nowhere(w http.ResponseWriter, r *http.Request) {
	// Patient/?name=an is Patient?name=an to many clients.
	if path, cut := strings.CutSuffix(r.URL.Path, "/"); cut && len(path) > len(Prefix) {
		again := r.Clone(r.Context())
		again.URL.Path, again.URL.RawPath = path, strings.TrimSuffix(r.URL.RawPath, "/")
		f.mux.ServeHTTP(w, again)
		return
	}
	last := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	special := last != "" && (last[0] == '$' || last[0] == '_')
	var allowed []string
	for _, m := range methods {
		probe := r.Clone(r.Context())
		probe.Method = m
		_, pattern := f.mux.Handler(probe)
		// A name with a meaning of its own is no id.
		if pattern == Prefix || pattern == Prefix+"/" || pattern == "" || special && !strings.HasSuffix(pattern, "/"+last) {
			continue
		}
		allowed = append(allowed, m)
	}
	if len(allowed) == 0 {
		encodeError(r.Context(), fault.New(fault.NotFound, "the FHIR face has no such address; see "+Prefix+"/metadata", nil), w)
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	refuse(r.Context(), w, http.StatusMethodNotAllowed, "this address has the methods "+strings.Join(allowed, ", "))
}
