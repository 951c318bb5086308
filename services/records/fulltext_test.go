package records

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// noted makes Observations of two patients, one in each commune, with notes.
func noted(t *testing.T, r *Records) {
	t.Helper()
	ctx := all(t.Context())
	village(ctx, t, r)
	for i, x := range []struct{ patient, note, narrative string }{
		{"hoa", "Sốt xuất huyết, ngày thứ 3", "<p>Bệnh nhân <b>sốt</b> cao</p>"},
		{"hoa", "Huyết áp 150/90", "<p>Đau đầu &amp; chóng mặt</p>"},
		{"dung", "Sốt siêu vi", "<table><tr><td>Sốt</td><td>39</td></tr></table>"},
		{"dung", "Khám lại", `<p title="sốt">Ổn định</p>`},
	} {
		put(ctx, t, r, "Observation", fmt.Sprintf("n%d", i), `{"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"34109-9","display":"Ghi chú"}]},
			"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">`+strings.ReplaceAll(x.narrative, `"`, `\"`)+`</div>"},
			"subject":{"reference":"Patient/`+x.patient+`"},"effectiveDateTime":"2026-01-0`+fmt.Sprint(i+1)+`","note":[{"text":"`+x.note+`"}]}`)
	}
}

func TestTextIsFoundByWordsAndPhrases(t *testing.T) {
	r, ctx := loose(t)
	noted(t, r)
	near := nurse(t.Context(), "95012")
	for _, tt := range []struct {
		query     string
		want, few []string
	}{
		{"Observation?_content=sốt", []string{"n0", "n2"}, []string{"n0"}},
		{"Observation?_content=SOT", []string{"n0", "n2"}, []string{"n0"}},
		{"Observation?_content=huyết sốt", []string{"n0"}, []string{"n0"}},
		{`Observation?_content="xuất huyết"`, []string{"n0"}, []string{"n0"}},
		{`Observation?_content="huyết xuất"`, nil, nil},
		{`Observation?_content="xuat huy"`, nil, nil},
		{"Observation?_content=huy", []string{"n0", "n1"}, []string{"n0", "n1"}},
		{"Observation?_content=vi,áp", []string{"n1", "n2"}, []string{"n1"}},
		{"Observation?_content=sốt&_content=siêu", []string{"n2"}, nil},
		{"Observation?_content=150/90", []string{"n1"}, []string{"n1"}},
		{"Observation?_content=90/150", nil, nil},
		{"Observation?_content=34109-9&code=34109-9", []string{"n0", "n1", "n2", "n3"}, []string{"n0", "n1"}},
		{"Observation?_content=nobody", nil, nil},
		{"Observation?_text=sốt", []string{"n0", "n2"}, []string{"n0"}},
		{"Observation?_text=xuất", nil, nil},
		{`Observation?_text="sốt 39"`, []string{"n2"}, nil},
		{`Observation?_text="đầu chóng"`, []string{"n1"}, []string{"n1"}},
		{"Observation?_text=amp", nil, nil},
		{"Observation?_text=xmlns", nil, nil},
		{"Observation?_text=ổn&_content=khám", []string{"n3"}, nil},
		{"Observation?_content=sốt&patient=dung", []string{"n2"}, nil},
		{"Observation?_content=sốt&subject:Patient.name=hoa&_sort=date", []string{"n0"}, []string{"n0"}},
		{"Patient/dung/Observation?_content=sốt", []string{"n2"}, nil},
		{"?_type=Observation,Patient&_content=dũng", []string{"dung"}, nil}, // in a name, not in a reference
		{"?_type=Observation,Patient&_content=do dũng", []string{"dung"}, nil},
	} {
		for _, caller := range []struct {
			name string
			all  bool
			want []string
		}{{"all", true, tt.want}, {"nurse", false, tt.few}} {
			c := ctx
			if !caller.all {
				c = near
			}
			for _, size := range []string{"1", "20"} {
				path, query, _ := strings.Cut(tt.query, "?")
				got, total := ask(c, t, r, path+"?"+strings.NewReplacer(" ", "%20", `"`, "%22").Replace(query), size)
				slices.Sort(got)
				if !slices.Equal(got, caller.want) || total != len(caller.want) {
					t.Errorf("%s finds for %s in pages of %s %v of %d, not %v", tt.query, caller.name, size, got, total, caller.want)
				}
			}
		}
	}
	// Order, includes and counts are those of every search.
	if got := search(ctx, t, r, "Observation", "_content=sot&_sort=-date&_include=Observation:patient"); !slices.Equal(got.ids, []string{"n2", "n0", "dung", "hoa"}) {
		t.Errorf("found %v", got.ids)
	}
	if got := search(ctx, t, r, "Observation", "_content=sot&_summary=count"); got.total != 2 || got.entries != 0 {
		t.Errorf("counted %d", got.total)
	}
}

