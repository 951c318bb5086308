package province

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	consultsv1 "github.com/yba-health/yba/proto/gen/yba/consults/v1"
	coveragev1 "github.com/yba-health/yba/proto/gen/yba/coverage/v1"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

// Zone is the time zone of the province; Viet Nam has one and no summer time.
var Zone = time.FixedZone("Asia/Ho_Chi_Minh", 7*3600)

// Config says which province to make.
type Config struct {
	// People is how many live there by the official count; default 5,000, at
	// least 100, so that every commune has somebody.
	People int
	// Seed chooses one province out of many.
	Seed uint64
	// Today is the day up to which records reach; default 1 November 2026.
	// A load that is to be resumed must keep it.
	Today time.Time
}

// Province is a made-up province, ready to be loaded.
type Province struct {
	Code, Name  string
	Units       []*stationsv1.Unit
	Successions []*stationsv1.Succession
	Population  []*coveragev1.Population
	Targets     []*coveragev1.Target
	Doctors     []Doctor
	Accounts    []Account

	config     Config
	today      time.Time
	households []household
}

// Doctor offers remote consultations. Hours.Doctor is left empty: it is the id
// that the account gets when it is created.
type Doctor struct {
	Username string
	Hours    *consultsv1.SetHoursRequest
}

// Account is a demo account. Its password is left empty; who creates it chooses one.
type Account struct {
	Create *accessv1.CreateAccountRequest
	// What tells, for the table of accounts, who it is.
	What, WhatEn string
	// Wards are the patients it cares for as guardian.
	Wards []Ward
}

// Ward is a patient in somebody's care, and what that rests on.
type Ward struct {
	Patient, Reason string
}

// Bundle is one transaction bundle. The first one holds the facilities and
// must be loaded before the others.
type Bundle struct {
	Name      string
	JSON      []byte
	Resources int
}

// New makes the province's people; their records are made as Bundles is read.
func New(c Config) *Province {
	c.People = max(cmp.Or(c.People, 5000), 100)
	if c.Today.IsZero() {
		c.Today = time.Date(2026, 11, 1, 0, 0, 0, 0, Zone)
	}
	y, m, d := c.Today.In(Zone).Date()
	p := &Province{Code: provinceCode, Name: provinceName, config: c, today: time.Date(y, m, d, 0, 0, 0, 0, Zone)}
	p.Units, p.Successions = units()
	p.Targets = targets()
	p.settle()
	p.Population = p.count()
	p.Doctors = doctors()
	p.Accounts = accounts()
	return p
}

// Bundles yields the facilities and then one bundle for each household that
// has a record.
func (p *Province) Bundles() iter.Seq2[Bundle, error] {
	return func(yield func(Bundle, error) bool) {
		b := &builder{}
		p.facilities(b)
		if !yield(b.bundle("facilities")) {
			return
		}
		for i := range p.households {
			h := &p.households[i]
			b := &builder{rng: p.rng(1<<32 + uint64(h.number)), p: p}
			p.record(b, h)
			if len(b.entries) == 0 {
				continue
			}
			if !yield(b.bundle(h.id())) {
				return
			}
		}
	}
}

// Count returns how many bundles Bundles yields.
func (p *Province) Count() int {
	n := 1
	for _, h := range p.households {
		if h.registered() > 0 {
			n++
		}
	}
	return n
}

// rng returns the stream of random numbers of one part, so that a change in
// one household does not change the others.
func (p *Province) rng(part uint64) *rand.Rand {
	return rand.New(rand.NewPCG(p.config.Seed, part)) //nolint:gosec // invented people must be the same every time
}

// fields is a JSON object. encoding/json writes its keys in order, which makes
// the bytes the same every time.
type fields map[string]any

// builder gathers the entries of one bundle.
type builder struct {
	p       *Province
	rng     *rand.Rand
	entries []fields
}

func (b *builder) put(typ, id string, resource fields) {
	resource["resourceType"], resource["id"] = typ, id
	b.entries = append(b.entries, fields{
		"fullUrl":  "https://yba.health/demo/" + typ + "/" + id,
		"resource": resource,
		"request":  fields{"method": "PUT", "url": typ + "/" + id},
	})
}

func (b *builder) bundle(name string) (Bundle, error) {
	body, err := json.Marshal(fields{"resourceType": "Bundle", "type": "transaction", "entry": b.entries})
	if err != nil {
		return Bundle{}, fmt.Errorf("bundle %s: %w", name, err)
	}
	return Bundle{Name: name, JSON: body, Resources: len(b.entries)}, nil
}

// chance is true with probability p.
func (b *builder) chance(p float64) bool { return b.rng.Float64() < p }

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// weighted picks by weight; the weights need not add up to 1.
func weighted[T any](r *rand.Rand, from []T, weight func(T) float64) T {
	sum := 0.0
	for _, x := range from {
		sum += weight(x)
	}
	at := r.Float64() * sum
	for _, x := range from {
		if at -= weight(x); at < 0 {
			return x
		}
	}
	return from[len(from)-1]
}
