package fhir

// containedType returns the type of the contained resource with the id.
func (c *checker) containedType(id string) string {
	if id == "" {
		return c.root.Get("resourceType").Str()
	}
	for r := range c.root.Get("contained").Items() {
		if r.Get("id").Str() == id {
			return r.Get("resourceType").Str()
		}
	}
	return ""
}

// contained checks what binds a resource and those it contains, when all
// local references are known: ref-1 and dom-2 to dom-5
// (https://hl7.org/fhir/R4/references.html#contained).
func (c *checker) contained(v Value) {
	for _, ref := range c.local {
		if ref.reference && ref.Str() != "#" && c.containedType(ref.Str()[1:]) == "" {
			c.fail(ref.Value, "invariant", "ref-1: SHALL have a contained resource if a local reference is provided")
		}
	}
	for r := range v.Get("contained").Items() {
		if r.Get("contained").Exists() {
			c.fail(r, "invariant", "dom-2: If the resource is contained in another resource, it SHALL NOT contain nested Resources")
		}
		if id := r.Get("id"); id.Exists() && !ValidID(id.Str()) {
			c.fail(id, "value", "an id has 1 to 64 letters, digits, hyphens and dots")
		}
		if id := r.Get("id"); id.Exists() && c.taken(v, r, id.Str()) {
			c.fail(id, "value", "two contained resources have this id")
		}
		meta := r.Get("meta")
		if meta.Get("versionId").Exists() || meta.Get("lastUpdated").Exists() {
			c.fail(r, "invariant", "dom-4: If a resource is contained in another resource, it SHALL NOT have a meta.versionId or a meta.lastUpdated")
		}
		if meta.Get("security").Exists() {
			c.fail(r, "invariant", "dom-5: If a resource is contained in another resource, it SHALL NOT have a security label")
		}
		if !c.referred(r) {
			c.fail(r, "invariant", "dom-3: If the resource is contained in another resource, it SHALL be referred to from elsewhere in the resource or SHALL refer to the containing resource")
		}
	}
}

// taken reports whether a contained resource before r has its id, so that
// nobody could tell which of them is referred to.
func (c *checker) taken(container, r Value, id string) bool {
	for other := range container.Get("contained").Items() {
		if other.n == r.n {
			break
		}
		if other.Get("id").Str() == id {
			return true
		}
	}
	return false
}

// referred reports whether a contained resource is referred to, or refers to
// what contains it by "#". In JSON its id is without the hash.
func (c *checker) referred(r Value) bool {
	id := r.Get("id").Str()
	for _, ref := range c.local {
		s := ref.Str()
		if s == "#"+id && id != "" || s == "#" && ref.n > r.n && ref.node().end <= r.node().end {
			return true
		}
	}
	return false
}
