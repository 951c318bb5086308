package record

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
)

func seals(t testing.TB, secret string) *Seals {
	t.Helper()
	s, err := NewSeals([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const secretA, secretB = "0123456789abcdef0123456789abcdef", "1123456789abcdef0123456789abcdef"

func TestASealedCursorTellsNothingAndComesBackWhole(t *testing.T) {
	s := seals(t, secretA)
	for _, c := range []Cursor{{}, {Key: 1}, {Key: -1 << 63, Value: `["nguyễn hoa",null]`}, {Key: 1<<63 - 1, Value: strings.Repeat("x", 500)}} {
		text := s.Seal(c, "search a")
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || len(c.Value) > 3 && bytes.Contains(raw, []byte(c.Value[2:4])) && bytes.Contains(raw, []byte("nguy")) {
			t.Errorf("%q shows its value: %v", raw, err)
		}
		// Another process has the same secret.
		got, err := seals(t, secretA).Open(text, "search a")
		if err != nil || *got != c {
			t.Errorf("%v came back as %v: %v", c, got, err)
		}
		if again := s.Seal(c, "search a"); again != text {
			t.Error("the same page has two links")
		}
	}
	if a, b := s.Seal(Cursor{Key: 7}, "a"), s.Seal(Cursor{Key: 7}, "b"); a[:16] == b[:16] {
		t.Error("two lists share a nonce")
	}
	if _, err := NewSeals([]byte("short")); err == nil {
		t.Error("a secret of 5 bytes is taken")
	}
}

func TestAForeignCursorIsRefused(t *testing.T) {
	s := seals(t, secretA)
	good := s.Seal(Cursor{Key: 7, Value: `["a"]`}, "search a")
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{"", "x", "!", good[:len(good)-1], good + "A", seals(t, secretB).Seal(Cursor{Key: 7, Value: `["a"]`}, "search a"), s.Seal(Cursor{Key: 7}, "search b")}
	for i := range raw {
		changed := bytes.Clone(raw)
		changed[i] ^= 1
		texts = append(texts, base64.RawURLEncoding.EncodeToString(changed))
	}
	for _, text := range texts {
		if _, err := s.Open(text, "search a"); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := (*Seals)(nil).Open(good, "search a"); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}

func FuzzCursor(f *testing.F) {
	s := seals(f, secretA)
	f.Add(s.Seal(Cursor{Key: 1, Value: "x"}, "p"), "p")
	f.Add("", "")
	f.Add("AAAA", "p")
	f.Fuzz(func(t *testing.T, text, place string) {
		c, err := s.Open(text, place)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Error(err)
			}
			return
		}
		if s.Seal(*c, place) != text {
			t.Errorf("%q opens but was not sealed here", text)
		}
	})
}
