package records

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/record"
)

// home tells where a resource lies: the id of a Patient, "shared" or "closed".
func home(ctx context.Context, t *testing.T, db *sql.DB, id string) string {
	t.Helper()
	var patient int64
	var of string
	if err := db.QueryRowContext(ctx, `SELECT d.patient, coalesce(c.id, '') FROM records.directory d
		LEFT JOIN records.compartments c ON c.patient = d.patient WHERE d.id = $1`, id).Scan(&patient, &of); err != nil {
		t.Fatal(id, err)
	}
	switch patient {
	case 0:
		return "shared"
	case record.Closed:
		return "closed"
	}
	return of
}

func about(typ, subject string) string {
	rest := map[string]string{
		"Observation":       `"status":"final","code":{"text":"x"},"subject":S`,
		"Media":             `"status":"completed","content":{"contentType":"image/png"},"subject":S`,
		"Specimen":          `"subject":S`,
		"DiagnosticReport":  `"status":"final","code":{"text":"x"},"subject":S`,
		"ServiceRequest":    `"status":"active","intent":"order","subject":S`,
		"DocumentReference": `"status":"current","content":[{"attachment":{"contentType":"text/plain","data":"QQ=="}}],"subject":S`,
		"Schedule":          `"actor":[S]`,
		"List":              `"status":"current","mode":"working","subject":S`,
		"Procedure":         `"status":"completed","subject":S`,
		"DeviceMetric":      `"type":{"text":"x"},"category":"measurement","source":S`,
		"Group":             `"type":"device","actual":true,"member":[{"entity":S}]`,
		"Device":            `"patient":S`,
	}[typ]
	return `{"resourceType":"` + typ + `",` + strings.ReplaceAll(rest, "S", `{"reference":"`+subject+`"}`) + `}`
}

// subjects stores what others are about: a device of an's and one of the
// house, a household of an's and a group of nobody, a place, a specimen.
func subjects(ctx context.Context, t *testing.T, r *Records) {
	t.Helper()
	placed(ctx, t, r, "Patient", "an", person("Lê", "An", "2", "95012", "1950"))
	placed(ctx, t, r, "Patient", "ba", person("Lê", "Ba", "3", "95015", "1950"))
	placed(ctx, t, r, "Device", "pump", about("Device", "Patient/an"))
	placed(ctx, t, r, "Device", "fridge", `{"resourceType":"Device","status":"active"}`)
	placed(ctx, t, r, "Group", "family", `{"resourceType":"Group","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/an"}}]}`)
	placed(ctx, t, r, "Group", "cohort", `{"resourceType":"Group","type":"person","actual":true}`)
	placed(ctx, t, r, "Location", "room", `{"resourceType":"Location","name":"Phòng 1"}`)
	placed(ctx, t, r, "Specimen", "blood", about("Specimen", "Patient/an"))
}

func TestWhatIsAboutADeviceOrAGroupLiesWithIt(t *testing.T) {
	r, ctx, db := openDB(t)
	subjects(ctx, t, r)
	for i, tt := range []struct{ typ, subject, want string }{
		{"Observation", "Patient/an", "an"},
		{"Observation", "Device/pump", "an"},
		{"Observation", "Device/pump/_history/1", "an"},
		{"Observation", "Device/fridge", "shared"},
		{"Observation", "Group/family", "an"},
		{"Observation", "Group/cohort", "shared"},
		{"Observation", "Location/room", "shared"},
		{"Media", "Device/pump", "an"},
		{"Media", "Specimen/blood", "closed"},
		{"Specimen", "Device/pump", "an"},
		{"Specimen", "Location/room", "shared"},
		{"DiagnosticReport", "Device/pump", "an"},
		{"DiagnosticReport", "Group/family", "an"},
		{"DiagnosticReport", "Location/room", "shared"},
		{"ServiceRequest", "Device/pump", "an"},
		{"ServiceRequest", "Location/room", "shared"},
		{"DocumentReference", "Device/pump", "an"},
		{"Schedule", "Device/pump", "an"},
		{"Schedule", "Device/fridge", "shared"},
		{"List", "Device/pump", "an"},
		{"List", "Group/cohort", "shared"},
		{"Procedure", "Group/family", "closed"},
		{"DeviceMetric", "Device/pump", "closed"},
		{"Group", "Device/pump", "shared"},
	} {
		id := create(ctx, t, r, tt.typ, about(tt.typ, tt.subject)).GetId()
		if got := home(ctx, t, db, id); got != tt.want {
			t.Errorf("%s about %s lies %s, want %s", tt.typ, tt.subject, got, tt.want)
		}
		id = fmt.Sprint("put-", i)
		placed(ctx, t, r, tt.typ, id, about(tt.typ, tt.subject))
		if got := home(ctx, t, db, id); got != tt.want {
			t.Errorf("%s about %s, put, lies %s, want %s", tt.typ, tt.subject, got, tt.want)
		}
	}
	// In one transaction, before what it is about, and a document's content.
	out, err := r.Transact(ctx, transaction(
		post("urn:uuid:b", `{"resourceType":"Binary","contentType":"a/b","data":"QQ==","securityContext":{"reference":"urn:uuid:o"}}`, ""),
		post("urn:uuid:o", about("Observation", "urn:uuid:d"), ""),
		post("urn:uuid:d", about("Device", "Patient/ba"), "")))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range strings.Split(string(out.GetBody()), `"location":"`)[1:] {
		_, id, _ = strings.Cut(id, "/")
		id, _, _ = strings.Cut(id, "/")
		if got := home(ctx, t, db, id); got != "ba" {
			t.Errorf("of a transaction %s lies %s", id, got)
		}
	}
}

