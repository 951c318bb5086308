package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFaultsAreFound(t *testing.T) {
	for _, tc := range []struct{ name, file, content, want string }{
		{"an undefined stage", "Dockerfile", "FROM scratch\nCOPY --from=web /a /b\nCMD [\"x\"\n", "Dockerfile"},
		{"a secret in ENV", "Dockerfile", "FROM scratch\nENV DB_PASSWORD=x\nCMD [\"/x\"]\n", "SecretsUsedInArgOrEnv"},
		{"an unknown instruction", "Dockerfile", "FROM scratch\nRUNN x\n", "unknown instruction"},
		{"a command in shell form", "Dockerfile", "FROM scratch\nCMD x y\n", "JSONArgsRecommended"},
		{"an unknown key", "compose.yaml", "services: {a: {image: 'a:1', imagee: b}}\n", "imagee"},
		{"a secret in the environment", "compose.yaml", "name: x\nservices: {a: {image: 'a:1', restart: always, environment: {PGPASSWORD: x}}}\n", "PGPASSWORD is a secret"},
		{"an image without a version", "compose.yaml", "name: x\nservices: {a: {image: a, restart: always}}\n", "no version"},
		{"a volume that is not there", "compose.yaml", "name: x\nservices: {a: {image: 'a:1', restart: always, volumes: ['store:/x']}}\n", "undefined volume"},
		{"a variable that must be given", "compose.yaml", "name: x\nservices: {a: {image: 'a:${NOT_SET_ANYWHERE:?say it}', restart: always}}\n", "say it"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), tc.file)
			if err := os.WriteFile(path, []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			found, err := run(t.Context(), []string{path}, &out)
			if err != nil {
				t.Fatal(err)
			}
			if found == 0 || !strings.Contains(out.String(), tc.want) {
				t.Errorf("found %d: %q, want a finding with %q", found, out.String(), tc.want)
			}
		})
	}
}

func TestTheSuitesFilesHaveNoFindings(t *testing.T) {
	t.Setenv("YBA_HOST", "yba.example.vn")
	t.Setenv("YBA_ADDRESS", "192.0.2.10")
	var out strings.Builder
	if _, err := run(t.Context(), []string{"../../Dockerfile", "../../compose.yaml"}, &out); err != nil {
		t.Fatal(err)
	}
	if out.String() != "" {
		t.Error(out.String())
	}
}
