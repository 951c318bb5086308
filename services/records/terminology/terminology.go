package terminology

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
)

// Store keeps code systems and value sets. Errors are package fault's.
type Store interface {
	// Systems returns the loaded versions of a code system, the preferred one first.
	Systems(ctx context.Context, url string) ([]System, error)
	// SystemOf returns the code system of all whose codes the value set is, nil for none.
	SystemOf(ctx context.Context, valueSet string) (*System, error)
	// ValueSets returns the value sets of a url, the preferred one first.
	ValueSets(ctx context.Context, url string) ([]Definition, error)
	// Select returns a page of a set, in the order of its parts or, where text
	// is looked for, the nearest first.
	Select(ctx context.Context, set *Set, w Want) ([]Entry, error)
	// Total counts what Select would return without paging.
	Total(ctx context.Context, set *Set, w Want) (int, error)
	// Concept returns a concept, nil for none.
	Concept(ctx context.Context, s *System, code string) (*Concept, error)
	// Children returns the codes right below one.
	Children(ctx context.Context, s *System, code string) ([]string, error)
	// Related returns the code itself and all above (up) or below it, at most limit.
	Related(ctx context.Context, s *System, code string, up bool, limit int) ([]string, error)
}

// Limits of an expansion.
const (
	// maxExpansion is how many codes an answer holds.
	maxExpansion = 5000
	// maxCodes is how many codes a search may ask for by a value set.
	maxCodes = 50_000
)

// ErrTooCostly is the cause of a refusal for the number of codes
// (https://hl7.org/fhir/R4/valueset-operation-expand.html).
var ErrTooCostly = errors.New("terminology: too many codes")

// Server answers terminology operations. Its methods may run in parallel.
type Server struct {
	store Store
	codes cache
}

// New returns a server of what the store holds.
func New(store Store) *Server { return &Server{store: store} }

// Codes returns the codes of a value set ("url" or "url|version"), for the
// search modifiers :in and :not-in. It refuses a set of more than 50,000.
func (s *Server) Codes(ctx context.Context, valueSet string) ([]Coding, error) {
	r := resolver{store: s.store}
	set, err := r.named(ctx, valueSet)
	if err != nil {
		return nil, unsearchable(err)
	}
	slices.Sort(r.keys)
	key := valueSet + " " + strings.Join(slices.Compact(r.keys), " ")
	if list, ok := s.codes.get(key); ok {
		return list, nil
	}
	entries, err := s.store.Select(ctx, set, Want{Count: maxCodes + 1})
	if err != nil {
		return nil, err
	}
	if len(entries) > maxCodes {
		return nil, fault.New(fault.Unprocessable, "the value set has more than 50,000 codes, which is too many to search by", ErrTooCostly)
	}
	list := make([]Coding, len(entries))
	for i := range entries {
		list[i] = Coding{System: entries[i].System, Code: entries[i].Code}
	}
	s.codes.put(key, list)
	return list, nil
}

// Below returns the code and all that are below it, for the search modifier
// :below; Above those above it.
func (s *Server) Below(ctx context.Context, system, code string) ([]string, error) {
	return s.related(ctx, system, code, false)
}

// Above returns the code and all that are above it.
func (s *Server) Above(ctx context.Context, system, code string) ([]string, error) {
	return s.related(ctx, system, code, true)
}

func (s *Server) related(ctx context.Context, system, code string, up bool) ([]string, error) {
	r := resolver{store: s.store}
	sys, err := r.system(ctx, system, "")
	if err == nil && sys == nil {
		err = unknownSystem(system)
	}
	if err != nil {
		return nil, unsearchable(err)
	}
	list, err := s.store.Related(ctx, sys, code, up, maxCodes+1)
	if err != nil {
		return nil, err
	}
	switch {
	case len(list) == 0:
		return nil, fault.Newf(fault.Unprocessable, "the code system %s has no such code", system)
	case len(list) > maxCodes:
		return nil, fault.New(fault.Unprocessable, "the code has more than 50,000 others below it, which is too many to search by", ErrTooCostly)
	}
	return list, nil
}

// unsearchable makes what is not found a fault of the search that names it:
// the address that was asked for is there.
func unsearchable(err error) error {
	if f := fault.Of(err); f.Class == fault.NotFound {
		return fault.New(fault.Unprocessable, f.Message, err)
	}
	return err
}
