package records

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// TestOrdersByAnyKeys sorts by every type of parameter and by several keys.
// Names of the resources tell their values: what has none comes last, both ways.
func TestOrdersByAnyKeys(t *testing.T) {
	r, ctx := loose(t)
	observe := func(id, value, date, subject, code string) {
		var parts []string
		for _, p := range [][2]string{{`"valueQuantity":{"value":%s}`, value}, {`"effectiveDateTime":"%s"`, date}, {`"subject":{"reference":"Group/%s"}`, subject}} {
			if p[1] != "" {
				parts = append(parts, fmt.Sprintf(p[0], p[1]))
			}
		}
		put(ctx, t, r, "Observation", id, `{"status":"final","code":{"coding":[{"code":"`+code+`"}]},`+strings.Join(append(parts, `"language":"vi"`), ",")+`}`)
	}
	observe("a", "10", "2026-01-02", "g1", "x")
	observe("b", "9.5", "2026-01-01", "g2", "x")
	observe("c", "100", "1960-01-01", "g1", "y")
	observe("d", "", "", "", "y")
	put(ctx, t, r, "ValueSet", "u1", `{"status":"active","url":"http://b","name":"B"}`)
	put(ctx, t, r, "ValueSet", "u2", `{"status":"active","url":"http://a","name":"A"}`)
	put(ctx, t, r, "ValueSet", "u3", `{"status":"draft"}`)
	put(ctx, t, r, "RiskAssessment", "r1", `{"status":"final","subject":{"reference":"Group/g1"},"prediction":[{"probabilityDecimal":0.5},{"probabilityDecimal":0.1}]}`)
	put(ctx, t, r, "RiskAssessment", "r2", `{"status":"final","subject":{"reference":"Group/g1"},"prediction":[{"probabilityDecimal":0.3}]}`)
	for _, tt := range []struct{ typ, sort, want string }{
		{"Observation", "value-quantity", "b a c d"},
		{"Observation", "-value-quantity", "c a b d"},
		{"Observation", "date", "c b a d"},
		{"Observation", "code,value-quantity", "b a c d"},
		{"Observation", "-code,-value-quantity", "c d a b"},
		{"Observation", "-code,value-quantity", "c d b a"},
		{"Observation", "code,-value-quantity", "a b c d"},
		{"Observation", "subject,-date", "a c b d"},
		{"Observation", "subject,date,_id", "c a b d"},
		{"Observation", "-subject,_id", "b a c d"},
		{"Observation", "_id", "a b c d"},
		{"Observation", "code,-_id", "b a d c"},
		{"Observation", "_lastUpdated", "a b c d"},
		{"Observation", "-code,-_lastUpdated", "d c b a"},
		{"ValueSet", "url", "u2 u1 u3"},
		{"ValueSet", "-url", "u1 u2 u3"},
		{"ValueSet", "status,-name", "u1 u2 u3"},
		// The least value counts upwards, the greatest downwards.
		{"RiskAssessment", "probability", "r1 r2"},
		{"RiskAssessment", "-probability", "r1 r2"},
	} {
		for _, size := range []string{"1", "2", "20"} {
			got, _ := ask(ctx, t, r, tt.typ+"?_sort="+tt.sort, size)
			if strings.Join(got, " ") != tt.want {
				t.Errorf("%s by %s in pages of %s: %v, not %s", tt.typ, tt.sort, size, got, tt.want)
			}
		}
	}
}

// TestAListByOneTextHasThatTextsOrder searches those of whom several names,
// and several spellings of one name, begin as asked, or have a word that does:
// each comes once, at the place of its least, however long the pages are.
func TestAListByOneTextHasThatTextsOrder(t *testing.T) {
	r, ctx := loose(t)
	for _, p := range [][2]string{
		{"a", `{"text":"Nguyễn Zung"},{"text":"Nguyễn Ái"},{"text":"nguyen ai"}`},
		{"b", `{"text":"Nguyen Bình"},{"text":"An"}`},
		{"c", `{"text":"Ngô Cúc"},{"text":"Nguyễn Bình"}`},
		{"d", `{"text":"Trần Nguyễn"}`},
		{"e", `{"text":"Ng"}`},
		{"f", `{"text":"Ng"}`},
	} {
		put(ctx, t, r, "Patient", p[0], `{"name":[`+p[1]+`]}`)
	}
	for _, tt := range []struct{ query, want string }{
		{"name=ng", "e f c a b d"},
		{"name=Nguyễn", "a b c d"},
		{"name=nguyen b", "b c"},
		{"name=t", "d"},
		{"name=ng&_sort=-name", "d a c b f e"},
	} {
		for _, size := range []string{"1", "2", "20"} {
			got, total := ask(ctx, t, r, "Patient?"+tt.query, size)
			if total != len(got) || strings.Join(got, " ") != tt.want {
				t.Errorf("%s in pages of %s: %v of %d, not %s", tt.query, size, got, total, tt.want)
			}
		}
	}
}

