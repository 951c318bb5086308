package geography

// Place returns the key of the commune that an address belongs to on a day,
// given the keys of the commune and of the hamlet that it names. Ok is false
// when that cannot be told: the unit is not known, was split and the hamlet
// does not tell the part, or is newer than the day and was made of several.
func (b *Book) Place(commune, hamlet, day string) (key string, ok bool) {
	// The hamlet tells more than the commune: it lies in one part of a split one.
	if h, known := b.units[hamlet]; known && h.Level == "hamlet" {
		if then, ok := b.carry(h, day); ok {
			if p, ok := b.parent(then); ok && p.In(day) {
				return p.Key(), true
			}
		}
		if p, ok := b.parent(h); ok {
			if then, ok := b.carry(p, day); ok {
				return then.Key(), true
			}
		}
	}
	if c, known := b.units[commune]; known && c.Level == "commune" {
		if then, ok := b.carry(c, day); ok {
			return then.Key(), true
		}
	}
	return "", false
}

// maxSteps bounds a chain of successions; wrong data may form a ring.
const maxSteps = 16

// carry follows a unit to the day as long as there is no doubt.
func (b *Book) carry(u Unit, day string) (Unit, bool) {
	for range maxSteps {
		if u.In(day) {
			return u, true
		}
		var next string
		if u.From > day {
			// Back in time: only a unit made of one whole other is the same people.
			from := b.origins[u.Key()]
			if len(from) != 1 || !from[0].Full {
				return Unit{}, false
			}
			next = from[0].Old
		} else {
			to := b.successors[u.Key()]
			if len(to) != 1 || !to[0].Full {
				return Unit{}, false
			}
			next = to[0].New
		}
		v, ok := b.units[next]
		if !ok {
			return Unit{}, false
		}
		u = v
	}
	return Unit{}, false
}
