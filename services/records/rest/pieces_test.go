package rest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/services/records/record"
)

// PieceLines is how many lines an import stores at once.
const PieceLines = pieceLines

func TestALineMayNotBeLongerThanAResource(t *testing.T) {
	p := newPieces(strings.NewReader(strings.Repeat("x", record.MaxSize+2)))
	if _, err := p.read(); !fault.Is(err, fault.TooLarge) {
		t.Errorf("%v", err)
	}
}

func FuzzPieces(f *testing.F) {
	f.Add([]byte("a\n\nb\r\nc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := newPieces(bytes.NewReader(b))
		var all []byte
		for {
			got, err := p.read()
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == 0 {
				break
			}
			all = append(all, got...)
		}
		if lines := int64(bytes.Count(b, []byte("\n"))) + 1; !bytes.Equal(all, b) || p.next > lines+1 || p.next < lines {
			t.Errorf("%q became %q, the next line is %d of %d", b, all, p.next, lines)
		}
	})
}
