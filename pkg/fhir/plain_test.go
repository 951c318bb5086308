package fhir_test

import (
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fhir"
)

func TestPlainIsWhatAReaderSees(t *testing.T) {
	for in, want := range map[string]string{
		`<div xmlns="http://www.w3.org/1999/xhtml"><p>Sốt <b>cao</b></p><td>38</td></div>`: "Sốt cao 38",
		`<div>a<br/>b<!-- <hidden> -->c</div>`:                                             "a b c",
		`<div title="x > y" class='"'>A &amp; B &lt; C&nbsp;&#272;</div>`:                  "A & B < C Đ",
		`no markup`:       "no markup",
		`<div>cut <p tit`: "cut",
		``:                "",
	} {
		if got := strings.Join(strings.Fields(fhir.Plain(in)), " "); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func FuzzPlain(f *testing.F) {
	for _, s := range []string{`<div title="a>b">x</div>`, "<!--", "<a '", "&#x41;<", "<<>>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !strings.ContainsAny(s, "<&") && fhir.Plain(s) != s {
			t.Errorf("%q has no markup and is read as %q", s, fhir.Plain(s))
		}
		if !strings.Contains(s, "&") && strings.Contains(fhir.Plain(s), "<") {
			t.Errorf("%q keeps a tag", s)
		}
	})
}
