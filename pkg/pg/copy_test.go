package pg_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/pkg/pg/pgtest"
)

// TestCopiedRowsComeBackAsTheyWere sends what COPY and arrays give a meaning to.
func TestCopiedRowsComeBackAsTheyWere(t *testing.T) {
	db, _ := pgtest.New(t)
	texts := []string{"", `\.`, `\N`, `\`, `\\`, "a\tb\nc\rd", `"`, `{}`, `a,b`, `\"`, "NULL", " blank ", "Đặng", "'", `\x41`}
	var l pg.Line
	var rows []string
	for i, s := range texts {
		rows = append(rows, l.Int(int64(i)).Text(s).Texts(texts[:i]).Bytes([]byte(s)).End())
	}
	err := pg.InConn(t.Context(), db, sql.LevelReadCommitted, func(conn *sql.Conn) error {
		if _, err := conn.ExecContext(t.Context(), `CREATE TABLE copied (n bigint, t text, list text[], b bytea)`); err != nil {
			return err
		}
		return pg.Copy(t.Context(), conn, "copied", "n, t, list, b", rows)
	})
	if err != nil {
		t.Fatal(err)
	}
	found, err := db.QueryContext(t.Context(), `SELECT n, t, list, b FROM copied ORDER BY n`)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	n := 0
	for ; found.Next(); n++ {
		var i int
		var s sql.NullString
		var list []string
		var b []byte
		if err := found.Scan(&i, &s, pq.Array(&list), &b); err != nil {
			t.Fatal(err)
		}
		if s.String != texts[n] || !s.Valid || !slices.Equal(list, texts[:n]) || !bytes.Equal(b, []byte(texts[n])) {
			t.Errorf("%q came back as %q, %q and %q", texts[n], s.String, list, b)
		}
	}
	if n != len(texts) || found.Err() != nil {
		t.Errorf("%d rows of %d: %v", n, len(texts), found.Err())
	}
}

// TestAConnectionThatBreaksInATransactionIsGivenBack breaks it as a database
// that dies does: who works on it learns of that, and waits for nothing.
func TestAConnectionThatBreaksInATransactionIsGivenBack(t *testing.T) {
	db, _ := pgtest.New(t)
	db.SetMaxOpenConns(2)
	broken := func(conn *sql.Conn) error {
		var pid int
		if err := conn.QueryRowContext(t.Context(), `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
			return err
		}
		_, err := db.ExecContext(t.Context(), `SELECT pg_terminate_backend($1, 10000)`, pid)
		return err
	}
	for name, work := range map[string]func(*sql.Conn) error{
		"a statement": func(conn *sql.Conn) error {
			_, err := conn.ExecContext(t.Context(), `SELECT 1`)
			return errors.Join(err, second(conn.ExecContext(t.Context(), `SELECT 1`)))
		},
		"a copy":     func(conn *sql.Conn) error { return pg.Copy(t.Context(), conn, "copied", "n", []string{"1"}) },
		"the commit": func(*sql.Conn) error { return nil },
	} {
		ended := make(chan error, 1)
		go func() {
			ended <- pg.InConn(t.Context(), db, sql.LevelReadCommitted, func(conn *sql.Conn) error {
				return errors.Join(broken(conn), work(conn))
			})
		}()
		select {
		case err := <-ended:
			if err == nil {
				t.Errorf("%s: a broken connection committed", name)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: it waits for ever", name)
		}
	}
	if n := db.Stats().InUse; n != 0 {
		t.Errorf("%d connections are still in use", n)
	}
}

func second[T any](_ T, err error) error { return err }

// TestAConnectionComesBackWithoutATransaction leaves one in every way that is
// not a commit.
func TestAConnectionComesBackWithoutATransaction(t *testing.T) {
	db, _ := pgtest.New(t)
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE kept (n int)`); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("no")
	for name, work := range map[string]func(ctx context.Context, stop func(), conn *sql.Conn) error{
		"refused": func(context.Context, func(), *sql.Conn) error { return refused },
		"a wrong query": func(ctx context.Context, _ func(), conn *sql.Conn) error {
			return second(conn.ExecContext(ctx, `SELECT no`))
		},
		"an error that nobody minds": func(ctx context.Context, _ func(), conn *sql.Conn) error {
			_, _ = conn.ExecContext(ctx, `SELECT no`)
			return nil
		},
		"given up after": func(_ context.Context, stop func(), _ *sql.Conn) error { stop(); return nil },
		"given up during": func(ctx context.Context, stop func(), conn *sql.Conn) error {
			time.AfterFunc(50*time.Millisecond, stop)
			return second(conn.ExecContext(ctx, `SELECT pg_sleep(10)`))
		},
	} {
		ctx, stop := context.WithCancel(t.Context())
		err := pg.InConn(ctx, db, sql.LevelReadCommitted, func(conn *sql.Conn) error {
			if _, err := conn.ExecContext(ctx, `INSERT INTO kept VALUES (1)`); err != nil {
				return err
			}
			return work(ctx, stop, conn)
		})
		stop()
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		var n int
		if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM kept`).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s: %d rows, %v", name, n, err)
		}
		// A transaction that was left open would have the same moment for both.
		var a, b time.Time
		if err := errors.Join(db.QueryRowContext(t.Context(), `SELECT now()`).Scan(&a), db.QueryRowContext(t.Context(), `SELECT now()`).Scan(&b)); err != nil || a.Equal(b) {
			t.Errorf("%s: a transaction is left open, %v", name, err)
		}
	}
}
