package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/yba-health/yba/pkg/config"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

func unitFile(t *testing.T, name, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func runUnits(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cfg := config.Default()
	cmd := unitsCommand(&cfg)
	var out strings.Builder
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append([]string{"import"}, args...))
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

const (
	oldUnitsCSV   = "code,level,name,kind,parent,valid_from,valid_to\n01,province,Hà Nội,Thành phố,,,2025-06-30\n00004,commune,Trúc Bạch,Phường,001,,2025-06-30\n"
	newUnitsCSV   = "code,level,name,name_en,kind,parent,valid_from,valid_to\n00004,commune,Ba Đình,Ba Dinh,Phường,01,2025-07-01,\n"
	successionCSV = "old_code,old_name,new_code,new_name,new_province,extent\n00004,Trúc Bạch,00004,Ba Đình,01,full\n"
)

func TestUnitsAreSentOldestFirstAndBeforeSuccessions(t *testing.T) {
	var got []*stationsv1.ImportUnitsRequest
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := &stationsv1.ImportUnitsRequest{}
		b, err := io.ReadAll(r.Body)
		if err == nil {
			err = protojson.Unmarshal(b, req)
		}
		if err != nil || r.URL.Path != "/api/stations/v1/ImportUnits" || r.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("%s with %q: %v", r.URL.Path, r.Header.Get("Authorization"), err)
		}
		got = append(got, req)
		answer, _ := protojson.Marshal(&stationsv1.ImportUnitsResponse{Units: int32(len(req.GetUnits())), Successions: int32(len(req.GetSuccessions())), Unknown: []string{"77777@"}})
		_, _ = w.Write(answer)
	}))
	defer server.Close()
	out, err := runUnits(t, "--url", server.URL+"/", "--token-file", unitFile(t, "token", "secret\n"), "--on", "2025-07-01",
		unitFile(t, "s.csv", successionCSV), unitFile(t, "new.csv", newUnitsCSV), unitFile(t, "old.csv", oldUnitsCSV))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || len(got[0].GetUnits()) != 3 || got[0].GetUnits()[2].GetName() != "Ba Đình" || len(got[1].GetSuccessions()) != 1 {
		t.Fatalf("sent %v", got)
	}
	if s := got[1].GetSuccessions()[0]; s.GetNewValidFrom() != "2025-07-01" || s.GetOldValidFrom() != "" {
		t.Errorf("succession %v", s)
	}
	if !strings.Contains(out, "3 units and 1 successions loaded") || !strings.Contains(out, "77777@") {
		t.Errorf("said %q", out)
	}
}

func TestNothingIsSentWhenAFileIsWrong(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("something was sent") }))
	defer server.Close()
	token := unitFile(t, "token", "secret")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"wrong line":     {[]string{"--token-file", token, unitFile(t, "a.csv", newUnitsCSV), unitFile(t, "b.csv", oldUnitsCSV+"x,y,z,,,,\n")}, "b.csv: line 4"},
		"no day":         {[]string{"--token-file", token, unitFile(t, "s.csv", successionCSV)}, "--on"},
		"wrong day":      {[]string{"--token-file", token, "--on", "1.7.2025", unitFile(t, "s.csv", successionCSV)}, "--on"},
		"no token":       {[]string{unitFile(t, "a.csv", newUnitsCSV)}, "--token-file"},
		"two-line token": {[]string{"--token-file", unitFile(t, "t", "a\nb"), unitFile(t, "a.csv", newUnitsCSV)}, "one line"},
		"no such file":   {[]string{"--token-file", token, filepath.Join(t.TempDir(), "none.csv")}, "none.csv"},
	} {
		if _, err := runUnits(t, append([]string{"--url", server.URL}, c.args...)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}

func TestARefusalIsToldAsTheServerSaidIt(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"error":{"class":"forbidden","message":"you may not do this","at":""}}`)
	}))
	defer server.Close()
	_, err := runUnits(t, "--url", server.URL, "--token-file", unitFile(t, "token", "secret"), unitFile(t, "a.csv", newUnitsCSV))
	if err == nil || !strings.Contains(err.Error(), "you may not do this") {
		t.Errorf("got %v", err)
	}
}
