package units

import "slices"

// Lineage answers what became of a unit and what it was made of.
type Lineage struct {
	successors   map[Key][]Succession
	predecessors map[Key][]Succession
}

// NewLineage returns the lineage that the successions tell.
func NewLineage(list []Succession) *Lineage {
	l := &Lineage{map[Key][]Succession{}, map[Key][]Succession{}}
	for _, s := range list {
		l.successors[s.Old] = append(l.successors[s.Old], s)
		l.predecessors[s.New] = append(l.predecessors[s.New], s)
	}
	return l
}

// Today is what a unit has become.
type Today struct {
	// Units are the units of today that hold a part of it. There is exactly
	// one where it was never divided.
	Units []Key
	// Whole is true when all of it lies in one unit of today; then a person
	// who lived in the old unit lives in that one. Otherwise the address has to
	// tell, and a sum may not be carried over.
	Whole bool
}

// Today follows the successors of k to the units that have none, the ones of
// today. A unit without successor is its own.
func (l *Lineage) Today(k Key) Today {
	t := Today{Whole: true}
	seen := map[Key]bool{}
	var follow func(Key)
	follow = func(k Key) {
		if seen[k] { // a loop, or a second way to the same unit
			return
		}
		seen[k] = true
		next := l.successors[k]
		if len(next) == 0 {
			t.Units = append(t.Units, k)
			return
		}
		if len(next) > 1 || next[0].Extent != Full {
			t.Whole = false
		}
		for _, s := range next {
			follow(s.New)
		}
	}
	follow(k)
	sortKeys(t.Units)
	// Pieces that a later reform joined again are one whole unit.
	if len(t.Units) == 1 && l.joined(k, t.Units[0], map[Key]bool{}) {
		t.Whole = true
	}
	return t
}

// joined reports whether every piece of k ended in end, with nothing said to
// have been left out.
func (l *Lineage) joined(k, end Key, seen map[Key]bool) bool {
	if k == end {
		return true
	}
	next := l.successors[k]
	if seen[k] || len(next) == 0 || len(next) == 1 && next[0].Extent != Full {
		return false
	}
	seen[k] = true
	for _, s := range next {
		if !l.joined(s.New, end, seen) {
			return false
		}
	}
	return true
}

// Within returns the units that became part of k as a whole, directly or
// through others, without k itself. Who may reach k may reach them; a unit of
// which only a part came to k is not among them, since the rest of its people
// live elsewhere now.
func (l *Lineage) Within(k Key) []Key {
	seen := map[Key]bool{k: true}
	queue := []Key{k}
	for i := 0; i < len(queue); i++ {
		for _, s := range l.predecessors[queue[i]] {
			if s.Extent == Full && !seen[s.Old] {
				seen[s.Old] = true
				queue = append(queue, s.Old)
			}
		}
	}
	out := queue[1:]
	sortKeys(out)
	return out
}

func sortKeys(keys []Key) {
	slices.SortFunc(keys, func(a, b Key) int {
		if a.String() < b.String() {
			return -1
		}
		return 1
	})
}
