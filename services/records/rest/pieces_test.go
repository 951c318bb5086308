package rest

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
)

// PieceLines is how many lines an import stores at once.
const PieceLines = pieceLines

func TestALineThatIsTooLongCostsItselfOnly(t *testing.T) {
	p := newPieces(io.MultiReader(strings.NewReader("a\n"), io.LimitReader(blanks{}, maxLine), strings.NewReader("\nb\n")))
	out, long, err := p.read()
	if err != nil || string(out) != "a\n\nb\n" || !slices.Equal(long, []int64{2}) || p.next != 4 {
		t.Errorf("%q %v %v, the next line is %d", out, long, err, p.next)
	}
	p = newPieces(io.MultiReader(io.LimitReader(blanks{}, maxLine-1), strings.NewReader("\nb")))
	if out, long, err := p.read(); err != nil || len(out) != maxLine || long != nil {
		t.Errorf("the longest line: %d bytes, %v %v", len(out), long, err)
	}
}

// blanks is a text without an end.
type blanks struct{}

func (blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func FuzzPieces(f *testing.F) {
	f.Add([]byte("a\n\nb\r\nc"))
	f.Add([]byte("\ufeff{}\n\ufeff{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := newPieces(bytes.NewReader(b))
		var all []byte
		for {
			got, _, err := p.read()
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == 0 {
				break
			}
			all = append(all, got...)
		}
		b = bytes.TrimPrefix(b, []byte("\ufeff"))
		if lines := int64(bytes.Count(b, []byte("\n"))) + 1; !bytes.Equal(all, b) || p.next > lines+1 || p.next < lines {
			t.Errorf("%q became %q, the next line is %d of %d", b, all, p.next, lines)
		}
	})
}