// TestPagesStayWholeWhileOthersWrite inserts before and behind the place where
// a reader stands: what was there is read once, whatever comes.
func TestPagesStayWholeWhileOthersWrite(t *testing.T) {
	r, ctx := loose(t)
	for _, n := range []string{"b", "d", "f", "h"} {
		put(ctx, t, r, "Organization", n, `{"name":"`+n+`","active":true}`)
	}
	var got []string
	query := "_sort=active,name&_count=1"
	for i := 0; query != ""; i++ {
		f := search(ctx, t, r, "Organization", query)
		got = append(got, f.ids...)
		_, query, _ = strings.Cut(f.next, "?")
		put(ctx, t, r, "Organization", fmt.Sprint("a", i), `{"name":"a","active":true}`)
		if i == 1 {
			put(ctx, t, r, "Organization", "e", `{"name":"e","active":true}`)
		}
	}
	if !slices.Equal(got, []string{"b", "d", "e", "f", "h"}) {
		t.Errorf("read %v", got)
	}
}

func TestPartsOfResources(t *testing.T) {
	r, ctx := loose(t)
	put(ctx, t, r, "Observation", "o", `{"meta":{"tag":[{"code":"mine"}]},"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"},
		"status":"final","code":{"text":"c","coding":[{"code":"1","display":"d"}]},"valueQuantity":{"value":1.50,"unit":"u"},"note":[{"text":"n"}],
		"modifierExtension":[{"url":"http://m","valueBoolean":true}],"component":[{"code":{"text":"k"},"valueInteger":3,"referenceRange":[{"text":"r"}]}],
		"subject":{"reference":"Group/g"},"method":{"text":"m"}}`)
	for _, tt := range []struct {
		query       string
		keeps, cuts []string
	}{
		{"_summary=true", []string{`"value":1.50`, `"status":"final"`, `"component"`, `"k"`, "mine", "SUBSETTED"}, []string{`"note"`, `"method":{`, `"div"`, `"referenceRange"`}},
		{"_summary=text", []string{`"div"`, `"status":"final"`, `"code"`, "SUBSETTED"}, []string{`"value"`, `"note"`, `"subject"`}},
		{"_summary=data", []string{`"note"`, `"value":1.50`, "SUBSETTED"}, []string{`"div"`}},
		{"_elements=note,value", []string{`"note"`, `"value":1.50`, `"status"`, `"code"`, `"modifierExtension"`, "SUBSETTED"}, []string{`"method":{`, `"div"`, `"subject"`}},
		{"_elements=Observation.note", []string{`"note"`, "SUBSETTED"}, []string{`"value"`}},
		{"_summary=false", []string{`"note"`, `"div"`}, []string{"SUBSETTED"}},
	} {
		f := search(ctx, t, r, "Observation", tt.query)
		x, err := r.Read(ctx, &recordsv1.ReadRequest{Type: "Observation", Id: "o", Query: tt.query})
		if err != nil {
			t.Fatal(err)
		}
		v, err := r.ReadVersion(ctx, &recordsv1.ReadVersionRequest{Type: "Observation", Id: "o", Version: "1", Query: tt.query})
		if err != nil {
			t.Fatal(err)
		}
		h, err := r.History(ctx, &recordsv1.HistoryRequest{Type: "Observation", Id: "o", Query: tt.query})
		if err != nil {
			t.Fatal(err)
		}
		for name, body := range map[string][]byte{"search": f.body, "read": x.GetBody(), "vread": v.GetBody(), "history": h.GetBody()} {
			for _, s := range tt.keeps {
				if !strings.Contains(string(body), s) {
					t.Errorf("%s?%s lacks %s: %s", name, tt.query, s, body)
				}
			}
			for _, s := range tt.cuts {
				if strings.Contains(string(body), s) {
					t.Errorf("%s?%s holds %s: %s", name, tt.query, s, body)
				}
			}
		}
	}
	for _, query := range []string{"_count=0", "_summary=count", "_count=0&_summary=true"} {
		if f := search(ctx, t, r, "Observation", query); f.total != 1 || f.entries != 0 {
			t.Errorf("%s: total %d with %d entries", query, f.total, f.entries)
		}
	}
	if f := search(ctx, t, r, "Observation", "_total=none"); f.total != -1 {
		t.Errorf("_total=none tells %d", f.total)
	}
	put(ctx, t, r, "Group", "g", `{"type":"person","actual":true,"name":"gn","quantity":7}`)
	f := search(ctx, t, r, "Observation", "_include=Observation:subject&_elements=note,Group.name")
	if s := string(f.body); !strings.Contains(s, `"gn"`) || strings.Contains(s, `"quantity"`) || !strings.Contains(s, `"note"`) || strings.Contains(s, `"method"`) {
		t.Errorf("elements by type: %s", s)
	}
}

