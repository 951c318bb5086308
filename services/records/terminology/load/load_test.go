package load

import (
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/yba-health/yba/services/records/terminology"
)

func collect(t *testing.T, list iter.Seq2[terminology.Concept, error], err error) ([]terminology.Concept, error) {
	t.Helper()
	if err != nil {
		return nil, err
	}
	var all []terminology.Concept
	for c, err := range list {
		if err != nil {
			return all, err
		}
		all = append(all, c)
	}
	return all, nil
}

func show(list []terminology.Concept) string {
	var lines []string
	for _, c := range list {
		s := c.Code + " < " + strings.Join(c.Parents, ",") + " " + c.Display
		for _, d := range c.Designations {
			s += " / " + d.Language + ":" + d.Value
		}
		if c.Abstract {
			s += " (abstract)"
		}
		if c.Inactive {
			s += " (inactive)"
		}
		lines = append(lines, s)
	}
	return strings.Join(lines, "\n")
}

func TestICD10TablesAreRead(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{
			"the Ministry's columns, with a byte order mark",
			"\uFEFFSTT,MÃ CHƯƠNG,CHAPTER NAME,TÊN CHƯƠNG,MÃ NHÓM CHÍNH,TÊN NHÓM CHÍNH,MÃ LOẠI,TYPE NAME,TÊN LOẠI,MÃ BỆNH,DISEASE NAME,TÊN BỆNH\r\n" +
				"1,I00-I99,Circulatory,Bệnh hệ tuần hoàn,I10-I15,Bệnh tăng huyết áp,I10,Essential hypertension,Tăng huyết áp vô căn (nguyên phát),I10,Essential (primary) hypertension,Tăng huyết áp vô căn (nguyên phát)\r\n" +
				"2,I00-I99,Circulatory,Bệnh hệ tuần hoàn,I10-I15,Bệnh tăng huyết áp,I11,Hypertensive heart disease,Bệnh tim do tăng huyết áp,I11.0,With failure,Bệnh tim do tăng huyết áp có suy tim\r\n" +
				",,,,,,,,,,,\r\n" +
				"3,I00-I99,Circulatory,Bệnh hệ tuần hoàn,I10-I15,Bệnh tăng huyết áp,I11,Hypertensive heart disease,Bệnh tim do tăng huyết áp,I119,,Không suy tim\r\n",
			"I00-I99 <  Bệnh hệ tuần hoàn / en:Circulatory (abstract)\n" +
				"I10-I15 < I00-I99 Bệnh tăng huyết áp (abstract)\n" +
				"I10 < I10-I15 Tăng huyết áp vô căn (nguyên phát) / en:Essential (primary) hypertension\n" +
				"I11 < I10-I15 Bệnh tim do tăng huyết áp / en:Hypertensive heart disease\n" +
				"I11.0 < I11 Bệnh tim do tăng huyết áp có suy tim / en:With failure\n" +
				"I11.9 < I11 Không suy tim",
		},
		{
			"a plain list, parted by tabs", "code\tname_vi\tname_en\nE11\tĐái tháo đường\tDiabetes\nE11.9\tKhông biến chứng\t\n",
			"E11 <  Đái tháo đường / en:Diabetes\nE11.9 < E11 Không biến chứng",
		},
		{
			"semicolons, the type after its codes, and one without type", "Mã bệnh;Tên bệnh;Trạng thái\nE11.9;Không biến chứng;\nJ45.9;Hen;Hết hiệu lực\nE11;Đái tháo đường;\n",
			"E11 <  Đái tháo đường\nE11.9 < E11 Không biến chứng\nJ45.9 <  Hen (inactive)",
		},
		{
			"quoted names, a dagger, lower case", "ma benh,ten benh\na17.0†,\"Viêm màng não, do lao\"\n",
			"A17.0 <  Viêm màng não, do lao",
		},
	} {
		list, err := ICD10(strings.NewReader(tt.in))
		all, err := collect(t, list, err)
		if got := show(all); err != nil || got != tt.want {
			t.Errorf("%s: %v\n%s", tt.name, err, got)
		}
	}
	for in, message := range map[string]string{
		"":                                     "empty",
		"a,b\nI10,x\n":                         "line 1: there is no column for the code",
		"code\nI10\n":                          "line 1: there is no column for the Vietnamese name",
		"code,ma benh,name_vi\n":               "line 1: the column \"ma benh\" says what another one says",
		"code,name_vi\nI10,x\n10,y\n":          "line 3: the code is none of ICD-10",
		"code,name_vi\nI10,x\nI10,y\n":         "line 3: the code stands twice",
		"code,name_vi\nI10.1,x\n\n\nI10.1,y\n": "line 5: the code stands twice",
		"code,name_vi\nI10.1,\n":               "line 2: the code has no name",
		"code,name_vi\nI10,x\nI11\n":           "line 3: the code has no name",
		"code,name_vi,type_code\nI10.1,x,I11":  "line 2: the code does not belong",
		"code,name_vi\nI10,\"x\n":              "line",
		"code,name_vi\nI10,\xff\n":             "line 2: the text is not UTF-8",
		"\xff\xfec\x00o\x00":                   "UTF-16",
	} {
		list, err := ICD10(strings.NewReader(in))
		if _, err = collect(t, list, err); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// made-up LOINC lines with right check digits.
const loincSample = `"LOINC_NUM","COMPONENT","PROPERTY","TIME_ASPCT","SYSTEM","SCALE_TYP","METHOD_TYP","CLASS","STATUS","SHORTNAME","LONG_COMMON_NAME"
"8867-4","Made-up rate","NRat","Pt","XXX","Qn","","TEST","ACTIVE","Rate","A made-up rate"
"8480-6","Made-up pressure","Pres","Pt","XXX","Qn","","TEST","DEPRECATED","Press","A made-up pressure"
`

func TestLOINCIsReadWithItsVariants(t *testing.T) {
	names := map[string][]terminology.Designation{}
	if err := LOINCNames(strings.NewReader("LOINC_NUM,LinguisticVariantDisplayName\n8867-4,Nhịp bịa\n"), "vi", names); err != nil {
		t.Fatal(err)
	}
	list, err := LOINC(strings.NewReader(loincSample), names)
	all, err := collect(t, list, err)
	if got, want := show(all), "8867-4 <  A made-up rate / en:Rate / vi:Nhịp bịa\n8480-6 <  A made-up pressure / en:Press (inactive)"; err != nil || got != want {
		t.Fatalf("%v\n%s", err, got)
	}
	if !slices.Contains(all[0].Properties, terminology.Property{Code: "SCALE_TYP", Type: "String", Value: "Qn"}) {
		t.Errorf("%+v", all[0].Properties)
	}
	for bad, message := range map[string]string{
		strings.Replace(loincSample, "8480-6", "8480-7", 1):              "line 3: the LOINC number is wrong",
		strings.Replace(loincSample, "8480-6", "8867-4", 1):              "line 3: the code stands twice; line 2",
		strings.Replace(loincSample, `"A made-up pressure"`, "", 1):      "line 3: the code has no name",
		"\uFEFF" + strings.ReplaceAll(loincSample, "\n", "\r\n") + "x,y": "line 4",
	} {
		list, err = LOINC(strings.NewReader(bad), nil)
		if _, err = collect(t, list, err); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%s: %v", message, err)
		}
	}
	if err := LOINCNames(strings.NewReader("LOINC_NUM,SHORTNAME\n1-1,x\n"), "vi", names); err == nil {
		t.Error("a wrong number in a variant")
	}
}

