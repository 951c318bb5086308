package fhir

// Offset returns where v begins in the bytes that were parsed.
func (v Value) Offset() int { return int(v.node().start) }
