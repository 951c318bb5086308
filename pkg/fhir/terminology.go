package fhir

import _ "embed" // the packed file

//go:embed definitions/terminology.ndjson.zst
var packedTerminology []byte

// Terminology returns the complete code systems and the value sets of R4, one
// JSON resource a line, code systems first, packed with zstd. It must not be
// changed.
func Terminology() []byte { return packedTerminology }