func TestUCUMIsReadFromItsEssenceOrAList(t *testing.T) {
	for in, want := range map[string]string{
		`<?xml version="1.0"?><root xmlns="http://unitsofmeasure.org/ucum-essence"><base-unit Code="m" CODE="M"><name>meter</name><printSymbol>m</printSymbol><property>length</property></base-unit>
			<unit Code="deg" CODE="DEG"><name>degree</name><name>angle degree</name><printSymbol>°</printSymbol><property>plane angle</property><value Unit="x">1</value></unit></root>`: "m <  meter\n" +
			"deg <  degree / :° / en:angle degree",
		"code,name\nm,\n": "m <  m",
		"code,name,name_vi\nmm[Hg],millimetre of mercury,milimét thủy ngân\n": "mm[Hg] <  millimetre of mercury / vi:milimét thủy ngân",
	} {
		list, err := UCUM(strings.NewReader(in))
		all, err := collect(t, list, err)
		if got := show(all); err != nil || got != want {
			t.Errorf("%v\n%s", err, got)
		}
	}
	for in, message := range map[string]string{
		"<root><unit>": "", "<root><unit/></root>": "", "code\nm\n": "line 1", "code,name\n,x\n": "line 2", "code,name\na b,x\n": "line 2",
		"code,name\r\nm,\"a\r\nb\"\r\nm,c\r\n":                    "line 4: the code stands twice; line 2",
		"<root>\n<unit Code=\"m\"/>\n<unit Code=\"m\"/>\n</root>": "line 3: the code m stands twice",
	} {
		list, err := UCUM(strings.NewReader(in))
		if _, err = collect(t, list, err); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestOpenAsksForTheRelease(t *testing.T) {
	if _, _, err := Open("icd10", "", strings.NewReader("code,name_vi\nI10,x\n"), nil); err == nil || !strings.Contains(err.Error(), "release") {
		t.Errorf("no release: %v", err)
	}
	if _, _, err := Open("icd11", "1", strings.NewReader("x"), nil); err == nil {
		t.Error("an unknown kind is taken")
	}
	const own = `{"resourceType":"CodeSystem","url":"http://x","version":"3","content":"complete","concept":[{"code":"a"}]}`
	h, list, err := Open("codesystem", "", strings.NewReader(own), nil)
	all, err := collect(t, list, err)
	if err != nil || h.URL != "http://x" || h.Version != "3" || len(all) != 1 {
		t.Errorf("%+v %v %v", h, all, err)
	}
	twice := strings.Replace(own, `{"code":"a"}`, `{"code":"a","concept":[{"code":"a"}]}`, 1)
	_, list, err = Open("codesystem", "", strings.NewReader(twice), nil)
	if _, err = collect(t, list, err); err == nil || !strings.Contains(err.Error(), "CodeSystem.concept[0].concept[0].code: the code a stands twice") {
		t.Errorf("a code twice: %v", err)
	}
	if _, _, err := Open("codesystem", "4", strings.NewReader(own), nil); err == nil {
		t.Error("another version than the resource's own is taken")
	}
}

func FuzzTables(f *testing.F) {
	f.Add(0, "\uFEFFMã bệnh;Tên bệnh\nI10;Tăng huyết áp\n")
	f.Add(0, "code,name_vi,type_code,chapter\nI11.0,x,I11,I\nI11,y,,\n")
	f.Add(1, loincSample)
	f.Add(2, "code,name\nm,meter\n")
	f.Add(2, "<root><unit Code=\"m\"><name>meter</name></unit></root>")
	f.Add(3, `{"resourceType":"CodeSystem","url":"u","content":"complete","concept":[{"code":"a","concept":[{"code":"b"}]}]}`)
	f.Fuzz(func(t *testing.T, kind int, in string) {
		_, list, err := Open(Kinds[uint(kind)%uint(len(Kinds))], "", strings.NewReader(in), nil)
		if list == nil {
			if err == nil {
				t.Fatal("neither concepts nor an error")
			}
			return
		}
		seen := map[string]bool{}
		for c, err := range list {
			if err != nil {
				return
			}
			if c.Code == "" {
				t.Fatal("a concept without code")
			}
			if kind%len(Kinds) == 0 {
				if seen[c.Code] {
					t.Fatalf("%q twice", c.Code)
				}
				seen[c.Code] = true
			}
			for _, w := range c.Words(c.Folded()) {
				if w == "" || strings.ContainsAny(w, " '\\") {
					t.Fatalf("the word %q", w)
				}
			}
		}
	})
}
