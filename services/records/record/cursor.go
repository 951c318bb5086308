package record

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/yba-health/yba/pkg/fault"
)

// Cursor is where a page ends.
type Cursor struct {
	// Value is what the list was sorted by, written by whoever reads it.
	Value string
	Key   int64
}

// Seals writes cursors into links so that only this installation reads them:
// what a list was sorted by may be a name, which must not stand in an address,
// and the numbers of the log tell how much was written between two pages.
type Seals struct {
	aead cipher.AEAD
	mac  []byte
}

// NewSeals returns the seals made with a secret of the installation. Every
// process has the same ones, so that a page may be asked for anywhere.
func NewSeals(secret []byte) (*Seals, error) {
	if len(secret) < 16 {
		return nil, errors.New("records: the secret of cursors is too short")
	}
	key := func(use string) []byte {
		h := hmac.New(sha256.New, secret)
		h.Write([]byte(use))
		return h.Sum(nil)
	}
	block, err := aes.NewCipher(key("cursor seal"))
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &Seals{aead, key("cursor nonce")}, err
}

// Seal returns the opaque form of a cursor for the list that place names. The
// nonce follows from what is sealed: the same page has the same link, and no
// two different ones share a nonce.
func (s *Seals) Seal(c Cursor, place string) string {
	plain := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(c.Value)), uint64(c.Key)) //nolint:gosec // the bits are those of a signed number
	plain = append(plain, c.Value...)
	h := hmac.New(sha256.New, s.mac)
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(place))))
	h.Write([]byte(place))
	h.Write(plain)
	nonce := h.Sum(nil)[:s.aead.NonceSize()]
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, plain, []byte(place)))
}

// Open reads what Seal wrote for the same list.
func (s *Seals) Open(text, place string) (*Cursor, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || s == nil || len(b) < s.aead.NonceSize() {
		return nil, errCursor()
	}
	nonce, sealed := b[:s.aead.NonceSize()], b[s.aead.NonceSize():]
	plain, err := s.aead.Open(nil, nonce, sealed, []byte(place))
	if err != nil || len(plain) < 8 {
		return nil, errCursor()
	}
	c := &Cursor{Key: int64(binary.BigEndian.Uint64(plain)), Value: string(plain[8:])} //nolint:gosec // the bits are those of a signed number
	if strings.ContainsRune(c.Value, 0) || !utf8.ValidString(c.Value) {
		return nil, errCursor()
	}
	return c, nil
}

func errCursor() error {
	return fault.New(fault.Invalid, "_cursor is not one that this server gave for this list; follow the next link as it is, or begin again without it", nil)
}
