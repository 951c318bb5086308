// Package ucum reads units of the Unified Code for Units of Measure
// (https://ucum.org/ucum) and makes quantities of one dimension comparable.
// Factors are exact fractions.
//
// mol, arbitrary units such as [iU] and logarithmic scales stay units of
// their own, so that an amount of substance is never compared with a count of
// cells, and a level never with what it is the logarithm of.
package ucum

import (
	_ "embed" // the table
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// System is the URI of UCUM in FHIR.
const System = "http://unitsofmeasure.org"

// Unit is a unit as a multiple of base units.
type Unit struct {
	// Base is the product of base units in one order, "1" without any; only
	// units with the same Base can be compared.
	Base string
	// A value v in this unit is v × Factor + Offset in base units.
	Factor, Offset *big.Rat
}

// Canonical returns v of this unit in base units.
func (u Unit) Canonical(v *big.Rat) *big.Rat {
	out := new(big.Rat).Mul(v, u.Factor)
	return out.Add(out, u.Offset)
}

// Parse reads a case sensitive UCUM code.
func Parse(code string) (Unit, error) {
	t, err := tables()
	if err != nil {
		return Unit{}, err
	}
	if factor, offset, ok := t.affine(code); ok {
		return Unit{Base: "K", Factor: factor, Offset: offset}, nil
	}
	p, err := t.parse(code, 0)
	if err != nil {
		return Unit{}, err
	}
	return Unit{Base: p.base(), Factor: p.factor, Offset: new(big.Rat)}, nil
}

//go:embed units.tsv
var table string

// atom is a line of the table.
type atom struct {
	metric             bool
	factor, expression string
	value              *product // filled when the table is read
}

type units struct {
	prefixes map[string]*big.Rat
	atoms    map[string]*atom
}

var tables = sync.OnceValues(read)

// read resolves every line, so that the table is never written to afterwards.
func read() (*units, error) {
	t := &units{prefixes: map[string]*big.Rat{}, atoms: map[string]*atom{}}
	for line := range strings.Lines(table) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != 5 {
			return nil, fmt.Errorf("ucum: units.tsv: %q", line)
		}
		if f[0] == "prefix" {
			r, ok := new(big.Rat).SetString(f[3])
			if !ok {
				return nil, fmt.Errorf("ucum: units.tsv: %q", line)
			}
			t.prefixes[f[1]] = r
			continue
		}
		a := &atom{metric: f[2] != "", factor: f[3], expression: f[4]}
		if f[0] != "unit" {
			a.value = &product{factor: one(), dims: []dim{{f[1], 1}}}
		}
		if a, ok := temperatures[f[1]]; ok {
			// Within a product a degree is a difference of temperature.
			r, _ := new(big.Rat).SetString(a.factor)
			t.atoms[f[1]] = &atom{metric: f[2] != "", value: &product{factor: r, dims: []dim{{"K", 1}}}}
			continue
		}
		t.atoms[f[1]] = a
	}
	for code, a := range t.atoms {
		if err := t.resolve(a, 0); err != nil {
			return nil, fmt.Errorf("ucum: units.tsv: %s: %w", code, err)
		}
	}
	return t, nil
}

func (t *units) resolve(a *atom, depth int) error {
	if a.value != nil {
		return nil
	}
	p, err := t.parse(a.expression, depth+1)
	if err != nil {
		return err
	}
	f, ok := new(big.Rat).SetString(a.factor)
	if !ok {
		return errUnit
	}
	a.value = &product{factor: f.Mul(f, p.factor), dims: p.dims}
	return nil
}

// temperatures are scales whose zero is elsewhere (UCUM §21 to 22).
var temperatures = map[string]struct{ factor, offset string }{
	"Cel": {"1", "273.15"}, "[degF]": {"5/9", "45967/180"}, "[degRe]": {"5/4", "273.15"},
}

func (t *units) affine(code string) (factor, offset *big.Rat, ok bool) {
	a, ok := temperatures[code]
	prefix := one()
	if before, cel := strings.CutSuffix(code, "Cel"); !ok && cel { // the only metric one
		a = temperatures["Cel"]
		prefix, ok = t.prefixes[before]
	}
	if !ok {
		return nil, nil, false
	}
	factor, _ = new(big.Rat).SetString(a.factor)
	offset, _ = new(big.Rat).SetString(a.offset)
	return factor.Mul(factor, prefix), offset, true
}

// dim is a base unit and its exponent.
type dim struct {
	unit string
	exp  int
}

// product is a factor times base units.
type product struct {
	factor *big.Rat
	dims   []dim
}

func one() *big.Rat { return big.NewRat(1, 1) }

// What a code may hold at most; the longest in use has some 40 characters.
const (
	maxLength   = 100
	maxExponent = 99
	maxDepth    = 12
	maxBits     = 4096
)

var errUnit = errors.New("no unit of UCUM")

// times multiplies by q to the power of exp.
func (p *product) times(q *product, exp int) error {
	f := q.factor
	if exp < 0 {
		if f.Sign() == 0 {
			return errUnit
		}
		f = new(big.Rat).Inv(f)
	}
	n := int64(max(exp, -exp))
	if int64(max(f.Num().BitLen(), f.Denom().BitLen()))*n > maxBits {
		return errUnit
	}
	e := big.NewInt(n)
	f = new(big.Rat).SetFrac(new(big.Int).Exp(f.Num(), e, nil), new(big.Int).Exp(f.Denom(), e, nil))
	p.factor.Mul(p.factor, f)
	if max(p.factor.Num().BitLen(), p.factor.Denom().BitLen()) > maxBits {
		return errUnit
	}
	for _, d := range q.dims {
		i := slices.IndexFunc(p.dims, func(o dim) bool { return o.unit == d.unit })
		if i < 0 {
			p.dims = append(p.dims, dim{d.unit, 0})
			i = len(p.dims) - 1
		}
		if p.dims[i].exp += d.exp * exp; max(p.dims[i].exp, -p.dims[i].exp) > 10*maxExponent {
			return errUnit
		}
	}
	return nil
}

func (p *product) base() string {
	slices.SortFunc(p.dims, func(a, b dim) int { return strings.Compare(a.unit, b.unit) })
	var parts []string
	for _, d := range p.dims {
		switch d.exp {
		case 0:
		case 1:
			parts = append(parts, d.unit)
		default:
			parts = append(parts, d.unit+strconv.Itoa(d.exp))
		}
	}
	if len(parts) == 0 {
		return "1"
	}
	return strings.Join(parts, ".")
}
