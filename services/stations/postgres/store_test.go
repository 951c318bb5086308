package postgres_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg/pgtest"
	"github.com/yba-health/yba/pkg/units"
	"github.com/yba-health/yba/services/stations/due"
	"github.com/yba-health/yba/services/stations/ledger"
	"github.com/yba-health/yba/services/stations/postgres"
	"github.com/yba-health/yba/services/stations/postgres/migrations"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

func store(t *testing.T) *postgres.Store {
	t.Helper()
	db, _ := pgtest.New(t, pgtest.Schema{Service: "stations", Migrations: migrations.Files})
	return postgres.New(db)
}

func key(t *testing.T, s string) units.Key {
	t.Helper()
	k, err := units.ParseKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func commune(t *testing.T, k, name string, to units.Date) units.Unit {
	t.Helper()
	return units.Unit{Key: key(t, k), Level: units.Commune, Name: name, Kind: "Xã", Parent: "01", To: to}
}

func TestOneCodeNamesDifferentUnitsOnDifferentDays(t *testing.T) {
	s := store(t)
	old, young := commune(t, "00004@", "Phường Trúc Bạch", "2025-06-30"), commune(t, "00004@2025-07-01", "Phường Ba Đình", "")
	if _, err := s.ImportUnits(t.Context(), []units.Unit{old, young}, nil); err != nil {
		t.Fatal(err)
	}
	for on, want := range map[units.Date]units.Unit{"2025-06-30": old, "1980-01-01": old, "2025-07-01": young, "2026-11-21": young} {
		got, err := s.Units(t.Context(), units.Commune, "01", on)
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("on %s: %+v, %v; want %+v", on, got, err, want)
		}
	}
	for _, u := range []units.Unit{old, young} {
		if got, err := s.Unit(t.Context(), u.Key); err != nil || got != u {
			t.Errorf("%s is %+v, %v", u.Key, got, err)
		}
	}
	if _, err := s.Unit(t.Context(), key(t, "00004@2020-01-01")); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown key: %v", err)
	}
	if got, err := s.Units(t.Context(), units.Province, "", "2026-01-01"); err != nil || len(got) != 0 {
		t.Errorf("provinces: %v, %v", got, err)
	}
}

func TestTwoUnitsOfOneCodeOnOneDayAreRefusedAndNothingIsKept(t *testing.T) {
	s := store(t)
	if _, err := s.ImportUnits(t.Context(), []units.Unit{commune(t, "00004@", "A", "")}, nil); err != nil {
		t.Fatal(err)
	}
	_, err := s.ImportUnits(t.Context(), []units.Unit{commune(t, "00009@2025-07-01", "C", ""), commune(t, "00004@2025-07-01", "B", "")}, nil)
	if !fault.Is(err, fault.Invalid) {
		t.Fatalf("got %v", err)
	}
	if got, _ := s.Units(t.Context(), "", "", "2026-01-01"); len(got) != 1 {
		t.Errorf("kept of a refused import: %v", got)
	}
	// Ending the older one in the same import makes it right.
	if _, err := s.ImportUnits(t.Context(), []units.Unit{commune(t, "00004@", "A", "2025-06-30"), commune(t, "00004@2025-07-01", "B", "")}, nil); err != nil {
		t.Errorf("after the older one has ended: %v", err)
	}
}

