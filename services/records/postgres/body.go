package postgres

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"

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
)

// maxBody bounds what a stored body may unpack to.
const maxBody = 64 << 20

type packer struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

func newPacker() (*packer, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
		zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20))
	dec, err2 := zstd.NewReader(nil, zstd.WithDecoderConcurrency(4), zstd.WithDecoderMaxMemory(maxBody))
	return &packer{enc, dec}, errors.Join(err, err2)
}

// pack appends the packed body to dst.
func (p *packer) pack(dst, body []byte, splices []record.Splice) ([]byte, int16) {
	var encoding int16
	if len(splices) > 0 {
		dst, encoding = appendSplices(dst, splices), spliced
	}
	if len(body) < 200 {
		return append(dst, body...), encoding | plain
	}
	return p.enc.EncodeAll(body, dst), encoding | zstd1
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
	}
	return nil, nil, fmt.Errorf("records: a body has the unknown encoding %d: this program is older than its data", encoding)
}

// own unpacks a body that is the driver's until the next row is read.
func (p *packer) own(body sql.RawBytes, encoding int16) ([]byte, []record.Splice, error) {
	out, splices, err := p.unpack(body, encoding)
	if encoding&zstd1 == 0 {
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
