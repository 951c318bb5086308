package load

import (
	"bufio"
	"encoding/xml"
	"errors"
	"io"
	"iter"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/services/records/terminology"
)

var ucumColumns = map[string]string{
	"code": "code", "ucum": "code", "ucum_code": "code", "ucum code": "code", "ma": "code", "ma ucum": "code",
	"display": "name", "name": "name", "ten": "name", "ten don vi": "name", "description": "name",
	"ten tieng viet": "Vietnamese name", "name_vi": "Vietnamese name", "vi": "Vietnamese name",
	"property": "property", "dai luong": "property", "print": "print symbol", "ky hieu": "print symbol",
}

// UCUM reads units from ucum-essence.xml, whose base units and units it takes,
// or from a CSV of codes and names: UCUM is a grammar, so the list that a
// country uses ("mmol/L") is a choice that no file of UCUM makes.
func UCUM(r io.Reader) (iter.Seq2[terminology.Concept, error], error) {
	b := bufio.NewReader(r)
	head, err := b.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if strings.HasPrefix(strings.TrimLeft(strings.TrimPrefix(string(head), "\uFEFF"), " \t\r\n"), "<") {
		return ucumEssence(b), nil
	}
	t, err := openTable(b, ucumColumns)
	if err != nil {
		return nil, err
	}
	if err := t.needs("code", "name"); err != nil {
		return nil, err
	}
	return func(yield func(terminology.Concept, error) bool) {
		for {
			more, err := t.next()
			if err == nil && more && (t.get("code") == "" || strings.ContainsAny(t.get("code"), " \t")) {
				err = t.fail("a unit's code is not empty and has no blanks")
			}
			if err == nil && more {
				err = t.once(t.get("code"))
			}
			if err != nil {
				yield(terminology.Concept{}, err)
				return
			}
			if !more || !yield(unit(t.get("code"), t.get("name"), t.get("Vietnamese name"), t.get("print symbol"), t.get("property")), nil) {
				return
			}
		}
	}, nil
}

func unit(code, name, vi, symbol, property string) terminology.Concept {
	c := terminology.Concept{Code: code, Display: name}
	if name == "" {
		c.Display = code
	}
	if vi != "" {
		c.Designations = append(c.Designations, terminology.Designation{Language: "vi", Value: vi})
	}
	if symbol != "" && symbol != code {
		c.Designations = append(c.Designations, terminology.Designation{Value: symbol})
	}
	if property != "" {
		c.Properties = append(c.Properties, terminology.Property{Code: "property", Type: "String", Value: property})
	}
	return c
}

func ucumEssence(r io.Reader) iter.Seq2[terminology.Concept, error] {
	return func(yield func(terminology.Concept, error) bool) {
		d := xml.NewDecoder(r)
		seen := map[string]bool{}
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(terminology.Concept{}, fault.New(fault.Invalid, "this is no ucum-essence.xml: "+err.Error(), err))
				return
			}
			start, ok := token.(xml.StartElement)
			if !ok || start.Name.Local != "unit" && start.Name.Local != "base-unit" {
				continue
			}
			var x struct {
				Code     string   `xml:"Code,attr"`
				Names    []string `xml:"name"`
				Symbol   string   `xml:"printSymbol"`
				Property string   `xml:"property"`
			}
			if err := d.DecodeElement(&x, &start); err != nil || x.Code == "" {
				yield(terminology.Concept{}, fault.New(fault.Invalid, "a unit of ucum-essence.xml cannot be read", err))
				return
			}
			if seen[x.Code] {
				line, _ := d.InputPos()
				yield(terminology.Concept{}, fault.Newf(fault.Invalid, "the code %s stands twice", x.Code).In("line "+strconv.Itoa(line)))
				return
			}
			seen[x.Code] = true
			c := unit(x.Code, "", "", strings.TrimSpace(x.Symbol), strings.TrimSpace(x.Property))
			for i, name := range x.Names {
				if name = strings.TrimSpace(name); i == 0 && name != "" {
					c.Display = name
				} else if name != "" {
					c.Designations = append(c.Designations, terminology.Designation{Language: "en", Value: name})
				}
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}
