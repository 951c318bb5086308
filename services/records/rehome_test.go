package records

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// lies tells in which compartment every version, current row, directory row,
// index row and kept value lies.
func (i *installation) lies(t *testing.T) []string {
	t.Helper()
	query := `SELECT 'version ' || v.type || '/' || v.id || ' ' || v.version || ' ' || v.patient FROM records.versions v
		UNION ALL SELECT 'current ' || c.type || '/' || c.id || ' ' || c.patient FROM records.current c
		UNION ALL SELECT 'directory ' || d.type || '/' || d.id || ' ' || d.patient FROM records.directory d
		UNION ALL SELECT 'blob ' || encode(b.digest, 'hex') || ' ' || b.part || ' ' || b.patient FROM records.blobs b`
	for _, table := range tables {
		query += " UNION ALL SELECT '" + table + " ' || x::text FROM records." + table + " x"
	}
	rows, err := i.db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// TestWhatLayOpenForEverybodyIsClosedOnline puts what a write would place in a
// record, in the closed compartment or with an account today where an older
// program put it: into the shared compartment, with its history and its
// values. Indexing again moves all of it back, and nothing else.
func TestWhatLayOpenForEverybodyIsClosedOnline(t *testing.T) {
	i := install(t)
	r, ctx := serve(t, i.db, i.dsn), all(t.Context())
	scan := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("phiếu xét nghiệm ", 6000)))
	photo := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("ảnh ", 30_000)))
	placed(ctx, t, r, "Patient", "an", person("Lê", "An", "2", "95015", "1950"))
	placed(ctx, t, r, "Patient", "ba", person("Lê", "Ba", "3", "95015", "1950"))
	stray := map[string]string{
		"Observation":       `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"display":"An"},"effectiveDateTime":"2026"}`,
		"Bundle":            `{"resourceType":"Bundle","type":"collection","entry":[{"resource":` + person("Lê", "An", "2", "95015", "1950") + `}]}`,
		"Device":            `{"resourceType":"Device","patient":{"reference":"Patient/an"}}`,
		"DocumentReference": `{"resourceType":"DocumentReference","status":"current","content":[{"attachment":{"contentType":"text/plain","data":"` + scan + `"}}]}`,
		"DiagnosticReport":  `{"resourceType":"DiagnosticReport","status":"final","code":{"text":"x"},"subject":{"reference":"Device/x"}}`,
		"Binary":            `{"resourceType":"Binary","contentType":"text/plain","securityContext":{"reference":"Device/x"},"data":"` + scan + `"}`,
		"Subscription": `{"resourceType":"Subscription","status":"requested","reason":"x","criteria":"Observation?code=x",
			"channel":{"type":"rest-hook","endpoint":"https://example.org/hook","payload":"application/fhir+json"}}`,
	}
	for _, typ := range []string{"Observation", "Bundle", "Device", "DocumentReference", "DiagnosticReport", "Binary", "Subscription"} {
		placed(ctx, t, r, typ, "x", stray[typ])
		placed(ctx, t, r, typ, "x", strings.Replace(stray[typ], `{`, `{"language":"vi",`, 1))
		placed(ctx, t, r, typ, "gone", strings.Replace(stray[typ], "Device/x", "Patient/an", 1))
		if _, err := r.Delete(ctx, &recordsv1.DeleteRequest{Type: typ, Id: "gone"}); err != nil {
			t.Fatal(typ, err)
		}
	}
	// What is about nobody, and what lies in a record already, stays.
	placed(ctx, t, r, "Organization", "clinic", `{"resourceType":"Organization","name":"Trạm"}`)
	placed(ctx, t, r, "Practitioner", "dr", `{"resourceType":"Practitioner","photo":[{"contentType":"image/png","data":"`+photo+`"}]}`)
	placed(ctx, t, r, "Group", "house", `{"resourceType":"Group","type":"person","actual":true}`)
	placed(ctx, t, r, "Device", "cuff", `{"resourceType":"Device","status":"active"}`)
	placed(ctx, t, r, "Observation", "cold", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Device/cuff"}}`)
	placed(ctx, t, r, "Observation", "own", observation("ba", "1", "2026", "1"))
	placed(ctx, t, r, "Binary", "logo", `{"resourceType":"Binary","contentType":"text/plain","securityContext":{"reference":"Organization/clinic"},"data":"QQ=="}`)
	want := i.lies(t)

	moved := `(SELECT key FROM records.directory WHERE id IN ('x', 'gone'))`
	for _, table := range append([]string{"versions", "current", "directory"}, tables...) {
		i.exec(t, `UPDATE records.`+table+` SET patient = 0 WHERE key IN `+moved)
	}
	i.exec(t, `INSERT INTO records.blobs SELECT 0, digest, part, encoding, body FROM records.blobs ON CONFLICT DO NOTHING`, `DELETE FROM records.blobs WHERE patient <> 0`,
		`UPDATE records.params SET digest = 'old'`)
	old := i.start(t)
	stranger := nurse(t.Context(), "95012")
	reached := func(at *Records, typ, id string) error {
		if id == "gone" {
			return second(at.History(stranger, &recordsv1.HistoryRequest{Type: typ, Id: id}))
		}
		return second(at.Read(stranger, &recordsv1.ReadRequest{Type: typ, Id: id}))
	}
	for typ := range stray {
		for _, id := range []string{"x", "gone"} {
			if err := reached(old, typ, id); err != nil {
				t.Fatalf("the old state is not what it was: %s/%s: %v", typ, id, err)
			}
		}
	}
	fresh := i.start(t)
	if p, err := fresh.Indexing(ctx, &recordsv1.IndexingRequest{}); err != nil || len(p.GetTypes()) < 6 || p.GetTypes()[len(p.GetTypes())-1].GetType() != "Binary" {
		t.Errorf("progress: %v %v", p, err)
	}
	if err := fresh.store.Reindex(t.Context()); err != nil {
		t.Fatal(err)
	}
	compare(t, i.lies(t), want)
	for typ := range stray {
		for _, id := range []string{"x", "gone"} {
			if err := reached(fresh, typ, id); !fault.Is(err, fault.Forbidden) {
				t.Errorf("a nurse of another commune still reaches %s/%s: %v", typ, id, err)
			}
			if err := second(fresh.ReadVersion(stranger, &recordsv1.ReadVersionRequest{Type: typ, Id: id, Version: "1"})); !fault.Is(err, fault.Forbidden) {
				t.Errorf("and its history: %v", err)
			}
		}
	}
	for typ, body := range stray {
		x := stored(ctx, t, fresh, typ, "x")
		if typ != "Subscription" && len(x.GetBody()) < len(body) {
			t.Errorf("%s has %d bytes of %d", typ, len(x.GetBody()), len(body))
		}
		if first, err := fresh.ReadVersion(ctx, &recordsv1.ReadVersionRequest{Type: typ, Id: "x", Version: "1"}); err != nil || len(first.GetBody()) < len(body)-10 {
			t.Errorf("the first version of %s: %v", typ, err)
		}
	}
	if x := stored(ctx, t, fresh, "Practitioner", "dr"); !strings.Contains(string(x.GetBody()), photo) {
		t.Error("a value that is still named was swept away")
	}
	own := scoped(t.Context(), &guard.Scope{Patients: []string{"an"}})
	for _, typ := range []string{"Device", "DiagnosticReport", "Binary"} {
		if err := second(fresh.Read(own, &recordsv1.ReadRequest{Type: typ, Id: "x"})); err != nil {
			t.Errorf("the %s of a patient does not lie with them: %v", typ, err)
		}
	}
	// Done once, there is nothing left to do, and writes go on as ever.
	if err := i.start(t).store.Reindex(t.Context()); err != nil {
		t.Fatal(err)
	}
	compare(t, i.lies(t), want)
	placed(ctx, t, fresh, "Device", "x", stray["Device"])
	if n := search(ctx, t, fresh, "Device", "patient=an&_total=accurate").total; n != 1 {
		t.Errorf("a device that was moved is found %d times", n)
	}
}

