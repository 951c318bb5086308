package fhir

import "bytes"

// Same reports whether two values say the same: members in any order, strings
// by their characters, blanks anywhere. Numbers must have the same digits, as
// their precision is part of what they say
// (https://hl7.org/fhir/R4/datatypes.html#decimal).
func Same(a, b Value) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	if a.Kind() == Absent || bytes.Equal(a.Raw(), b.Raw()) {
		return true
	}
	switch a.Kind() {
	case Object:
		return sameMembers(a, b, nil)
	case Array:
		x, y := a.node().child, b.node().child
		for ; x != 0 && y != 0; x, y = a.d.nodes[x].next, b.d.nodes[y].next {
			if !Same(Value{a.d, x}, Value{b.d, y}) {
				return false
			}
		}
		return x == y
	case String:
		return a.Str() == b.Str()
	default:
		return false
	}
}

// SameContent reports whether two versions of a resource are the same but for
// what the server sets: meta.versionId and meta.lastUpdated.
func SameContent(a, b Value) bool {
	return sameMembers(a, b, func(name string, a, b Value) bool {
		if name == "meta" && a.Kind() == Object && b.Kind() == Object {
			return sameMembers(a, b, func(name string, a, b Value) bool {
				return name == "versionId" || name == "lastUpdated" || Same(a, b)
			})
		}
		return Same(a, b)
	})
}

// sameMembers compares two objects member by member; alike, if set, stands for
// Same.
func sameMembers(a, b Value, alike func(name string, a, b Value) bool) bool {
	x, y := a.node().child, b.node().child
	// Mostly the order is the same; what is not where it was expected waits.
	for ; x != 0 && y != 0; x, y = a.d.nodes[x].next, b.d.nodes[y].next {
		k := a.d.key(x)
		if k != b.d.key(y) {
			break
		}
		if !like(k, Value{a.d, x}, Value{b.d, y}, alike) {
			return false
		}
	}
	if x == 0 && y == 0 {
		return true
	}
	rest := map[string]Value{}
	for ; y != 0; y = b.d.nodes[y].next {
		rest[b.d.key(y)] = Value{b.d, y}
	}
	for ; x != 0; x = a.d.nodes[x].next {
		k := a.d.key(x)
		other, ok := rest[k]
		if !ok || !like(k, Value{a.d, x}, other, alike) {
			return false
		}
		delete(rest, k)
	}
	return len(rest) == 0
}

func like(name string, a, b Value, alike func(string, Value, Value) bool) bool {
	if alike != nil {
		return alike(name, a, b)
	}
	return Same(a, b)
}
