package records

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// TestConditionsTellNothingOfWhatIsOutOfReach tries the preconditions of
// writes on a foreign resource and on one that does not exist: the answers
// must not differ.
func TestConditionsTellNothingOfWhatIsOutOfReach(t *testing.T) {
	r, ctx := open(t)
	foreign := create(ctx, t, r, "Patient", person("Lê", "An", "1", "95015", "1950"))
	seen := create(ctx, t, r, "Observation", observation(foreign.GetId(), "8480-6", "2026", "120"))
	gone := create(ctx, t, r, "Observation", observation(foreign.GetId(), "8480-6", "2026", "121"))
	if _, err := r.Delete(ctx, &recordsv1.DeleteRequest{Type: "Observation", Id: gone.GetId()}); err != nil {
		t.Fatal(err)
	}
	own := create(ctx, t, r, "Patient", person("Lê", "Ba", "2", "95012", "1950"))
	a := nurse(t.Context(), "95012")
	for _, match := range []string{"", "1", "9", "*"} {
		var answers []*fault.Error
		for _, id := range []string{"01970000-0000-7000-8000-000000000000", seen.GetId(), gone.GetId()} {
			answers = append(answers, fault.Of(second(r.Delete(a, &recordsv1.DeleteRequest{Type: "Observation", Id: id, IfMatch: match}))))
			if match != "" {
				body := []byte(observation(own.GetId(), "8480-6", "2026", "1"))
				answers = append(answers, fault.Of(second(r.Update(a, &recordsv1.UpdateRequest{Type: "Observation", Id: id, Body: body, IfMatch: match}))))
			}
		}
		for _, f := range answers {
			if f.Class != answers[0].Class || f.Message != answers[0].Message {
				t.Errorf("If-Match %q: %v where what is absent answers %v", match, f, answers[0])
			}
		}
	}
	for _, criteria := range []string{"patient=" + foreign.GetId() + "&code=8480-6", "code=8480-6&date=2026"} {
		x, err := r.Create(a, &recordsv1.CreateRequest{Type: "Observation", Body: []byte(observation(own.GetId(), "8480-6", "2025", "1")), IfNoneExist: criteria})
		if err != nil || !x.GetCreated() {
			t.Errorf("If-None-Exist %s tells of a record out of reach: %v", criteria, err)
		}
	}
	for _, criteria := range []string{"name=an", "birthdate=1950&name=an"} {
		x, err := r.Create(a, &recordsv1.CreateRequest{Type: "Patient", Body: []byte(person("Lê", "Cam", "3", "95012", "1951")), IfNoneExist: criteria})
		if err != nil || !x.GetCreated() {
			t.Errorf("If-None-Exist %s tells of a person out of reach: %v", criteria, err)
		}
	}
	// That nobody is enrolled twice is worth a refusal.
	same := &recordsv1.CreateRequest{Type: "Patient", Body: []byte(person("Lê", "An", "1", "95012", "1950")), IfNoneExist: "identifier=" + fhir.SystemCCCD + "|1"}
	if _, err := r.Create(a, same); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a person of another commune was enrolled again: %v", err)
	}
	var places []*fault.Error
	for _, number := range []string{"1", "404"} {
		_, err := r.Transact(a, transaction(post("urn:uuid:1",
			strings.Replace(observation("x", "1", "2026", "1"), "Patient/x", "Patient?identifier="+fhir.SystemCCCD+"|"+number, 1), "")))
		places = append(places, fault.Of(err))
	}
	if places[0].Class != places[1].Class || places[0].Message != places[1].Message {
		t.Errorf("a conditional reference tells who exists: %v, %v", places[0], places[1])
	}
}

func TestANurseBringsBackWhatWasDeletedInHerCommune(t *testing.T) {
	r, ctx := open(t)
	own := create(ctx, t, r, "Patient", person("Lê", "Ba", "2", "95012", "1950"))
	x := create(ctx, t, r, "Observation", observation(own.GetId(), "1", "2026", "1"))
	a := nurse(t.Context(), "95012")
	for _, what := range []string{"what is there", "what is deleted"} {
		if _, err := r.Delete(a, &recordsv1.DeleteRequest{Type: "Observation", Id: x.GetId()}); err != nil {
			t.Errorf("deleting %s: %v", what, err)
		}
	}
	again, err := r.Update(a, &recordsv1.UpdateRequest{Type: "Observation", Id: x.GetId(), Body: []byte(observation(own.GetId(), "1", "2026", "2"))})
	if err != nil || again.GetVersion() != 3 {
		t.Errorf("%v %v", err, again)
	}
}

