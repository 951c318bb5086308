package notices

import (
	"bytes"
	"embed"
	"fmt"
	"maps"
	"strings"
	"text/template"
	"time"

	"gopkg.in/yaml.v3"
)

//go:embed templates/*.yaml
var templateFiles embed.FS

// languages are those the texts exist in; the first is the default.
var languages = []string{"vi", "en"}

// wording holds the texts by language and kind.
type wording map[string]map[string]text

type text struct{ title, text *template.Template }

// values fill a template. There is no field for anything clinical.
type values struct {
	// When is the appointment's time in words.
	When string
	// Ward: the reader is told as a guardian.
	Ward bool
	// What is "note" or "prescription" for a result.
	What string
	// Name is who invites.
	Name string
}

func loadWording() (wording, error) {
	out := wording{}
	for _, language := range languages {
		name := "templates/" + language + ".yaml"
		b, err := templateFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var list map[string]struct{ Title, Text string }
		if err := yaml.Unmarshal(b, &list); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[language] = map[string]text{}
		for kind, t := range list {
			title, err := template.New(kind).Parse(t.Title)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			body, err := template.New(kind).Parse(t.Text)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			out[language][kind] = text{title, body}
		}
	}
	return out, nil
}

func (w wording) kinds() []string {
	var out []string
	for k := range maps.Keys(w[languages[0]]) {
		out = append(out, k)
	}
	return out
}

// say writes title and text of a kind.
func (w wording) say(language, kind string, v values) (title, body string, err error) {
	list, ok := w[language]
	if !ok {
		list = w[languages[0]]
	}
	t, ok := list[kind]
	if !ok {
		return "", "", fmt.Errorf("notices: no text for %q", kind)
	}
	var a, b bytes.Buffer
	if err := t.title.Execute(&a, v); err != nil {
		return "", "", err
	}
	if err := t.text.Execute(&b, v); err != nil {
		return "", "", err
	}
	return a.String(), strings.TrimSpace(b.String()), nil
}

// Vietnam has one time zone without daylight saving.
var vietnam = time.FixedZone("ICT", 7*60*60)

// when writes an RFC 3339 time as people say it.
func when(language, start string) string {
	t, err := time.Parse(time.RFC3339, start)
	if err != nil {
		return start
	}
	t = t.In(vietnam)
	if language == "en" {
		return t.Format("15:04 on 2 January 2006")
	}
	return t.Format("15:04 ngày 02/01/2006")
}
