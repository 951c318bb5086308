package match_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/match"
)

func read(t testing.TB, s string) *match.Person {
	t.Helper()
	doc, err := fhir.Parse([]byte(`{"resourceType":"Patient",` + s + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return match.Of(doc.Root())
}

// TestWhatSaysMoreWeighsMore compares two pairs each time: the first must
// carry more evidence than the second.
func TestWhatSaysMoreWeighsMore(t *testing.T) {
	named := func(s string) string { return `"name":[{"text":"` + s + `"}]` }
	born := func(s string) string { return named("Lê An") + `,"birthDate":"` + s + `"` }
	numbered := func(system, value string) string {
		return named("Lê An") + `,"identifier":[{"system":"` + system + `","value":"` + value + `"}]`
	}
	calls := func(s string) string { return named("Lê An") + `,"telecom":[{"system":"phone","value":"` + s + `"}]` }
	lives := func(code, version, line string) string {
		return named("Lê An") + `,"address":[{"line":["` + line + `"],"extension":[{"url":"` + fhir.ExtensionUnit + `","valueCoding":{"code":"` + code + `","version":"` + version + `"}}]}]`
	}
	nothing := named("Lê An")
	for name, x := range map[string][4]string{
		"a rare family name":                  {named("Trịnh An"), named("Trịnh An"), named("Nguyễn An"), named("Nguyễn An")},
		"marks on both sides":                 {named("Lê Hoà"), named("Lê Hoà"), named("Lê Hoà"), named("Le Hoa")},
		"marks on one side over other marks":  {named("Lê Hoà"), named("Le Hoa"), named("Lê Hoà"), named("Lê Hoá")},
		"đ as d":                              {named("Đỗ Đức"), named("Do Duc"), named("Đỗ Đức"), named("Ho Duc")},
		"an initial over another name":        {named("N.T. Hoa"), named("Nguyễn Thị Hoa"), named("L.T. Hoa"), named("Nguyễn Thị Hoa")},
		"a chosen middle name over Thị":       {named("Lê Kim Hoa"), named("Lê Kim Hoa"), named("Lê Thị Hoa"), named("Lê Thị Hoa")},
		"Vũ and Võ over two names":            {named("Vũ An"), named("Võ An"), named("Vũ An"), named("Bùi An")},
		"a whole day over a year":             {born("1950-03-08"), born("1950-03-08"), born("1950"), born("1950-03-08")},
		"day and month swapped":               {born("1950-03-08"), born("1950-08-03"), born("1950-03-08"), born("1950-09-11")},
		"one digit of the date":               {born("1950-03-08"), born("1956-03-08"), born("1950-03-08"), born("1956-04-08")},
		"1 January is a year only":            {born("1950-01-01"), born("1950-03-08"), born("1950-01-02"), born("1950-03-08")},
		"a citizen number over any other":     {numbered(fhir.SystemCCCD, "099150000001"), numbered(fhir.SystemCCCD, "099150000001"), numbered("x", "1"), numbered("x", "1")},
		"a citizen number in blanks":          {numbered(fhir.SystemCCCD, "099150000001"), numbered(fhir.SystemCCCD, "099 150 000 001"), nothing, nothing},
		"a citizen number as insurance card":  {numbered(fhir.SystemCCCD, "099150000001"), numbered(fhir.SystemBHYT, "099150000001"), nothing, nothing},
		"an old card's last ten digits":       {numbered(fhir.SystemBHYT, "GD4799912345678"), numbered(fhir.SystemBHXH, "9912345678"), nothing, nothing},
		"nine digits of the old card":         {numbered(fhir.SystemCCCD, "123456789"), numbered("http://fhir.hl7.org.vn/core/sid/cmnd", "123456789"), nothing, nothing},
		"one digit of the citizen number":     {numbered(fhir.SystemCCCD, "099150000001"), numbered(fhir.SystemCCCD, "099150000011"), nothing, nothing},
		"nothing over two citizen numbers":    {nothing, nothing, numbered(fhir.SystemCCCD, "099150000001"), numbered(fhir.SystemCCCD, "077160345678")},
		"a number that fits its record":       {numbered(fhir.SystemCCCD, "099150000001") + `,"gender":"female"`, numbered(fhir.SystemCCCD, "099150000001"), numbered(fhir.SystemCCCD, "099150000001") + `,"gender":"male"`, numbered(fhir.SystemCCCD, "099150000001")},
		"a birth year from the number":        {numbered(fhir.SystemCCCD, "099150000001"), born("1950"), numbered(fhir.SystemCCCD, "099150000001"), nothing},
		"+84":                                 {calls("0901234567"), calls("+84 90 123 4567"), nothing, nothing},
		"eleven digits before 2018":           {calls("0321234567"), calls("01621234567"), nothing, nothing},
		"nothing over two phones":             {nothing, nothing, calls("0901234567"), calls("0901234568")},
		"the hamlet over the commune":         {lives("1", "2025", "Thôn 1"), lives("1", "2025", "thon 1"), lives("1", "2025", "Thôn 1"), lives("1", "2025", "Thôn 2")},
		"a code of another date says nothing": {lives("1", "2004", "A"), lives("1", "2025", "A"), lives("1", "2025", "A"), lives("2", "2025", "A")},
		"the same code of another date":       {lives("1", "2025", "A"), lives("1", "2025", "A"), lives("1", "2004", "A"), lives("1", "2025", "A")},
	} {
		more, less := match.Compare(read(t, x[0]), read(t, x[1])), match.Compare(read(t, x[2]), read(t, x[3]))
		if more.Bits <= less.Bits {
			t.Errorf("%s: %.1f bits, the other %.1f", name, more.Bits, less.Bits)
		}
		if back := match.Compare(read(t, x[1]), read(t, x[0])); back != more {
			t.Errorf("%s: %v one way and %v the other", name, more, back)
		}
	}
}

func TestContradictionsKeepAMatchFromBeingCertain(t *testing.T) {
	all := func(name, sex, number string) string {
		return `"name":[{"family":"Trịnh","given":["Kim","` + name + `"]}],"gender":"` + sex + `","birthDate":"2015-06-30","telecom":[{"value":"0901234567"}],
			"identifier":[{"system":"` + fhir.SystemCCCD + `","value":"` + number + `"},{"system":"x","value":"1"}],
			"address":[{"line":["Số 1","Thôn 1"],"extension":[{"url":"` + fhir.ExtensionUnit + `","valueCoding":{"code":"1","version":"2"}}]}]`
	}
	one := read(t, all("Hoa", "female", "099315000001"))
	for name, x := range map[string]struct {
		other string
		want  match.Grade
	}{
		"the same":                {all("Hoa", "female", "099315000001"), match.Certain},
		"a twin":                  {all("Lan", "female", "099315000002"), match.Possible},
		"another sex":             {all("Hoa", "male", "099215000001"), match.Possible},
		"another citizen number":  {all("Hoa", "female", "077315345678"), match.Probable},
		"a number one digit away": {all("Hoa", "female", "099315000002"), match.Probable},
		"a brother's number":      {all("Hoa", "female", "099215000001"), match.Probable},
	} {
		if got := match.Compare(one, read(t, x.other)); got.Grade != x.want || got.Score() < 0 || got.Score() > 1 {
			t.Errorf("%s: %s, want %s", name, got.Grade, x.want)
		}
	}
	if got := match.Compare(one, read(t, `"name":[{"text":"Bùi Văn Tám"}],"birthDate":"1950","identifier":[{"system":"`+fhir.SystemCCCD+`","value":"099315000001"}]`)); got.Grade != match.Possible {
		t.Errorf("an equal citizen number is %s", got.Grade)
	}
	if got := match.Compare(one, read(t, `"name":[{"text":"Bùi Văn Tám"}],"birthDate":"1950"`)); got.Grade != match.CertainlyNot {
		t.Errorf("somebody else is %s", got.Grade)
	}
}

func TestPhoneNumbersAreLookedForInAllTheirForms(t *testing.T) {
	got := match.PhoneForms("+84 32 123 4567")
	for _, want := range []string{"0321234567", "+84321234567", "84321234567", "01621234567"} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in %v", want, got)
		}
	}
	if got := match.PhoneForms("xem sau"); got != nil {
		t.Errorf("%v", got)
	}
}

