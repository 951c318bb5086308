package fhir

// Entry refuses an entry of a Bundle that is to be carried out when it breaks
// the base definitions: a misspelt condition would be no condition. The
// resource in it is checked by itself.
func (d *Definitions) Entry(entry Value) error {
	c := checker{d: d, envelope: true}
	if entry.Kind() == Object {
		c.object(entry, d.owners["Bundle.entry"])
	} else {
		c.fail(entry, "structure", "an entry is a JSON object")
	}
	return c.refusal()
}
