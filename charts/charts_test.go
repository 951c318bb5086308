// Package charts_test renders the Helm chart and compares what would be
// installed with the golden files in yba/testdata.
package charts_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/yba-health/yba/pkg/config"
)

var update = flag.Bool("update", false, "write the golden files")

// helm runs the chart tool that charts/tools pins.
func helm(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"tool", "-modfile=charts/tools/go.mod", "helm"}, args...)...)
	cmd.Dir = ".."
	home := t.TempDir() // the chart's render must not depend on who renders it
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func render(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, errs, err := helm(t, append([]string{"template", "yba", "charts/yba", "--namespace", "yba", "--kube-version", "1.31.0"}, args...)...)
	if err != nil {
		return "", errors.New(errs)
	}
	return out, nil
}

func TestRendersAreTheGoldenOnes(t *testing.T) {
	for _, mode := range []string{"single", "split"} {
		t.Run(mode, func(t *testing.T) {
			got, err := render(t, "--set", "mode="+mode, "--set", "media.ips={192.0.2.10}")
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("yba", "testdata", mode+".yaml")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("the render differs from %s; if that is meant, run `go test ./charts -update` (-want +got):\n%s", golden, d)
			}
		})
	}
}

func TestTheChartHasNoLintFindings(t *testing.T) {
	out, errs, err := helm(t, "lint", "--strict", "--kube-version", "1.31.0", "charts/yba")
	if err != nil {
		t.Fatal(out, errs)
	}
}

func TestValuesThatCannotWorkAreRefused(t *testing.T) {
	for _, tc := range []struct{ name, set, want string }{
		{"an unknown mode", "mode=both", "mode"},
		{"an unknown value", "replicas=3", "replicas"},
		{"a secret among the settings", "config.database-url=postgres://x", "database-url"},
		{"an address without TLS", "publicURL=http://yba.example.vn", "publicURL"},
		{"two processes for one volume", "mode=split,split.access.replicas=2", "split.access.replicas must be 1"},
		{"two media nodes", "mode=split,split.consults.replicas=2", "split.consults.replicas must be 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := render(t, "--set", tc.set)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error that names %q", err, tc.want)
			}
		})
	}
}

// manifest is what the facts below are about.
type manifest struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Template struct {
			Spec struct {
				EnableServiceLinks *bool `yaml:"enableServiceLinks"`
				SecurityContext    struct {
					RunAsNonRoot bool `yaml:"runAsNonRoot"`
				} `yaml:"securityContext"`
				Containers []struct {
					Args            []string
					Env             []struct{ Name, Value string }
					SecurityContext struct {
						AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
						ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
						Capabilities             struct{ Drop []string }
					} `yaml:"securityContext"`
				}
			}
		}
	}
}

func manifests(t *testing.T, rendered string) []manifest {
	t.Helper()
	var all []manifest
	d := yaml.NewDecoder(strings.NewReader(rendered))
	for {
		var m manifest
		err := d.Decode(&m)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
}

func TestEveryPodIsRestrictedAndItsSettingsAreKnown(t *testing.T) {
	secrets := t.TempDir()
	for _, key := range []string{"database-url", "internal-key", "turn-secret"} {
		if err := os.WriteFile(filepath.Join(secrets, key), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for mode, want := range map[string]int{"single": 1, "split": 8} {
		t.Run(mode, func(t *testing.T) {
			out, err := render(t, "--set", "mode="+mode, "--set", "turn.urls={turn:turn.example.vn}", "--set", "config.rate-limit=100")
			if err != nil {
				t.Fatal(err)
			}
			pods := 0
			for _, m := range manifests(t, out) {
				if m.Kind != "Deployment" {
					continue
				}
				pods++
				spec := m.Spec.Template.Spec
				c := spec.Containers[0]
				sc := c.SecurityContext
				if !spec.SecurityContext.RunAsNonRoot || sc.AllowPrivilegeEscalation == nil || *sc.AllowPrivilegeEscalation ||
					!sc.ReadOnlyRootFilesystem || strings.Join(sc.Capabilities.Drop, ",") != "ALL" {
					t.Errorf("%s is not restricted", m.Metadata.Name)
				}
				if spec.EnableServiceLinks == nil || *spec.EnableServiceLinks {
					t.Errorf("%s: service links would add variables that yba refuses", m.Metadata.Name)
				}
				var environ []string
				for _, e := range c.Env {
					environ = append(environ, e.Name+"="+strings.ReplaceAll(e.Value, "/run/secrets/yba", secrets))
				}
				cfg := config.Default()
				if err := cfg.Load("", environ); err != nil {
					t.Errorf("%s: %v", m.Metadata.Name, err)
				}
				if mode == "split" && (len(cfg.Peers) != 7 || cfg.InternalKey == "") {
					t.Errorf("%s knows %d peers, internal key %t", m.Metadata.Name, len(cfg.Peers), cfg.InternalKey != "")
				}
			}
			if pods != want {
				t.Errorf("%d workloads, want %d", pods, want)
			}
		})
	}
}
