package geography

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

// Shelf keeps the book that stations has, and reads it again from time to time.
type Shelf struct {
	stations stationsv1.StationsClient
	as       func(context.Context) context.Context
	now      func() time.Time
	log      *slog.Logger

	mu     sync.Mutex
	book   *Book
	loaded time.Time
}

// NewShelf returns a shelf that asks stations in the context that as gives.
func NewShelf(stations stationsv1.StationsClient, as func(context.Context) context.Context, now func() time.Time, log *slog.Logger) *Shelf {
	return &Shelf{stations: stations, as: as, now: now, log: log}
}

// keep is how long a book serves: units change by law, but the first import
// of an installation should be seen soon.
const keep = time.Minute

// Book returns the units as stations has them. When stations does not answer,
// the last book serves on.
func (s *Shelf) Book(ctx context.Context, today string) (*Book, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.book != nil && s.now().Sub(s.loaded) < keep {
		return s.book, nil
	}
	b, err := s.load(s.as(ctx), today)
	if err != nil {
		if s.book == nil {
			return nil, fault.New(fault.Unavailable, "the list of communes cannot be read now; try again in a minute", err)
		}
		s.log.Warn("list of communes not read again", "error", err)
		b = s.book
	}
	s.book, s.loaded = b, s.now()
	return b, nil
}

var levels = []string{"province", "district", "commune", "hamlet"}

// load reads the units of today and of the eve of every change.
func (s *Shelf) load(ctx context.Context, today string) (*Book, error) {
	changes, err := s.stations.ListSuccessions(ctx, &stationsv1.ListSuccessionsRequest{})
	if err != nil {
		return nil, err
	}
	days := []string{today}
	var successions []Succession
	for _, c := range changes.GetSuccessions() {
		successions = append(successions, Succession{
			Old: c.GetOldCode() + "@" + c.GetOldValidFrom(), New: c.GetNewCode() + "@" + c.GetNewValidFrom(), Full: c.GetExtent() == "full",
		})
		t, err := time.Parse(time.DateOnly, c.GetNewValidFrom())
		if err != nil {
			continue
		}
		if eve := t.AddDate(0, 0, -1).Format(time.DateOnly); !slices.Contains(days, eve) {
			days = append(days, eve)
		}
	}
	var units []Unit
	for _, day := range days {
		for _, level := range levels {
			list, err := s.stations.ListUnits(ctx, &stationsv1.ListUnitsRequest{Level: level, AsOf: day})
			if err != nil {
				return nil, err
			}
			for _, u := range list.GetUnits() {
				units = append(units, Unit{
					Code: u.GetCode(), Level: u.GetLevel(), Name: u.GetName(), Parent: u.GetParent(), From: u.GetValidFrom(), To: u.GetValidTo(),
				})
			}
		}
	}
	return NewBook(units, successions), nil
}
