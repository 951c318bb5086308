package policy

import "testing"

func TestKindOfReadsTheRows(t *testing.T) {
	p, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time from what is kept
		for _, c := range []struct {
			role, operation string
			kind            Kind
		}{
			{"doctor", "records.Search", InCare},
			{"nurse", "records.Search", Commune},
			{"service:consults", "records.Create", All},
			{"doctor", "records.Delete", ""},
			{"nobody", "records.Search", ""},
			{"doctor", "unknown.Search", ""},
		} {
			kind, ok, err := p.KindOf(c.role, c.operation)
			if err != nil || kind != c.kind || ok != (c.kind != "") {
				t.Errorf("%s on %s: %q %v %v", c.role, c.operation, kind, ok, err)
			}
		}
	}
}
