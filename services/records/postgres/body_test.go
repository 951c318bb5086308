package postgres

import (
	"bytes"
	"crypto/sha256"
	"fmt"
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
	for _, body := range [][]byte{[]byte(`{"data":""}`), bytes.Repeat([]byte("x"), 1000), bytes.Repeat([]byte("x"), longest+1)} {
		for _, list := range [][]record.Splice{nil, table} {
			packed, encoding := p.pack([]byte("before"), body, list)
			got, splices, err := p.unpack(packed[len("before"):], encoding)
			if err != nil || !bytes.Equal(got, body) || !slices.Equal(splices, list) {
				t.Errorf("%d bytes, %d values: %v, %d bytes, %v", len(body), len(list), err, len(got), splices)
			}
		}
	}
}

// TestBodiesOfEveryEncodingAreUnpacked has a body as each version of the
// program packed it.
func TestBodiesOfEveryEncodingAreUnpacked(t *testing.T) {
	p, err := newPacker()
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},"subject":{"reference":"Patient/1"}}`)
	packed, encoding := p.pack(nil, body, nil)
	if encoding != phrased || len(packed) > 40 {
		t.Errorf("packed into %d bytes as %d", len(packed), encoding)
	}
	for encoding, packed := range map[int16][]byte{plain: body, zstd1: p.enc.EncodeAll(body, nil), phrased: packed} {
		if got, _, err := p.unpack(packed, encoding); err != nil || !bytes.Equal(got, body) {
			t.Errorf("encoding %d: %v, %s", encoding, err, got)
		}
	}
}

// TestThePhrasesStayAsTheyAre is true as long as what was stored can be read.
func TestThePhrasesStayAsTheyAre(t *testing.T) {
	if sum := fmt.Sprintf("%x", sha256.Sum256(phrases)); sum != "20b7d6b161341646fea303e415ad6074359513eac2d69a1986e754c45b27c698" {
		t.Errorf("the phrases became %s", sum)
	}
}

func FuzzUnpack(f *testing.F) {
	p, err := newPacker()
	if err != nil {
		f.Fatal(err)
	}
	packed, encoding := p.pack(nil, phrases[:3000], []record.Splice{{At: 9, Size: 5}})
	f.Add(packed, encoding)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, phrased)
	f.Fuzz(func(t *testing.T, packed []byte, encoding int16) {
		body, splices, err := p.unpack(packed, encoding)
		if err != nil || len(body) > longest {
			return
		}
		again, encoding := p.pack(nil, body, splices)
		if got, _, err := p.unpack(again, encoding); err != nil || !bytes.Equal(got, body) {
			t.Fatalf("%v: %q became %q", err, body, got)
		}
	})
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
