package account

import (
	"crypto/rand"
	"strings"
	"time"
)

// ActivationLife is how long an activation code can be used.
const ActivationLife = 7 * 24 * time.Hour

// codeAlphabet leaves out what looks or sounds alike: 0 O, 1 I L, 5 S, 8 B, U V.
const codeAlphabet = "234679ACDEFGHJKMNPQRTWXYZ"

const codeLength = 8

// NewActivationCode returns a one-time code that a person reads off a slip of paper.
func NewActivationCode() (string, error) {
	out := make([]byte, 0, codeLength)
	b := make([]byte, 1)
	for len(out) < codeLength {
		if _, err := rand.Read(b); err != nil {
			return "", err
		}
		// Bytes beyond a multiple of the alphabet's size would favour its beginning.
		if n := int(b[0]); n < 256/len(codeAlphabet)*len(codeAlphabet) {
			out = append(out, codeAlphabet[n%len(codeAlphabet)])
		}
	}
	return string(out), nil
}

// ActivationCode returns a typed code in the form in which it was made:
// capitals, without blanks and dashes.
func ActivationCode(typed string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '\t' {
			return -1
		}
		return r
	}, strings.ToUpper(typed))
}
