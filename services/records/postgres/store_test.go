package postgres

import (
	"context"
	"database/sql"
	"log/slog"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/yba-health/yba/services/records/record"
)

func TestAFullDictionaryForgetsNoSystemThatAWriteUses(t *testing.T) {
	s, db := newStore(t)
	put := func(key int64, systems ...string) {
		t.Helper()
		w := record.Write{Type: 7, ID: strconv.FormatInt(key, 10), Key: key, Version: 1, Updated: time.Now(), Op: "create", Body: []byte(`{}`)}
		for _, name := range systems {
			w.Rows.Tokens = append(w.Rows.Tokens, record.Token{Param: 1, System: name, Code: "c"})
		}
		if err := s.Put(t.Context(), nil, record.Author{Actor: "a"}, []record.Write{w}, record.Needs{}); err != nil {
			t.Fatal(err)
		}
	}
	put(1, "http://first")
	for i := range maxSystems {
		s.systems.ids["http://filler/"+strconv.Itoa(i)] = int32(-i)
	}
	put(2, "http://first", "http://second")
	if got, want := systemsOf(t, db, 2), []string{"http://first", "http://second"}; !slices.Equal(got, want) {
		t.Errorf("the tokens are of %q, want %q", got, want)
	}
	if len(s.systems.ids) > maxSystems {
		t.Errorf("%d systems are remembered", len(s.systems.ids))
	}
}

func systemsOf(t testing.TB, db *sql.DB, key int64) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT coalesce(s.system, '') FROM records.tokens t LEFT JOIN records.systems s ON s.id = t.system
		WHERE t.key = $1 ORDER BY 1`, key)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		list = append(list, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestTheBellStopsWhileTheDatabaseIsAway(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	ended := make(chan error, 1)
	b := newBell("postgres://nobody@127.0.0.1:1/nothing?sslmode=disable", nil, slog.New(slog.DiscardHandler))
	go func() { ended <- b.run(ctx) }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it still waits for the database")
	}
}