// TestADevicesObservationsAreNobodyElses asks for them as others in their own
// record, as nurses of other communes, and writes them as those.
func TestADevicesObservationsAreNobodyElses(t *testing.T) {
	r, ctx := open(t)
	subjects(ctx, t, r)
	id := create(ctx, t, r, "Observation", about("Observation", "Device/pump")).GetId()
	for name, who := range map[string]struct {
		ctx  context.Context
		sees bool
	}{
		"the patient":           {scoped(t.Context(), &guard.Scope{Shared: true, Patients: []string{"an"}}), true},
		"another patient":       {scoped(t.Context(), &guard.Scope{Shared: true, Patients: []string{"ba"}}), false},
		"the commune's nurse":   {nurse(t.Context(), "95012"), true},
		"another commune's":     {nurse(t.Context(), "95015"), false},
		"who has no patient":    {scoped(t.Context(), &guard.Scope{Shared: true}), false},
		"who reaches all there": {ctx, true},
	} {
		err := second(r.Read(who.ctx, &recordsv1.ReadRequest{Type: "Observation", Id: id}))
		if (err == nil) != who.sees || err != nil && !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(search(who.ctx, t, r, "Observation", "subject=Device/pump").ids); (n == 1) != who.sees {
			t.Errorf("%s finds %d", name, n)
		}
		// What is out of reach and what is absent are refused alike.
		for _, device := range []string{"pump", "absent"} {
			made, err := r.Create(who.ctx, &recordsv1.CreateRequest{Type: "Observation", Body: []byte(about("Observation", "Device/"+device))})
			switch {
			case device == "absent" && err == nil, who.sees && device == "pump" && err != nil, !who.sees && !fault.Is(err, fault.Forbidden):
				t.Errorf("%s writes about %s: %v", name, device, err)
			case err == nil:
				if _, err := r.Delete(ctx, &recordsv1.DeleteRequest{Type: "Observation", Id: made.GetId()}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// TestWhatIsAboutADeviceFollowsIt moves a device in every way, with what is
// about it and the content of that.
func TestWhatIsAboutADeviceFollowsIt(t *testing.T) {
	r, ctx, db := openDB(t)
	subjects(ctx, t, r)
	placed(ctx, t, r, "Observation", "seen", about("Observation", "Device/pump"))
	// It names the patient besides, so that a merge has something to write in it.
	placed(ctx, t, r, "Observation", "focus", strings.Replace(about("Observation", "Device/pump"), `"status"`, `"focus":[{"reference":"Patient/an"}],"status"`, 1))
	placed(ctx, t, r, "DocumentReference", "doc", about("DocumentReference", "Device/pump"))
	placed(ctx, t, r, "Binary", "content", `{"resourceType":"Binary","contentType":"a/b","data":"`+strings.Repeat("QUJD", 30_000)+`","securityContext":{"reference":"DocumentReference/doc"}}`)
	followers := []string{"pump", "seen", "focus", "doc", "content"}
	put := func(who string) error {
		return second(r.Update(ctx, &recordsv1.UpdateRequest{Type: "Device", Id: "pump", Body: []byte(strings.Replace(about("Device", "Patient/"+who), "{", `{"id":"pump",`, 1))}))
	}
	for _, step := range []struct {
		name, to string
		move     func() error
	}{
		{"an update", "ba", func() error { return put("ba") }},
		{"a patch", "an", func() error {
			return second(r.Patch(ctx, &recordsv1.PatchRequest{Type: "Device", Id: "pump", ContentType: jsonPatch, Body: []byte(`[{"op":"replace","path":"/patient/reference","value":"Patient/an"}]`)}))
		}},
		{"a merge", "ba", func() error {
			return second(r.Merge(ctx, pair("an", "ba", `{"name":"result-patient","resource":{"resourceType":"Patient","id":"ba","link":[{"other":{"reference":"Patient/an"},"type":"replaces"}]}}`)))
		}},
		{"a merge undone", "an", func() error { return second(r.Unmerge(ctx, pair("an", "ba"))) }},
		{"a transaction", "ba", func() error {
			return second(r.Transact(ctx, transaction(with("PUT", "Device/pump", strings.Replace(about("Device", "Patient/ba"), "{", `{"id":"pump",`, 1), ""))))
		}},
		{"an import", "an", func() error {
			line := strings.Replace(about("Device", "Patient/an"), "{", `{"id":"pump",`, 1)
			got, err := around(t, r).Import(ctx, &recordsv1.ImportRequest{Lines: []byte(line)})
			if err == nil && got.GetUpdated() != 1 {
				err = fmt.Errorf("%v", got)
			}
			return err
		}},
		{"the device is nobody's any more", "an", func() error {
			err := second(r.Update(ctx, &recordsv1.UpdateRequest{Type: "Device", Id: "pump", Body: []byte(`{"resourceType":"Device","id":"pump"}`)}))
			if err == nil && home(ctx, t, db, "pump") != "shared" {
				err = fmt.Errorf("it lies %s", home(ctx, t, db, "pump"))
			}
			followers = followers[1:]
			return err
		}},
		{"and what is about it is written again", "an", func() error {
			return second(r.Update(ctx, &recordsv1.UpdateRequest{Type: "Observation", Id: "seen", Body: []byte(strings.Replace(about("Observation", "Device/pump"), "{", `{"id":"seen","language":"vi",`, 1))}))
		}},
		{"the device is another's", "ba", func() error { return put("ba") }},
	} {
		if err := step.move(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		for _, id := range followers {
			if got := home(ctx, t, db, id); got != step.to {
				t.Errorf("after %s %s lies %s, want %s", step.name, id, got, step.to)
			}
		}
		me, other := scoped(t.Context(), &guard.Scope{Patients: []string{step.to}}), scoped(t.Context(), &guard.Scope{Patients: []string{map[string]string{"an": "ba", "ba": "an"}[step.to]}})
		for typ, id := range map[string]string{"Observation": "seen", "DocumentReference": "doc", "Binary": "content"} {
			if x, err := r.Read(me, &recordsv1.ReadRequest{Type: typ, Id: id}); err != nil || typ == "Binary" && len(x.GetBody()) < 120_000 {
				t.Errorf("after %s its patient does not read %s: %v", step.name, id, err)
			}
			if err := second(r.Read(other, &recordsv1.ReadRequest{Type: typ, Id: id})); !fault.Is(err, fault.Forbidden) {
				t.Errorf("after %s another reads %s: %v", step.name, id, err)
			}
		}
		if n := len(search(me, t, r, "Observation", "subject=Device/pump").ids); n != 2 {
			t.Errorf("after %s its patient finds %d", step.name, n)
		}
		if n := len(search(other, t, r, "Observation", "subject=Device/pump").ids); n != 0 {
			t.Errorf("after %s another finds %d", step.name, n)
		}
	}
}

// TestAnImportMayBringWhatIsAboutADeviceBeforeIt stores it closed until then.
func TestAnImportMayBringWhatIsAboutADeviceBeforeIt(t *testing.T) {
	r, ctx, db := openDB(t)
	subjects(ctx, t, r)
	files := around(t, r)
	load := func(want int64, lines ...string) {
		t.Helper()
		got, err := files.Import(ctx, &recordsv1.ImportRequest{Lines: []byte(strings.Join(lines, "\n"))})
		if err != nil || got.GetCreated() != want || got.GetFailed() != 0 {
			t.Fatalf("%v %v", got, err)
		}
	}
	named := func(id, body string) string { return strings.Replace(body, "{", `{"id":"`+id+`",`, 1) }
	content := `{"resourceType":"Binary","contentType":"a/b","data":"QUJD","securityContext":{"reference":"Observation/early"}}`
	load(1, named("early", about("Observation", "Device/late")))
	if got := home(ctx, t, db, "early"); got != "closed" {
		t.Fatalf("before its device it lies %s", got)
	}
	load(2, named("late", about("Device", "Patient/an")), named("same", about("Observation", "Device/late")))
	load(1, named("content", content))
	for _, id := range []string{"early", "late", "same", "content"} {
		if got := home(ctx, t, db, id); got != "an" {
			t.Errorf("%s lies %s", id, got)
		}
	}
	load(1, named("first", about("Observation", "Device/own")))
	// Who does not reach everything cannot take it by bringing the device.
	own := "0b8a1c52-6a1e-4f0e-9a59-3f7f0a3c9d11"
	load(1, named("second", about("Observation", "Device/"+own)))
	if err := second(r.Update(nurse(t.Context(), "95012"), &recordsv1.UpdateRequest{Type: "Device", Id: own, Body: []byte(named(own, about("Device", "Patient/an")))})); err != nil {
		t.Fatal(err)
	}
	if got := home(ctx, t, db, "second"); got != "closed" {
		t.Errorf("a nurse took what was closed: it lies %s", got)
	}
	placed(ctx, t, r, "Device", "own", about("Device", "Patient/ba"))
	if got := home(ctx, t, db, "first"); got != "ba" {
		t.Errorf("with a device that is put it lies %s", got)
	}
}

// TestWhatIsWrittenWhileItsContextMovesLiesWithIt holds open the transaction
// that moves a document and a device, while what lies with them is written and
// imported, new and known.
func TestWhatIsWrittenWhileItsContextMovesLiesWithIt(t *testing.T) {
	binary := `{"resourceType":"Binary","id":"x","contentType":"a/b","data":"QUJD","securityContext":{"reference":"DocumentReference/context"}}`
	observed := strings.Replace(about("Observation", "Device/context"), "{", `{"id":"x",`, 1)
	for _, tt := range []struct {
		name, typ, body string
		known, imported bool
	}{
		{"a Binary is imported", "DocumentReference", binary, false, true},
		{"a known Binary is imported", "DocumentReference", binary, true, true},
		{"an Observation is imported", "Device", observed, false, true},
		{"a known Observation is imported", "Device", observed, true, true},
		{"an Observation is put", "Device", observed, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, ctx, db := openDB(t)
			subjects(ctx, t, r)
			before := about(tt.typ, "Patient/an")
			placed(ctx, t, r, tt.typ, "context", before)
			follower := "Binary"
			if tt.typ == "Device" {
				follower = "Observation"
			}
			if tt.known {
				placed(ctx, t, r, follower, "x", strings.Replace(tt.body, `"id":"x",`, `"language":"vi",`, 1))
			}
			moved, err := r.parse(tt.typ, []byte(strings.Replace(before, "Patient/an", "Patient/ba", 1)))
			if err != nil {
				t.Fatal(err)
			}
			held, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 2)
			c := &change{verb: "update", typ: tt.typ, number: r.defs.Number(tt.typ), id: "context", given: "context", body: moved}
			go func() { done <- r.holding(ctx, c, held, release) }()
			<-held
			written := make(chan struct{})
			go func() {
				defer close(written)
				if !tt.imported {
					done <- second(r.Update(ctx, &recordsv1.UpdateRequest{Type: follower, Id: "x", Body: []byte(tt.body)}))
					return
				}
				got, err := around(t, r).Import(ctx, &recordsv1.ImportRequest{Lines: []byte(tt.body)})
				if err == nil && got.GetFailed() > 0 {
					err = fmt.Errorf("%v", got)
				}
				done <- err
			}()
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
			if got := home(ctx, t, db, "x"); got != "ba" || home(ctx, t, db, "context") != "ba" {
				t.Errorf("it lies %s, its context %s", got, home(ctx, t, db, "context"))
			}
		})
	}
}
