package province

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// household is people who live together. The first member is the head.
type household struct {
	number    int
	commune   *commune
	hamlet    hamlet
	group     string
	members   []member
	house     string
	since     time.Time
	oldPapers bool
}

// member is one person. A person without a record is counted in the official
// population and nowhere else.
type member struct {
	relation string
	name     personName
	sex      string
	born     time.Time
	yearOnly bool
	phone    string
	hasFile  bool
	// serial is unique in the province and makes the numbers unique.
	serial int
	cast   *castPerson
}

func (h *household) id() string           { return fmt.Sprintf("household-%05d", h.number) }
func (h *household) patient(i int) string { return fmt.Sprintf("patient-%05d-%d", h.number, i+1) }

func (h *household) registered() int {
	n := 0
	for _, m := range h.members {
		if m.hasFile {
			n++
		}
	}
	return n
}

func age(born, at time.Time) int {
	n := at.Year() - born.Year()
	// Not by the day of the year, which a leap day shifts.
	if at.Month() < born.Month() || at.Month() == born.Month() && at.Day() < born.Day() {
		n--
	}
	return n
}

// settle fills the communes with households until the official count is reached.
func (p *Province) settle() {
	r := p.rng(1)
	number, serial := 0, 0
	left := p.config.People
	for ci := range communes {
		c := &communes[ci]
		want := int(float64(p.config.People)*c.share + 0.5)
		if ci == len(communes)-1 {
			want = left
		}
		left -= want
		ahead := 0.0
		for want > 0 {
			number++
			h := p.household(r, c, number)
			if len(h.members) > want && number > len(cast) {
				h.members = h.members[:want]
			}
			want -= len(h.members)
			h.enrol(r, ahead)
			ahead += float64(h.registered()) - c.registered*float64(len(h.members))
			for i := range h.members {
				serial++
				h.members[i].serial = serial
			}
			p.households = append(p.households, h)
		}
	}
}

func (p *Province) household(r *rand.Rand, c *commune, number int) household {
	h := household{
		number: number, commune: c, hamlet: pick(r, c.hamlets), group: "Kinh",
		house: fmt.Sprintf("Số %d", 1+r.IntN(240)),
	}
	at := r.Float64()
	for _, g := range []string{"Chăm", "Ê Đê", "Raglai"} {
		if at < c.minority[g] {
			h.group = g
			break
		}
		at -= c.minority[g]
	}
	// Registers began with the first electronic records of 2019.
	h.since = p.today.AddDate(0, 0, -60-r.IntN(7*365))
	mergedOn := time.Date(2025, 7, 1, 0, 0, 0, 0, Zone)
	h.oldPapers = h.hamlet.old != "" && h.since.Before(mergedOn) && r.Float64() < 0.6
	if number <= len(cast) {
		h.members = p.played(&h, cast[number-1])
		h.oldPapers = false
		return h
	}
	p.people(r, &h)
	return h
}

// enrol decides who has a record. Whole families stay away more often than
// one of their members does. ahead is how many more people of the commune have
// a record than its share asks for; leaning against it keeps small communes at
// their share.
func (h *household) enrol(r *rand.Rand, ahead float64) {
	share := h.commune.registered
	family := 1 - (1-share)*0.6
	reached := r.Float64() < family
	switch {
	case ahead > 3:
		reached = false
	case ahead < -3:
		reached = true
	}
	for i := range h.members {
		h.members[i].hasFile = h.members[i].cast != nil || (reached && r.Float64() < share/family)
	}
}

