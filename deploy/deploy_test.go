// Package deploy_test checks that what runs the suite for real is well formed
// and gives it only settings that it knows.
package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/yba-health/yba/pkg/config"
)

func TestTheDockerfileAndTheComposeFileHaveNoFindings(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "tool", "deploylint", "../Dockerfile", "../compose.yaml")
	cmd.Dir = "tools"
	cmd.Env = append(os.Environ(), "YBA_HOST=yba.example.vn", "YBA_ADDRESS=192.0.2.10")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestEverySettingGivenIsKnown(t *testing.T) {
	for name, environ := range map[string][]string{
		"compose.yaml": composeSettings(t), "Dockerfile": dockerfileSettings(t), "systemd": unitSettings(t),
	} {
		t.Run(name, func(t *testing.T) {
			if len(environ) == 0 {
				t.Fatal("no setting was found")
			}
			cfg := config.Default()
			if err := cfg.Load("", environ); err != nil {
				t.Error(err)
			}
		})
	}
}

func composeSettings(t *testing.T) []string {
	t.Helper()
	var file struct {
		Services map[string]struct {
			Environment map[string]string
		}
	}
	if err := yaml.Unmarshal(read(t, "compose.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var environ []string
	for k, v := range file.Services["yba"].Environment {
		if strings.HasSuffix(k, "_FILE") {
			v = secret
		}
		environ = append(environ, k+"="+v)
	}
	return environ
}

func dockerfileSettings(t *testing.T) []string {
	t.Helper()
	return found(read(t, "Dockerfile"), `(?m)^(?:ENV)?\s+(YBA_[A-Z_]+=[^\s\\]+)`)
}

func unitSettings(t *testing.T) []string {
	t.Helper()
	return found(read(t, filepath.Join("systemd", "yba.service")), `(?m)^Environment=(YBA_\S+)`)
}

func found(b []byte, pattern string) []string {
	var out []string
	for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(b, -1) {
		out = append(out, string(m[1]))
	}
	return out
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
