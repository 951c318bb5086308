// Package rules holds what stations judge by as dated data: each rule set has
// the day it came into force, its source and a version, and what was judged by
// it names that version. A set is never changed once it was in use; a new one
// gets a later day.
package rules

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

//go:embed *.yaml
var files embed.FS

// Schedule is an immunization schedule. Ages and intervals are in days.
type Schedule struct {
	Version   string `yaml:"version"`
	ValidFrom string `yaml:"valid_from"`
	Source    string `yaml:"source"`
	// CallAhead is how many days before the due day a family is called.
	CallAhead int `yaml:"call_ahead_days"`
	// OverdueAfter is how long after the due day a dose is overdue: stations
	// vaccinate once a month, so one missed session is one month.
	OverdueAfter int       `yaml:"overdue_after_days"`
	Vaccines     []Vaccine `yaml:"vaccines"`
}

// Vaccine is one series.
type Vaccine struct {
	Code  string `yaml:"code"`
	Name  string `yaml:"name"`
	Short string `yaml:"short"`
	// CVX is the code in http://hl7.org/fhir/sid/cvx; empty where none fits.
	CVX string `yaml:"cvx"`
	// Routine is false where only some provinces or groups get it.
	Routine bool   `yaml:"routine"`
	Doses   []Dose `yaml:"doses"`
}

// Dose is one of a series.
type Dose struct {
	Number int `yaml:"number"`
	Due    int `yaml:"due"`
	Min    int `yaml:"min"`
	// Interval is the least number of days after the dose before.
	Interval int `yaml:"interval"`
	// Max is the age from which nobody is called for it any more; 0 for none.
	Max int `yaml:"max"`
	// NotAfter is the last age at which it may be given, because it harms or
	// does nothing later; 0 where a late dose still protects.
	NotAfter int `yaml:"not_after"`
}

// Name says which set it is: source and day.
func (s Schedule) Name() string {
	return fmt.Sprintf("%s (hiệu lực từ %s, bản %s)", s.Source, s.ValidFrom, s.Version)
}

// Vaccine returns the series with the code.
func (s Schedule) Vaccine(code string) (Vaccine, bool) {
	i := slices.IndexFunc(s.Vaccines, func(v Vaccine) bool { return v.Code == code })
	if i < 0 {
		return Vaccine{}, false
	}
	return s.Vaccines[i], true
}

// Dose returns the dose with the number.
func (v Vaccine) Dose(number int) (Dose, bool) {
	i := slices.IndexFunc(v.Doses, func(d Dose) bool { return d.Number == number })
	if i < 0 {
		return Dose{}, false
	}
	return v.Doses[i], true
}

// Schedules is all of them, oldest first.
type Schedules []Schedule

// On returns the schedule in force on a day (2006-01-02). What was given
// before the oldest one began is judged by the oldest.
func (l Schedules) On(day string) Schedule {
	s := l[0]
	for _, next := range l {
		if next.ValidFrom <= day {
			s = next
		}
	}
	return s
}

// Immunization reads the schedules that the program carries.
func Immunization() (Schedules, error) {
	names, err := fs.Glob(files, "immunization-*.yaml")
	if err != nil {
		return nil, err
	}
	var l Schedules
	for _, name := range names {
		b, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		s, err := ParseSchedule(b)
		if err != nil {
			return nil, fmt.Errorf("rules/%s: %w", name, err)
		}
		l = append(l, s)
	}
	slices.SortFunc(l, func(a, b Schedule) int { return strings.Compare(a.ValidFrom, b.ValidFrom) })
	if len(l) == 0 {
		return nil, errors.New("rules: there is no immunization schedule")
	}
	return l, nil
}

// ParseSchedule reads one schedule strictly.
func ParseSchedule(b []byte) (Schedule, error) {
	var s Schedule
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&s); err != nil {
		return s, err
	}
	return s, s.check()
}

func (s Schedule) check() error {
	if _, err := time.Parse(time.DateOnly, s.ValidFrom); err != nil || s.Version == "" || s.Source == "" {
		return errors.New("a schedule needs version, source and valid_from (2026-01-01)")
	}
	if s.CallAhead < 0 || s.OverdueAfter < 0 {
		return errors.New("call_ahead_days and overdue_after_days cannot be negative")
	}
	seen := map[string]bool{}
	for _, v := range s.Vaccines {
		if v.Code == "" || v.Name == "" || v.Short == "" || seen[v.Code] || len(v.Doses) == 0 {
			return fmt.Errorf("vaccine %q needs a code of its own, a name, a short name and doses", v.Code)
		}
		seen[v.Code] = true
		before := Dose{}
		for i, d := range v.Doses {
			switch {
			case d.Number != i+1:
				return fmt.Errorf("vaccine %s: dose %d stands at place %d", v.Code, d.Number, i+1)
			case d.NotAfter != 0 && (d.NotAfter < d.Due || d.NotAfter < d.Max):
				return fmt.Errorf("vaccine %s dose %d: nobody is called when it may not be given any more: due ≤ max ≤ not_after", v.Code, d.Number)
			case d.Min < 0 || d.Due < d.Min || d.Interval < 0 || d.Max != 0 && d.Max < d.Due:
				return fmt.Errorf("vaccine %s dose %d: it must hold that 0 ≤ min ≤ due ≤ max", v.Code, d.Number)
			case i > 0 && (d.Min < before.Min || d.Due < before.Due || d.Interval == 0):
				return fmt.Errorf("vaccine %s dose %d: it must come after dose %d and have an interval", v.Code, d.Number, before.Number)
			}
			before = d
		}
	}
	if len(s.Vaccines) == 0 {
		return errors.New("a schedule without vaccines")
	}
	return nil
}
