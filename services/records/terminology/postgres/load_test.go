package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/pg/pgtest"
	records "github.com/yba-health/yba/services/records/postgres"
	"github.com/yba-health/yba/services/records/terminology"
	"github.com/yba-health/yba/services/records/terminology/load"
	"github.com/yba-health/yba/services/records/terminology/postgres"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

func open(t *testing.T) (*sql.DB, *postgres.Store) {
	t.Helper()
	db, _ := pgtest.New(t, pgtest.Schema{Service: "records", Migrations: records.Migrations()})
	return db, postgres.New(db, nil)
}

// few are codes of ICD-10 that the demonstration uses, with Vietnamese names.
const few = `Mã chương,Tên chương,Mã nhóm,Tên nhóm,Mã bệnh,Tên bệnh,Disease name
I,Bệnh nhiễm trùng và ký sinh trùng,B15-B19,Viêm gan vi rút,B18.1,Viêm gan vi rút B mạn,Chronic viral hepatitis B
IV,Bệnh nội tiết,E10-E14,Đái tháo đường,E11,Bệnh đái tháo đường không phụ thuộc insuline,Type 2 diabetes
IV,Bệnh nội tiết,E10-E14,Đái tháo đường,E11.9,Đái tháo đường típ 2 không biến chứng,Type 2 diabetes without complications
IV,Bệnh nội tiết,E70-E90,Rối loạn chuyển hóa,E78.5,Rối loạn lipid máu,Hyperlipidaemia
IX,Bệnh hệ tuần hoàn,I10-I15,Bệnh lý tăng huyết áp,I10,Tăng huyết áp vô căn (nguyên phát),Essential (primary) hypertension
IX,Bệnh hệ tuần hoàn,I10-I15,Bệnh lý tăng huyết áp,I15,Tăng huyết áp thứ phát,Secondary hypertension
IX,Bệnh hệ tuần hoàn,I10-I15,Bệnh lý tăng huyết áp,I15.0,Tăng huyết áp do bệnh mạch máu thận,Renovascular hypertension
X,Bệnh hệ hô hấp,J40-J47,Bệnh hô hấp dưới mạn,J44.9,Bệnh phổi tắc nghẽn mạn tính,COPD
X,Bệnh hệ hô hấp,J40-J47,Bệnh hô hấp dưới mạn,J45.9,Hen phế quản,Asthma
XI,Bệnh hệ tiêu hóa,K20-K31,Bệnh dạ dày,K29.7,Viêm dạ dày,Gastritis
XIII,Bệnh cơ xương khớp,M05-M14,Bệnh khớp,M10.9,Gút,Gout
XIII,Bệnh cơ xương khớp,M15-M19,Thoái hóa khớp,M17.9,Thoái hóa khớp gối,Gonarthrosis
`

func importICD10(ctx context.Context, s *postgres.Store, version, file string) (postgres.Loaded, error) {
	h, concepts, err := load.Open("icd10", version, strings.NewReader(file), nil)
	if err != nil {
		return postgres.Loaded{}, err
	}
	return s.Load(ctx, postgres.Load{Head: h, Source: "import", Digest: []byte(file), Strict: true}, concepts)
}

func find(t *testing.T, s *postgres.Store, text string) string {
	t.Helper()
	list, err := s.Systems(t.Context(), fhir.SystemICD10)
	if err != nil || len(list) == 0 {
		t.Fatalf("no ICD-10: %v", err)
	}
	x := list[0]
	set := &terminology.Set{Parts: []terminology.Part{{URL: x.URL, Version: x.Version, System: &x}}}
	found, err := s.Select(t.Context(), set, terminology.Want{Text: terminology.ParseText(text), Selectable: true, Count: 100})
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, e := range found {
		codes = append(codes, e.Code)
	}
	return strings.Join(codes, " ")
}

func TestListedCodesNeedNotBeInAPartOfTheirSystem(t *testing.T) {
	_, s := open(t)
	if _, err := importICD10(t.Context(), s, "2026", few); err != nil {
		t.Fatal(err)
	}
	list, err := s.Systems(t.Context(), fhir.SystemICD10)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	set := &terminology.Set{Parts: []terminology.Part{{
		URL: list[0].URL, Version: list[0].Version, System: &list[0], Enumerated: true,
		Listed: []terminology.Listed{{Code: "I10"}, {Code: "A00.9", Display: "Bệnh tả"}},
	}}}
	for text, want := range map[string]string{"": "I10 A00.9", "benh ta": "A00.9", "tang huyet ap": "I10"} {
		found, err := s.Select(t.Context(), set, terminology.Want{Text: terminology.ParseText(text), Count: 10})
		var codes []string
		for _, e := range found {
			codes = append(codes, e.Code)
		}
		if got := strings.Join(codes, " "); err != nil || got != want {
			t.Errorf("%q: %q, want %q, %v", text, got, want, err)
		}
	}
	if found, err := s.Select(t.Context(), set, terminology.Want{System: list[0].URL, Code: "A00.9", Count: 1}); err != nil || len(found) != 1 {
		t.Errorf("%v %v", found, err)
	}
}

