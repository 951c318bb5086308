package pg_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/pkg/pg/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

var counter = pgtest.Schema{Service: "counter", Migrations: fstest.MapFS{
	"0001_counter.sql": {Data: []byte("-- +goose Up\nCREATE TABLE counter.value (id int PRIMARY KEY, n int NOT NULL);\nINSERT INTO counter.value VALUES (1, 0);\n-- +goose Down\nDROP TABLE counter.value;\n")},
}}

func TestSerializationFailuresAreTriedAgainAndNothingIsLost(t *testing.T) {
	db, _ := pgtest.New(t, counter)
	const writers, each = 4, 5
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for range writers {
		wg.Go(func() {
			for range each {
				err := pg.InTx(t.Context(), db, sql.LevelSerializable, func(tx *sql.Tx) error {
					var n int
					if err := tx.QueryRow(`SELECT n FROM counter.value WHERE id = 1`).Scan(&n); err != nil {
						return err
					}
					_, err := tx.Exec(`UPDATE counter.value SET n = $1 WHERE id = 1`, n+1)
					return err
				})
				if err == nil {
					mu.Lock()
					done++
					mu.Unlock()
				} else if !fault.Is(err, fault.Conflict) {
					t.Errorf("refused as %v", err)
				}
			}
		})
	}
	wg.Wait()
	var n int
	if err := db.QueryRow(`SELECT n FROM counter.value`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	if n != done || done == 0 {
		t.Errorf("%d acknowledged, %d in the table", done, n)
	}
}

func TestDriverErrorsGetTheirClass(t *testing.T) {
	db, _ := pgtest.New(t, counter)
	_, err := db.Exec(`INSERT INTO counter.value VALUES (1, 1)`)
	if !pg.Unique(err, "value_pkey") || pg.Unique(err, "other") || !fault.Is(pg.Fault(err), fault.Conflict) {
		t.Errorf("unique violation: %v", err)
	}
	if !fault.Is(pg.Fault(sql.ErrNoRows), fault.NotFound) {
		t.Error("no rows is not NotFound")
	}
	own := fault.New(fault.Gone, "gone", nil)
	if !errors.Is(pg.Fault(own), own) {
		t.Error("a classified error was changed")
	}
}

func TestMigratingTwiceChangesNothing(t *testing.T) {
	db, _ := pgtest.New(t, counter)
	if err := pg.Migrate(t.Context(), db, counter.Service, counter.Migrations); err != nil {
		t.Fatal(err)
	}
}

func TestEmbeddedServerKeepsItsDataOverARestart(t *testing.T) {
	dir, err := os.MkdirTemp("", "yba-embedded-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	// The account that PostgreSQL runs under must be able to enter it.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	o := pg.EmbeddedOptions{Dir: filepath.Join(dir, "postgres"), Log: slog.New(slog.DiscardHandler)}
	for round := range 2 {
		e, err := pg.StartEmbedded(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if url, running := pg.EmbeddedURL(o.Dir); url != e.URL || !running {
			t.Errorf("EmbeddedURL says %s, %v", url, running)
		}
		db, err := pg.Open(e.URL, "test", 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(`CREATE TABLE IF NOT EXISTS kept (round int); INSERT INTO kept VALUES (1)`); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := db.QueryRow(`SELECT count(*) FROM kept`).Scan(&n); err != nil || n != round+1 {
			t.Errorf("round %d: %d rows, %v", round, n, err)
		}
		// The table's row was written by a process of its own, which is counted too.
		if used, ok := pg.EmbeddedCPU(o.Dir); !ok || used <= 0 || used > time.Minute {
			t.Errorf("round %d: %v of processor time, %v", round, used, ok)
		}
		_ = db.Close()
		if err := e.Stop(); err != nil {
			t.Fatal(err)
		}
		if _, running := pg.EmbeddedURL(o.Dir); running {
			t.Error("still running after Stop")
		}
		if used, ok := pg.EmbeddedCPU(o.Dir); ok {
			t.Errorf("a server that does not run used %v", used)
		}
	}
}

// TestAnEmbeddedServerThatIsKilledComesBack kills the whole server the hard
// way: what was committed is there again, and a pool needs nothing but its
// next query.
func TestAnEmbeddedServerThatIsKilledComesBack(t *testing.T) {
	dir, err := os.MkdirTemp("", "yba-embedded-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	o := pg.EmbeddedOptions{Dir: filepath.Join(dir, "postgres"), Log: slog.New(slog.DiscardHandler)}
	e, err := pg.StartEmbedded(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	db, err := pg.Open(e.URL, "test", 4)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE kept (round int)`); err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		if _, err := db.ExecContext(t.Context(), `INSERT INTO kept VALUES ($1)`, round); err != nil {
			t.Fatal(err)
		}
		pid, err := os.ReadFile(filepath.Join(o.Dir, "postmaster.pid"))
		if err != nil {
			t.Fatal(err)
		}
		line, _, _ := strings.Cut(string(pid), "\n")
		n, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for deadline, rows := time.Now().Add(30*time.Second), 0; ; {
			err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM kept`).Scan(&rows)
			if now, e := os.ReadFile(filepath.Join(o.Dir, "postmaster.pid")); err == nil && e == nil && string(now) != string(pid) {
				if rows != round+1 {
					t.Errorf("round %d: %d rows", round, rows)
				}
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("round %d: the server did not come back: %v", round, err)
			}
		}
	}
	if err := e.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, running := pg.EmbeddedURL(o.Dir); running {
		t.Error("still running after Stop")
	}
	select {
	case err := <-e.Failed():
		t.Error(err)
	default:
	}
}

// TestTheLogOfTheEmbeddedServerHoldsNoValues makes the server complain of a
// value, which it names in the detail of its message.
func TestTheLogOfTheEmbeddedServerHoldsNoValues(t *testing.T) {
	dir, err := os.MkdirTemp("", "yba-embedded-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	e, err := pg.StartEmbedded(t.Context(), pg.EmbeddedOptions{
		Dir: filepath.Join(dir, "postgres"), Volatile: true, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	db, err := pg.Open(e.URL, "test", 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE people (name text PRIMARY KEY)`); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err = db.ExecContext(t.Context(), `INSERT INTO people VALUES ($1)`, "Nguyen")
	}
	if !pg.Unique(err, "") {
		t.Fatal(err)
	}
	_ = db.Close()
	if err := e.Stop(); err != nil { // and with it the writing of the log
		t.Fatal(err)
	}
	if text := log.String(); !strings.Contains(text, "duplicate key") || strings.Contains(text, "Nguyen") {
		t.Errorf("the log: %s", text)
	}
}

func TestOpenRefusesWhatIsNoURL(t *testing.T) {
	if _, err := pg.Open("host=localhost", "test", 1); err == nil {
		t.Error("accepted")
	}
}

func TestWhatTheDatabaseRefusesHasTheRightClass(t *testing.T) {
	db, _ := pgtest.New(t, counter)
	_, nul := db.Exec(`SELECT length($1::text)`, "a\x00b")
	_, broken := db.Exec(`SELECT length($1::text)`, "a\xff")
	away, err := pg.Open("postgres://nobody@127.0.0.1:1/none?sslmode=disable", "test", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer away.Close()
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	_, slow := db.ExecContext(ctx, `SELECT pg_sleep(10)`)
	for name, c := range map[string]struct {
		err  error
		want fault.Class
	}{
		"U+0000":             {nul, fault.Invalid},
		"broken UTF-8":       {broken, fault.Invalid},
		"nobody listens":     {away.Ping(), fault.Unavailable},
		"the caller gave up": {slow, fault.Unavailable},
	} {
		if f := fault.Of(pg.Fault(c.err)); f.Class != c.want {
			t.Errorf("%s: %v", name, f)
		}
	}
}
