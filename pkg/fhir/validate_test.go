package fhir

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// resources reads every resource of the shared data: the specification's
// examples, and those within Synthea's bundles.
func resources(t testing.TB, glob string) map[string][]Value {
	t.Helper()
	files, _ := filepath.Glob(glob)
	if len(files) == 0 {
		t.Skip("../shared/data is absent")
	}
	out := map[string][]Value{}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := Parse(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
		if err != nil {
			t.Fatalf("%s: %v", filepath.Base(file), err)
		}
		list := []Value{doc.Root()}
		if filepath.Base(filepath.Dir(file)) == "synthea-r4" {
			list = nil
			for e := range doc.Root().Get("entry").Items() {
				list = append(list, e.Get("resource"))
			}
		}
		out[filepath.Base(file)] = list
	}
	return out
}

const (
	examples = "../../../shared/data/fhir-r4-examples/*.json"
	synthea  = "../../../shared/data/synthea-r4/*.json"
)

// broken are the specification's examples that break a rule of the
// specification, and the place where they do.
var broken = map[string]string{
	"bundle-questionnaire.json":       "Questionnaire.item[0].item[0]: linkId is required in Questionnaire.item",
	"codesystem-example.json":         "CodeSystem: csd-1: Within a code system definition, all the codes SHALL be unique",
	"devicemetric-example.json":       "DeviceMetric.parent: a reference to DeviceDefinition is not allowed here, but to Device",
	"deviceusestatement-example.json": "DeviceUseStatement.reasonReference[0]: a reference to Procedure is not allowed here, but to Condition, DiagnosticReport, DocumentReference, Media, Observation",
	"medicationrequest0301.json":      "MedicationRequest.dispenseRequest.performer: a reference to Practitioner is not allowed here, but to Organization",
}

func TestWhatTheSpecificationShowsIsValid(t *testing.T) {
	d, err := R4()
	if err != nil {
		t.Fatal(err)
	}
	for _, glob := range []string{examples, synthea} {
		for file, list := range resources(t, glob) {
			for _, v := range list {
				found := d.Check(v).Errors()
				if want, ok := broken[file]; ok {
					if len(found) == 0 || found[0].Expression+": "+found[0].Diagnostics != want {
						t.Errorf("%s: expected %q, found %+v", file, want, found)
					}
					continue
				}
				for _, i := range found {
					t.Errorf("%s: %s %s: %s", file, i.Expression, i.Code, i.Diagnostics)
				}
			}
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	d, err := R4()
	if err != nil {
		b.Fatal(err)
	}
	var list []Value
	size := 0
	for _, more := range resources(b, synthea) {
		for _, v := range more {
			list = append(list, v)
			size += len(v.Raw())
		}
	}
	b.ReportAllocs()
	begun := spent(b)
	n := 0
	for ; b.Loop(); n++ {
		if err := d.Validate(list[n%len(list)]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(spent(b)-begun)/float64(n), "cpu-ns/op")
	b.ReportMetric(float64(size)/float64(len(list)), "B/resource")
}

// spent is the processor time of this process, which others on the machine do
// not lengthen.
func spent(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
