package fhir

import (
	"slices"
	"strings"
)

func adminChecks() map[string]check {
	return map[string]check{
		"pat-1": either("name", "telecom", "address", "organization"),
		"org-1": either("identifier", "name"),
		"org-2": notHome,
		"org-3": notHome,
		"grp-1": func(_ *checker, v Value) bool {
			return !v.Get("member").Exists() || !v.Get("actual").Exists() || v.Get("actual").True()
		},
		"app-1": either("type", "actor"),
		"app-2": func(_ *checker, v Value) bool { return has(v, "start") == has(v, "end") },
		"app-3": func(_ *checker, v Value) bool {
			return has(v, "start") && has(v, "end") || isCode(v, "status", "proposed", "cancelled", "waitlist")
		},
		"app-4": func(_ *checker, v Value) bool {
			return !has(v, "cancelationReason") || isCode(v, "status", "noshow", "cancelled")
		},
		"apr-1": either("participantType", "actor"),
		"sev-1": notBoth("name", "query"),
		"lst-1": notBoth("emptyReason", "entry"),
		"lst-2": func(_ *checker, v Value) bool {
			return isCode(v, "mode", "changes") || !anyHas(v.Get("entry"), "deleted")
		},
		"lst-3": func(_ *checker, v Value) bool {
			return isCode(v, "mode", "working") || !anyHas(v.Get("entry"), "date")
		},
		"ppc-1": either("policy", "policyRule"),
		"ppc-2": consentOf("patient-privacy"),
		"ppc-3": consentOf("research"),
		"ppc-4": consentOf("adr"),
		"ppc-5": consentOf("treatment"),

		"Task inv-1": func(_ *checker, v Value) bool { return !later(v.Get("authoredOn"), v.Get("lastModified")) },
	}
}

// isCode reports whether a code may be one of the codes: an absent one leaves
// it open.
func isCode(v Value, name string, codes ...string) bool {
	code := v.Get(name)
	return !code.Exists() || slices.Contains(codes, code.Str())
}

// notHome is org-2 and org-3: an organization has no home.
func notHome(_ *checker, v Value) bool { return v.Get("use").Str() != "home" }

func anyHas(list Value, name string) bool {
	for item := range list.Items() {
		if has(item, name) {
			return true
		}
	}
	return false
}

// consentOf is ppc-2 to ppc-5, whose system stands so in the specification.
func consentOf(code string) check {
	return func(_ *checker, v Value) bool { return has(v, "patient") || !coded(v.Get("scope"), "something", code) }
}

func bundleChecks() map[string]check {
	is := func(v Value, types ...string) bool { return slices.Contains(types, v.Get("type").Str()) }
	first := func(v Value) string { return v.Get("entry").Index(0).Get("resource").Get("resourceType").Str() }
	return map[string]check{
		"bdl-1": func(_ *checker, v Value) bool { return !has(v, "total") || isCode(v, "type", "searchset", "history") },
		"bdl-2": func(_ *checker, v Value) bool {
			return isCode(v, "type", "searchset") || !anyHas(v.Get("entry"), "search")
		},
		"bdl-3": func(c *checker, v Value) bool {
			return allHave(c.resource, v, "request", "batch", "transaction", "history")
		},
		"bdl-4": func(c *checker, v Value) bool {
			return allHave(c.resource, v, "response", "batch-response", "transaction-response", "history")
		},
		"bdl-5": either("resource", "request", "response"),
		"bdl-7": uniqueURLs,
		"bdl-8": func(_ *checker, v Value) bool { return !strings.Contains(v.Get("fullUrl").Str(), "/_history/") },
		"bdl-9": func(_ *checker, v Value) bool {
			return !is(v, "document") || has(v.Get("identifier"), "system") && has(v.Get("identifier"), "value")
		},
		"bdl-10": func(_ *checker, v Value) bool { return !is(v, "document") || v.Get("timestamp").Exists() },
		"bdl-11": func(_ *checker, v Value) bool {
			return !is(v, "document") || first(v) == "Composition" || first(v) == ""
		},
		"bdl-12": func(_ *checker, v Value) bool {
			return !is(v, "message") || first(v) == "MessageHeader" || first(v) == ""
		},

		"Parameters.parameter inv-1": func(_ *checker, v Value) bool {
			value, resource := hasChoice(v, "value"), v.Get("resource").Exists()
			if v.Get("part").Exists() {
				return !value && !resource
			}
			return value != resource
		},
	}
}

// allHave is bdl-3 and bdl-4: in Bundles of some types every entry has a
// request or response, in others none.
func allHave(resource, v Value, name string, types ...string) bool {
	typ := resource.Get("type")
	want := slices.Contains(types, typ.Str())
	for item := range v.Get("entry").Items() {
		if !typ.Exists() || has(item, name) != want {
			return false
		}
	}
	return true
}

// uniqueURLs is bdl-7: a version of a resource is in a Bundle once.
func uniqueURLs(_ *checker, v Value) bool {
	if isCode(v, "type", "history") {
		return true
	}
	seen := map[string]bool{}
	for e := range v.Get("entry").Items() {
		if !e.Get("fullUrl").Exists() {
			continue
		}
		key := e.Get("fullUrl").Str() + e.Get("resource").Get("meta").Get("versionId").Str()
		if seen[key] {
			return false
		}
		seen[key] = true
	}
	return true
}