// TestABundleDoesNotWidenWhatItsSenderMayDo carries out bundles of somebody
// who may read and create, but not delete.
func TestABundleDoesNotWidenWhatItsSenderMayDo(t *testing.T) {
	r, ctx := open(t)
	x := create(ctx, t, r, "Organization", `{"resourceType":"Organization","name":"A"}`)
	r.enter = func(ctx context.Context, method string) (context.Context, error) {
		if method == "Delete" || method == "Search" {
			return ctx, fault.New(fault.Forbidden, "you may not do this", nil)
		}
		return ctx, nil
	}
	remove := `{"request":{"method":"DELETE","url":"Organization/` + x.GetId() + `"}}`
	if _, err := r.Transact(ctx, transaction(remove)); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a transaction deleted: %v", err)
	}
	batch := `{"resourceType":"Bundle","type":"batch","entry":[` + remove + `,{"request":{"method":"GET","url":"Organization?name=a"}},{"request":{"method":"GET","url":"Organization/` + x.GetId() + `"}}]}`
	b, err := r.Transact(ctx, &recordsv1.TransactRequest{Bundle: []byte(batch)})
	if err != nil || strings.Count(string(b.GetBody()), "403 Forbidden") != 2 || strings.Count(string(b.GetBody()), "200 OK") != 1 {
		t.Errorf("%v: %s", err, b.GetBody())
	}
}

// TestNextLinksOfDeidentifiedListsHoldNoID follows every order and looks into
// the cursor, which holds what the page was sorted by.
func TestNextLinksOfDeidentifiedListsHoldNoID(t *testing.T) {
	r, ctx := open(t)
	for _, n := range []string{"1", "2"} {
		p := create(ctx, t, r, "Patient", person("Lê", "An", n, "95012", "1950-01-02"))
		create(ctx, t, r, "Observation", observation(p.GetId(), "1", "2026", "1"))
	}
	blind := scoped(t.Context(), &guard.Scope{Deidentified: true, Shared: true})
	ids := search(ctx, t, r, "Patient", "").ids
	for _, order := range []string{"", "_id", "-_id", "_lastUpdated", "name", "birthdate", "identifier", "gender"} {
		b, err := r.Search(blind, &recordsv1.SearchRequest{Type: "Patient", Query: "_count=1&_sort=" + order})
		if order == "" {
			b, err = r.Search(blind, &recordsv1.SearchRequest{Type: "Patient", Query: "_count=1"})
		}
		if err != nil {
			if !fault.Is(err, fault.Forbidden) {
				t.Error(err)
			}
			continue
		}
		next, _ := url.Parse(bundle(t, b.GetBody()).next)
		cursor, _ := base64.RawURLEncoding.DecodeString(next.Query().Get("_cursor"))
		if len(cursor) == 0 || slices.ContainsFunc(ids, func(id string) bool { return strings.Contains(string(cursor), id) }) || strings.Contains(string(cursor), "le an") {
			t.Errorf("_sort=%s: the cursor holds %q", order, cursor)
		}
	}
}