func TestASuccessionFindsTheUnitThatWasInForceTheDayBefore(t *testing.T) {
	s := store(t)
	_, err := s.ImportUnits(t.Context(), []units.Unit{
		commune(t, "00004@", "A", "2019-12-31"), commune(t, "00004@2020-01-01", "B", "2025-06-30"), commune(t, "00004@2025-07-01", "C", ""),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	unknown, err := s.ImportUnits(t.Context(), nil, []units.Succession{
		{Old: key(t, "00004@"), New: key(t, "00004@2025-07-01"), Extent: units.Full},
		{Old: key(t, "00004@"), New: key(t, "00004@2020-01-01"), Extent: units.Partial},
		{Old: key(t, "77777@"), New: key(t, "88888@2025-07-01"), Extent: units.Full},
	})
	if err != nil || !slices.Equal(unknown, []units.Key{key(t, "77777@"), key(t, "88888@2025-07-01")}) {
		t.Fatalf("unknown %v, %v", unknown, err)
	}
	got, err := s.Successions(t.Context(), "00004", "")
	want := []units.Succession{
		{Old: key(t, "00004@"), New: key(t, "00004@2020-01-01"), Extent: units.Partial},
		{Old: key(t, "00004@2020-01-01"), New: key(t, "00004@2025-07-01"), Extent: units.Full},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	if all, err := s.Successions(t.Context(), "", ""); err != nil || len(all) != 3 {
		t.Errorf("all: %v, %v", all, err)
	}
}

var at = time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC)

func TestAClientIdHasOneOutcome(t *testing.T) {
	s := store(t)
	c := ledger.Claim{ClientID: "x", Account: "a", Station: "s", Kind: "visit", Digest: []byte("d"), At: at}
	if o, err := s.Claim(t.Context(), c, time.Minute); o != nil || err != nil {
		t.Fatalf("first: %v, %v", o, err)
	}
	if _, err := s.Claim(t.Context(), c, time.Minute); !fault.Is(err, fault.Unavailable) {
		t.Errorf("while it is worked on: %v", err)
	}
	if err := s.Finish(t.Context(), c, ledger.Outcome{Patient: "p", Text: "t", Answer: []byte("answer")}); err != nil {
		t.Fatal(err)
	}
	again := c
	again.At = at.Add(time.Hour)
	if o, err := s.Claim(t.Context(), again, time.Minute); err != nil || o == nil || string(o.Answer) != "answer" || o.Patient != "p" {
		t.Errorf("again: %+v, %v", o, err)
	}
	if err := s.Release(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	if o, _ := s.Claim(t.Context(), again, time.Minute); o == nil {
		t.Error("releasing a finished entry lost it")
	}
	for name, change := range map[string]func(*ledger.Claim){
		"another account": func(c *ledger.Claim) { c.Account = "b" }, "another kind": func(c *ledger.Claim) { c.Kind = "household" },
		"another content": func(c *ledger.Claim) { c.Digest = []byte("e") },
	} {
		other := again
		change(&other)
		if _, err := s.Claim(t.Context(), other, time.Minute); !fault.Is(err, fault.Conflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAClaimThatWasGivenUpOrIsStaleIsTakenOver(t *testing.T) {
	s := store(t)
	c := ledger.Claim{ClientID: "x", Account: "a", Station: "s", Kind: "visit", Digest: []byte("d"), At: at}
	claim := func(c ledger.Claim) error {
		_, err := s.Claim(t.Context(), c, time.Minute)
		return err
	}
	if err := claim(c); err != nil {
		t.Fatal(err)
	}
	if err := s.Release(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := claim(c); err != nil {
		t.Errorf("after giving up: %v", err)
	}
	c.At = at.Add(2 * time.Minute)
	if err := claim(c); err != nil {
		t.Errorf("when stale: %v", err)
	}
	other := c
	other.Account, other.At = "b", at.Add(time.Hour)
	if err := claim(other); !fault.Is(err, fault.Conflict) {
		t.Errorf("another account took a stale claim: %v", err)
	}
}

func TestOnlyOneOfManyParallelClaimsWins(t *testing.T) {
	s := store(t)
	c := ledger.Claim{ClientID: "x", Account: "a", Station: "s", Kind: "visit", Digest: []byte("d"), At: at}
	wins := make(chan bool, 16)
	for range 16 {
		go func() {
			o, err := s.Claim(t.Context(), c, time.Minute)
			wins <- err == nil && o == nil
		}()
	}
	n := 0
	for range 16 {
		if <-wins {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d calls won the same client id", n)
	}
}

func TestTheDaysListIsTheStationsOwnNewestFirst(t *testing.T) {
	s := store(t)
	for i, c := range []ledger.Claim{
		{ClientID: "1", Station: "s", Kind: "visit", At: at},
		{ClientID: "2", Station: "s", Kind: "immunization", At: at.Add(time.Minute)},
		{ClientID: "3", Station: "other", Kind: "visit", At: at},
		{ClientID: "4", Station: "s", Kind: "visit", At: at.Add(-24 * time.Hour)},
		{ClientID: "5", Station: "s", Kind: "visit", At: at},
	} {
		c.Account, c.Digest = "a", []byte{1}
		if _, err := s.Claim(t.Context(), c, time.Minute); err != nil {
			t.Fatal(err)
		}
		if i == 4 {
			continue // never finished
		}
		if err := s.Finish(t.Context(), c, ledger.Outcome{Patient: "p" + c.ClientID, Text: c.Kind, Answer: []byte{1}}); err != nil {
			t.Fatal(err)
		}
	}
	list, count, err := s.Entered(t.Context(), "s", at.Add(-time.Hour), at.Add(time.Hour), 10)
	if err != nil || len(list) != 2 || list[0].Patient != "p2" || list[1].Patient != "p1" || count["visit"] != 1 || count["immunization"] != 1 {
		t.Errorf("got %+v, %v, %v", list, count, err)
	}
	if short, count, err := s.Entered(t.Context(), "s", at.Add(-time.Hour), at.Add(time.Hour), 1); err != nil || len(short) != 1 || count["visit"] != 1 {
		t.Errorf("a short list counts all: %+v, %v, %v", short, count, err)
	}
}

func TestTheReadModelMovesOnlyFromWhereItStood(t *testing.T) {
	s := store(t)
	born := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	apply := func(from, to string, c due.Changes) bool {
		t.Helper()
		ok, err := s.Apply(t.Context(), from, to, c)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	first := due.Changes{
		Children: []due.Child{{Patient: "p", Commune: "95012@2025-07-01", Birth: born}, {Patient: "q", Commune: "95015@2025-07-01", Birth: born}},
		Given:    []due.Given{{Immunization: "i", Patient: "p", Vaccine: "bcg", Dose: 1, On: born}},
	}
	if !apply("", "7", first) {
		t.Fatal("the first stretch was not taken")
	}
	if apply("", "9", due.Changes{RemovedChildren: []string{"p"}}) {
		t.Error("a slower process moved the cursor")
	}
	read := func() ([]due.Child, map[string][]due.Given) {
		t.Helper()
		c, g, err := s.Children(t.Context(), []string{"95012@2025-07-01"}, born.AddDate(-1, 0, 0), born)
		if err != nil {
			t.Fatal(err)
		}
		return c, g
	}
	if c, g := read(); len(c) != 1 || c[0].Patient != "p" || !c[0].Birth.Equal(born) || len(g["p"]) != 1 || g["p"][0].Vaccine != "bcg" {
		t.Errorf("got %+v, %+v", c, g)
	}
	// The child moves to the other commune, and the dose is taken back.
	if !apply("7", "8", due.Changes{Children: []due.Child{{Patient: "p", Commune: "95015@2025-07-01", Birth: born}}, RemovedGiven: []string{"i"}}) {
		t.Fatal("the second stretch was not taken")
	}
	if c, _ := read(); len(c) != 0 {
		t.Errorf("a child that moved away is still listed: %+v", c)
	}
	if cursor, err := s.Cursor(t.Context()); err != nil || cursor != "8" {
		t.Errorf("cursor %q, %v", cursor, err)
	}
}

func TestTheReformOf2025Imports(t *testing.T) {
	s := store(t)
	total := 0
	for _, name := range []string{"units-before-2025-07.csv", "units-2025-07.csv", "successions-2025-07.csv"} {
		in, err := os.Open(filepath.Join("..", "..", "..", "..", "shared", "data", "units", name))
		if err != nil {
			t.Skip("the official lists are not beside the project:", err)
		}
		f, err := units.Read(in, "2025-07-01")
		in.Close()
		if err != nil {
			t.Fatal(err)
		}
		unknown, err := s.ImportUnits(t.Context(), f.Units, f.Successions)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		total += len(unknown)
	}
	if total > 30 {
		t.Errorf("%d unknown units, the lists differ in some twenty", total)
	}
	got, err := s.Units(t.Context(), units.Commune, "", "2026-01-01")
	if err != nil || len(got) != 3321 {
		t.Errorf("%d communes today, %v", len(got), err)
	}
	if got, err := s.Units(t.Context(), units.District, "", "2026-01-01"); err != nil || len(got) != 0 {
		t.Errorf("%d districts today, %v", len(got), err)
	}
}
