package record

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// join puts values back where Split took them out.
func join(rest []byte, list []Splice, values [][]byte) []byte {
	var out []byte
	from := 0
	for i, s := range list {
		out = s.Append(append(out, rest[from:s.At]...), values[i])
		from = s.At
	}
	return append(out, rest[from:]...)
}

func TestSplitTakesOutLargeMembersOfTheRightNamesOnly(t *testing.T) {
	big, quoted := strings.Repeat("QUJD", 17_000), strings.Repeat(`a\"`, 30_000)
	for text, want := range map[string]int{
		`{"data":"` + big + `"}`:                                  1,
		`{"data" :` + "\n\t" + `"` + big + `"}`:                   1,
		`{"valueBase64Binary":"` + big + `"}`:                     1,
		`{"data":"` + big + `","x":{"data":"` + big + `"}}`:       2,
		`{"data":"` + quoted + `"}`:                               1,
		`{"title":"` + big + `"}`:                                 0,
		`{"data":["` + big + `"]}`:                                0,
		`{"a":"data","title":"` + big + `"}`:                      0,
		`{"a":["data","` + big + `"]}`:                            0,
		`{"data":"` + big[:Inline] + `"}`:                         0,
		`{"note":"` + quoted + `","data":"` + big[:Inline] + `"}`: 0,
	} {
		rest, list, values := Split([]byte(text))
		if len(list) != want || string(join(rest, list, values)) != text || want > 0 && len(rest) > 100 {
			t.Errorf("%.30s…: %d values, %d bytes left", text, len(list), len(rest))
		}
		x := &Stored{Body: rest, Splices: list}
		if !json.Valid(rest) || !json.Valid(x.Bare()) || want > 0 && bytes.Contains(x.Bare(), []byte(`""`)) {
			t.Errorf("%.30s…: %s", text, x.Bare())
		}
		if n := bytes.Count(x.Marked(), []byte(Marker)); n != want || x.Whole() != int64(len(text)) || !x.Same([]byte(text), nil) {
			t.Errorf("%.30s…: %d markers, %d bytes", text, n, x.Whole())
		}
		if x.Same([]byte(strings.Replace(text, "QUJD", "QUJE", 1)), nil) == strings.Contains(text, "QUJD") {
			t.Errorf("%.30s…: another value counts as the same", text)
		}
	}
}

func FuzzSplitComesBackByteForByte(f *testing.F) {
	f.Add([]byte(`{"data":"*","a":1}`), "QUJD", 17_000)
	f.Add([]byte(`{"data":"*"`), `\"`, 40_000)
	f.Add([]byte(`"data":"*`), "\\", 70_001)
	f.Fuzz(func(t *testing.T, frame []byte, unit string, n int) {
		if n < 0 || n > 100_000 || len(unit) > 8 {
			t.Skip()
		}
		text := bytes.Replace(frame, []byte("*"), []byte(strings.Repeat(unit, n)), 1)
		rest, list, values := Split(text)
		if !bytes.Equal(join(rest, list, values), text) {
			t.Fatal("the text differs")
		}
		if json.Valid(text) {
			x := &Stored{Body: rest, Splices: list}
			if !json.Valid(rest) || !json.Valid(x.Bare()) {
				t.Fatalf("%.200s", x.Bare())
			}
		}
	})
}
