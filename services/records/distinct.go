package records

import (
	"context"

	"github.com/yba-health/yba/pkg/fault"
)

// code is a token of a type as a condition asks for it.
type code struct {
	typ, param int16
	code       string
}

// distinct refuses a condition that what another entry writes meets as well:
// whichever of them came first, two resources would match it afterwards
// (https://hl7.org/fhir/R4/http.html#trules: identities must not overlap).
// It looks at conditions on tokens only, which is what identifies.
func (b *batch) distinct(context.Context) error {
	asked := map[code][]*change{}
	for _, c := range b.list {
		if c.match == nil || c.verb == "delete" || c.settled || len(b.writes) < 2 {
			continue
		}
		first := c.match.Filters[0]
		for _, v := range first.Values {
			if v.Code != "" {
				key := code{c.number, first.Number, v.Code}
				asked[key] = append(asked[key], c)
			}
		}
	}
	if len(asked) == 0 {
		return nil
	}
	for i := range b.writes {
		w := &b.writes[i]
		for _, t := range w.Rows.Tokens {
			for _, c := range asked[code{w.Type, t.Param, t.Code}] {
				if c != b.changes[i] && fits(w.Rows, w.ID, c.match) {
					return c.fail(fault.New(fault.Precondition, "what another entry writes meets this condition, too", nil))
				}
			}
		}
	}
	return nil
}