// TestADateFindsTheSameInEveryOrder asks for dates of every form by every
// comparison. In the order of the resource's own date an index bounds the
// list; by ids nothing does.
func TestADateFindsTheSameInEveryOrder(t *testing.T) {
	r, ctx, db := openDB(t)
	r.settings.written = types{}
	n := 0
	put := func(list ...string) {
		for _, effective := range list {
			put(ctx, t, r, "Observation", fmt.Sprintf("o%02d", n), `{"status":"final","code":{"coding":[{"code":"x"}]},`+effective+`}`)
			n++
		}
	}
	sizes := map[int]bool{}
	compare := func() {
		t.Helper()
		for _, prefix := range []string{"", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"} {
			for _, date := range []string{"2024", "2024-05", "2024-05-10", "2024-05-10T08:00:00%2B07:00", "2024-06-01", "2023", "2025"} {
				for _, query := range []string{"Observation?date=", "Observation?code=x&date="} {
					query += prefix + date
					own, total := ask(ctx, t, r, query, "4")
					byID, _ := ask(ctx, t, r, query+"&_sort=_id", "20")
					upwards, _ := ask(ctx, t, r, query+"&_sort=date", "20")
					plain, _ := ask(ctx, t, r, strings.Replace(query, "date=", "date=1000,", 1)+"&_sort=_id", "20") // two values have no bound
					slices.Sort(own)
					slices.Sort(upwards)
					if !slices.Equal(own, plain) || !slices.Equal(byID, plain) || !slices.Equal(upwards, plain) || total != len(plain) {
						t.Errorf("%s: newest first %v of %d, by id %v, oldest first %v, without a bound %v", query, own, total, byID, upwards, plain)
					}
					sizes[len(plain)] = true
				}
			}
		}
	}
	put(`"effectiveDateTime":"2024-05-10"`, `"effectiveDateTime":"2024-05-10T08:00:00+07:00"`, `"effectiveInstant":"2024-05-31T23:59:59.999+07:00"`,
		`"effectiveDateTime":"2024-06-01"`, `"effectiveDateTime":"2024-05-01"`, `"effectivePeriod":{"start":"2024-05-09T20:00:00+07:00","end":"2024-05-10T19:00:00+07:00"}`, `"language":"vi"`)
	compare()
	// Ranges of more than a day bound the list by their beginnings.
	put(`"effectivePeriod":{"start":"2024-04-20","end":"2024-05-10"}`, `"effectivePeriod":{"start":"2024-05-10","end":"2024-06-10"}`, `"effectiveDateTime":"2024-05"`)
	compare()
	put(`"effectiveDateTime":"2024"`, `"effectivePeriod":{"end":"2024-05-10"}`, `"effectivePeriod":{"start":"2024-05-10"}`, `"effectivePeriod":{"end":"2024-05"}`,
		`"effectivePeriod":{"start":"2023","end":"2025"}`, `"effectiveTiming":{"event":["2024-05-09","2024-05-11"]}`)
	compare()
	// Where they are many, the list is not bounded.
	if _, err := db.ExecContext(ctx, `INSERT INTO records.dates (patient, key, param, low, high)
		SELECT 0, -n, p.id, 0, 9e15 FROM records.params p, generate_series(1, 5001) n WHERE p.type = 'Observation' AND p.code = 'date'`); err != nil {
		t.Fatal(err)
	}
	compare()
	if len(sizes) < 6 {
		t.Errorf("the dates tell too little apart: %v", sizes)
	}
}
