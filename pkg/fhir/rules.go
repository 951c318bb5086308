package fhir

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// checks are the invariants that are met on every write, in Go, by key or,
// where a key is not unique, by path and key. A test compares each with
// FHIRPath's evaluation of its official expression.
func checks() map[string]check {
	all := map[string]check{}
	for _, part := range []map[string]check{datatypeChecks(), clinicalChecks(), adminChecks(), bundleChecks()} {
		maps.Copy(all, part)
	}
	return all
}

// has reports whether a child is there, be it with its extensions only.
func has(v Value, name string) bool { return v.Get(name).Exists() || v.Get("_"+name).Exists() }

// hasChoice reports whether an element such as value[x] is there.
func hasChoice(v Value, stem string) bool { return choiceOf(v, stem).Exists() }

// choiceOf returns the value of an element such as value[x].
func choiceOf(v Value, stem string) Value {
	if v.Kind() != Object {
		return Value{}
	}
	for i := v.node().child; i != 0; i = v.d.nodes[i].next {
		n := &v.d.nodes[i]
		key := v.d.src[n.keyStart:n.keyEnd]
		if len(key) > 0 && key[0] == '_' {
			key = key[1:]
		}
		if len(key) > len(stem) && string(key[:len(stem)]) == stem && key[len(stem)] >= 'A' && key[len(stem)] <= 'Z' {
			return Value{v.d, i}
		}
	}
	return Value{}
}

// either holds when one of the names is there.
func either(names ...string) check {
	return func(_ *checker, v Value) bool {
		for _, n := range names {
			if has(v, n) {
				return true
			}
		}
		return false
	}
}

// needs holds when name is absent or what it needs is there.
func needs(name, needed string) check {
	return func(_ *checker, v Value) bool { return !has(v, name) || has(v, needed) }
}

// notBoth holds unless both names are there.
func notBoth(a, b string) check {
	return func(_ *checker, v Value) bool { return !has(v, a) || !has(v, b) }
}

// coded reports whether a CodeableConcept has a coding of the system with one of the codes.
func coded(concept Value, system string, codes ...string) bool {
	for coding := range concept.Get("coding").Items() {
		if coding.Get("system").Str() == system && slices.Contains(codes, coding.Get("code").Str()) {
			return true
		}
	}
	return false
}

func datatypeChecks() map[string]check {
	return map[string]check{
		"ext-1": func(_ *checker, v Value) bool { return v.Get("extension").Exists() != hasChoice(v, "value") },
		"qty-3": needs("code", "system"),
		"cpt-2": needs("value", "system"),
		"att-1": needs("data", "contentType"),
		"exp-1": either("expression", "reference"),
		"per-1": func(_ *checker, v Value) bool { return !later(v.Get("start"), v.Get("end")) },
		"rng-2": func(_ *checker, v Value) bool { return !larger(v.Get("low"), v.Get("high")) },
		"rat-1": func(_ *checker, v Value) bool {
			n := has(v, "numerator")
			return n == has(v, "denominator") && (n || has(v, "extension"))
		},
		"drt-1": func(_ *checker, v Value) bool {
			return !has(v, "code") || (!has(v, "system") || v.Get("system").Str() == SystemUCUM) && has(v, "value")
		},
		"tim-1":  needs("duration", "durationUnit"),
		"tim-2":  needs("period", "periodUnit"),
		"tim-4":  func(_ *checker, v Value) bool { return !negative(v.Get("duration")) },
		"tim-5":  func(_ *checker, v Value) bool { return !negative(v.Get("period")) },
		"tim-6":  needs("periodMax", "period"),
		"tim-7":  needs("durationMax", "duration"),
		"tim-8":  needs("countMax", "count"),
		"tim-9":  offset,
		"tim-10": notBoth("timeOfDay", "when"),
		"txt-1":  func(_ *checker, v Value) bool { return narrative(v.Str()) },
		"txt-2":  func(_ *checker, v Value) bool { return contentful(v.Str()) },
		"dom-6":  func(_ *checker, v Value) bool { return v.Get("text").Get("div").Exists() },
	}
}

// offset is tim-9: an offset needs an event, and one that is no meal itself.
func offset(_ *checker, v Value) bool {
	if !has(v, "offset") {
		return true
	}
	if !v.Get("when").Exists() {
		return false
	}
	for w := range v.Get("when").Items() {
		switch w.Str() {
		case "C", "CM", "CD", "CV":
			return false
		}
	}
	return true
}

func negative(v Value) bool {
	raw := v.Raw()
	return v.Kind() == Number && raw[0] == '-' && strings.ContainsAny(mantissa(string(raw)), "123456789")
}

func mantissa(raw string) string {
	if i := strings.IndexAny(raw, "eE"); i >= 0 {
		return raw[:i]
	}
	return raw
}

// later reports whether a date or time certainly lies after another. FHIRPath
// compares part by part and leaves it open where one value ends.
func later(a, b Value) bool {
	if a.Kind() != String || b.Kind() != String {
		return false
	}
	x, y := a.Str(), b.Str()
	if len(x) > 10 && len(y) > 10 {
		from, _, err := TimeRange(x, time.UTC)
		to, _, err2 := TimeRange(y, time.UTC)
		return err == nil && err2 == nil && from.After(to)
	}
	n := min(len(x), len(y), 10)
	return x[:n] > y[:n]
}

// larger reports whether a quantity is certainly more than another of the same unit.
func larger(a, b Value) bool {
	if a.Get("system").Str() != b.Get("system").Str() || a.Get("code").Str() != b.Get("code").Str() || a.Get("unit").Str() != b.Get("unit").Str() {
		return false
	}
	x, err := strconv.ParseFloat(a.Get("value").Text(), 64)
	y, err2 := strconv.ParseFloat(b.Get("value").Text(), 64)
	return err == nil && err2 == nil && x > y
}