// FuzzCompare reads what a client may send.
func FuzzCompare(f *testing.F) {
	f.Add(`"name":[{"text":"N.T. Hoa","family":"","given":["a",null]}],"birthDate":"1950-13"`, `"identifier":[{"system":"`+fhir.SystemCCCD+`","value":"000000000000"}]`)
	f.Add(`"telecom":[{"value":"+"}],"name":[{"family":"."}]`, `"address":[{"line":[1,""]}],"name":[{"given":["."]}]`)
	f.Fuzz(func(t *testing.T, a, b string) {
		x, err := fhir.Parse([]byte(`{"resourceType":"Patient",` + a + `}`))
		y, err2 := fhir.Parse([]byte(`{"resourceType":"Patient",` + b + `}`))
		if err != nil || err2 != nil {
			return
		}
		for _, s := range match.Searches(x.Root()) {
			if s == "" {
				t.Error("an empty search finds everybody")
			}
		}
		p, q := match.Of(x.Root()), match.Of(y.Root())
		if one, other := match.Compare(p, q), match.Compare(q, p); one.Grade != other.Grade {
			t.Errorf("%v one way and %v the other", one, other)
		}
		if _, err := json.Marshal(match.Compare(p, p).Score()); err != nil {
			t.Error(err) // not a number
		}
	})
}
