package records

import (
	"bytes"
	"context"
	"database/sql"
	"net/http"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/guard"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// readBy reads contents as somebody who must get them and as somebody who must not.
func readBy(t *testing.T, h http.Handler, contents map[string][]byte, reader, other string) {
	t.Helper()
	for id, want := range contents {
		if w := raw(h, reader, "GET", "/Binary/"+id, nil); !bytes.Equal(w.Body.Bytes(), want) {
			t.Errorf("%s gets %d, %d bytes of %d", reader, w.Code, w.Body.Len(), len(want))
		}
		if w := raw(h, other, "GET", "/Binary/"+id, nil); w.Code != 403 {
			t.Errorf("%s gets %d", other, w.Code)
		}
	}
}

// astray counts Binaries that lie elsewhere than what their context names, and
// resources that lie elsewhere than their current version.
func astray(ctx context.Context, t *testing.T, db *sql.DB) {
	t.Helper()
	var n, m int
	if err := db.QueryRowContext(ctx, `SELECT
		(SELECT count(*) FROM records.refs t JOIN records.directory d ON d.type = t.type AND d.id = t.target JOIN records.directory b ON b.key = t.key
			WHERE t.param = 0 AND d.patient <> b.patient),
		(SELECT count(*) FROM records.directory d JOIN records.versions v ON v.key = d.key AND v.version = d.version WHERE v.patient <> d.patient)`).Scan(&n, &m); err != nil || n != 0 || m != 0 {
		t.Errorf("%d Binaries lie elsewhere than their context, %d resources than their current version: %v", n, m, err)
	}
}

// TestABinaryFollowsWhatItsSecurityContextNames moves a document from one
// patient to another and back in every way in which that happens, and looks
// who reads its content: small, kept apart, and as base64 with blanks.
func TestABinaryFollowsWhatItsSecurityContextNames(t *testing.T) {
	r, ctx, db := openDB(t)
	nameless := `{"resourceType":"Patient","active":true}`
	mine, theirs := create(ctx, t, r, "Patient", nameless).GetId(), create(ctx, t, r, "Patient", nameless).GetId()
	h := faceOf(t, r, doors{notes: make(chan *accessv1.AuditEntry, 10_000), scopes: map[string]*guard.Scope{
		"me": {Shared: true, Patients: []string{mine}}, "them": {Shared: true, Patients: []string{theirs}},
	}})
	patch := func(doc, who string) error {
		return second(r.Patch(ctx, &recordsv1.PatchRequest{
			Type: "DocumentReference", Id: doc, ContentType: jsonPatch, Body: []byte(`[{"op":"replace","path":"/subject/reference","value":"Patient/` + who + `"}]`),
		}))
	}
	bundled := func(doc, who string) error {
		body := strings.Replace(document(who, "AAAA"), "{", `{"id":"`+doc+`",`, 1)
		return second(r.Transact(ctx, transaction(with("PUT", "DocumentReference/"+doc, body, ""))))
	}
	merged := func(_, who string) error {
		if who == theirs {
			return second(r.Merge(ctx, pair(mine, theirs)))
		}
		return second(r.Unmerge(ctx, pair(mine, theirs)))
	}
	revived := func(doc, who string) error {
		r.settings.deleted = types{}
		defer func() { r.settings.deleted = types{all: true} }()
		if _, err := r.Delete(ctx, &recordsv1.DeleteRequest{Type: "DocumentReference", Id: doc}); err != nil {
			return err
		}
		return bundled(doc, who)
	}
	for name, move := range map[string]func(doc, who string) error{"a patch": patch, "a transaction": bundled, "a merge": merged, "a deletion and a new version": revived} {
		t.Run(name, func(t *testing.T) {
			doc := create(ctx, t, r, "DocumentReference", document(mine, "AAAA")).GetId()
			contents := map[string][]byte{}
			for _, size := range []int{100, 700_000} {
				content := scan(size, 3)
				contents[posted(t, h, "me", content, "X-Security-Context", "DocumentReference/"+doc)] = content
			}
			odd := create(ctx, t, r, "Binary", `{"resourceType":"Binary","data":"`+strings.Repeat("QUJD QUJD ", 9000)+`","contentType":"a/b","securityContext":{"reference":"DocumentReference/`+doc+`"}}`).GetId()
			before := bare(t, stored(ctx, t, r, "Binary", odd).GetBody())
			own := posted(t, h, "them", scan(100, 4), "X-Security-Context", "Patient/"+theirs)
			for version, way := range []struct{ to, reader, other string }{{theirs, "them", "me"}, {mine, "me", "them"}} {
				if err := move(doc, way.to); err != nil {
					t.Fatal(err)
				}
				readBy(t, h, contents, way.reader, way.other)
				readBy(t, h, map[string][]byte{own: scan(100, 4)}, "them", "me")
				if x := stored(ctx, t, r, "Binary", odd); x.GetVersion() != int64(version+2) || bare(t, x.GetBody()) != before {
					t.Errorf("base64 with blanks is version %d: %.200s", x.GetVersion(), x.GetBody())
				}
				if w := raw(h, way.reader, "GET", "/Binary/"+odd+"/_history", nil); w.Code != 200 {
					t.Errorf("its history: %d", w.Code)
				}
				astray(ctx, t, db)
			}
			for id := range contents {
				if w := raw(h, "me", "GET", "/Binary/"+id+"/_history/2", nil); w.Code != 403 {
					t.Errorf("the version that lay with another: %d", w.Code)
				}
			}
		})
	}
}

// TestABinaryThatIsWrittenWhileItsContextMovesLiesWithIt holds open the
// transaction that moves a document, while a Binary is written with it.
func TestABinaryThatIsWrittenWhileItsContextMovesLiesWithIt(t *testing.T) {
	r, ctx, db := openDB(t)
	mine, theirs := personOf(ctx, t, r, "1"), personOf(ctx, t, r, "2")
	doc := create(ctx, t, r, "DocumentReference", document(mine, "AAAA")).GetId()
	moved, err := r.parse("DocumentReference", []byte(document(theirs, "AAAA")))
	if err != nil {
		t.Fatal(err)
	}
	held, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 2)
	c := &change{verb: "update", typ: "DocumentReference", number: r.defs.Number("DocumentReference"), id: doc, given: doc, body: moved}
	go func() { done <- r.holding(ctx, c, held, release) }()
	<-held
	written := make(chan struct{})
	go func() {
		defer close(written)
		done <- second(r.Create(ctx, &recordsv1.CreateRequest{Type: "Binary", Body: []byte(`{"resourceType":"Binary","contentType":"a/b","securityContext":{"reference":"DocumentReference/` + doc + `"},"data":"QUJD"}`)}))
	}()
	// It waits for the move, or, were it not to wait, is done.
	for waits := false; !waits; {
		select {
		case <-written:
			waits = true
		default:
			if err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database()))`).Scan(&waits); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(release)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	astray(ctx, t, db)
}
