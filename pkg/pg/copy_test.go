package pg_test

import (
	"bytes"
	"database/sql"
	"slices"
	"testing"

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
