package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/yba-health/yba/pkg/fhirclient"
	"github.com/yba-health/yba/pkg/vitext"
)

// target is what the reads ask for, taken from what the store holds.
type target struct {
	reads     []string
	patients  []string
	codeOf    map[string]string
	names     []string
	newBodies [][]byte
}

// line is one row of the table: what is asked, over how many connections.
type line struct {
	name        string
	connections int
	request     func(i int) (method, path string, body []byte)
}

func get(path string) (string, string, []byte) { return http.MethodGet, path, nil }

func (t *target) lines() []line {
	patient := func(i int) string { return t.patients[i%len(t.patients)] }
	code := func(i int) string { return url.QueryEscape(t.codeOf[patient(i)]) }
	since := []string{"1990", "2005-06", "2012", "2016-01", "2018-03-01"}
	return []line{
		{"read by id", 16, func(i int) (string, string, []byte) { return get(t.reads[i%len(t.reads)]) }},
		{"search Observation by patient and code, 20 newest", 16, func(i int) (string, string, []byte) {
			return get("Observation?patient=" + patient(i) + "&code=" + code(i) + "&_sort=-date&_count=20")
		}},
		{"search Patient by the beginning of a name", 16, func(i int) (string, string, []byte) {
			return get("Patient?name=" + url.QueryEscape(t.names[i%len(t.names)]))
		}},
		{"search Condition by patient and clinical status", 16, func(i int) (string, string, []byte) {
			return get("Condition?patient=" + patient(i) + "&clinical-status=active")
		}},
		{"search MedicationRequest by patient with encounters", 16, func(i int) (string, string, []byte) {
			return get("MedicationRequest?patient=" + patient(i) + "&_include=MedicationRequest:encounter")
		}},
		{"search Observation of all by code since a date", 4, func(i int) (string, string, []byte) {
			return get("Observation?code=" + code(i) + "&date=ge" + since[i%len(since)] + "&_count=20")
		}},
		{"Patient/$everything", 4, func(i int) (string, string, []byte) { return get("Patient/" + patient(i) + "/$everything") }},
		{"create Observation, durable", 32, func(i int) (string, string, []byte) {
			return http.MethodPost, "Observation", t.newBodies[i%len(t.newBodies)]
		}},
	}
}

// measureLines measures the chosen lines; among names people whose records
// are asked for, nil for the newest.
func (b *bench) measureLines(ctx context.Context, client *fhirclient.Client, among []string, say func(string)) ([]measure, error) {
	t, err := b.targets(ctx, client, among)
	if err != nil {
		return nil, err
	}
	var table []measure
	for _, l := range t.lines() {
		if !b.only.MatchString(l.name) {
			continue
		}
		say(l.name)
		prepared, err := b.prepare(l.request)
		if err != nil {
			return nil, err
		}
		before := b.processors(ctx)
		m, err := b.hammer(ctx, l.name, l.connections, prepared)
		if err != nil {
			return nil, err
		}
		m.spent(before, b.processors(ctx))
		table = append(table, m)
	}
	return table, nil
}

// targets asks for patients and for one of each one's observations, so that
// every later search has something to find.
func (b *bench) targets(ctx context.Context, client *fhirclient.Client, among []string) (target, error) {
	t := target{codeOf: map[string]string{}}
	for _, id := range among {
		if err := b.observations(ctx, client, id, &t); err != nil {
			return t, err
		}
	}
	// The newest are the import's, the oldest perhaps a province's people.
	for _, order := range []string{"-_lastUpdated", "_lastUpdated"} {
		n := 0
		for body, err := range client.Search(ctx, "Patient", url.Values{"_count": {"100"}, "_sort": {order}}) {
			if err != nil {
				return t, fmt.Errorf("looking for patients: %w", err)
			}
			var p struct {
				ResourceType, ID string
				Name             []struct{ Family string }
			}
			if err := json.Unmarshal(body, &p); err != nil || p.ResourceType != "Patient" {
				return t, errors.New("a search for Patient returned something else")
			}
			if len(p.Name) > 0 && p.Name[0].Family != "" {
				// Synthea ends names with digits: without them it is the beginning.
				name := strings.TrimRight(p.Name[0].Family, "0123456789")
				t.names = append(t.names, name, vitext.Fold(name))
			}
			if among == nil && order == "-_lastUpdated" {
				if err := b.observations(ctx, client, p.ID, &t); err != nil {
					return t, err
				}
			}
			if n++; n == 100 {
				break
			}
		}
	}
	if len(t.patients) == 0 || len(t.names) == 0 {
		return t, errors.New("the server has no patient with a name and observations to measure with")
	}
	return t, nil
}

func (b *bench) observations(ctx context.Context, client *fhirclient.Client, patient string, t *target) error {
	n := 0
	for body, err := range client.Search(ctx, "Observation", url.Values{"patient": {patient}, "_count": {"20"}}) {
		if err != nil {
			return fmt.Errorf("looking for observations: %w", err)
		}
		var o struct {
			ID   string
			Code struct {
				Coding []struct{ System, Code string }
			}
		}
		if err := json.Unmarshal(body, &o); err != nil {
			return fmt.Errorf("an observation cannot be read: %w", err)
		}
		if len(o.Code.Coding) == 0 {
			continue
		}
		t.reads = append(t.reads, "Observation/"+o.ID)
		t.codeOf[patient] = o.Code.Coding[0].System + "|" + o.Code.Coding[0].Code
		if n++; n == 20 {
			break
		}
	}
	if n > 0 {
		t.patients = append(t.patients, patient)
		t.reads = append(t.reads, "Patient/"+patient)
		t.newBodies = append(t.newBodies, fmt.Appendf(nil, `{"resourceType":"Observation","status":"final",`+
			`"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],`+
			`"code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},"subject":{"reference":"Patient/%s"},`+
			`"effectiveDateTime":"2026-01-02T08:00:00+07:00","valueQuantity":{"value":72,"unit":"/min","system":"http://unitsofmeasure.org","code":"/min"}}`, patient))
	}
	return nil
}
