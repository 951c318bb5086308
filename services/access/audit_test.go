package access_test

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/pg"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	"github.com/yba-health/yba/services/access/audit"
)

func (w *world) db() *sql.DB {
	w.t.Helper()
	db, err := pg.Open(w.dsn, "test", 2)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = db.Close() })
	return db
}

func entries(n int, patient string) []*accessv1.AuditEntry {
	var all []*accessv1.AuditEntry
	for i := range n {
		all = append(all, &accessv1.AuditEntry{
			At: "2026-11-21T07:30:00.123Z", Operation: "records.Read", Account: "a1", Name: "BS. Trần Thị Hoa", Roles: []string{"doctor", "specialist"},
			Facility: "f1", Patient: patient, Target: fmt.Sprintf("Observation/%d", i), Outcome: "ok", Reason: "khám từ xa",
		})
	}
	return all
}

func (w *world) append(list []*accessv1.AuditEntry) {
	w.t.Helper()
	if _, err := w.client.Append(guard.As(w.t.Context(), "guard"), &accessv1.AppendRequest{Entries: list}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) verify() error {
	var c audit.Chain
	return w.store.WalkAudit(w.t.Context(), c.Next)
}

func TestTheChainHoldsAcrossBatchesAndWriters(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() { w.append(entries(50+i, "p1")) })
	}
	wg.Wait()
	var c audit.Chain
	if err := w.store.WalkAudit(t.Context(), c.Next); err != nil {
		t.Fatal(err)
	}
	if want := int64(8*50 + 28); c.Seq != want {
		t.Errorf("%d entries, not %d", c.Seq, want)
	}
}

func TestTamperingBreaksTheChainAtTheFirstTouchedEntry(t *testing.T) {
	for name, c := range map[string]struct {
		statement string
		seq       int64
	}{
		"changed name":    {`UPDATE access.audit SET name = 'ai đó' WHERE seq = 7`, 7},
		"changed time":    {`UPDATE access.audit SET at = at + interval '1 millisecond' WHERE seq = 8`, 8},
		"changed roles":   {`UPDATE access.audit SET roles = '{nurse}' WHERE seq = 9`, 9},
		"moved patient":   {`UPDATE access.audit SET patient = target, target = patient WHERE seq = 10`, 10},
		"removed entry":   {`DELETE FROM access.audit WHERE seq = 5`, 5},
		"removed first":   {`DELETE FROM access.audit WHERE seq = 1`, 1},
		"replaced hash":   {`UPDATE access.audit SET hash = sha256('x') WHERE seq = 3`, 3},
		"entry in front":  {`UPDATE access.audit SET seq = 0 WHERE seq = 20`, 1},
		"swapped content": {`UPDATE access.audit a SET target = b.target FROM access.audit b WHERE (a.seq, b.seq) IN ((11, 12), (12, 11))`, 11},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.append(entries(20, "p1"))
			if err := w.verify(); err != nil {
				t.Fatal(err)
			}
			// Who owns the database can switch the trigger off; the chain tells.
			if _, err := w.db().Exec(`ALTER TABLE access.audit DISABLE TRIGGER audit_append_only`); err != nil {
				t.Fatal(err)
			}
			if _, err := w.db().Exec(c.statement); err != nil {
				t.Fatal(err)
			}
			broken, ok := errors.AsType[*audit.BrokenError](w.verify())
			if !ok || broken.Seq != c.seq {
				t.Errorf("verification said %v, want entry %d", broken, c.seq)
			}
		})
	}
}

func TestTheLogCannotBeChanged(t *testing.T) {
	w := newWorld(t)
	w.append(entries(3, "p1"))
	for _, statement := range []string{
		`UPDATE access.audit SET reason = ''`, `DELETE FROM access.audit`, `TRUNCATE access.audit`,
		`UPDATE access.audit SET reason = '' WHERE seq = 1`, `DELETE FROM access.audit WHERE seq = 99`,
	} {
		if _, err := w.db().Exec(statement); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func TestAnEntryIsKeptWhateverItHolds(t *testing.T) {
	w := newWorld(t)
	w.append([]*accessv1.AuditEntry{
		{At: "yesterday", Operation: "records.Read", Reason: "a\x00b\xff", Target: strings.Repeat("ế", 5000)},
		{At: "0001-01-01T00:00:00Z", Roles: []string{"nul\x00"}},
		{Roles: []string{"", `a"b`, `\`, "{,}", "NULL"}, Name: `\.`, Target: "a\tb\nc", Reason: `\N`},
		{},
	})
	if err := w.verify(); err != nil {
		t.Error(err)
	}
}

func TestPeopleSeeWhoReadTheirRecordPageByPage(t *testing.T) {
	w := newWorld(t)
	patient := w.open("hoa", []string{"patient"}, func(r *accessv1.CreateAccountRequest) { r.Patient = "p1" })
	guardian := w.open("minh", []string{"guardian"}, nil)
	w.relate(guardian, "p1", "guardian", time.Time{}, time.Time{})
	w.auditor.Flush()
	w.append(entries(5, "p1"))
	w.append(entries(5, "p2"))
	var got []string
	before := int64(0)
	for range 3 {
		resp, err := w.client.AccessLog(w.as(patient), &accessv1.AccessLogRequest{Patient: "p1", Before: before, Limit: 2})
		if err != nil {
			t.Fatal(err)
		}
		w.auditor.Flush()
		for _, e := range resp.GetEntries() {
			got = append(got, e.GetTarget())
			before = e.GetSeq()
		}
	}
	want := "Observation/4 Observation/3 Observation/2 Observation/1 Observation/0"
	if !strings.HasPrefix(strings.Join(got, " "), want) {
		t.Errorf("pages: %v", got)
	}
	if _, err := w.client.AccessLog(w.as(guardian), &accessv1.AccessLogRequest{Patient: "p1"}); err != nil {
		t.Errorf("the guardian: %v", err)
	}
	for _, who := range []*accessv1.Account{patient, guardian} {
		if _, err := w.client.AccessLog(w.as(who), &accessv1.AccessLogRequest{Patient: "p2"}); !fault.Is(err, fault.Forbidden) {
			t.Errorf("another's log: %v", err)
		}
	}
}

func TestRefusalsAreLoggedAndShownToTheAdministrator(t *testing.T) {
	w := newWorld(t)
	patient := w.open("hoa", []string{"patient"}, func(r *accessv1.CreateAccountRequest) { r.Patient = "p1" })
	admin := w.open("admin", []string{"administrator"}, nil)
	if _, err := w.client.ListAudit(w.as(patient), &accessv1.ListAuditRequest{}); !fault.Is(err, fault.Forbidden) {
		t.Fatalf("a patient read the audit log: %v", err)
	}
	w.auditor.Flush()
	resp, err := w.client.ListAudit(w.as(admin), &accessv1.ListAuditRequest{Denied: true})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(resp.GetEntries()); n != 1 || resp.GetEntries()[0].GetAccount() != patient.GetId() || resp.GetEntries()[0].GetOperation() != "access.ListAudit" {
		t.Errorf("%d refusals: %v", n, resp.GetEntries())
	}
}

func BenchmarkAppend500(b *testing.B) {
	w := newWorld(b)
	list := entries(500, "p1")
	begun, n := time.Now(), 0
	for b.Loop() {
		w.append(list)
		n += len(list)
	}
	b.ReportMetric(float64(n)/time.Since(begun).Seconds(), "entries/s")
}
