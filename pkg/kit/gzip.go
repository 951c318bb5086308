package kit

import (
	"net/http"
	"strings"
)

// AcceptsGzip reports whether the caller takes an answer packed by gzip
// (RFC 9110 section 12.5.3). Who does not say so takes none.
func AcceptsGzip(r *http.Request) bool {
	for _, list := range r.Header["Accept-Encoding"] {
		for part := range strings.SplitSeq(list, ",") {
			name, weight, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(part, " ", "")), ";")
			if name == "gzip" {
				return weight == "" || strings.Trim(strings.TrimPrefix(weight, "q="), "0.") != ""
			}
		}
	}
	return false
}

// Vary says that an answer depends on a header of the request
// (RFC 9110 section 12.5.5), besides those that were named before.
func Vary(h http.Header, name string) {
	for _, said := range h["Vary"] {
		if said == name {
			return
		}
	}
	h["Vary"] = append(h["Vary"], name)
}
