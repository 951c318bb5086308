package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/pkg/pg/pgtest"
	"github.com/yba-health/yba/services/access/openid"
	"github.com/yba-health/yba/services/access/postgres"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// machine is a configuration with a database and a data folder of its own.
func machine(t *testing.T) (*config.Config, *postgres.Store) {
	t.Helper()
	db, dsn := pgtest.New(t, pgtest.Schema{Service: "access", Migrations: postgres.Migrations()})
	cfg := config.Default()
	cfg.Data, cfg.DatabaseURL = t.TempDir(), dsn
	return &cfg, postgres.New(db)
}

func command(t *testing.T, cfg *config.Config, stdin string, args ...string) (string, error) {
	t.Helper()
	root := userCommand(cfg)
	switch args[0] {
	case "token":
		root = tokenCommand(cfg)
	case "doctor":
		root = doctorCommand(cfg)
	}
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&bytes.Buffer{})
	root.SetIn(strings.NewReader(stdin))
	root.SetArgs(args[1:])
	root.SilenceUsage, root.SilenceErrors = true, true
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func must(t *testing.T, cfg *config.Config, stdin string, args ...string) string {
	t.Helper()
	out, err := command(t, cfg, stdin, args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return out
}

func TestTheFirstAdministratorIsMadeOnTheMachine(t *testing.T) {
	cfg, store := machine(t)
	out := must(t, cfg, "", "user", "create", "admin", "--name", "Quản trị", "--role", "administrator")
	if !regexp.MustCompile(`activation code: [2-9A-Z]{4}-[2-9A-Z]{4} `).MatchString(out) {
		t.Errorf("no activation code: %s", out)
	}
	must(t, cfg, "con mèo ngủ trưa\n", "user", "create", "hoa", "--name", "Hoà", "--role", "doctor", "--password")
	if _, err := command(t, cfg, "", "user", "create", "hoa", "--name", "Hoà", "--role", "doctor"); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second hoa: %v", err)
	}
	if list := must(t, cfg, "", "user", "list", "quan tri"); !strings.Contains(list, "admin") || strings.Contains(list, "hoa") {
		t.Errorf("list: %s", list)
	}
	must(t, cfg, "", "user", "disable", "hoa")
	if a, _, err := store.AccountByUsername(t.Context(), "hoa"); err != nil || a.Disabled.IsZero() {
		t.Errorf("hoa is still open: %v", err)
	}
	if _, err := command(t, cfg, "", "user", "disable", "nobody"); err == nil {
		t.Error("an unknown account was disabled")
	}
}

func TestATokenMadeOnTheMachineBelongsToItsAccountAndIsAudited(t *testing.T) {
	cfg, store := machine(t)
	must(t, cfg, "", "user", "create", "hoa", "--name", "Hoà", "--role", "doctor")
	token := strings.TrimSpace(must(t, cfg, "", "token", "--as", "hoa", "--for", "10m"))
	folder, err := cfg.Folder("access")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := openid.LoadKeys(folder)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	p, err := openid.New(openid.Options{Issuer: "http://localhost:8080", Keys: keys, Store: store, Log: discard(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	if h, err := p.Holder(t.Context(), token); err != nil || h.Account.Username != "hoa" {
		t.Fatalf("holder %v: %v", h, err)
	}
	now = now.Add(11 * time.Minute)
	if _, err := p.Holder(t.Context(), token); err == nil {
		t.Error("the token outlived its time")
	}
	now = time.Now()
	must(t, cfg, "một câu khác hẳn\n", "user", "passwd", "hoa")
	if _, err := p.Holder(t.Context(), token); err == nil {
		t.Error("the token outlived the change of password")
	}
	for _, args := range [][]string{{"token", "--as", "nobody"}, {"token", "--as", "hoa", "--for", "48h"}, {"token"}} {
		if out, err := command(t, cfg, "", args...); err == nil {
			t.Errorf("%v printed %s", args, out)
		}
	}
	if out := must(t, cfg, "", "doctor", "audit"); !strings.Contains(out, "3 entries") {
		t.Errorf("audit: %s", out)
	}
}

func TestDoctorNamesTheFirstBrokenEntry(t *testing.T) {
	cfg, _ := machine(t)
	for _, name := range []string{"an1", "an2", "an3"} {
		must(t, cfg, "", "user", "create", name, "--name", "An", "--role", "doctor")
	}
	out := must(t, cfg, "", "doctor", "audit")
	head := regexp.MustCompile(`head (\S+)`).FindStringSubmatch(out)[1]
	must(t, cfg, "", "doctor", "audit", "--expect", head)
	db, err := pg.Open(cfg.DatabaseURL, "test", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	run := func(statement string) {
		t.Helper()
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	run(`ALTER TABLE access.audit DISABLE TRIGGER audit_append_only`)
	run(`DELETE FROM access.audit WHERE seq = 3`)
	if _, err := command(t, cfg, "", "doctor", "audit"); err != nil {
		t.Errorf("a cut end cannot be seen without a head: %v", err)
	}
	if _, err := command(t, cfg, "", "doctor", "audit", "--expect", head); err == nil || !strings.Contains(err.Error(), "entry 3") {
		t.Errorf("a cut end with a head: %v", err)
	}
	run(`UPDATE access.audit SET name = 'x' WHERE seq = 2`)
	if _, err := command(t, cfg, "", "doctor", "audit"); err == nil || !strings.Contains(err.Error(), "entry 2") {
		t.Errorf("a changed entry: %v", err)
	}
}
