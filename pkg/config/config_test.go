package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/yba-health/yba/pkg/config"
)

// read is what the program does: file and environment, then flags.
func read(t *testing.T, file string, environ, args []string) (config.Config, error) {
	t.Helper()
	path := ""
	if file != "" {
		path = filepath.Join(t.TempDir(), "yba.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flags := config.Default()
	fs := pflag.NewFlagSet("yba", pflag.ContinueOnError)
	flags.Flags(fs)
	if err := fs.Parse(args); err != nil {
		return flags, err
	}
	c := config.Default()
	if err := c.Load(path, environ); err != nil {
		return c, err
	}
	return c, c.Override(fs)
}

func TestDefaultFileEnvironmentFlag(t *testing.T) {
	file := "listen: file:1\nconns: 3\nrate-limit: 5\npeers: {records: a:1}\n"
	c, err := read(t, file, []string{"YBA_CONNS=4", "YBA_RATE_LIMIT=6", "HOME=/x"}, []string{"--rate-limit=0", "--edges=records=http://b:2,access=http://c:3"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Data != "data" || c.Listen != "file:1" || c.Conns != 4 || c.RateLimit != 0 || c.Peers["records"] != "a:1" || c.Edges["access"] != "http://c:3" {
		t.Errorf("got %+v", c)
	}
}

func TestWhatIsUnknownOrMalformedIsRefusedByName(t *testing.T) {
	for name, c := range map[string]struct {
		file     string
		environ  []string
		contains string
	}{
		"unknown key":         {"lisen: x\n", nil, "lisen"},
		"unknown variable":    {"", []string{"YBA_LISEN=x"}, "YBA_LISEN"},
		"no number":           {"", []string{"YBA_CONNS=many"}, "YBA_CONNS"},
		"no duration":         {"", []string{"YBA_DRAIN_WAIT=5"}, "YBA_DRAIN_WAIT"},
		"peers without =":     {"", []string{"YBA_PEERS=records"}, "name=address"},
		"missing secret file": {"", []string{"YBA_INTERNAL_KEY_FILE=/nowhere"}, "YBA_INTERNAL_KEY_FILE"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := read(t, c.file, c.environ, nil); err == nil || !strings.Contains(err.Error(), c.contains) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestSecretsComeFromFilesAndHaveNoFlag(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(secret, []byte("abc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := read(t, "", []string{"YBA_INTERNAL_KEY_FILE=" + secret}, nil)
	if err != nil || c.InternalKey != "abc" {
		t.Errorf("%q, %v", c.InternalKey, err)
	}
	if _, err := read(t, "", nil, []string{"--internal-key=abc"}); err == nil {
		t.Error("a secret was accepted as a flag, where every process list shows it")
	}
}

func TestBaseURL(t *testing.T) {
	for _, c := range []struct{ listen, public, cert, want string }{
		{"localhost:8080", "", "", "http://localhost:8080"},
		{"127.0.0.1:9", "", "", "http://localhost:9"},
		{":8443", "", "cert.pem", "https://localhost:8443"},
		{"0.0.0.0:1", "https://yba.example/", "", "https://yba.example"},
	} {
		cfg := config.Config{Listen: c.listen, PublicURL: c.public, TLSCert: c.cert}
		if got := cfg.BaseURL(); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
