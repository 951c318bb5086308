package subscription

import (
	"slices"
	"strings"

	"github.com/yba-health/yba/services/records/record"
)

// topics is where the canonical addresses of the built-in topics begin.
const topics = "https://yba.health/fhir/SubscriptionTopic/"

// Topic says which changes it is about
// (http://hl7.org/fhir/uv/subscriptions-backport/STU1.1/components.html#subscription-topics).
type Topic struct {
	URL      string
	Triggers []Trigger
	// CanFilterBy are the search parameters that a filter may use; nil allows
	// every one that Query.Matchable does.
	CanFilterBy []string
	// Typed topics are about the types that the filters name.
	Typed bool
}

// Trigger is what must happen to a resource of a type.
type Trigger struct {
	// Type is empty for any.
	Type string
	// On are operations of the log: create, update, delete.
	On []string
	// Before and After are searches which the version before and the new one
	// must match; without a version before, Before holds.
	Before, After string
}

var always = []string{"create", "update", "delete"}

// Topics are the topics that this server knows.
func Topics() []Topic {
	return []Topic{
		{
			URL: topics + "patient-changed", Triggers: []Trigger{{Type: "Patient", On: always}},
			CanFilterBy: []string{"_id", "identifier", "gender", "birthdate", "active", "deceased", "general-practitioner", "organization"},
		},
		{
			URL: topics + "observation-changed", Triggers: []Trigger{{Type: "Observation", On: always}},
			CanFilterBy: []string{"_id", "patient", "subject", "encounter", "code", "category", "status", "performer", "date", "value-quantity", "value-concept"},
		},
		{
			URL: topics + "encounter-start", Triggers: []Trigger{{Type: "Encounter", On: []string{"create", "update"}, Before: "status:not=in-progress", After: "status=in-progress"}},
			CanFilterBy: []string{"_id", "patient", "subject", "class", "type", "participant", "practitioner", "service-provider", "appointment"},
		},
		{
			URL: topics + "encounter-changed", Triggers: []Trigger{{Type: "Encounter", On: always}},
			CanFilterBy: []string{"_id", "patient", "subject", "status", "class", "type", "participant", "practitioner", "service-provider", "appointment", "date"},
		},
		{
			URL: topics + "consultation-booked", Triggers: []Trigger{{Type: "Appointment", On: []string{"create", "update"}, Before: "status:not=booked", After: "status=booked"}},
			CanFilterBy: []string{"_id", "patient", "practitioner", "actor", "appointment-type", "service-type", "specialty", "date"},
		},
		{URL: topics + "resource-changed", Triggers: []Trigger{{On: always}}, Typed: true},
	}
}

func topicOf(url string) *Topic {
	url, _, _ = strings.Cut(url, "|")
	list := Topics()
	if i := slices.IndexFunc(list, func(t Topic) bool { return t.URL == url }); i >= 0 {
		return &list[i]
	}
	return nil
}

// Change is a row of the log with the versions on both sides of it; a version
// that is not there is nil.
type Change struct {
	Type, Op      string
	Before, After *record.Version
}

// rule is a trigger with its searches read.
type rule struct {
	on            []string
	before, after *record.Query
}

func (r *rule) holds(c *Change) bool {
	return slices.Contains(r.on, c.Op) &&
		(r.before == nil || c.Before == nil || r.before.Matches(c.Before)) &&
		(r.after == nil || c.After != nil && r.after.Matches(c.After))
}

// Needs reports whether the version before decides, too.
func (s *Spec) Needs(typ, op string) bool { return op != "create" && s.rules[typ] != nil && !s.classic }

// Types are the resource types of which the Subscription is told.
func (s *Spec) Types() []string {
	var out []string
	for typ := range s.rules {
		out = append(out, typ)
	}
	return out
}

// Matches reports whether the Subscription is told of c. R4's own criteria
// are asked of the new version only. Filters of a topic hold when the version
// before or the new one matches them, so that who follows a set of resources
// learns that one has left it, and of deletions.
func (s *Spec) Matches(c *Change) bool {
	r := s.rules[c.Type]
	if r == nil || !r.holds(c) {
		return false
	}
	if s.classic {
		return c.After != nil && s.filtered(c.Type, c.After)
	}
	return c.After != nil && s.filtered(c.Type, c.After) || c.Before != nil && s.filtered(c.Type, c.Before)
}

func (s *Spec) filtered(typ string, v *record.Version) bool {
	for _, q := range s.filters {
		if q.Type == typ && !q.Matches(v) {
			return false
		}
	}
	return true
}
