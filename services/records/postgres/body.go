package postgres

import (
	"bytes"
	"database/sql"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/yba-health/yba/services/records/record"
)

// The encodings of bodies. A body says how it is encoded, so that the way can
// change without rewriting what is there.
const (
	plain int16 = 0
	zstd1 int16 = 1
	// spliced is added where the body begins with the table of values that are
	// kept apart from it.
	spliced int16 = 2
	// phrased is S2 with the phrases as its dictionary.
	phrased int16 = 4
)

// phrases are what bodies are likely to hold: resources as clinics write them,
// without what differs. They are part of the encoding and never change; other
// phrases would be another encoding.
//
//go:embed phrases.txt
var phrases []byte

// longest is how long a body is that the phrases help. With them S2 packs a
// resource smaller than zstd does, which would spend most of its time on
// tables that only large ones are worth.
const longest = 16 << 10

// maxBody bounds what a stored body may unpack to.
const maxBody = 64 << 20

type packer struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
	// known packs and unpacks with the phrases.
	known *s2.Dict
}

func newPacker() (*packer, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
		zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20))
	dec, err2 := zstd.NewReader(nil, zstd.WithDecoderConcurrency(4), zstd.WithDecoderMaxMemory(maxBody))
	return &packer{enc, dec, s2.MakeDict(phrases, nil)}, errors.Join(err, err2)
}

// pack appends the packed body to dst.
func (p *packer) pack(dst, body []byte, splices []record.Splice) ([]byte, int16) {
	var encoding int16
	if len(splices) > 0 {
		dst, encoding = appendSplices(dst, splices), spliced
	}
	switch {
	case len(body) < 64:
		return append(dst, body...), encoding | plain
	case len(body) > longest:
		return p.enc.EncodeAll(body, dst), encoding | zstd1
	}
	n := len(dst)
	dst = slices.Grow(dst, s2.MaxEncodedLen(len(body)))
	return dst[:n+len(p.known.Encode(dst[n:cap(dst)], body))], encoding | phrased
}

func (p *packer) unpack(body []byte, encoding int16) (_ []byte, splices []record.Splice, err error) {
	if encoding&spliced != 0 {
		if splices, body, err = readSplices(body); err != nil {
			return nil, nil, err
		}
	}
	switch encoding &^ spliced {
	case plain:
		return body, splices, nil
	case zstd1:
		body, err = p.dec.DecodeAll(body, nil) // it knows how much it needs
		return body, splices, err
	case phrased:
		if n, err := s2.DecodedLen(body); err != nil || n > longest {
			return nil, nil, errPhrases
		}
		body, err = p.known.Decode(nil, body)
		return body, splices, err
	}
	return nil, nil, fmt.Errorf("records: a body has the unknown encoding %d: this program is older than its data", encoding)
}

var errPhrases = errors.New("records: a body is damaged")

// own unpacks a body that is the driver's until the next row is read.
func (p *packer) own(body sql.RawBytes, encoding int16) ([]byte, []record.Splice, error) {
	out, splices, err := p.unpack(body, encoding)
	if encoding&^spliced == plain {
		out = bytes.Clone(out)
	}
	return out, splices, err
}

// appendSplices writes the table: the number of values, and of each its place,
// counted from the one before, its size with the form in the lowest bit, and
// its digest.
func appendSplices(dst []byte, list []record.Splice) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	at := 0
	for _, s := range list {
		form := uint64(0)
		if s.Text {
			form = 1
		}
		dst = binary.AppendUvarint(dst, uint64(s.At-at))        //nolint:gosec // places ascend
		dst = binary.AppendUvarint(dst, uint64(s.Size)<<1|form) //nolint:gosec // a size is not negative
		dst = append(dst, s.Digest[:]...)
		at = s.At
	}
	return dst
}

var errSplices = errors.New("records: the table of values kept apart is damaged")

func readSplices(b []byte) (list []record.Splice, rest []byte, err error) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)) {
		return nil, nil, errSplices
	}
	b = b[used:]
	at := 0
	for range n {
		var s record.Splice
		gap, used := binary.Uvarint(b)
		if used <= 0 || gap > maxBody {
			return nil, nil, errSplices
		}
		b = b[used:]
		size, used := binary.Uvarint(b)
		if used <= 0 || size>>1 > 1<<40 || len(b) < used+len(s.Digest) {
			return nil, nil, errSplices
		}
		at += int(gap)
		s.At, s.Size, s.Text = at, int64(size>>1), size&1 != 0
		copy(s.Digest[:], b[used:])
		b = b[used+len(s.Digest):]
		list = append(list, s)
	}
	return list, b, nil
}
