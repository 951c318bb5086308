package readmodel

// Facility is an Organization that provides care.
type Facility struct {
	ID      string
	Version int64
	Commune string
	Created Day
	// Counted is false for organizations that are no facility, not active or deleted.
	Counted bool
}

// Merge keeps the higher version and the earliest day.
func (f Facility) Merge(g Facility) Facility {
	if g.Version < f.Version {
		f, g = g, f
	}
	if f.Created != "" && (g.Created == "" || f.Created < g.Created) {
		g.Created = f.Created
	}
	return g
}

// Offer is a HealthcareService: remote care offered by a facility.
type Offer struct {
	ID       string
	Version  int64
	Facility string
	Created  Day
	// Counted is false for other services and for those no longer offered.
	Counted bool
}

// Merge keeps the higher version and the earliest day.
func (o Offer) Merge(p Offer) Offer {
	if p.Version < o.Version {
		o, p = p, o
	}
	if o.Created != "" && (p.Created == "" || o.Created < p.Created) {
		p.Created = o.Created
	}
	return p
}