func TestDiagnosesAreFoundWithoutToneMarks(t *testing.T) {
	_, s := open(t)
	if _, err := importICD10(t.Context(), s, "2026", few); err != nil {
		t.Fatal(err)
	}
	for text, codes := range map[string]string{
		"tang huyet ap":          "I15 I10 I15.0",
		"Tăng huyết áp vô căn":   "I10",
		"huyet ap nguyen phat":   "I10",
		"i10":                    "I10",
		"I1":                     "I15 I10 I15.0",
		"e119":                   "E11.9",
		"e11.9":                  "E11.9",
		"dai thao duong":         "E11.9 E11",
		"đái tháo đường":         "E11.9 E11",
		"duong dai":              "E11.9 E11",
		"huyet":                  "I15 I10 I15.0",
		"uyet":                   "",
		"hen":                    "J45.9",
		"gout":                   "M10.9",
		"gút":                    "M10.9",
		"phe quan hen":           "J45.9",
		"essential HYPERTENSION": "I10",
		"khop goi":               "M17.9",
		"viem":                   "K29.7 B18.1",
		"he tuan hoan":           "", // a chapter is abstract
	} {
		if got := find(t, s, text); got != codes {
			t.Errorf("%q finds %q, want %q", text, got, codes)
		}
	}
}

func TestAnImportReplacesItsVersionAndOnlyThat(t *testing.T) {
	_, s := open(t)
	ctx := t.Context()
	done, err := importICD10(ctx, s, "1", few)
	if err != nil || done.Unchanged || done.Concepts == 0 {
		t.Fatalf("%+v %v", done, err)
	}
	if again, err := importICD10(ctx, s, "1", few); err != nil || !again.Unchanged || again.Concepts != done.Concepts {
		t.Errorf("the same file again: %+v %v", again, err)
	}
	if _, err := importICD10(ctx, s, "1", "code,name_vi\nI10,Cao huyết áp\n"); err != nil {
		t.Fatal(err)
	}
	if got := find(t, s, "hen"); got != "" {
		t.Errorf("the older load still answers: %q", got)
	}
	if _, err := importICD10(ctx, s, "2", "code,name_vi\nJ45,Hen\n"); err != nil {
		t.Fatal(err)
	}
	list, err := s.Systems(ctx, fhir.SystemICD10)
	if err != nil || len(list) != 2 || list[0].Version != "2" || list[1].Version != "1" {
		t.Errorf("%+v %v", list, err)
	}
}

