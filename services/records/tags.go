package records

import (
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/services/records/record"
)

// tags reads If-Match and If-None-Match: a list of W/"3", "3" or 3, or *
// (https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1).
func tags(header, name string) ([]string, error) {
	if strings.TrimSpace(header) == "" {
		return nil, nil
	}
	var list []string
	for part := range strings.SplitSeq(header, ",") {
		part = strings.TrimPrefix(strings.TrimSpace(part), "W/")
		inner, quoted := strings.CutPrefix(part, `"`)
		if quoted {
			var closed bool
			if inner, closed = strings.CutSuffix(inner, `"`); !closed {
				inner = ""
			}
		}
		if inner == "" || strings.ContainsAny(inner, "\" \t") {
			return nil, fault.New(fault.Invalid, name+` is a version such as W/"3", or *`, nil)
		}
		list = append(list, inner)
	}
	return list, nil
}

// current reports whether tags name the version of x, which may be absent.
func current(list []string, x *record.Stored) bool {
	if x == nil || x.Deleted {
		return false
	}
	for _, t := range list {
		if t == "*" || t == strconv.FormatInt(x.Version, 10) {
			return true
		}
	}
	return false
}