func TestContentIsWhatPeopleRead(t *testing.T) {
	r, ctx := loose(t)
	put(ctx, t, r, "Organization", "sudo", `{"name":"tramyte"}`)
	put(ctx, t, r, "Composition", "camxoai", `{
		"meta":{"profile":["http://hoso/khoailang"],"source":"http://nguon/khoaitay","tag":[{"system":"http://nhan/rauma","code":"rauden","display":"raumuong"}]},
		"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">caithia</div>"},
		"identifier":{"system":"urn:oid:1.2.3","value":"toi-123"},"status":"final","subject":{"reference":"#khetkhe"},"type":{"coding":[{"system":"http://loinc.org","code":"11488-4"}],"text":"hanhla"},
		"date":"2021-03-04","_date":{"id":"sagung","extension":[{"url":"http://mo/gung","valueString":"nghe"}]},
		"author":[{"reference":"Organization/sudo","type":"Organization","display":"dulua","identifier":{"value":"bidao"}}],"title":"duahau",
		"contained":[{"resourceType":"Basic","id":"khetkhe","code":{"text":"khe"},"extension":[{"url":"http://mo/chanh","valueMarkdown":"mit"},{"url":"http://mo/chanh","valueUri":"urn:nhan"},
			{"url":"http://mo/chanh","valueReference":{"reference":"Organization/sudo"}}]}],
		"section":[{"id":"queong","title":"ngo","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">sen</div>"}}]}`)
	for word, found := range map[string]bool{
		// words, codes, numbers on cards, what stands in extensions, in contained resources and in sections
		"raumuong": true, "rauden": true, "caithia": true, "toi": true, "final": true, "11488": true, "hanhla": true, "nghe": true,
		"dulua": true, "bidao": true, "duahau": true, "khe": true, "mit": true, "ngo": true, "sen": true,
		// ids, references, addresses, dates, and what the resource is
		"camxoai": false, "khoailang": false, "khoaitay": false, "rauma": false, "oid": false, "loinc": false, "2021": false, "sagung": false, "gung": false,
		"sudo": false, "organization": false, "khetkhe": false, "chanh": false, "urn": false, "queong": false, "composition": false, "w3": false,
	} {
		if got := search(ctx, t, r, "Composition", "_content="+word); (got.entries == 1) != found {
			t.Errorf("%s: found %t", word, !found)
		}
	}
}

func TestTextIsNotReadWithoutBound(t *testing.T) {
	r, ctx := loose(t)
	call := calls(t, r)
	var entries []string
	for i := range 5001 {
		entries = append(entries, fmt.Sprintf(`{"resource":{"resourceType":"Basic","code":{"text":"x%d"}},"request":{"method":"POST","url":"Basic"}}`, i))
	}
	for part := range slices.Chunk(entries, 1000) {
		if _, err := r.Transact(ctx, &recordsv1.TransactRequest{Bundle: []byte(`{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join(part, ",") + `]}`)}); err != nil {
			t.Fatal(err)
		}
	}
	w := call("GET", "/fhir/R4/Basic?_content=x5000", "")
	if w.Code != 422 || !strings.Contains(w.Body.String(), `"code":"too-costly"`) || !strings.Contains(w.Body.String(), "add a patient, a date or a code") {
		t.Errorf("all of a type: %d %s", w.Code, w.Body)
	}
	for _, typ := range []string{"batch", "transaction"} {
		w := call("POST", "/fhir/R4", `{"resourceType":"Bundle","type":"`+typ+`","entry":[{"request":{"method":"GET","url":"Basic?_content=x5000"}}]}`)
		if w.Code != 200 || !strings.Contains(w.Body.String(), `"status":"422 `) || !strings.Contains(w.Body.String(), `"code":"too-costly"`) {
			t.Errorf("an entry of a %s: %d %s", typ, w.Code, w.Body)
		}
	}
	made := bundle(t, call("GET", "/fhir/R4/Basic?_count=2", "").Body.Bytes())
	if w := call("GET", "/fhir/R4/Basic?_content=x&_id="+strings.Join(made.ids, ","), ""); w.Code != 200 || len(bundle(t, w.Body.Bytes()).ids) != 2 {
		t.Errorf("few of a type: %d %.300s", w.Code, w.Body)
	}
}

func TestTextFindsNobodyForWhoMayNotKnowWhoItIs(t *testing.T) {
	r, ctx := loose(t)
	noted(t, r)
	blind := scoped(t.Context(), &guard.Scope{Deidentified: true, Communes: []string{"95012"}})
	for _, query := range []string{"_content=sot", "_text=sot", "_content=sot&code=34109-9"} {
		if err := second(r.Search(blind, &recordsv1.SearchRequest{Type: "Observation", Query: query})); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s without names: %v", query, err)
		}
		if err := second(r.Create(ctx, &recordsv1.CreateRequest{Type: "Observation", Body: []byte(observation("hoa", "1", "2026", "1")), IfNoneExist: query})); !fault.Is(err, fault.Invalid) {
			t.Errorf("a condition of %s: %v", query, err)
		}
		body := `{"resourceType":"Subscription","status":"requested","reason":"x","criteria":"Observation?` + query + `","channel":{"type":"websocket"}}`
		if err := second(r.Create(ctx, &recordsv1.CreateRequest{Type: "Subscription", Body: []byte(body)})); !fault.Is(err, fault.Unprocessable) {
			t.Errorf("a Subscription to %s: %v", query, err)
		}
	}
}

func TestPagesOfTextLoseNothingWhileOthersWrite(t *testing.T) {
	r, ctx := loose(t)
	noted(t, r)
	var ids []string
	query := "_content=34109&_count=1"
	for i := range 10 {
		page := search(ctx, t, r, "Observation", query)
		ids = append(ids, page.ids...)
		if page.next == "" {
			break
		}
		// What is newer than the page that was shown belongs to no later one.
		put(ctx, t, r, "Observation", fmt.Sprintf("later%d", i), `{"status":"final","code":{"text":"34109"},"effectiveDateTime":"2027"}`)
		_, query, _ = strings.Cut(page.next, "?")
	}
	if !slices.Equal(ids, []string{"n3", "n2", "n1", "n0"}) {
		t.Errorf("pages showed %v", ids)
	}
}
