package access_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/services/access"
	"github.com/yba-health/yba/services/access/openid"
)

func TestPlainHTTPIsForThisMachineOnly(t *testing.T) {
	for public, want := range map[string]string{
		"":                        "http://localhost:8080",
		"https://yba.example.vn/": "https://yba.example.vn",
		"http://localhost:9000":   "http://localhost:9000",
		"http://127.0.0.1:9000":   "http://127.0.0.1:9000",
		"http://[::1]:9000":       "http://[::1]:9000",
		"http://yba.example.vn":   "error",
		"http://10.0.0.5:8080":    "error",
		"yba.example.vn":          "error",
		"https://x/?a=b":          "error",
	} {
		c := config.Default()
		c.PublicURL = public
		got, err := access.Issuer(c)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q gave %s, not %s", public, got, want)
		}
	}
}

func TestTheSigningKeyIsMadeOnceAndPrivate(t *testing.T) {
	dir := t.TempDir()
	first, err := openid.LoadKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := first.Encrypt("grant.1:account")
	if err != nil {
		t.Fatal(err)
	}
	second, err := openid.LoadKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := second.Decrypt(sealed); err != nil || text != "grant.1:account" {
		t.Errorf("another process opens %q: %v", text, err)
	}
	st, err := os.Stat(filepath.Join(dir, "signing-key.pem"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v: %v", st.Mode(), err)
	}
	other, err := openid.LoadKeys(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Decrypt(sealed); err == nil {
		t.Error("another installation opens the token")
	}
	for _, wrong := range []string{"", "x", sealed[:10], sealed + "A", "%%%"} {
		if text, err := first.Decrypt(wrong); err == nil {
			t.Errorf("%q opened as %q", wrong, text)
		}
	}
}
