package records

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// scan returns n bytes that do not compress, the same for the same seed.
func scan(n int, seed byte) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// document is a DocumentReference whose attachment has the given text as data.
func document(patient, data string) string {
	return `{"resourceType":"DocumentReference","status":"current","subject":{"reference":"Patient/` + patient + `"},
		"content":[{"attachment":{"contentType":"application/pdf","data":"` + data + `","title":"X-quang"}}],"description":"phim"}`
}

func personOf(ctx context.Context, t testing.TB, r *Records, n string) string {
	t.Helper()
	return create(ctx, t, r, "Patient", person("Nguyễn", "A"+n, "00109000000"+n, "00001", "1990-01-01")).GetId()
}

// dataOf returns the data of the first attachment, escapes and all.
func dataOf(body []byte) string {
	_, rest, _ := strings.Cut(string(body), `"data":"`)
	text, _, _ := strings.Cut(rest, `"`)
	return text
}

func rowSizes(ctx context.Context, t testing.TB, db *sql.DB, id string) (row, blobs, parts int) {
	t.Helper()
	err := db.QueryRowContext(ctx, `SELECT pg_column_size(c.body), (SELECT coalesce(sum(pg_column_size(b.body)), 0) FROM records.blobs b WHERE b.patient = c.patient),
		(SELECT count(*) FROM records.blobs b WHERE b.patient = c.patient) FROM records.current c WHERE c.id = $1`, id).Scan(&row, &blobs, &parts)
	if err != nil {
		t.Fatal(err)
	}
	return row, blobs, parts
}

