package postgres

import (
	"bytes"
	"slices"
	"testing"

	"github.com/yba-health/yba/services/records/record"
)

func TestBodyIsUnpackedWithTheTableOfItsValues(t *testing.T) {
	p, err := newPacker()
	if err != nil {
		t.Fatal(err)
	}
	table := []record.Splice{{At: 9, Size: 5 << 20, Digest: [32]byte{1}}, {At: 9, Size: 0, Text: true, Digest: [32]byte{2}}, {At: 300, Size: 1 << 33, Text: true}}
	for _, body := range [][]byte{[]byte(`{"data":""}`), bytes.Repeat([]byte("x"), 1000)} {
		for _, list := range [][]record.Splice{nil, table} {
			packed, encoding := p.pack([]byte("before"), body, list)
			got, splices, err := p.unpack(packed[len("before"):], encoding)
			if err != nil || !bytes.Equal(got, body) || !slices.Equal(splices, list) {
				t.Errorf("%d bytes, %d values: %v, %d bytes, %v", len(body), len(list), err, len(got), splices)
			}
		}
	}
}

func FuzzTableOfValues(f *testing.F) {
	f.Add(appendSplices(nil, []record.Splice{{At: 9, Size: 5 << 20}, {At: 10, Text: true}}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, rest, err := readSplices(b)
		if err != nil {
			return
		}
		again, left, err := readSplices(append(appendSplices(nil, list), rest...))
		if err != nil || !slices.Equal(again, list) || !bytes.Equal(left, rest) {
			t.Fatalf("%v: %v became %v", err, list, again)
		}
	})
}