// TestOddInputIsTheCallersFault sends what PostgreSQL would refuse, or what
// would make it work for ever.
func TestOddInputIsTheCallersFault(t *testing.T) {
	r, ctx := open(t)
	create(ctx, t, r, "Patient", person("Lê", "An", "1", "95012", "1950"))
	raw := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for _, query := range []string{
		"_sort=name&_cursor=" + raw("1.0.\xff"), "_sort=name&_cursor=" + raw("1.0.\x00"), "_cursor=" + raw("1.0.x"), "_cursor=" + raw("zzzzzzzzzzzzzzzzzzzz.0.1"),
		"name=%00", "name=%ff", "name=%zz", "_sort=-", "_sort=name,", "_sort=name,colour", "_include=%ff:x", "_include:recurse=*", "_revinclude=*:x", "_sort=name,name,name,name,name,name,name", "_count=1e3", "_count=-1",
		"_count=99999999999999999999", "birthdate=99999", "birthdate=2024-13", "birthdate=xx2024", "identifier=a|b|c", "identifier=|", "_id:text=x", "name:missing=maybe", "general-practitioner=a b",
		strings.Repeat("_revinclude=Observation:subject&", 31), strings.Repeat("name=a&", 31), "_lastUpdated:missing=true",
	} {
		err := second(r.Search(ctx, &recordsv1.SearchRequest{Type: "Patient", Query: query}))
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%.60q: %v", query, err)
		}
	}
	for _, query := range []string{"value-quantity=1e400", "value-quantity=" + strings.Repeat("9", 100), "value-quantity=--1", "value-quantity=1|2|3|4"} {
		if err := second(r.Search(ctx, &recordsv1.SearchRequest{Type: "Observation", Query: query})); !fault.Is(err, fault.Invalid) {
			t.Errorf("%.60q: %v", query, err)
		}
	}
	for _, id := range []string{"\x00", "\xff", "a b", "", strings.Repeat("a", 65)} {
		for name, err := range map[string]error{
			"read":       second(r.Read(ctx, &recordsv1.ReadRequest{Type: "Patient", Id: id})),
			"vread":      second(r.ReadVersion(ctx, &recordsv1.ReadVersionRequest{Type: "Patient", Id: id, Version: "1"})),
			"everything": second(r.Everything(ctx, &recordsv1.EverythingRequest{Patient: id})),
			"delete":     second(r.Delete(ctx, &recordsv1.DeleteRequest{Type: "Patient", Id: id})),
		} {
			want := fault.NotFound
			if name == "delete" && id == "" {
				want = fault.Invalid // criteria without any
			}
			if !fault.Is(err, want) {
				t.Errorf("%s %q: %v", name, id, err)
			}
		}
	}
	for _, text := range []string{`"a\u0000b"`, "\"a\x00b\"", "\"a\xffb\"", `"\ud800"`} {
		if err := second(r.Create(ctx, &recordsv1.CreateRequest{Type: "Organization", Body: []byte(`{"resourceType":"Organization","name":` + text + `}`)})); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestEverythingOfADeletedPatientIsGone(t *testing.T) {
	r, ctx := open(t)
	p := create(ctx, t, r, "Patient", person("Lê", "An", "1", "95012", "1950"))
	if _, err := r.Delete(ctx, &recordsv1.DeleteRequest{Type: "Patient", Id: p.GetId()}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Everything(ctx, &recordsv1.EverythingRequest{Patient: p.GetId()}); !fault.Is(err, fault.Gone) {
		t.Error(err)
	}
}

// TestAHouseholdOfThousandsIsStoredAtOnce would take minutes if rows were
// compared each with each.
func TestAHouseholdOfThousandsIsStoredAtOnce(t *testing.T) {
	r, ctx := open(t)
	r.settings.written = types{} // none of them is there
	var members []string
	for i := range 100_000 {
		members = append(members, fmt.Sprintf(`{"entity":{"reference":"Practitioner/p%d"}}`, i))
	}
	begun := time.Now()
	body := `{"resourceType":"Group","type":"practitioner","actual":true,"member":[` + strings.Join(members, ",") + `]}`
	x := create(ctx, t, r, "Group", body)
	changed := strings.Replace(body, `"actual":true`, `"actual":true,"name":"x"`, 1)
	if _, err := r.Update(ctx, &recordsv1.UpdateRequest{Type: "Group", Id: x.GetId(), Body: []byte(changed)}); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestEqualNumbersWrittenOtherwiseStayFound(t *testing.T) {
	r, ctx := open(t)
	two := func(a, b string) []byte {
		part := func(v string) string {
			return `{"code":{"text":"x"},"valueQuantity":{"value":` + v + `,"system":"http://unitsofmeasure.org","code":"mm"}}`
		}
		return []byte(`{"resourceType":"Observation","status":"final","code":{"text":"x"},"component":[` + part(a) + "," + part(b) + `]}`)
	}
	x := create(ctx, t, r, "Observation", string(two("80", "80.0")))
	if _, err := r.Update(ctx, &recordsv1.UpdateRequest{Type: "Observation", Id: x.GetId(), Body: two("80", "90.0")}); err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"80", "90"} {
		if f := search(ctx, t, r, "Observation", "component-value-quantity="+v); len(f.ids) != 1 {
			t.Errorf("%s is not found", v)
		}
	}
}

func TestACreateThatWasGivenUpIsNoInternalError(t *testing.T) {
	r, ctx := open(t)
	create(ctx, t, r, "Organization", `{"resourceType":"Organization","name":"A"}`)
	ended, stop := context.WithCancel(ctx)
	stop()
	err := second(r.Create(ended, &recordsv1.CreateRequest{Type: "Organization", Body: []byte(`{"resourceType":"Organization","name":"A"}`)}))
	if !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
}
