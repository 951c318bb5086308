package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/yba-health/yba/pkg/fault"
)

// Hasher turns secrets into argon2id hashes and bounds how many are worked on
// at once, because each takes memory.
type Hasher struct {
	p     params
	slots chan struct{}
	decoy string
}

// params are argon2's costs; a hash carries its own, so they can be raised later.
type params struct {
	memory  uint32 // KiB
	time    uint32
	threads uint8
}

// owasp is the first recommendation of OWASP's Password Storage Cheat Sheet
// for argon2id that fits a small machine: 19 MiB, two passes, one lane.
var owasp = params{memory: 19 * 1024, time: 2, threads: 1}

const (
	saltBytes = 16
	hashBytes = 32
)

// NewHasher returns a hasher that works on as many secrets at once as there
// are processors.
//
//nolint:contextcheck // its own first hash waits for nobody
func NewHasher() (*Hasher, error) {
	h := &Hasher{p: owasp, slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)))}
	decoy, err := h.Hash(context.Background(), rand.Text())
	h.decoy = decoy
	return h, err
}

// Hash returns the PHC string of secret under a fresh salt.
func (h *Hasher) Hash(ctx context.Context, secret string) (string, error) {
	salt := make([]byte, saltBytes)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	sum, err := h.sum(ctx, secret, salt, h.p, hashBytes)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.p.memory, h.p.time, h.p.threads,
		b64.EncodeToString(salt), b64.EncodeToString(sum)), nil
}

// Verify reports whether secret is what phc was made of. An empty phc (no such
// account, no password set) costs as much as a real one and is false, so that
// the time tells nothing.
func (h *Hasher) Verify(ctx context.Context, phc, secret string) (bool, error) {
	isSet := phc != ""
	if !isSet {
		phc = h.decoy
	}
	p, salt, want, err := parsePHC(phc)
	if err != nil {
		return false, err
	}
	sum, err := h.sum(ctx, secret, salt, p, uint32(len(want)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(sum, want) == 1 && isSet, nil
}

func (h *Hasher) sum(ctx context.Context, secret string, salt []byte, p params, length uint32) ([]byte, error) {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return nil, fault.New(fault.Unavailable, "too many people are signing in at once; try again", ctx.Err())
	}
	// One spelling of each character, however the keyboard composes "ế" (RFC 8265).
	return argon2.IDKey([]byte(norm.NFC.String(secret)), salt, p.time, p.memory, p.threads, length), nil
}

// parsePHC reads $argon2id$v=19$m=…,t=…,p=…$salt$hash.
func parsePHC(s string) (p params, salt, hash []byte, err error) {
	bad := fault.New(fault.Internal, "internal error", fmt.Errorf("password hash is malformed"))
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return p, nil, nil, bad
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); n != 3 || err != nil {
		return p, nil, nil, bad
	}
	if p.memory > 1<<20 || p.time < 1 || p.time > 100 || p.threads < 1 {
		return p, nil, nil, bad
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	hash, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(salt) < 8 || len(hash) < 16 || len(hash) > 128 {
		return p, nil, nil, bad
	}
	return p, salt, hash, nil
}

// The shortest and longest passwords: NIST SP 800-63B section 5.1.1.2 asks
// for length, not for kinds of characters.
const (
	minPassword = 8
	maxPassword = 128
)

// often are passwords that guessers try first.
var often = map[string]bool{
	"12345678": true, "123456789": true, "1234567890": true, "87654321": true, "11111111": true, "00000000": true,
	"88888888": true, "password": true, "password1": true, "matkhau1": true, "matkhau123": true, "abcd1234": true, "abc12345": true,
	"qwertyui": true, "qwerty123": true, "123123123": true, "anhyeuem": true, "iloveyou": true, "admin123": true, "vietnam1": true,
}

// CheckPassword says what is wrong with a new password.
func CheckPassword(username, password string) error {
	n := utf8.RuneCountInString(password)
	switch {
	case n < minPassword:
		return fault.Newf(fault.Invalid, "a password has at least %d characters", minPassword).In("new_password")
	case n > maxPassword:
		return fault.Newf(fault.Invalid, "a password has at most %d characters", maxPassword).In("new_password")
	case often[strings.ToLower(password)], strings.EqualFold(password, username):
		return fault.New(fault.Invalid, "this password is easy to guess; choose another", nil).In("new_password")
	}
	return nil
}
