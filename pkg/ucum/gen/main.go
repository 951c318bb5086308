// Command gen writes pkg/ucum/units.tsv from the tables of the National
// Library of Medicine's UCUM library as npm packs them. Run it by
//
//	npm pack @lhncbc/ucum-lhc@7.1.9 && tar xzf lhncbc-ucum-lhc-7.1.9.tgz
//	go run ./pkg/ucum/gen -package package -out pkg/ucum/units.tsv
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	from := flag.String("package", "package", "folder of the unpacked package")
	out := flag.String("out", "pkg/ucum/units.tsv", "the table")
	flag.Parse()
	if err := run(*from, *out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// packed is a list of records without their field names.
type packed struct {
	Config []any   `json:"config"`
	Data   [][]any `json:"data"`
}

func (p packed) field(name string) int {
	return slices.IndexFunc(p.Config, func(c any) bool { return c == name })
}

func run(from, out string) error {
	b, err := os.ReadFile(filepath.Join(from, "data", "ucumDefs.min.json"))
	if err != nil {
		return err
	}
	var defs struct {
		Prefixes packed `json:"prefixes"`
		Units    packed `json:"units"`
	}
	if err := json.Unmarshal(b, &defs); err != nil {
		return err
	}
	var lines []string
	for _, p := range defs.Prefixes.Data {
		line := fmt.Sprintf("prefix\t%v\t\t", p[0])
		if exp := p[5]; exp != nil {
			line += fmt.Sprintf("1e%v", exp)
		} else {
			line += fmt.Sprintf("%.0f", p[4])
		}
		lines = append(lines, line+"\t")
	}
	u := defs.Units
	code, base, metric, special, arbitrary := u.field("csCode_"), u.field("isBase_"), u.field("isMetric_"), u.field("isSpecial_"), u.field("isArbitrary_")
	source, factor, unit := u.field("source_"), u.field("baseFactorStr_"), u.field("csUnitString_")
	for _, d := range u.Data {
		if d[source] != "UCUM" {
			continue // combinations, which the parser makes by itself
		}
		kind := "unit"
		switch {
		case d[base] == true || d[code] == "mol":
			kind = "base"
		case d[special] == true:
			kind = "special"
		case d[arbitrary] == true && d[unit] == "1":
			kind = "base" // comparable with nothing but itself (UCUM §24)
		}
		m := ""
		if d[metric] == true || d[base] == true {
			m = "metric"
		}
		f, e := "", ""
		if kind == "unit" {
			f, e = fmt.Sprint(d[factor]), fmt.Sprint(d[unit])
		}
		lines = append(lines, strings.Join([]string{kind, fmt.Sprint(d[code]), m, f, e}, "\t"))
	}
	slices.Sort(lines)
	return os.WriteFile(out, []byte(strings.Join(lines, "\n")+"\n"), 0o644) //nolint:gosec // a source file, for everybody to read
}