func TestLargeAttachmentLeavesTheRowAndComesBackByteForByteEverywhere(t *testing.T) {
	r, ctx, db := openDB(t)
	p := personOf(ctx, t, r, "1")
	data := base64.StdEncoding.EncodeToString(scan(5<<20, 1))
	a := create(ctx, t, r, "DocumentReference", document(p, data))
	if got := dataOf(a.GetBody()); got != data {
		t.Fatalf("the answer to the create has %d bytes of %d", len(got), len(data))
	}
	row, blobs, parts := rowSizes(ctx, t, db, a.GetId())
	if row > 4<<10 || blobs < 5<<20 || blobs > 5<<20+4096 || parts != 20 {
		t.Fatalf("the row has %d bytes, the blobs %d in %d parts", row, blobs, parts)
	}
	want := string(a.GetBody())
	whole := func(how string, body []byte) {
		t.Helper()
		if !bytes.Contains(body, []byte(want)) {
			t.Errorf("%s does not show the resource byte for byte", how)
		}
	}
	x, err := r.Read(ctx, &recordsv1.ReadRequest{Type: "DocumentReference", Id: a.GetId()})
	if err != nil || string(x.GetBody()) != want {
		t.Fatalf("read: %v", err)
	}
	x, err = r.ReadVersion(ctx, &recordsv1.ReadVersionRequest{Type: "DocumentReference", Id: a.GetId(), Version: "1"})
	if err != nil || string(x.GetBody()) != want {
		t.Fatalf("vread: %v", err)
	}
	whole("search", search(ctx, t, r, "DocumentReference", "patient="+p).body)
	whole("_revinclude", search(ctx, t, r, "Patient", "_id="+p+"&_revinclude=DocumentReference:subject").body)
	h, err := r.History(ctx, &recordsv1.HistoryRequest{Type: "DocumentReference", Id: a.GetId()})
	if err != nil {
		t.Fatal(err)
	}
	whole("history", h.GetBody())
	e, err := r.Everything(ctx, &recordsv1.EverythingRequest{Patient: p})
	if err != nil {
		t.Fatal(err)
	}
	whole("$everything", e.GetBody())
	log, err := r.Changes(ctx, &recordsv1.ChangesRequest{Types: []string{"DocumentReference"}})
	if err != nil || len(log.GetChanges()) != 1 || string(log.GetChanges()[0].GetBody()) != want {
		t.Fatalf("changes: %v", err)
	}
	b, err := r.Transact(ctx, &recordsv1.TransactRequest{Prefer: "representation", Bundle: []byte(`{"resourceType":"Bundle","type":"transaction","entry":[
		{"resource":` + document(p, data) + `,"request":{"method":"POST","url":"DocumentReference"}},
		{"request":{"method":"GET","url":"DocumentReference/` + a.GetId() + `"}}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	whole("a transaction", b.GetBody())
	if n := bytes.Count(b.GetBody(), []byte(data)); n != 2 {
		t.Errorf("the transaction shows the attachment %d times", n)
	}
	if _, _, again := rowSizes(ctx, t, db, a.GetId()); again != parts {
		t.Errorf("the same attachment of the same patient is stored twice: %d parts", again)
	}
}

func TestAttachmentOfAnotherPatientIsStoredByItself(t *testing.T) {
	r, ctx, db := openDB(t)
	data := base64.StdEncoding.EncodeToString(scan(100_000, 2))
	for _, n := range []string{"1", "2"} {
		a := create(ctx, t, r, "DocumentReference", document(personOf(ctx, t, r, n), data))
		if _, blobs, _ := rowSizes(ctx, t, db, a.GetId()); blobs < 100_000 {
			t.Errorf("patient %s has %d bytes", n, blobs)
		}
	}
}

func TestThresholdAndOddFormsOfBase64(t *testing.T) {
	r, ctx, db := openDB(t)
	p := personOf(ctx, t, r, "1")
	encode := func(n int) string { return base64.StdEncoding.EncodeToString(scan(n, 3)) }
	long := encode(90_000)
	broken := func(sep string) string {
		var b strings.Builder
		for i := 0; i < len(long); i += 76 {
			b.WriteString(long[i:min(i+76, len(long))] + sep)
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		data  string
		leave bool
	}{
		"63 kB":                 {encode(63 << 10 / 4 * 3), false},
		"64 kB":                 {encode(48 << 10), false},
		"65 kB":                 {encode(65 << 10 / 4 * 3), true},
		"one byte of padding":   {encode(90_001), true},
		"two bytes of padding":  {encode(90_002), true},
		"line breaks":           {broken(`\r\n`), true},
		"line feeds":            {broken(`\n`), true},
		"blanks":                {broken(" "), true},
		"escaped slashes":       {strings.ReplaceAll(long, "/", `\/`), true},
		"unicode escapes":       {strings.ReplaceAll(long, "+", `\u002b`), true},
		"stray bits at the end": {encode(90_001)[:120_002-2+1] + "R==", true},
	} {
		t.Run(name, func(t *testing.T) {
			body := document(p, c.data)
			if !json.Valid([]byte(body)) {
				t.Fatal("the test sends no JSON")
			}
			a := create(ctx, t, r, "DocumentReference", body)
			x, err := r.Read(ctx, &recordsv1.ReadRequest{Type: "DocumentReference", Id: a.GetId()})
			if err != nil || dataOf(x.GetBody()) != c.data || !bytes.Equal(x.GetBody(), a.GetBody()) {
				t.Fatalf("%v: %d bytes came back of %d", err, len(dataOf(x.GetBody())), len(c.data))
			}
			if row, _, _ := rowSizes(ctx, t, db, a.GetId()); (row < 8<<10) != c.leave {
				t.Errorf("the row has %d bytes", row)
			}
		})
	}
}

func TestUpdateOfALargeAttachment(t *testing.T) {
	r, ctx := open(t)
	p := personOf(ctx, t, r, "1")
	first, second := base64.StdEncoding.EncodeToString(scan(200_000, 4)), base64.StdEncoding.EncodeToString(scan(200_000, 5))
	a := create(ctx, t, r, "DocumentReference", document(p, first))
	put := func(data string) *recordsv1.Resource {
		t.Helper()
		x, err := r.Update(ctx, &recordsv1.UpdateRequest{Type: "DocumentReference", Id: a.GetId(), Body: []byte(document(p, data))})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	if x := put(first); x.GetVersion() != 1 || dataOf(x.GetBody()) != first {
		t.Fatalf("what changes nothing made version %d with %d bytes", x.GetVersion(), len(dataOf(x.GetBody())))
	}
	if x := put(second); x.GetVersion() != 2 || dataOf(x.GetBody()) != second {
		t.Fatalf("version %d with %d bytes", x.GetVersion(), len(dataOf(x.GetBody())))
	}
	old, err := r.ReadVersion(ctx, &recordsv1.ReadVersionRequest{Type: "DocumentReference", Id: a.GetId(), Version: "1"})
	if err != nil || dataOf(old.GetBody()) != first {
		t.Fatalf("version 1: %v", err)
	}
	x, err := r.Patch(ctx, &recordsv1.PatchRequest{
		Type: "DocumentReference", Id: a.GetId(), ContentType: jsonPatch, Body: []byte(`[{"op":"replace","path":"/description","value":"phim 2"}]`),
	})
	if err != nil || x.GetVersion() != 3 || dataOf(x.GetBody()) != second || !bytes.Contains(x.GetBody(), []byte("phim 2")) {
		t.Fatalf("patch: %v, version %d", err, x.GetVersion())
	}
	if n := len(search(ctx, t, r, "DocumentReference", "description=phim&patient="+p).ids); n != 1 {
		t.Errorf("%d matches after the patch", n)
	}
}

func TestPartsThatDoNotShowAnAttachmentDoNotReadIt(t *testing.T) {
	r, ctx, db := openDB(t)
	p := personOf(ctx, t, r, "1")
	data := base64.StdEncoding.EncodeToString(scan(200_000, 6))
	a := create(ctx, t, r, "DocumentReference", document(p, data))
	// Whoever reads a value that is gone fails.
	if _, err := db.ExecContext(ctx, `DELETE FROM records.blobs`); err != nil {
		t.Fatal(err)
	}
	// content is mandatory and so part of every _elements.
	for query, shows := range map[string]bool{"_summary=true": false, "_elements=status": true, "_elements=content": true, "_summary=text": true, "": true} {
		_, err := r.Search(ctx, &recordsv1.SearchRequest{Type: "DocumentReference", Query: "patient=" + p + "&" + query})
		_, err2 := r.Read(ctx, &recordsv1.ReadRequest{Type: "DocumentReference", Id: a.GetId(), Query: query})
		_, err3 := r.History(ctx, &recordsv1.HistoryRequest{Type: "DocumentReference", Id: a.GetId(), Query: query})
		if (err != nil) != shows || (err2 != nil) != shows || (err3 != nil) != shows {
			t.Errorf("%q: search %v, read %v, history %v", query, err, err2, err3)
		}
	}
	if x, err := r.Read(ctx, &recordsv1.ReadRequest{Type: "DocumentReference", Id: a.GetId(), IfNoneMatch: `W/"1"`}); err != nil || len(x.GetBody()) != 0 {
		t.Errorf("a conditional read reads it: %v", err)
	}
}
