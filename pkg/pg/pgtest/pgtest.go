// Package pgtest gives each test a database of its own: one volatile
// PostgreSQL per test binary, one template per set of migrations, one clone
// per test.
package pgtest

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/yba-health/yba/pkg/pg"
)

// Schema is a service's name and its migrations.
type Schema struct {
	Service    string
	Migrations fs.FS
}

var (
	mu        sync.Mutex
	server    *pg.Embedded
	dir       string
	failed    error
	templates = map[string]string{}
	clones    int
)

// Run runs a test binary and stops the server after it. TestMain calls it:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }
func Run(m *testing.M) int {
	code := m.Run()
	mu.Lock()
	defer mu.Unlock()
	if server != nil {
		if err := server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		_ = os.RemoveAll(dir)
	}
	return code
}

// New returns a pool on a fresh database with the schemas migrated, and its
// URL. Both end with the test.
func New(t testing.TB, schemas ...Schema) (*sql.DB, string) {
	t.Helper()
	dsn := clone(t, schemas)
	db, err := pg.Open(dsn, "test", 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db, dsn
}

func clone(t testing.TB, schemas []Schema) string {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	if server == nil && failed == nil {
		failed = start()
	}
	if failed != nil {
		t.Fatalf("no PostgreSQL for the tests: %v", failed)
	}
	template, err := migrated(schemas)
	if err != nil {
		t.Fatal(err)
	}
	clones++
	name := fmt.Sprintf("clone_%d", clones)
	if err := admin(`CREATE DATABASE ` + name + ` TEMPLATE ` + template); err != nil {
		t.Fatal(err)
	}
	return in(name)
}

func start() error {
	d, err := os.MkdirTemp("", "yba-pgtest-")
	if err != nil {
		return err
	}
	// The unprivileged account must be able to enter it.
	if err := os.Chmod(d, 0o755); err != nil { //nolint:gosec // as said above
		return err
	}
	dir = d
	server, err = pg.StartEmbedded(context.Background(), pg.EmbeddedOptions{
		Dir: filepath.Join(d, "cluster"), Volatile: true, Log: slog.New(slog.DiscardHandler),
	})
	return err
}

func migrated(schemas []Schema) (string, error) {
	var names []string
	for _, s := range schemas {
		names = append(names, s.Service)
	}
	key := strings.Join(names, "_")
	if t, ok := templates[key]; ok {
		return t, nil
	}
	name := "template_" + key
	if err := admin(`CREATE DATABASE ` + name); err != nil {
		return "", err
	}
	db, err := pg.Open(in(name), "test", 1)
	if err != nil {
		return "", err
	}
	defer db.Close()
	for _, s := range schemas {
		if err := pg.Migrate(context.Background(), db, s.Service, s.Migrations); err != nil {
			return "", err
		}
	}
	templates[key] = name
	return name, nil
}

func in(database string) string {
	u, err := url.Parse(server.URL)
	if err != nil {
		return server.URL
	}
	u.Path = "/" + database
	return u.String()
}

func admin(statement string) error {
	db, err := pg.Open(in("postgres"), "test", 1)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(context.Background(), statement)
	return err
}
