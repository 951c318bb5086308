package guard

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/yba-health/yba/pkg/fault"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
)

// Signer signs the principal of a call between processes with a key that only
// the suite's own services hold (32 bytes from the data folder or a secret).
type Signer struct{ key []byte }

// NewSigner returns a signer with the shared key.
func NewSigner(key []byte) *Signer { return &Signer{key} }

// signatureLife bounds how long a captured header is of use.
const signatureLife = time.Minute

// Sign returns expiry (8 bytes, Unix seconds) + MAC (32 bytes) + principal.
func (s *Signer) Sign(p *Principal) ([]byte, error) {
	body, err := proto.Marshal(p)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 40, 40+len(body))
	binary.BigEndian.PutUint64(out, uint64(time.Now().Add(signatureLife).Unix()))
	copy(out[8:], s.mac(out[:8], body))
	return append(out, body...), nil
}

// Verify returns the principal of what Sign made.
func (s *Signer) Verify(signed []byte) (*Principal, error) {
	if len(signed) < 40 || !hmac.Equal(signed[8:40], s.mac(signed[:8], signed[40:])) {
		return nil, fault.New(fault.Unauthenticated, "the caller is not one of our services", nil)
	}
	if time.Now().Unix() > int64(binary.BigEndian.Uint64(signed)) {
		return nil, fault.New(fault.Unauthenticated, "the caller's signature has expired", nil)
	}
	p := &accessv1.Principal{}
	if err := proto.Unmarshal(signed[40:], p); err != nil {
		return nil, fault.New(fault.Unauthenticated, "the caller's principal is malformed", err)
	}
	return p, nil
}

func (s *Signer) mac(expiry, body []byte) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write(expiry)
	h.Write(body)
	return h.Sum(nil)
}
