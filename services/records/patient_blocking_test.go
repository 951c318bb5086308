package records

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	madeup "github.com/yba-health/yba/pkg/province"
	"github.com/yba-health/yba/pkg/vitext"
)

// TestCandidatesAreFoundByWhatIsLeft stores a made-up province's people and
// asks for each with only a part of the particulars: the searches must bring
// the person among the candidates.
func TestCandidatesAreFoundByWhatIsLeft(t *testing.T) {
	r, ctx := open(t)
	var people []map[string]any
	var entries []string
	for b, err := range madeup.New(madeup.Config{People: 400, Seed: 3}).Bundles() {
		if err != nil {
			t.Fatal(err)
		}
		var bundle struct {
			Entry []struct{ Resource map[string]any }
		}
		if err := json.Unmarshal(b.JSON, &bundle); err != nil {
			t.Fatal(err)
		}
		for _, e := range bundle.Entry {
			if e.Resource["resourceType"] == "Patient" {
				delete(e.Resource, "managingOrganization")
				people = append(people, e.Resource)
				body, err := json.Marshal(e.Resource)
				if err != nil {
					t.Fatal(err)
				}
				id, _ := e.Resource["id"].(string)
				entries = append(entries, `{"resource":`+string(body)+`,"request":{"method":"PUT","url":"Patient/`+id+`"}}`)
			}
		}
	}
	if _, err := r.Transact(ctx, transaction(entries...)); err != nil {
		t.Fatal(err)
	}
	asked, found := 0, 0
	for i, p := range people {
		list, _ := p["name"].([]any)
		n, _ := list[0].(map[string]any)
		text, _ := n["text"].(string)
		birth, _ := p["birthDate"].(string)
		q := map[string]any{"resourceType": "Patient", "name": []any{map[string]any{"text": vitext.Fold(text)}}, "birthDate": birth, "gender": p["gender"], "address": p["address"]}
		switch i % 4 {
		case 0: // no address, year only, but a number
			delete(q, "address")
			q["birthDate"], q["identifier"] = birth[:4], p["identifier"]
		case 1: // year only
			q["birthDate"] = birth[:4]
		case 2: // a slip in the given name
			q["name"] = []any{map[string]any{"text": text + "x"}}
		default: // initials
			words := strings.Fields(text)
			words[0] = string([]rune(words[0])[:1]) + "."
			q["name"] = []any{map[string]any{"text": strings.Join(words, " ")}}
		}
		body, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		b, err := r.Match(ctx, matching(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		asked++
		id, _ := p["id"].(string)
		for _, g := range graded(t, b.GetBody()) {
			if g == id+" certain" || g == id+" probable" {
				found++
			}
		}
	}
	t.Logf("%d of %d people were found again as certain or probable", found, asked)
	if asked < 200 || float64(found) < 0.92*float64(asked) {
		t.Errorf("%d of %d", found, asked)
	}
}

func TestTheFHIRFaceOffersTheOperationsOnPatients(t *testing.T) {
	r, ctx := open(t)
	d := doubled(ctx, t, r)
	mux := faceOf(t, r, gate{})
	both := string(pair(d.source, d.target).GetBody())
	for _, tt := range []struct {
		method, path, body string
		status             int
		holds              string
	}{
		{"POST", "/Patient/$match", string(matching(person("Nguyễn", "Hoa", "099150000001", "95012", "1950-01-02")).GetBody()), 200, `"valueCode":"certain"`},
		{"POST", "/Patient/$merge", both, 200, `"name":"outcome"`},
		{"POST", "/Patient/$merge", both, 200, "merged: 0 resources"},
		{"GET", "/Patient/" + d.source, "", 200, `"active":false`},
		{"GET", "/Observation/$lastn?max=2&patient=" + d.target + "&code=8480-6", "", 200, d.observed[0]},
		{"POST", "/Patient/$unmerge", both, 200, "undone: 4 resources"},
		{"POST", "/Patient/$unmerge", both, 409, "OperationOutcome"},
		{"POST", "/Patient/" + d.source + "/$meta-add", `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"code":"x"}]}}]}`, 200, `"code":"x"`},
		{"GET", "/Patient/" + d.source + "/$meta", "", 200, `"code":"x"`},
		{"POST", "/Patient/" + d.source + "/$meta-delete", `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"code":"x"}]}}]}`, 200, `"versionId":"5"`},
		{"GET", "/Patient/nobody/$meta", "", 404, "not-found"},
		{"POST", "/Patient/$match", `{"resourceType":"Parameters"}`, 400, "resource"},
		{"GET", "/Observation/$lastn", "", 400, "patient"},
	} {
		req := httptest.NewRequest(tt.method, "/fhir/R4"+tt.path, strings.NewReader(tt.body))
		req.Header.Set("Authorization", "Bearer good")
		req.Header.Set("Content-Type", "application/fhir+json")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, req)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.holds) {
			t.Errorf("%s %s: %d %.600s", tt.method, tt.path, w.Code, w.Body)
		}
	}
}
