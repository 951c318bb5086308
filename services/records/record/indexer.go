package record

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
)

// Indexer extracts index rows. It is made once the dictionary of parameters
// is known.
type Indexer struct {
	defs  *fhir.Definitions
	types map[string]*indexed
	units *units
	// Base is the public address of this server's FHIR face: a reference to
	// below it is one to here.
	Base string
	// Seals are those of the cursors in links.
	Seals *Seals
	// Now is the clock for approximate dates.
	Now func() time.Time
	// building says how far parameters are indexed, in percent, whose rows are
	// not complete.
	building map[int16]int
	rebuilt  map[int16]bool // types
}

// indexed are the parameters of one type, with their numbers.
type indexed struct {
	params  []param
	numbers map[string]int16
	// also are the numbers of parameters whose rows are those of others.
	also        map[string][]int16
	main        *fhir.Parameter
	compartment []*fhir.Parameter
}

type param struct {
	*fhir.Parameter
	number int16 // 0 where others have its rows
	// The numbers of what modifiers ask for, 0 where there is no such thing.
	text, ofType, identifier int16
}

// mainDate are the parameters that can be a resource's own date, the best first.
var mainDate = []string{
	"date", "authoredon", "authored", "created", "recorded-date", "effective-time", "effective",
	"whenhandedover", "onset-date", "issue-date", "authored-on", "sent", "recorded", "start-date", "started",
}

// NewIndexer returns an indexer with the numbers that the dictionary gives to
// "Type.code".
func NewIndexer(defs *fhir.Definitions, numbers map[string]int16) *Indexer {
	x := &Indexer{defs: defs, types: map[string]*indexed{}, units: &units{}, Now: time.Now}
	for _, typ := range defs.Types {
		t := &indexed{numbers: map[string]int16{}, also: map[string][]int16{}}
		all := defs.Parameters(typ)
		for code, p := range all {
			n, ok := numbers[typ+"."+code]
			if !ok {
				continue
			}
			t.numbers[code] = n
			q := param{Parameter: p, number: n}
			for _, m := range derived(p) {
				d := numbers[typ+"."+code+":"+m]
				t.numbers[code+":"+m] = d
				switch m {
				case "text":
					q.text = d
				case "of-type":
					q.ofType = d
				case "identifier":
					q.identifier = d
				}
			}
			t.params = append(t.params, q)
		}
		slices.SortFunc(t.params, func(a, b param) int { return strings.Compare(a.Code, b.Code) })
		t.share()
		for _, code := range mainDate {
			if p := all[code]; p != nil && p.Type == "date" {
				t.main = p
				break
			}
		}
		for _, code := range defs.Compartment(typ) {
			t.compartment = append(t.compartment, all[code])
		}
		x.types[typ] = t
	}
	return x
}

// derived lists the modifiers of a parameter that ask for something else
// than its own rows hold: they have rows of their own, under "code:modifier".
func derived(p *fhir.Parameter) []string {
	has := func(types ...string) bool {
		return slices.ContainsFunc(p.Paths, func(q fhir.Path) bool { return slices.Contains(types, q.Type) && !q.Exists })
	}
	var out []string
	if p.Type == "token" && has("CodeableConcept", "Coding", "Identifier") {
		out = append(out, "text")
	}
	if p.Type == "token" && has("Identifier") {
		out = append(out, "of-type")
	}
	if p.Type == "reference" && has("Reference") {
		out = append(out, "identifier")
	}
	return out
}

// Indexed is a parameter that has index rows, or what a modifier of it asks for.
type Indexed struct {
	Type, Code string
	// Digest changes with the rows that a resource has for it.
	Digest string
}

// Indexable lists everything that has index rows.
func Indexable(defs *fhir.Definitions) []Indexed {
	var out []Indexed
	for _, typ := range defs.Types {
		all := defs.Parameters(typ)
		for _, code := range slices.Sorted(maps.Keys(all)) {
			p := all[code]
			// _id and _lastUpdated are columns of the current row.
			if len(p.Paths)+len(p.Composites) == 0 || p.Type == "special" || code == "_id" || code == "_lastUpdated" {
				continue
			}
			version := extraction + "\x00" + p.Definition
			if finds(p) {
				version += "\x00" + contacts
			}
			sum := sha256.Sum256([]byte(version))
			digest := hex.EncodeToString(sum[:8])
			out = append(out, Indexed{typ, code, digest})
			for _, m := range derived(p) {
				out = append(out, Indexed{typ, code + ":" + m, digest})
			}
		}
	}
	return out
}

// Number returns the dictionary's number of a parameter, 0 when it has no
// rows; that of the first when it has the rows of several (Also).
func (x *Indexer) Number(typ, code string) int16 {
	if t := x.types[typ]; t != nil {
		return t.numbers[code]
	}
	return 0
}

// Main returns the code of the parameter that is the type's own date, or "".
func (x *Indexer) Main(typ string) string {
	if t := x.types[typ]; t != nil && t.main != nil {
		return t.main.Code
	}
	return ""
}

// Mains returns the numbers of the rows of every type's own date.
func (x *Indexer) Mains() ([]int16, error) {
	var list []int16
	for _, t := range x.types {
		if t.main == nil {
			continue
		}
		n, also, _, err := x.rows(t.main)
		if err != nil {
			return nil, err
		}
		list = append(append(list, n), also...)
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// Compartmental reports whether the parameter's value decides the resource's
// compartment: who asks for a patient by it asks within the compartment. sole
// tells that nothing else puts a resource there, so that the compartment
// alone is the answer.
func (x *Indexer) Compartmental(p *fhir.Parameter) (decides, sole bool) {
	t := x.types[p.Base]
	if t == nil || len(t.compartment) == 0 || !p.Single || len(p.Paths) != 1 {
		return false, false
	}
	same := func(q *fhir.Parameter) bool {
		return q.Single && len(q.Paths) == 1 && slices.Equal(q.Paths[0].Steps, p.Paths[0].Steps)
	}
	sole = true
	for _, q := range t.compartment {
		sole = sole && same(q)
	}
	return same(t.compartment[0]), sole
}

// Rebuilding returns the indexer while parameters are indexed again: done says
// how far each is, in percent.
func (x *Indexer) Rebuilding(done map[int16]int) *Indexer {
	y := *x
	y.building, y.rebuilt = done, map[int16]bool{}
	for typ, t := range y.types {
		for _, n := range t.numbers {
			if _, ok := done[n]; ok {
				y.rebuilt[y.defs.Number(typ)] = true
			}
		}
	}
	return &y
}

// Complete reports whether all parameters have their rows.
func (x *Indexer) Complete() bool { return len(x.building) == 0 }

// Rebuilt reports whether resources of the type are being indexed again, so
// that nobody knows what rows one has.
func (x *Indexer) Rebuilt(typ int16) bool { return x.rebuilt[typ] }

// ready fails while the rows of a parameter are not complete: an empty answer
// would be a wrong one.
func (x *Indexer) ready(number int16) error {
	if done, building := x.building[number]; building {
		return fault.Newf(fault.Unavailable, "the parameter is still being indexed (%d %%); try again later", done)
	}
	return nil
}

// Spellings are the texts that a composite's reference may have in its rows.
func (x *Indexer) Spellings(ref Ref) []string {
	if ref.Type >= 0 {
		return []string{x.text(ref)}
	}
	var out []string
	for _, typ := range x.defs.Types {
		out = append(out, typ+"/"+ref.Target)
	}
	return out
}