// TestWhatIsMovedWhileOthersWriteIsWholeAfterwards writes the same resources
// while they are moved.
func TestWhatIsMovedWhileOthersWriteIsWholeAfterwards(t *testing.T) {
	i := install(t)
	r, ctx := i.start(t), all(t.Context())
	placed(ctx, t, r, "Patient", "an", person("Lê", "An", "2", "95015", "1950"))
	device := `{"resourceType":"Device","patient":{"reference":"Patient/an"},"lotNumber":"%d"}`
	for n := range 250 {
		placed(ctx, t, r, "Device", fmt.Sprint("d", n), fmt.Sprintf(device, 0))
	}
	for _, table := range append([]string{"versions", "current", "directory"}, tables...) {
		i.exec(t, `UPDATE records.`+table+` SET patient = 0 WHERE key IN (SELECT key FROM records.directory WHERE id LIKE 'd%')`)
	}
	i.exec(t, `UPDATE records.params SET digest = 'old'`)
	now := i.start(t)
	done := make(chan error)
	go func() { done <- now.store.Reindex(t.Context()) }()
	for n := range 250 {
		if n%5 == 0 {
			placed(ctx, t, now, "Device", fmt.Sprint("d", n), fmt.Sprintf(device, n+1))
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for _, table := range append([]string{"versions", "current", "directory"}, tables...) {
		var open int
		if err := i.db.QueryRowContext(t.Context(), `SELECT count(*) FROM records.`+table+` WHERE patient = 0`).Scan(&open); err != nil || open != 0 {
			t.Errorf("%d rows of %s lie open: %v", open, table, err)
		}
	}
	compare(t, i.rows(t), i.anew(t))
	if n := search(ctx, t, now, "Device", "patient=an&_total=accurate").total; n != 250 {
		t.Errorf("%d devices are found", n)
	}
}
