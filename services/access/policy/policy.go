// Package policy is what each role may do, as reviewed rows: model.conf and
// one csv file per service, embedded. README.md explains the rows.
package policy

import (
	"embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
)

//go:embed model.conf *.csv
var files embed.FS

// Kind is how far a role reaches with an operation.
type Kind string

// The kinds of scope.
const (
	// Self is the account's own record and those of its wards.
	Self Kind = "self"
	// InCare is the patients with whom the account has a treating relation now.
	InCare Kind = "in-care"
	// Commune is the residents of the account's communes.
	Commune Kind = "commune"
	// All is every record.
	All Kind = "all"
	// Deidentified is every record without what identifies a person.
	Deidentified Kind = "deidentified"
	// None allows the operation but reaches no patient's data.
	None Kind = "none"
)

// Kinds lists every kind.
func Kinds() []Kind { return []Kind{Self, InCare, Commune, All, Deidentified, None} }

// Rule is one row.
type Rule struct {
	Role      string
	Operation string
	Kind      Kind
	// File and Line say where it stands.
	File string
	Line int
}

// Rules returns every row of every service's file.
func Rules() ([]Rule, error) {
	names, err := csvFiles()
	if err != nil {
		return nil, err
	}
	var all []Rule
	for _, name := range names {
		rules, err := read(name)
		if err != nil {
			return nil, err
		}
		all = append(all, rules...)
	}
	return all, nil
}

func csvFiles() ([]string, error) {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if path.Ext(e.Name()) == ".csv" {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func read(name string) ([]Rule, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	r.TrimLeadingSpace = true
	r.FieldsPerRecord = 4
	var rules []Rule
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rules, nil
		}
		if err != nil {
			return nil, fmt.Errorf("policy %s: %w", name, err)
		}
		line, _ := r.FieldPos(0)
		rule := Rule{row[1], row[2], Kind(row[3]), name, line}
		if row[0] != "p" || !slices.Contains(Kinds(), rule.Kind) {
			return nil, fmt.Errorf("policy %s:%d: a row is `p, role, operation, kind`, with one of the kinds %v", name, line, Kinds())
		}
		rules = append(rules, rule)
	}
}

// Policy answers which kind of scope a role has on an operation.
type Policy struct {
	enforcers map[string]*casbin.Enforcer // by service

	mu    sync.RWMutex
	kinds map[[2]string]Kind
}

// Load builds one enforcer per service out of the embedded rows: Enforce walks
// all rows of its model, so each keeps only those it needs.
func Load() (*Policy, error) {
	text, err := files.ReadFile("model.conf")
	if err != nil {
		return nil, err
	}
	names, err := csvFiles()
	if err != nil {
		return nil, err
	}
	p := &Policy{enforcers: map[string]*casbin.Enforcer{}, kinds: map[[2]string]Kind{}}
	for _, name := range names {
		rules, err := read(name)
		if err != nil {
			return nil, err
		}
		m, err := model.NewModelFromString(string(text))
		if err != nil {
			return nil, fmt.Errorf("policy model: %w", err)
		}
		e, err := casbin.NewEnforcer(m)
		if err != nil {
			return nil, fmt.Errorf("policy %s: %w", name, err)
		}
		for _, r := range rules {
			added, err := e.AddPolicy(r.Role, r.Operation, string(r.Kind))
			if err != nil {
				return nil, fmt.Errorf("policy %s:%d: %w", name, r.Line, err)
			}
			if !added {
				return nil, fmt.Errorf("policy %s:%d: the row stands there twice", name, r.Line)
			}
		}
		p.enforcers[strings.TrimSuffix(name, ".csv")] = e
	}
	return p, nil
}

// KindOf returns the kind of scope that role has on operation; ok is false
// when no row allows it. Answers are kept: rows do not change while running.
func (p *Policy) KindOf(role, operation string) (kind Kind, ok bool, err error) {
	key := [2]string{role, operation}
	p.mu.RLock()
	kind, known := p.kinds[key]
	p.mu.RUnlock()
	if known {
		return kind, kind != "", nil
	}
	service, _, _ := strings.Cut(operation, ".")
	e, served := p.enforcers[service]
	if !served {
		return "", false, nil
	}
	allowed, row, err := e.EnforceEx(role, operation)
	if err != nil {
		return "", false, fmt.Errorf("policy of %s for %s: %w", operation, role, err)
	}
	if allowed && len(row) == 3 {
		kind = Kind(row[2])
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	// Names come from the operation tables and the accounts' checked roles, so
	// the map stays small; the bound is for a caller who asks for anything.
	if len(p.kinds) < 10_000 {
		p.kinds[key] = kind
	}
	return kind, kind != "", nil
}
