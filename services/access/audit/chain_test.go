package audit

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

func TestFieldsThatRunTogetherHashDifferently(t *testing.T) {
	at := time.Date(2026, 11, 21, 7, 30, 0, 0, time.UTC)
	a := Entry{Seq: 1, At: at, Operation: "ab", Account: "c", Roles: []string{"x", "y"}}
	for name, b := range map[string]Entry{
		"text moved to the next field": {Seq: 1, At: at, Operation: "a", Account: "bc", Roles: []string{"x", "y"}},
		"roles joined":                 {Seq: 1, At: at, Operation: "ab", Account: "c", Roles: []string{"xy"}},
		"a millisecond later":          {Seq: 1, At: at.Add(time.Millisecond), Operation: "ab", Account: "c", Roles: []string{"x", "y"}},
		"another place":                {Seq: 2, At: at, Operation: "ab", Account: "c", Roles: []string{"x", "y"}},
	} {
		if bytes.Equal(a.Sum(nil), b.Sum(nil)) {
			t.Errorf("%s: the same hash", name)
		}
	}
	if bytes.Equal(a.Sum(nil), a.Sum([]byte("before"))) {
		t.Error("the hash does not depend on the entry before")
	}
}

func TestAGapIsNamed(t *testing.T) {
	list := make([]Entry, 3)
	Link(0, nil, list)
	var c Chain
	if err := c.Next(list[0]); err != nil {
		t.Fatal(err)
	}
	broken, ok := errors.AsType[*BrokenError](c.Next(list[2]))
	if !ok || broken.Seq != 2 {
		t.Errorf("the gap was reported as %v", broken)
	}
}