func TestAnImportThatFailsLeavesTheOldVersion(t *testing.T) {
	db, s := open(t)
	if _, err := importICD10(t.Context(), s, "1", few); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{
		"a wrong last line": "code,name_vi\nI10,Khác\nnot a code,x\n",
		"no concept":        "code,name_vi\n",
	} {
		if _, err := importICD10(t.Context(), s, "1", file); err == nil {
			t.Errorf("%s is taken", name)
		}
		if got := find(t, s, "hen"); got != "J45.9" {
			t.Errorf("%s: %q", name, got)
		}
	}
	h := terminology.Head{URL: fhir.SystemICD10, Version: "1", CaseSensitive: true}
	for name, list := range map[string][]terminology.Concept{
		"a code twice":        {{Code: "a"}, {Code: "a"}},
		"a missing parent":    {{Code: "a", Parents: []string{"b"}}},
		"a circle of parents": {{Code: "a", Parents: []string{"b"}}, {Code: "b", Parents: []string{"a"}}},
		"a code with a zero":  {{Code: "a\x00"}},
		"a code above itself": {{Code: "a", Parents: []string{"a"}}},
	} {
		concepts := func(yield func(terminology.Concept, error) bool) {
			for _, c := range list {
				if !yield(c, nil) {
					return
				}
			}
		}
		if _, err := s.Load(t.Context(), postgres.Load{Head: h, Source: "import", Digest: []byte(name), Strict: true}, concepts); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	// Killed in the middle: the server ends the connection while it copies.
	killed := func(yield func(terminology.Concept, error) bool) {
		for i := range 50_000 {
			if i == 20_000 {
				if _, err := db.ExecContext(context.WithoutCancel(t.Context()), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
					WHERE datname = current_database() AND query LIKE 'COPY%'`); err != nil {
					t.Error(err)
				}
			}
			if !yield(terminology.Concept{Code: fmt.Sprint(i), Display: strings.Repeat("x", 100)}, nil) {
				return
			}
		}
	}
	if _, err := s.Load(t.Context(), postgres.Load{Head: h, Source: "import", Digest: []byte("killed"), Strict: true}, killed); err == nil {
		t.Error("a killed import is said to have succeeded")
	}
	if got := find(t, s, "hen"); got != "J45.9" {
		t.Errorf("after all: %q", got)
	}
	if list, err := s.Imported(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("%+v %v", list, err)
	}
}

func TestParallelImportsOfOneVersionMakeOne(t *testing.T) {
	_, s := open(t)
	var wg sync.WaitGroup
	results := make([]postgres.Loaded, 4)
	errs := make([]error, 4)
	for i := range results {
		wg.Go(func() { results[i], errs[i] = importICD10(t.Context(), s, "1", few) })
	}
	wg.Wait()
	made := 0
	for i := range results {
		if !results[i].Unchanged {
			made++
		}
	}
	if err := errors.Join(errs...); err != nil || made != 1 {
		t.Errorf("%d of 4 loaded it, %v", made, err)
	}
	if got := find(t, s, "hen"); got != "J45.9" {
		t.Errorf("%q", got)
	}
}

// invented yields n concepts in a tree whose nodes have ten children.
func invented(n int) iter.Seq2[terminology.Concept, error] {
	syllables := strings.Fields("bệnh viêm tăng giảm huyết áp đường máu gan thận tim phổi não khớp xương da mắt tai mũi họng cấp mạn do vi rút khuẩn")
	return func(yield func(terminology.Concept, error) bool) {
		random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // names, not secrets
		for i := range n {
			words := make([]string, 4+random.IntN(5))
			for j := range words {
				words[j] = syllables[random.IntN(len(syllables))]
			}
			c := terminology.Concept{
				Code: fmt.Sprintf("T%06d", i), Display: strings.Join(words, " "),
				Designations: []terminology.Designation{{Language: "en", Value: fmt.Sprintf("Invented concept %d", i)}},
				Properties:   []terminology.Property{{Code: "kind", Type: "Code", Value: fmt.Sprint(i % 7)}},
			}
			if i > 0 {
				c.Parents = []string{fmt.Sprintf("T%06d", (i-1)/10)}
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

func TestAHundredThousandConceptsLoadAndAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	_, s := open(t)
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	done, err := s.Load(t.Context(), postgres.Load{Head: terminology.Head{URL: "http://test/large", Version: "1", CaseSensitive: true}, Source: "import", Digest: []byte{1}, Strict: true}, invented(100_000))
	took := time.Since(begin)
	if err != nil || done.Concepts != 100_000 {
		t.Fatalf("%+v %v", done, err)
	}
	server := terminology.New(s)
	below, err := server.Below(t.Context(), "http://test/large", "T000001")
	if err != nil || len(below) != 11111 {
		t.Errorf("%d below, %v", len(below), err)
	}
	for _, query := range []string{
		"url=http://test/large?fhir_vs&count=20", "url=http://test/large?fhir_vs&count=20&offset=90000", "url=http://test/large?fhir_vs&count=20&filter=tang+huyet+ap",
		"url=http://test/large?fhir_vs&count=20&filter=t", "url=http://test/large?fhir_vs=isa/T000002&count=20&filter=gan",
	} {
		begin := time.Now()
		if _, err := server.Expand(t.Context(), query, nil, nil, begin); err != nil {
			t.Error(err)
		}
		t.Logf("%s: %s", query, time.Since(begin).Round(100*time.Microsecond))
	}
	if _, err := server.Expand(t.Context(), "url=http://test/large?fhir_vs", nil, nil, begin); !errors.Is(err, terminology.ErrTooCostly) {
		t.Errorf("everything at once: %v", err)
	}
	if _, err := server.Codes(t.Context(), "http://test/large?fhir_vs"); !errors.Is(err, terminology.ErrTooCostly) {
		t.Errorf("everything for a search: %v", err)
	}
	t.Logf("100,000 concepts in %s", took.Round(time.Millisecond))
}

func TestEveryBaseValueSetExpandsOrNamesWhatIsMissing(t *testing.T) {
	db, s := open(t)
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, err := db.QueryContext(t.Context(), `SELECT url FROM records.value_sets ORDER BY url`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var urls []string
	for rows.Next() {
		var u string
		if err := rows.Scan(&u); err != nil {
			t.Fatal(err)
		}
		urls = append(urls, u)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	server := terminology.New(s)
	good := 0
	for _, u := range urls {
		switch _, err := server.Codes(t.Context(), u); {
		case err == nil:
			good++
		case !strings.Contains(err.Error(), "not loaded here") && !strings.Contains(err.Error(), "not known here"):
			t.Errorf("%s: %v", u, err)
		}
	}
	t.Logf("%d of %d value sets expand", good, len(urls))
	if good < 1200 {
		t.Errorf("only %d of %d value sets expand", good, len(urls))
	}
}
