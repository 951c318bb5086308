package postgres

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// The encodings of bodies. A body says how it is encoded, so that the way can
// change without rewriting what is there.
const (
	plain int16 = 0
	zstd1 int16 = 1
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
func (p *packer) pack(dst, body []byte) ([]byte, int16) {
	if len(body) < 200 {
		return append(dst, body...), plain
	}
	return p.enc.EncodeAll(body, dst), zstd1
}

func (p *packer) unpack(body []byte, encoding int16) ([]byte, error) {
	switch encoding {
	case plain:
		return body, nil
	case zstd1:
		return p.dec.DecodeAll(body, make([]byte, 0, len(body)*4))
	}
	return nil, fmt.Errorf("records: a body has the unknown encoding %d: this program is older than its data", encoding)
}
