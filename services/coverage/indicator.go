package coverage

import (
	"bytes"
	"embed"
	"fmt"
	"path"

	"gopkg.in/yaml.v3"

	coveragev1 "github.com/yba-health/yba/proto/gen/yba/coverage/v1"
	"github.com/yba-health/yba/services/coverage/readmodel"
)

//go:embed rules/*.yaml
var ruleFiles embed.FS

// Indicator is a dated definition. Its texts are what the department
// publishes with the number.
type Indicator struct {
	ID            string `yaml:"id"`
	Version       string `yaml:"version"`
	ValidFrom     string `yaml:"valid-from"`
	People        string `yaml:"people"`
	Name          string `yaml:"name"`
	NameEN        string `yaml:"name-en"`
	Definition    string `yaml:"definition"`
	DefinitionEN  string `yaml:"definition-en"`
	Numerator     string `yaml:"numerator"`
	NumeratorEN   string `yaml:"numerator-en"`
	Denominator   string `yaml:"denominator"`
	DenominatorEN string `yaml:"denominator-en"`
	Source        string `yaml:"source"`
	Targets       []struct {
		By     string  `yaml:"by"`
		Level  string  `yaml:"level"`
		Share  float64 `yaml:"share"`
		Source string  `yaml:"source"`
	} `yaml:"targets"`
}

// People says which official number is the denominator.
const (
	allPeople  = "all"
	adults     = "adults"
	facilities = "none"
)

// order is the one in which the department reads the figures.
var order = []string{readmodel.RecordCreated, readmodel.RemoteCareAdults, readmodel.FacilitiesRemote}

func loadIndicators() ([]Indicator, error) {
	var out []Indicator
	for _, id := range order {
		name := path.Join("rules", id+".yaml")
		b, err := ruleFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		d := yaml.NewDecoder(bytes.NewReader(b))
		d.KnownFields(true)
		var i Indicator
		if err := d.Decode(&i); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := i.check(id); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, i)
	}
	return out, nil
}

func (i *Indicator) check(id string) error {
	if i.ID != id {
		return fmt.Errorf("id is %q", i.ID)
	}
	if i.People != allPeople && i.People != adults && i.People != facilities {
		return fmt.Errorf("people is %q", i.People)
	}
	for _, text := range []string{
		i.Version, i.Name, i.NameEN, i.Definition, i.DefinitionEN, i.Numerator, i.NumeratorEN, i.Denominator, i.DenominatorEN, i.Source,
	} {
		if text == "" {
			return fmt.Errorf("%s lacks a text", id)
		}
	}
	if _, ok := readmodel.ParseDay(i.ValidFrom); !ok {
		return fmt.Errorf("valid-from %q is no date", i.ValidFrom)
	}
	return nil
}

// targets joins the definition's own targets with those that were entered;
// an entered one replaces one of the same level and day.
func (i *Indicator) targets(entered []readmodel.Target) []readmodel.Target {
	var out []readmodel.Target
	for _, t := range i.Targets {
		out = append(out, readmodel.Target{Indicator: i.ID, Level: t.Level, By: readmodel.Day(t.By), Share: t.Share, Source: t.Source})
	}
	for _, t := range entered {
		if t.Indicator != i.ID {
			continue
		}
		replaced := false
		for n := range out {
			if out[n].Level == t.Level && out[n].By == t.By {
				out[n], replaced = t, true
			}
		}
		if !replaced {
			out = append(out, t)
		}
	}
	return out
}

// due returns the next target to be met, the province's own before the
// national one of the same day.
func due(targets []readmodel.Target, today readmodel.Day) *readmodel.Target {
	var next *readmodel.Target
	for n := range targets {
		t := &targets[n]
		if t.By < today {
			continue
		}
		if next == nil || t.By < next.By || t.By == next.By && t.Level == "province" {
			next = t
		}
	}
	return next
}

func (i *Indicator) message(targets []readmodel.Target) *coveragev1.Indicator {
	m := &coveragev1.Indicator{
		Id: i.ID, Name: i.Name, NameEn: i.NameEN, Definition: i.Definition, DefinitionEn: i.DefinitionEN,
		Numerator: i.Numerator, NumeratorEn: i.NumeratorEN, Denominator: i.Denominator, DenominatorEn: i.DenominatorEN,
		Source: i.Source, ValidFrom: i.ValidFrom,
	}
	for _, t := range targets {
		m.Targets = append(m.Targets, targetMessage(t))
	}
	return m
}

func targetMessage(t readmodel.Target) *coveragev1.Target {
	return &coveragev1.Target{Indicator: t.Indicator, By: string(t.By), Share: t.Share, Level: t.Level, Source: t.Source}
}