// people fills a household of a plausible kind.
func (p *Province) people(r *rand.Rand, h *household) {
	headSex := "male"
	if r.Float64() < 0.27 {
		headSex = "female"
	}
	switch at := r.Float64(); {
	case at < 0.54: // two parents and their children
		a := 25 + r.IntN(36)
		p.add(r, h, "head", headSex, a, "")
		p.add(r, h, "spouse", other(headSex), max(20, a+r.IntN(7)-3), "")
		p.children(r, h)
	case at < 0.74: // three generations
		a := 27 + r.IntN(22)
		p.add(r, h, "head", headSex, a, "")
		p.add(r, h, "spouse", other(headSex), max(20, a+r.IntN(7)-3), "")
		p.children(r, h)
		mother, father := "", h.members[0].name.family
		if matrilineal(h.group) {
			// The couple lives with the wife's parents; her clan is her mother's.
			mother, father = h.mother().name.family, ""
		}
		p.add(r, h, "parent", "female", a+20+r.IntN(12), mother)
		if r.Float64() < 0.55 {
			p.add(r, h, "parent", "male", a+22+r.IntN(12), father)
		}
	case at < 0.85: // elderly
		a := 60 + r.IntN(27)
		p.add(r, h, "head", headSex, a, "")
		if r.Float64() < 0.6 {
			p.add(r, h, "spouse", other(headSex), min(92, max(55, a+r.IntN(9)-4)), "")
		}
	case at < 0.93: // one parent
		p.add(r, h, "head", "female", 24+r.IntN(28), "")
		p.children(r, h)
	default: // alone
		p.add(r, h, "head", headSex, 20+r.IntN(45), "")
	}
}

func other(sex string) string {
	if sex == "male" {
		return "female"
	}
	return "male"
}

// matrilineal tells whether children belong to their mother's clan, which
// nobody marries into who is born of it.
func matrilineal(group string) bool { return group == "Ê Đê" || group == "Raglai" }

// mother is the woman of the couple that a household begins with.
func (h *household) mother() member {
	for _, m := range h.members {
		if m.sex == "female" {
			return m
		}
	}
	return h.members[0]
}

// tries bounds the search for a name that nobody in the house has.
const tries = 30

// name makes a name as families give them: nobody is called like somebody
// else in the house, least of all like an elder, and where clans are the
// mothers', who comes from outside is of another clan.
func (h *household) name(r *rand.Rand, sex string, year int, inherited string) personName {
	var n personName
	for range tries {
		n = nameOf(r, h.group, sex, year, inherited)
		if !slices.ContainsFunc(h.members, func(m member) bool {
			return m.name.own() == n.own() || inherited == "" && matrilineal(h.group) && m.name.family == n.family
		}) {
			break
		}
	}
	return n
}

// children follow from the mother's age at their births.
func (p *Province) children(r *rand.Rand, h *household) {
	name := h.members[0].name.family
	for _, m := range h.members {
		if (m.sex == "female") == matrilineal(h.group) {
			name = m.name.family
		}
	}
	mother := age(h.mother().born, p.today)
	n := 1
	switch at := r.Float64(); {
	case at < 0.04:
		n = 4
	case at < 0.22:
		n = 3
	case at < 0.68:
		n = 2
	}
	first := 20 + r.IntN(9)
	for i := range n {
		a := mother - first - 3*i - r.IntN(2)
		// Grown children move out, to the city or to a household of their own.
		if a < 0 || a > 30 || (a > 19 && r.Float64() < 0.6) {
			continue
		}
		sex := "female"
		if r.Float64() < 0.52 {
			sex = "male"
		}
		p.add(r, h, "child", sex, a, name)
	}
}

func (p *Province) add(r *rand.Rand, h *household, relation, sex string, years int, inherited string) {
	years = min(years, 96)
	born := p.today.AddDate(-years, 0, -r.IntN(365))
	m := member{
		relation: relation, sex: sex, born: born,
		name: h.name(r, sex, born.Year(), inherited),
	}
	// Old papers often know only the year.
	m.yearOnly = years > 65 && r.Float64() < 0.35
	if years >= 14 && r.Float64() < 0.85-0.4*float64(max(years-60, 0))/36 {
		m.phone = fmt.Sprintf("01%08d", r.IntN(100_000_000))
	}
	h.members = append(h.members, m)
}
