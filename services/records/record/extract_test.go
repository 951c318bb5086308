package record_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/record"
)

func indexer(t testing.TB) *record.Indexer {
	t.Helper()
	defs, err := fhir.R4()
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[string]int16{}
	for _, p := range record.Indexable(defs) {
		numbers[p.Type+"."+p.Code] = int16(len(numbers) + 1)
	}
	return record.NewIndexer(defs, numbers)
}

// BenchmarkExtract goes over the resources of the Synthea bundles and reports
// how many index rows one has on average.
func BenchmarkExtract(b *testing.B) {
	files, _ := filepath.Glob("../../../../shared/data/synthea-r4/*.json")
	if len(files) == 0 {
		b.Skip("../shared/data/synthea-r4 is absent")
	}
	x := indexer(b)
	var list []fhir.Value
	for _, file := range files[:min(12, len(files))] {
		text, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		doc, err := fhir.Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		for e := range doc.Root().Get("entry").Items() {
			list = append(list, e.Get("resource"))
		}
	}
	var n struct{ tokens, strings, dates, refs, uris, quantities, composites float64 }
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		r, _ := x.Extract(list[i%len(list)])
		i++
		n.tokens += float64(len(r.Tokens))
		n.strings += float64(len(r.Strings))
		n.dates += float64(len(r.Dates))
		n.refs += float64(len(r.Refs))
		n.uris += float64(len(r.URIs))
		n.quantities += float64(len(r.Quantities))
		n.composites += float64(len(r.Composites))
	}
	per := func(rows float64, unit string) { b.ReportMetric(rows/float64(i), unit) }
	per(n.tokens, "tokens")
	per(n.strings, "strings")
	per(n.dates, "dates")
	per(n.refs, "refs")
	per(n.uris, "uris")
	per(n.quantities, "quantities")
	per(n.composites, "composites")
}
