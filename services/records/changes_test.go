package records

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// TestChangesSkipsNothingThatCommitsLate holds one transaction open, commits a
// later one and reads: a reader that took the later one would never see the
// earlier one.
func TestChangesSkipsNothingThatCommitsLate(t *testing.T) {
	r, ctx := open(t)
	body := []byte(`{"resourceType":"Organization","id":"early","name":"A"}`)
	held, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		v, err := r.parse("Organization", body)
		if err != nil {
			done <- err
			return
		}
		c := &change{verb: "update", typ: "Organization", number: r.defs.Number("Organization"), id: "early", body: v}
		done <- r.holding(ctx, c, held, release)
	}()
	<-held
	late := create(ctx, t, r, "Organization", `{"resourceType":"Organization","name":"B"}`)
	before, err := r.Changes(ctx, &recordsv1.ChangesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if len(before.GetChanges()) != 0 {
		t.Errorf("a reader was shown %d rows while an older transaction ran", len(before.GetChanges()))
	}
	waiting := make(chan *recordsv1.ChangesResponse, 1)
	go func() {
		resp, _ := r.Changes(ctx, &recordsv1.ChangesRequest{Cursor: before.GetCursor(), WaitMs: 20_000})
		waiting <- resp
	}()
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	after := <-waiting
	if len(after.GetChanges()) != 2 || after.GetChanges()[0].GetId() != "early" || after.GetChanges()[1].GetId() != late.GetId() {
		t.Fatalf("got %v", after.GetChanges())
	}
	rest, err := r.Changes(ctx, &recordsv1.ChangesRequest{Cursor: after.GetCursor()})
	if err != nil || len(rest.GetChanges()) != 0 || rest.GetCursor() != after.GetCursor() {
		t.Errorf("the cursor did not stay: %v %v", err, rest)
	}
}

func TestChangesWakesAWaitingReader(t *testing.T) {
	r, ctx := open(t)
	run, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- r.store.Run(run) }()
	got := make(chan *recordsv1.ChangesResponse, 1)
	go func() {
		resp, _ := r.Changes(ctx, &recordsv1.ChangesRequest{WaitMs: 20_000, Types: []string{"Practitioner"}})
		got <- resp
	}()
	create(ctx, t, r, "Organization", `{"resourceType":"Organization","name":"B"}`)
	create(ctx, t, r, "Practitioner", `{"resourceType":"Practitioner","active":true}`)
	select {
	case resp := <-got:
		if len(resp.GetChanges()) != 1 || resp.GetChanges()[0].GetType() != "Practitioner" || resp.GetChanges()[0].GetOp() != "create" {
			t.Errorf("got %v", resp)
		}
	case <-time.After(15 * time.Second):
		t.Error("the reader was not woken")
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestChangesIsForServicesOnly(t *testing.T) {
	r, _ := open(t)
	for name, ctx := range map[string]context.Context{
		"a person who may read everything": scoped(guard.WithPrincipal(t.Context(), &guard.Principal{Account: "a"}), &guard.Scope{All: true}),
		"a service with a narrow scope":    scoped(guard.WithPrincipal(t.Context(), &guard.Principal{Service: "a"}), &guard.Scope{Patients: []string{"x"}}),
		"nobody":                           t.Context(),
	} {
		if _, err := r.Changes(ctx, &recordsv1.ChangesRequest{}); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTheLogIsReadInTheOrderOfItsTransactions crosses the place where the
// numbers of transactions get a digit more.
func TestTheLogIsReadInTheOrderOfItsTransactions(t *testing.T) {
	r, ctx, db := openDB(t)
	if _, err := db.ExecContext(ctx, `INSERT INTO records.versions (tx, patient, key, type, id, version, at, actor, reason, op, encoding, body)
		SELECT (9 + n % 2)::text::xid8, 0, n, $1, 'n' || n, 1, 0, '', '', 'c', 0, '{}' FROM generate_series(1, 4) AS n`,
		r.defs.Number("Organization")); err != nil {
		t.Fatal(err)
	}
	var ids []string
	cursor, more := "", true
	for more {
		resp, err := r.Changes(ctx, &recordsv1.ChangesRequest{Cursor: cursor, Limit: 3, Types: []string{"Organization"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range resp.GetChanges() {
			ids = append(ids, c.GetId())
		}
		cursor, more = resp.GetCursor(), resp.GetMore()
		if more != (len(ids) == 3) {
			t.Errorf("after %d of 4 changes, more is %v", len(ids), more)
		}
	}
	if got := strings.Join(ids, " "); got != "n2 n4 n1 n3" {
		t.Errorf("got %s", got)
	}
}
