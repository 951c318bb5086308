package account

import (
	"context"
	"strings"
	"testing"
)

func TestAPasswordIsItsOwnHashesOnlyKey(t *testing.T) {
	h, err := NewHasher()
	if err != nil {
		t.Fatal(err)
	}
	phc, err := h.Hash(t.Context(), "trăng sáng sân đình")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(phc, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %s", phc)
	}
	again, err := h.Hash(t.Context(), "trăng sáng sân đình")
	if err != nil || again == phc {
		t.Errorf("two hashes under one salt: %v", err)
	}
	for secret, want := range map[string]bool{
		"trăng sáng sân đình": true,
		// The same letters as another keyboard composes them (NFD).
		"tra\u0306ng sa\u0301ng sa\u0302n đi\u0300nh": true,
		"trang sang san dinh":                         false,
		"":                                            false,
		"trăng sáng sân đình ":                        false,
	} {
		if ok, err := h.Verify(t.Context(), phc, secret); err != nil || ok != want {
			t.Errorf("%q: %v %v", secret, ok, err)
		}
	}
	if ok, err := h.Verify(t.Context(), "", "anything"); err != nil || ok {
		t.Errorf("no hash let somebody in: %v", err)
	}
}

func TestAHasherGivesUpWithItsCaller(t *testing.T) {
	h := &Hasher{p: owasp, slots: make(chan struct{})} // every slot is taken
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, "x"); err == nil {
		t.Error("hashed without a slot")
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA")
	f.Add("$argon2id$v=19$m=4294967295,t=1,p=255$$")
	f.Add("$2a$10$x")
	f.Fuzz(func(t *testing.T, s string) {
		p, salt, hash, err := parsePHC(s)
		if err == nil && (p.memory > 1<<20 || p.time < 1 || p.threads < 1 || len(salt) < 8 || len(hash) < 16) {
			t.Errorf("%q gave %+v", s, p)
		}
	})
}

func TestPasswordsThatAreGuessedFirstAreRefused(t *testing.T) {
	for password, good := range map[string]bool{
		"con mèo ngủ": true, "1234567": false, "12345678": false, "MatKhau123": false, "nguyen.hoa": false,
		"ếếếếếếế": false, "ếếếếếếếế": true, strings.Repeat("a", 129): false,
	} {
		if err := CheckPassword("nguyen.hoa", password); (err == nil) != good {
			t.Errorf("%q: %v", password, err)
		}
	}
}

func TestActivationCodesAreReadableAndTypedAsOneLikes(t *testing.T) {
	seen := map[string]bool{}
	for range 500 {
		code, err := NewActivationCode()
		if err != nil {
			t.Fatal(err)
		}
		if len(code) != 8 || strings.ContainsAny(code, "0O1IL5S8BUV") || seen[code] {
			t.Fatalf("code %q", code)
		}
		seen[code] = true
	}
	if got := ActivationCode(" k2mz-qr7w "); got != "K2MZQR7W" {
		t.Errorf("typed code became %q", got)
	}
}

func TestWaitsDoubleAndEnd(t *testing.T) {
	a := Attempt{Key: "pair:x", Free: 5}
	for failures, want := range map[int]string{0: "0s", 4: "0s", 5: "2s", 6: "4s", 8: "16s", 20: "15m0s", 10_000: "15m0s"} {
		if got := a.WaitAfter(failures).String(); got != want {
			t.Errorf("after %d failures %s, not %s", failures, got, want)
		}
	}
}
