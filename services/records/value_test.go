package records

import (
	"slices"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// byName are resources by the word that the tables below call them by.
type byName map[string]string

// expect searches and compares what is found by name.
func (n byName) expect(t *testing.T, r *Records, query, want string) {
	t.Helper()
	ctx := all(t.Context())
	typ, q, _ := strings.Cut(query, "?")
	got := search(ctx, t, r, typ, strings.ReplaceAll(q, "+", "%2B")+"&_count=100")
	var names []string
	for _, id := range got.ids {
		for name, x := range n {
			if x == id {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	wanted := strings.Fields(want)
	slices.Sort(wanted)
	if !slices.Equal(names, wanted) {
		t.Errorf("%s found %v, not %v", query, names, wanted)
	}
}

// store creates resources; each line is "name body".
func store(t *testing.T, r *Records, typ string, bodies map[string]string) byName {
	t.Helper()
	n := byName{}
	for name, body := range bodies {
		n[name] = create(all(t.Context()), t, r, typ, `{"resourceType":"`+typ+`",`+body+`}`).GetId()
	}
	return n
}

const ucumSystem = "http://unitsofmeasure.org"

func quantityOf(value, unit, system, code string) string {
	return `"status":"final","code":{"text":"x"},"valueQuantity":{"value":` + value + `,"unit":"` + unit + `","system":"` + system + `","code":"` + code + `"}`
}

func TestQuantitiesAreComparedByTheirPrecisionAndDimension(t *testing.T) {
	r, _ := loose(t)
	n := store(t, r, "Observation", map[string]string{
		"g5.4":   quantityOf("5.4", "grams", ucumSystem, "g"),
		"mg5400": quantityOf("5400", "mg", ucumSystem, "mg"),
		"g5.44":  quantityOf("5.44", "g", ucumSystem, "g"),
		"g5.45":  quantityOf("5.45", "g", ucumSystem, "g"),
		"g6":     quantityOf("6.0", "g", ucumSystem, "g"),
		"g-1":    quantityOf("-1", "g", ucumSystem, "g"),
		"x5.4":   quantityOf("5.4", "g", "http://other", "g"),
		"F98.6":  quantityOf("98.6", "°F", ucumSystem, "[degF]"),
		"C37":    quantityOf("37.0", "°C", ucumSystem, "Cel"),
		"lb":     quantityOf("10", "lb", ucumSystem, "[lb_av]"),
		"e":      quantityOf("1.2e3", "m", ucumSystem, "m"),
		"bp":     quantityOf("120", "mmHg", ucumSystem, "mm[Hg]"),
		"bare":   `"status":"final","code":{"text":"x"},"valueQuantity":{"value":7.5}`,
	})
	u := "|" + ucumSystem + "|"
	for query, want := range map[string]string{
		"5.4" + u + "g":           "g5.4 mg5400 g5.44",
		"5.40" + u + "g":          "g5.4 mg5400",
		"5" + u + "g":             "g5.4 mg5400 g5.44 g5.45",
		"5400" + u + "mg":         "g5.4 mg5400",
		"5.4e3" + u + "mg":        "g5.4 mg5400 g5.44",
		"gt5.4" + u + "g":         "g5.44 g5.45 g6 lb",
		"ge5.4" + u + "g":         "g5.4 mg5400 g5.44 g5.45 g6 lb",
		"lt5.4" + u + "g":         "g-1",
		"le5.4" + u + "g":         "g5.4 mg5400 g-1",
		"sa5.45" + u + "g":        "g6 lb",
		"eb5.4" + u + "g":         "g-1",
		"ne5.4" + u + "g":         "g5.45 g6 g-1 lb",
		"ap5.0" + u + "g":         "g5.4 mg5400 g5.44 g5.45",
		"ap-1.05" + u + "g":       "g-1",
		"-1" + u + "g":            "g-1",
		"5.4":                     "g5.4 g5.44 x5.4",
		"5.4||g":                  "g5.4 g5.44 x5.4",
		"5.4|http://other|g":      "x5.4",
		"5.4||grams":              "g5.4",
		"5400||mg":                "mg5400",
		"37.0" + u + "Cel":        "F98.6 C37",
		"98.6" + u + "[degF]":     "F98.6 C37",
		"gt310" + u + "K":         "F98.6 C37",
		"4.5359237" + u + "kg":    "lb",
		"1.2" + u + "km":          "e",
		"1.20e3":                  "e",
		"16.0" + u + "kPa":        "bp",
		"120||mmHg":               "bp",
		"7.5":                     "bare",
		"5.4" + u + "mmol":        "",
		"5.4|" + ucumSystem + "|": "g5.4 g5.44",
		"bogus5.4":                "error", "5.4|a|b|c": "error", "1e99": "error", "5.": "error",
	} {
		if want == "error" {
			if err := second(r.Search(all(t.Context()), &recordsv1.SearchRequest{Type: "Observation", Query: "value-quantity=" + query})); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", query, err)
			}
			continue
		}
		n.expect(t, r, "Observation?value-quantity="+query, want)
	}
}

func TestDatesAreComparedAsTheStandardSays(t *testing.T) {
	r, _ := loose(t)
	period := func(start, end string) string {
		p := `"status":"finished","class":{"code":"AMB"},"period":{`
		if start != "" {
			p += `"start":"` + start + `"`
		}
		if end != "" && start != "" {
			p += ","
		}
		if end != "" {
			p += `"end":"` + end + `"`
		}
		return p + "}"
	}
	n := store(t, r, "Encounter", map[string]string{
		"may":    period("2020-05-01", "2020-05-31"),
		"year":   period("2020", "2020"),
		"across": period("2020-04-15", "2020-05-15"),
		"open":   period("2020-05-10", ""),
		"until":  period("", "2020-05-10"),
		"noon":   period("2020-05-10T12:00:00+07:00", "2020-05-10T12:00:00+07:00"),
		"later":  period("2021-01-01", "2021-02-01"),
		"none":   `"status":"finished","class":{"code":"AMB"}`,
	})
	for query, want := range map[string]string{
		"2020-05":                     "may noon",
		"2020":                        "may year across noon",
		"ne2020-05":                   "year across open until later",
		"gt2020-05":                   "year open later",
		"ge2020-05":                   "may year open noon later",
		"lt2020-05":                   "year across until",
		"le2020-05":                   "may year across until noon",
		"sa2020-05":                   "later",
		"eb2020-05":                   "",
		"eb2020-06":                   "may across until noon",
		"2020-05-10T12:00:00%2B07:00": "noon",
		"2020-05-10T05:00:00Z":        "noon",
		"2020-05-10T12:00%2B07:00":    "noon",
		"2020-05-10T12:00:00Z":        "",
		"ap2020-05-10":                "may year across open until noon later",
	} {
		n.expect(t, r, "Encounter?date="+query, want)
	}
}

func TestTimingsAreSearchedByTheirOuterLimits(t *testing.T) {
	r, _ := loose(t)
	timing := func(s string) string {
		return `"status":"active","intent":"order","code":{"text":"x"},"subject":{"reference":"Group/x"},"occurrenceTiming":{` + s + `}`
	}
	n := store(t, r, "ServiceRequest", map[string]string{
		"events": timing(`"event":["2020-01-01","2020-03-01"]`),
		"bounds": timing(`"repeat":{"boundsPeriod":{"start":"2020-02-01","end":"2020-02-20"}}`),
		"both":   timing(`"event":["2020-06-01"],"repeat":{"boundsPeriod":{"start":"2020-02-01","end":"2020-02-20"}}`),
		"length": timing(`"repeat":{"boundsDuration":{"value":3,"unit":"d"}}`),
	})
	for query, want := range map[string]string{"2020-02": "bounds", "ge2020-02": "events bounds both", "gt2020-05": "both", "lt2020-02": "events", "2020": "events bounds both"} {
		n.expect(t, r, "ServiceRequest?occurrence="+query, want)
	}
}

func TestTokensAreSearchedByTheirModifiers(t *testing.T) {
	r, ctx := loose(t)
	concept := func(s string) string { return `"subject":{"reference":"Group/x"},"code":` + s }
	n := store(t, r, "Condition", map[string]string{
		"sugar":  concept(`{"text":"Đái tháo đường týp 2","coding":[{"system":"http://s","code":"E11","display":"Type 2 diabetes"}]}`),
		"child":  concept(`{"coding":[{"system":"http://s","code":"E11.9"}]}`),
		"other":  concept(`{"coding":[{"system":"http://t","code":"E11"}]}`),
		"case":   concept(`{"coding":[{"system":"http://s","code":"e11"}]}`),
		"nosys":  concept(`{"coding":[{"code":"E11"}]}`),
		"absent": `"subject":{"reference":"Group/x"}`,
		"said":   concept(`{"text":"Ho"}`),
	})
	create(ctx, t, r, "ValueSet", `{"resourceType":"ValueSet","url":"http://vs","version":"1","status":"active","compose":{"include":[
		{"system":"http://s","concept":[{"code":"E11"},{"code":"E10"}]}]}}`)
	create(ctx, t, r, "ValueSet", `{"resourceType":"ValueSet","url":"http://whole","status":"active","compose":{"include":[{"system":"http://s"}]}}`)
	create(ctx, t, r, "CodeSystem", `{"resourceType":"CodeSystem","url":"http://s","status":"active","content":"complete",
		"concept":[{"code":"E1","concept":[{"code":"E11","concept":[{"code":"E11.9"}]}]}]}`)
	for query, want := range map[string]string{
		"code=E11":                       "sugar other nosys",
		"code=http://s|E11":              "sugar",
		"code=|E11":                      "nosys",
		"code=http://s|":                 "sugar child case",
		"code:not=E11":                   "child case absent said",
		"code:text=dai thao":             "sugar",
		"code:text=Type 2":               "sugar",
		"code:text=diabetes":             "",
		"code:in=http://vs":              "sugar",
		"code:in=http://vs|1":            "sugar",
		"code:in=http://whole":           "sugar child",
		"code:not-in=http://vs":          "child other case nosys absent said",
		"code:below=http://s|E11":        "sugar child",
		"code:above=http://s|E11.9":      "sugar child",
		"code:missing=true":              "absent",
		"code=http://s|E11,http://t|E11": "sugar other",
	} {
		n.expect(t, r, "Condition?"+query, want)
	}
	for query, class := range map[string]fault.Class{
		"code:in=http://nowhere": fault.Unprocessable, "code:in=http://vs|2": fault.Unprocessable,
		"code:below=E11": fault.Invalid, "code:of-type=a|b|c": fault.Invalid, "code=a|b|c": fault.Invalid,
	} {
		if err := second(r.Search(ctx, &recordsv1.SearchRequest{Type: "Condition", Query: query})); !fault.Is(err, class) {
			t.Errorf("%s: %v", query, err)
		}
	}
}

func TestIdentifiersAreFoundByTheirType(t *testing.T) {
	r, _ := loose(t)
	id := func(code, value string) string {
		return `"identifier":[{"type":{"text":"Số bệnh án","coding":[{"system":"http://v2","code":"` + code + `"}]},"value":"` + value + `"}]`
	}
	n := store(t, r, "Patient", map[string]string{"mr": id("MR", "446053"), "ss": id("SS", "446053"), "other": id("MR", "1")})
	for query, want := range map[string]string{
		"identifier:of-type=http://v2|MR|446053": "mr",
		"identifier:of-type=http://v2|MR|4460":   "",
		"identifier=446053":                      "mr ss",
		"identifier:text=so benh":                "mr ss other",
	} {
		n.expect(t, r, "Patient?"+query, want)
	}
	n = store(t, r, "Observation", map[string]string{
		"logical": `"status":"final","code":{"text":"x"},"subject":{"identifier":{"system":"http://mrn","value":"7"}}`,
		"literal": `"status":"final","code":{"text":"x"},"subject":{"reference":"Group/7"}`,
		"typed":   `"status":"final","code":{"text":"x"},"subject":{"type":"Patient","identifier":{"system":"http://mrn","value":"7"}}`,
	})
	for query, want := range map[string]string{
		"subject:identifier=http://mrn|7": "logical typed", "subject:missing=true": "", "patient:missing=true": "literal logical", "subject:identifier=7": "logical typed", "subject=7": "literal",
		"subject:identifier=http://other|7": "", "patient:identifier=7": "typed", "subject:Group=7": "literal", "subject:Patient=7": "", "patient=7": "", "patient=Group/7": "", "subject=Group/7": "literal", "subject=http://test/fhir/R4/Group/7": "literal",
	} {
		n.expect(t, r, "Observation?"+query, want)
	}
}

func TestURIsAndCanonicalsAreFoundAboveAndBelow(t *testing.T) {
	r, _ := loose(t)
	n := store(t, r, "ValueSet", map[string]string{
		"root": `"status":"active","url":"http://acme.org/fhir"`, "leaf": `"status":"active","url":"http://acme.org/fhir/ValueSet/123"`,
		"beside": `"status":"active","url":"http://acme.org/fhirs"`, "urn": `"status":"active","url":"urn:oid:1.2.3"`, "under": `"status":"active","url":"urn:oid:1.2.3.4"`,
	})
	for query, want := range map[string]string{
		"url=http://acme.org/fhir": "root", "url:below=http://acme.org/fhir/": "leaf", "url:below=http://acme.org/fhir": "root leaf",
		"url:above=http://acme.org/fhir/ValueSet/123/_history/5": "root leaf", "url:above=http://acme.org/fhirs": "beside",
		"url:below=urn:oid:1.2.3": "urn", "url:above=urn:oid:1.2.3.4": "under",
	} {
		n.expect(t, r, "ValueSet?"+query, want)
	}
	plan := func(c string) string {
		return `"status":"active","intent":"plan","subject":{"reference":"Group/x"},"instantiatesCanonical":["` + c + `"]`
	}
	n = store(t, r, "CarePlan", map[string]string{"any": plan("http://p"), "v1": plan("http://p|1.0.1"), "v2": plan("http://p|2.0")})
	for query, want := range map[string]string{
		"=http://p": "any v1 v2", "=http://p|2.0": "v2", "=http://p|1": "", ":below=http://p|1": "v1", ":below=http://p|1.0": "v1", ":below=http://p|1.0.1": "v1", ":below=http://p": "any v1 v2", ":above=http://p|2.0.7": "v2",
	} {
		n.expect(t, r, "CarePlan?instantiates-canonical"+query, want)
	}
}

func TestPhonesAndAddressesAreFoundAsPeopleWriteThem(t *testing.T) {
	r, _ := loose(t)
	telecom := func(system, value string) string {
		return `"telecom":[{"system":"` + system + `","value":"` + value + `"}]`
	}
	n := store(t, r, "Patient", map[string]string{
		"groups": telecom("phone", "0912 345.678"), "plain": telecom("phone", "0912345678"), "abroad": telecom("phone", "+84 (0)912-345-678"), "other": telecom("phone", "+85512345678"),
		"mail": telecom("email", "Hoa.Nguyen@Example.vn"), "page": telecom("url", "https://hoa.example/Ho-So"), "none": `"active":true`,
	})
	for query, want := range map[string]string{
		"phone=0912345678": "groups plain abroad", "phone=0912+345+678": "groups plain abroad", "phone=+84912345678": "groups plain abroad", "phone=0084 912 345 678": "groups plain abroad",
		"telecom=0912.345.678,hoa.nguyen@example.vn": "groups plain abroad mail", "phone=912345678": "", "phone=+855 1234 5678": "other", "email=0912345678": "",
		"email=HOA.NGUYEN@EXAMPLE.VN": "mail", "email=hoanguyen@example.vn": "", "telecom=https://hoa.example/Ho-So": "page", "telecom=https://hoa.example/HoSo": "",
		"phone:not=0912345678": "other mail page none", "phone:missing=true": "mail page none",
	} {
		if strings.HasPrefix(query, "phone=0912+") {
			query = strings.ReplaceAll(query, "+", " ")
		}
		n.expect(t, r, "Patient?"+query, want)
	}
}

// TestAProfileWithoutVersionIsAnyOfIt follows
// https://hl7.org/fhir/R4/references.html#canonical.
func TestAProfileWithoutVersionIsAnyOfIt(t *testing.T) {
	r, _ := loose(t)
	profile := func(c string) string { return `"code":{"text":"x"},"meta":{"profile":["` + c + `"]}` }
	n := store(t, r, "Basic", map[string]string{
		"any": profile("http://p/a"), "v1": profile("http://p/a|1.0"), "v2": profile("http://p/a|2.0"), "longer": profile("http://p/ab|1.0"), "below": profile("http://p/a/b"),
	})
	for query, want := range map[string]string{
		"=http://p/a": "any v1 v2", "=http://p/a|1.0": "v1", "=http://p/a|1": "", "=http://p/a|3,http://p/a/b": "below", ":below=http://p/a": "any v1 v2 below", ":below=http://p": "any v1 v2 longer below",
	} {
		n.expect(t, r, "Basic?_profile"+query, want)
	}
}

func TestStringsAreFoundWithoutMarksAndExactlyWithThem(t *testing.T) {
	r, _ := loose(t)
	name := func(text, family, given string) string {
		return `"name":[{"text":"` + text + `","family":"` + family + `","given":["` + given + `"]}]`
	}
	long := strings.Repeat("dài ", 300)
	n := store(t, r, "Patient", map[string]string{
		"hoa": name("Nguyễn Thị Hoà", "Nguyễn", "Thị Hoà"), "hoa2": name("Nguyen Thi Hoa", "Nguyen", "Thi Hoa"),
		"duc": name("Đặng Đình Đức", "Đặng", "Đình Đức"), "long": name(long+"một", "x", "y"), "long2": name(long+"hai", "x", "y"),
	})
	for query, want := range map[string]string{
		"name=nguyen thi hoa": "hoa hoa2", "name=NGUYỄN": "hoa hoa2", "name=dang": "duc", "name:exact=Nguyễn": "hoa", "name:exact=nguyễn": "",
		"name:contains=thi ho": "hoa hoa2", "name:contains=inh": "duc", "name=hoa": "hoa hoa2", "name=oa": "", "family=đặng": "duc", "given=dinh": "duc", "name:contains=hai": "long2",
		"name:exact=" + long + "hai": "long2", "name=duc\\,x": "",
	} {
		n.expect(t, r, "Patient?"+query, want)
	}
}

func TestComponentsOfACompositeStandInOneElement(t *testing.T) {
	r, ctx := loose(t)
	bp := func(sys, dia string) string {
		c := func(code, v string) string {
			return `{"code":{"coding":[{"system":"http://loinc.org","code":"` + code + `"}]},"valueQuantity":{"value":` + v + `,"system":"` + ucumSystem + `","code":"mm[Hg]"}}`
		}
		return `"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]},"component":[` + c("8480-6", sys) + "," + c("8462-4", dia) + "]"
	}
	value := func(code, v string) string {
		return `"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"` + code + `"}]},` + v
	}
	n := store(t, r, "Observation", map[string]string{
		"high": bp("150", "80"), "low": bp("110", "150"),
		"sugar": value("15074-8", `"valueQuantity":{"value":6.1,"system":"`+ucumSystem+`","code":"mmol/L"}`),
		"blood": value("882-1", `"valueCodeableConcept":{"coding":[{"system":"http://snomed.info/sct","code":"112144000"}]}`),
		"note":  value("1-1", `"valueString":"Âm tính rõ"`), "when": value("2-2", `"valueDateTime":"2020-05-10"`),
		"span": value("2-2", `"valuePeriod":{"start":"2020-05-01","end":"2020-06-10"}`),
	})
	for query, want := range map[string]string{
		"component-code-value-quantity=8480-6$gt140":                                        "high",
		"component-code-value-quantity=http://loinc.org|8480-6$gt18|" + ucumSystem + "|kPa": "high",
		"component-code-value-quantity=8480-6$150,8462-4$150":                               "high low",
		"code-value-quantity=8480-6$gt140":                                                  "",
		"combo-code=8480-6,15074-8":                                                         "high low sugar",
		"combo-code:not=8480-6":                                                             "blood note span sugar when",
		"combo-code=8480-6&_sort=date":                                                      "high low",
		"combo-value-quantity=gt140&code=85354-9":                                           "high low",
		"combo-value-quantity=6.1":                                                          "sugar",
		"combo-value-quantity:missing=true":                                                 "blood note span when",
		"combo-value-concept=112144000":                                                     "blood",
		"combo-code-value-quantity=8462-4$le80":                                             "high",
		"combo-code-value-quantity=15074-8$6.1":                                             "sugar",
		"code-value-quantity=15074-8$6100|" + ucumSystem + "|umol/L":                        "sugar",
		"code-value-quantity=15074-8$6.1||mmol/L":                                           "sugar",
		"code-value-concept=882-1$http://snomed.info/sct|112144000":                         "blood",
		"code-value-concept=882-1$112144001":                                                "",
		"code-value-string=1-1$am tinh":                                                     "note",
		"code-value-date=2-2$2020-05":                                                       "when",
		"code-value-date=2-2$ge2020-05-11":                                                  "span",
		"code-value-quantity:missing=false":                                                 "sugar",
	} {
		n.expect(t, r, "Observation?"+query, want)
	}
	for _, query := range []string{"code-value-quantity=15074-8", "code-value-quantity=15074-8$", "code-value-quantity=a$1$2", "code-value-quantity=$6", "code-value-quantity=a$x", "code-value-quantity:not=a$1"} {
		if err := second(r.Search(ctx, &recordsv1.SearchRequest{Type: "Observation", Query: query})); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", query, err)
		}
	}
	n = store(t, r, "MolecularSequence", map[string]string{
		"seq": `"coordinateSystem":0,"referenceSeq":{"genomeBuild":"GRCh 38","strand":"watson","chromosome":{"coding":[{"code":"1"}]},"windowStart":10,"windowEnd":20},"variant":[{"start":100,"end":200}]`,
	})
	for query, want := range map[string]string{
		"chromosome-variant-coordinate=1$ge100$lt201": "seq", "chromosome-variant-coordinate=1$gt100$lt201": "",
		"chromosome-window-coordinate=1$10$20": "seq", "chromosome-window-coordinate=2$10$20": "",
	} {
		n.expect(t, r, "MolecularSequence?"+query, want)
	}
	n = store(t, r, "DocumentReference", map[string]string{
		"new": `"status":"current","content":[{"attachment":{"url":"x:y"}}],"relatesTo":[{"code":"replaces","target":{"reference":"DocumentReference/old"}},{"code":"signs","target":{"reference":"DocumentReference/o2"}}]`,
	})
	for query, want := range map[string]string{
		"relationship=replaces$DocumentReference/old": "new", "relationship=replaces$old": "new", "relationship=signs$old": "",
	} {
		n.expect(t, r, "DocumentReference?"+query, want)
	}
	n = store(t, r, "ValueSet", map[string]string{
		"adult": `"status":"active","useContext":[{"code":{"system":"http://u","code":"age"},"valueRange":{"low":{"value":18,"system":"` + ucumSystem + `","code":"a"}}},
			{"code":{"system":"http://u","code":"focus"},"valueCodeableConcept":{"coding":[{"code":"x"}]}}]`,
	})
	for query, want := range map[string]string{
		"context-type-quantity=age$gt17|" + ucumSystem + "|a": "adult", "context-type-quantity=focus$gt17": "", "context-type-value=focus$x": "adult", "context-type-value=age$x": "",
	} {
		n.expect(t, r, "ValueSet?"+query, want)
	}
}
