package postgres

import (
	"strings"

	"github.com/yba-health/yba/services/records/record"
)

// driver chooses the filter whose index yields matches in the list's order,
// -1 for none.
func (b *search) driver(list []record.Filter) int {
	if b.q.Sort[0].By == "text" {
		return 0 // the only one
	}
	if len(b.q.Sort) != 1 || b.q.Sort[0].By != "at" {
		return -1
	}
	best := -1
	for i, f := range list {
		if !direct(f) || f.Modifier != "" && f.Param.Type == "token" || len(f.Values) != 1 || len(f.Also) > 0 {
			continue
		}
		switch {
		case f.Param.Type == "reference" && (f.Modifier == "" || b.s.defs.Number(f.Modifier) > 0) && f.Values[0].Ref.Type >= 0 && f.Number != 0 && !b.named(f):
			return i
		case f.Param.Type == "token" && f.Number != 0 && f.Values[0].Code != "" && (best < 0 || broad(list[best]) && !broad(f)):
			best = i
		}
	}
	return best
}

// broad reports whether a token has so few values that each is many resources'.
func broad(f record.Filter) bool {
	switch code := f.Param.Code; code {
	case "category", "class", "gender", "active", "deceased", "intent", "priority":
		return true
	default:
		return strings.HasSuffix(code, "status")
	}
}

// texts are the conditions on row f of a list in the order of a text: it begins
// as the filter wants, and of those of its resource that do it is the least,
// so that each resource comes once.
func (b *search) texts(f record.Filter) (begins, least string) {
	from, to := hidden(b.arg(f.Values[0].Text), "text"), hidden(b.arg(f.Values[0].Text+lastRune), "text")
	o := b.alias()
	return b.params(f, "f") + " AND f.folded >= " + from + " AND f.folded < " + to,
		"NOT EXISTS (SELECT FROM records.strings " + o + " WHERE " + same(o, "f") + " AND " + b.params(f, o) +
			" AND " + o + ".folded >= " + from + " AND " + o + ".folded < f.folded)"
}

// hidden keeps the value of an argument from the planner, where the way does
// not depend on it: PostgreSQL plans a kept statement afresh each time that
// the values promise less than the average does, which costs more than such a
// statement itself.
func hidden(arg, typ string) string { return "(SELECT " + arg + "::" + typ + ")" }

// named reports whether the filter is a patient's, whose compartment is the
// better way.
func (b *search) named(f record.Filter) bool {
	decides, _ := b.x.Compartmental(f.Param)
	return decides && f.Values[0].Ref.Type == b.s.defs.Number("Patient")
}
