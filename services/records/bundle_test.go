package records

import (
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// answer is an entry of a Bundle's answer.
type answer struct {
	Resource json.RawMessage
	Response struct {
		Status, Location string
		Outcome          json.RawMessage
	}
}

func answers(t testing.TB, b *recordsv1.Bundle) []answer {
	t.Helper()
	var x struct{ Entry []answer }
	if err := json.Unmarshal(b.GetBody(), &x); err != nil {
		t.Fatal(err)
	}
	return x.Entry
}

func request(method, url, more string) string {
	return `{"request":{"method":"` + method + `","url":"` + url + `"` + more + `}}`
}

func with(method, url, resource, more string) string {
	return `{"resource":` + resource + `,"request":{"method":"` + method + `","url":"` + url + `"` + more + `}}`
}

func binaryOf(patch string) string {
	return `{"resourceType":"Binary","contentType":"application/json-patch+json","data":"` + base64.StdEncoding.EncodeToString([]byte(patch)) + `"}`
}

func TestABundleKnowsAllVerbsAndConditions(t *testing.T) {
	for _, typ := range []string{"transaction", "batch"} {
		r, ctx := open(t)
		for _, id := range []string{"a", "b", "c", "d", "e"} {
			body := strings.Replace(organization(id), `"value":"1"`, `"value":"`+id+`"`, 1)
			if _, err := r.Update(ctx, &recordsv1.UpdateRequest{Type: "Organization", Id: id, Body: []byte(body)}); err != nil {
				t.Fatal(err)
			}
		}
		parameters := `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Organization.name"},{"name":"value","valueString":"C2"}]}]}`
		entries := []struct{ entry, status string }{
			{request("GET", "Organization/a", `,"ifNoneMatch":"W/\"2\""`), "304"},
			{request("HEAD", "Organization/b", ""), "200"},
			{with("PUT", "Organization?identifier=http://x|a", strings.Replace(organization("A2"), `"value":"1"`, `"value":"a"`, 1), `,"ifMatch":"W/\"1\""`), "200"},
			{with("PATCH", "Organization/b", binaryOf(`[{"op":"replace","path":"/name","value":"B2"}]`), `,"ifMatch":"W/\"1\""`), "200"},
			{with("PATCH", "Organization?identifier=http://x|c", parameters, ""), "200"},
			{request("DELETE", "Organization?identifier=http://x|d", ""), "200"},
			{request("DELETE", "Organization/e", ""), "204"},
			{with("PUT", "Organization/f", strings.Replace(organization("F"), `"name"`, `"id":"f","name"`, 1), `,"ifNoneMatch":"*"`), "201"},
			{request("GET", "Organization/b", `,"ifModifiedSince":"2100-01-01T00:00:00Z"`), "304"},
			{request("GET", "Organization/b/_history", ""), "200"},
			{request("GET", "Organization/d", ""), "410"},
		}
		if typ == "batch" {
			entries[0], entries[2] = entries[2], entries[0] // it goes by the order of the entries
		}
		var list []string
		for _, e := range entries {
			list = append(list, e.entry)
		}
		req := transaction(list...)
		req.Bundle = []byte(strings.Replace(string(req.GetBundle()), "transaction", typ, 1))
		req.Prefer = "representation"
		b, err := r.Transact(ctx, req)
		if err != nil {
			t.Fatalf("%s: %v", typ, err)
		}
		got := answers(t, b)
		for i, e := range entries {
			if !strings.HasPrefix(got[i].Response.Status, e.status) {
				t.Errorf("%s, entry %d: %s %s", typ, i, got[i].Response.Status, got[i].Response.Outcome)
			}
			if written := strings.Contains(e.entry, "PATCH") || strings.Contains(e.entry, "PUT"); written && !strings.Contains(string(got[i].Resource), `"name":"`) {
				t.Errorf("%s, entry %d has no resource: %s", typ, i, got[i].Resource)
			}
		}
		if f := search(ctx, t, r, "Organization", "name=A2,B2,C2,F&_total=accurate"); f.total != 4 {
			t.Errorf("%s: %s", typ, f.body)
		}
	}
}

func TestLinksOfAnEntryAreReplacedByTypeOfElement(t *testing.T) {
	r, ctx := open(t)
	b, err := r.Transact(ctx, transaction(
		post("urn:uuid:1", organization("A"), ""),
		post("urn:oid:1.2.3", `{"resourceType":"Organization","name":"B","partOf":{"reference":"urn:uuid:1"}}`, ""),
		post("http://elsewhere/fhir/Organization/9", `{"resourceType":"Organization","name":"C","partOf":{"reference":"urn:oid:1.2.3"}}`, ""),
		post("http://elsewhere/fhir/Organization/8", `{"resourceType":"Organization","name":"D","partOf":{"reference":"Organization/9"}}`, ""),
		post("urn:uuid:5", `{"resourceType":"DocumentReference","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"urn:uuid:1\">x</a> urn:uuid:1 <img src='urn:uuid:9'/></div>"},"status":"current",
			"identifier":[{"system":"urn:ietf:rfc:3986","value":"urn:uuid:1"}],"custodian":{"reference":"urn:uuid:1/_history/4"},"content":[{"attachment":{"url":"urn:uuid:1"}}],"meta":{"profile":["urn:uuid:1"]}}`, ""),
	))
	if err != nil {
		t.Fatal(err)
	}
	ids := map[int]string{}
	for i, a := range answers(t, b) {
		ids[i] = strings.Split(a.Response.Location, "/")[1]
	}
	x, err := r.Read(ctx, &recordsv1.ReadRequest{Type: "DocumentReference", Id: ids[4]})
	if err != nil {
		t.Fatal(err)
	}
	ref := "Organization/" + ids[0]
	for _, want := range []string{
		`<a href=\"` + ref + `\">x</a> urn:uuid:1 <img src='urn:uuid:9'/>`, `"value":"urn:uuid:1"`, `"reference":"` + ref + `/_history/1"`, `"url":"` + ref + `"`, `"profile":["urn:uuid:1"]`,
	} {
		if !strings.Contains(string(x.GetBody()), want) {
			t.Errorf("%s is not in %s", want, x.GetBody())
		}
	}
	for child, parent := range map[int]int{1: 0, 2: 1, 3: 2} {
		if f := search(ctx, t, r, "Organization", "_id="+ids[child]+"&partof=Organization/"+ids[parent]); f.entries != 1 {
			t.Errorf("entry %d does not refer to entry %d", child, parent)
		}
	}
}

func TestConditionalReferencesSeeWhatTheBundleLeaves(t *testing.T) {
	r, ctx := open(t)
	old := create(ctx, t, r, "Organization", organization("A"))
	child := `{"resourceType":"Organization","name":"child","partOf":{"reference":"Organization?` + mine + `"}}`
	if _, err := r.Transact(ctx, transaction(post("urn:uuid:1", organization("B"), ""), post("urn:uuid:2", child, ""))); !fault.Is(err, fault.Precondition) {
		t.Errorf("one that is there and one that comes: %v", err)
	}
	if _, err := r.Transact(ctx, transaction(post("urn:uuid:1", organization("B"), ""), request("DELETE", "Organization/"+old.GetId(), ""), post("urn:uuid:2", child, ""))); err != nil {
		t.Errorf("one that goes and one that comes: %v", err)
	}
	if f := search(ctx, t, r, "Organization", "name=child&_include=Organization:partof"); f.entries != 2 || !strings.Contains(string(f.body), `"name":"B"`) {
		t.Errorf("%s", f.body)
	}
	b := search(ctx, t, r, "Organization", "name=b")
	_, err := r.Transact(ctx, transaction(request("DELETE", "Organization/"+b.ids[0], ""), post("urn:uuid:2", child, "")))
	if f := fault.Of(err); f.Class != fault.Unprocessable || f.At != "Bundle.entry[1].resource.partOf.reference" {
		t.Errorf("the only match goes: %v", err)
	}
}

func TestABundleIsRefusedForTwoEntriesAboutOneResource(t *testing.T) {
	r, ctx := open(t)
	x := create(ctx, t, r, "Organization", organization("A"))
	put := with("PUT", "Organization/"+x.GetId(), strings.Replace(organization("B"), `"name"`, `"id":"`+x.GetId()+`","name"`, 1), "")
	for name, entries := range map[string][2]string{
		"the same id":         {put, request("DELETE", "Organization/"+x.GetId(), "")},
		"an id and a match":   {put, with("PUT", "Organization?"+mine, organization("C"), "")},
		"the same condition":  {with("PUT", "Organization?identifier=http://x|7", organization("C"), ""), with("PUT", "Organization?identifier=http://x|7", organization("D"), "")},
		"a malformed ifMatch": {with("PUT", "Organization?"+mine, organization("C"), `,"ifMatch":"W/\"1"`), request("GET", "Organization", "")},
		"an unknown verb":     {request("TRACE", "Organization/x", ""), put},
		"a broken patch":      {with("PATCH", "Organization/"+x.GetId(), binaryOf(`{}`), ""), request("GET", "Organization", "")},
	} {
		_, err := r.Transact(ctx, transaction(entries[0], entries[1]))
		if f := fault.Of(err); f.Class != fault.Invalid || !strings.HasPrefix(f.At, "Bundle.entry[") {
			t.Errorf("%s: %v", name, err)
		}
	}
	many := transaction(strings.Repeat(request("GET", "Organization", "")+",", maxEntries) + request("GET", "Organization", ""))
	if _, err := r.Transact(ctx, many); !fault.Is(err, fault.TooLarge) {
		t.Errorf("too many entries: %v", err)
	}
}

// TestATransactionThatFailsAtItsCommitIsRetriedOrRefused makes PostgreSQL
// report a serialization failure when the transaction commits: once, and then
// always. An answer of success means that the resources are there.
func TestATransactionThatFailsAtItsCommitIsRetriedOrRefused(t *testing.T) {
	r, ctx := open(t)
	fail := func(times int) {
		t.Helper()
		if err := r.store.InTx(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `DROP TRIGGER IF EXISTS fail ON records.directory; DROP SEQUENCE IF EXISTS records.tries; CREATE SEQUENCE records.tries;
				CREATE OR REPLACE FUNCTION records.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF nextval('records.tries') <= TG_ARGV[0]::int THEN RAISE EXCEPTION 'on purpose' USING ERRCODE = '40001'; END IF; RETURN NULL; END $$;
				CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON records.directory DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION records.fail('`+string(rune('0'+times))+`')`)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	flag := post("urn:uuid:2", `{"resourceType":"Flag","status":"active","code":{"text":"x"},"subject":{"reference":"urn:uuid:1"}}`, "")
	flags := 0
	for name, condition := range map[string]string{
		"creates only, which are one statement": "",
		"a condition, which needs several":      `,"ifNoneExist":"identifier=` + fhir.SystemCCCD + `|5"`,
	} {
		bundle := transaction(post("urn:uuid:1", person("Lê", "An", "5", "95012", "1950"), condition), flag)
		fail(9) // more than is tried again
		if _, err := r.Transact(ctx, bundle); !fault.Is(err, fault.Conflict) {
			t.Fatalf("%s: it never committed, but the answer is %v", name, err)
		}
		if f := search(ctx, t, r, "Flag", "_total=accurate"); f.total != flags {
			t.Fatalf("%s: a refused transaction left something", name)
		}
		fail(2) // the first two commits
		b, err := r.Transact(ctx, bundle)
		if err != nil {
			t.Fatal(name, err)
		}
		flags++
		for i, a := range answers(t, b) {
			ref := strings.Split(a.Response.Location, "/")
			if x, err := r.Read(ctx, &recordsv1.ReadRequest{Type: ref[0], Id: ref[1]}); err != nil || x.GetVersion() != 1 {
				t.Errorf("%s: entry %d was answered with %s but is not there: %v", name, i, a.Response.Status, err)
			}
		}
		if f := search(ctx, t, r, "Flag", "_total=accurate"); f.total != flags {
			t.Errorf("%s: %d flags", name, f.total)
		}
	}
	// A create by itself.
	fail(9)
	if _, err := r.Create(ctx, &recordsv1.CreateRequest{Type: "Organization", Body: []byte(organization("A"))}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a create never committed, but the answer is %v", err)
	}
	fail(2)
	x, err := r.Create(ctx, &recordsv1.CreateRequest{Type: "Organization", Body: []byte(organization("A"))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(ctx, &recordsv1.ReadRequest{Type: "Organization", Id: x.GetId()}); err != nil {
		t.Errorf("a create was answered, but it is not there: %v", err)
	}
}
