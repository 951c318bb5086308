package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/yba-health/yba/pkg/config"
)

func TestCoverageRebuildFollowsUntilItIsDone(t *testing.T) {
	var asked []string
	suite := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"error":{"class":"forbidden","message":"you may not do this"}}`)
			return
		}
		if len(asked) < 2 {
			_, _ = io.WriteString(w, `{"applied":"7","rebuilding":true}`)
			return
		}
		_, _ = io.WriteString(w, `{"applied":"9","asOf":"2026-11-21T09:00:00.000Z"}`)
	}))
	defer suite.Close()
	run := func(token, command string) (string, error) {
		asked = nil
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := config.Default()
		cmd := &cobra.Command{Use: "yba", SilenceUsage: true, SilenceErrors: true}
		cmd.AddCommand(coverageCommand(&cfg))
		var out strings.Builder
		cmd.SetOut(&out)
		cmd.SetArgs([]string{"coverage", command, "--url", suite.URL, "--token-file", file})
		err := cmd.ExecuteContext(t.Context())
		return out.String(), err
	}
	out, err := run("secret", "rebuild")
	if err != nil || !strings.Contains(out, "rebuilding: 7") || !strings.Contains(out, "complete: 9 changes applied, counted up to 2026-11-21T09") {
		t.Errorf("%q, %v", out, err)
	}
	if want := "POST /api/coverage/v1/Rebuild POST /api/coverage/v1/GetProgress"; strings.Join(asked, " ") != want {
		t.Errorf("asked %v", asked)
	}
	if _, err := run("wrong", "status"); err == nil || !strings.Contains(err.Error(), "you may not do this") {
		t.Errorf("a refusal: %v", err)
	}
}
