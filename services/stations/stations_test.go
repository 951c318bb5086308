package stations_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/pg/pgtest"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

const (
	here      = "22015@2025-07-01"
	elsewhere = "22045@2025-07-01"
)

var now = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)

func TestAResidentIsRegisteredAsFHIR(t *testing.T) {
	d := open(t)
	p := d.register(t, hoa(1))
	wants(t, d.records.only(t, "Patient"),
		`"family":"Nguyễn","given":["Thị","Hoa"],"text":"Nguyễn Thị Hoa","use":"official"`, `"birthDate":"1980-05-20"`,
		`{"assigner":{"display":"Bộ Công an"},"period":{"start":"2021-05-01"},"system":"http://fhir.hl7.org.vn/core/sid/cccd","value":"066180012345"}`,
		`"value":"0912345678"`, `"code":"22015","display":"Xã Tuy An Bắc","system":"https://yba.health/fhir/units","version":"2025-07-01"`,
		`"display":"Thôn Phú Mỹ"`, `"managingOrganization":{"reference":"Organization/77"}`, `"state":"Tỉnh Đắk Lắk"`, `"city":"Xã Tuy An Bắc"`)
	got, err := d.GetPerson(d.nurse, &stationsv1.GetPersonRequest{Patient: p})
	if err != nil || got.GetName() != "Nguyễn Thị Hoa" || got.GetCommune() != here || got.GetHamlet() != "Thôn Phú Mỹ" || got.GetPhone() != "0912345678" || len(got.GetIdentifiers()) != 1 {
		t.Errorf("read back %v, %v", got, err)
	}
}

func TestARetryIsAnsweredAsTheFirstTime(t *testing.T) {
	d := open(t)
	first, err := d.RegisterPerson(d.nurse, hoa(1))
	if err != nil {
		t.Fatal(err)
	}
	again, err := d.RegisterPerson(d.nurse, hoa(1))
	if err != nil || !proto.Equal(first, again) || d.records.count("Patient") != 1 {
		t.Errorf("again %v, %v; first %v", again, err, first)
	}
	other := hoa(1)
	other.Name = "Trần Văn Ba"
	if _, err := d.RegisterPerson(d.nurse, other); !fault.Is(err, fault.Conflict) {
		t.Errorf("the same client id with another person: %v", err)
	}
	if _, err := d.RegisterPerson(as(t, "n2", here), hoa(1)); !fault.Is(err, fault.Conflict) {
		t.Errorf("the same client id by another nurse: %v", err)
	}
}

func TestARetryAfterALostAnswerDoublesNothing(t *testing.T) {
	d := open(t)
	house, err := d.RegisterHousehold(d.nurse, &stationsv1.RegisterHouseholdRequest{ClientId: id(9), Commune: here, Address: "Số 5"})
	if err != nil {
		t.Fatal(err)
	}
	r := hoa(1)
	r.Household, r.Relation = house.GetId(), "head"
	d.records.loseAnswer = true
	if _, err := d.RegisterPerson(d.nurse, r); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("got %v", err)
	}
	d.records.loseAnswer = false
	p := d.register(t, r)
	if d.records.count("Patient") != 1 {
		t.Error("the person is there twice")
	}
	group := d.records.only(t, "Group")
	if strings.Count(group, `"entity"`) != 1 {
		t.Errorf("members: %s", group)
	}
	wants(t, group, `"reference":"Patient/`+p+`"`, `household-head`, `"valueCode":"head"`, `"code":"household"`)
	if got, err := d.GetPerson(d.nurse, &stationsv1.GetPersonRequest{Patient: p}); err != nil || got.GetHousehold() != house.GetId() {
		t.Errorf("household %q, %v", got.GetHousehold(), err)
	}
	child := hoa(2)
	child.Name, child.BirthDate, child.Household, child.Relation, child.Identifiers = "Lê Văn Bình", "2026-08-01", house.GetId(), "child", nil
	d.register(t, child)
	if group := d.records.only(t, "Group"); strings.Count(group, `"entity"`) != 2 || strings.Count(group, "household-head") != 1 {
		t.Errorf("two members and one head, got %s", group)
	}
	child.ClientId, child.Commune = id(3), elsewhere
	if _, err := d.RegisterPerson(as(t, "n1", elsewhere), child); !fault.Is(err, fault.Invalid) {
		t.Errorf("a household of another commune: %v", err)
	}
}

func TestOnlyTheNursesCommuneIsWritten(t *testing.T) {
	d := open(t)
	p := d.register(t, hoa(1))
	other := as(t, "n2", elsewhere)
	if _, err := d.RegisterPerson(other, hoa(2)); !fault.Is(err, fault.Forbidden) {
		t.Errorf("registering in another commune: %v", err)
	}
	// Where the service's own check is passed, records still refuses.
	wide := guard.WithScope(other, &guard.Scope{Communes: []string{here, elsewhere}})
	r := hoa(3)
	r.Identifiers, r.NotADuplicate = nil, true
	if _, err := d.RegisterPerson(wide, r); !fault.Is(err, fault.Forbidden) {
		t.Errorf("records took a person of another commune: %v", err)
	}
	if _, err := d.GetPerson(other, &stationsv1.GetPersonRequest{Patient: p}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("reading: %v", err)
	}
	if _, err := d.RecordVisit(other, &stationsv1.RecordVisitRequest{ClientId: id(4), Patient: p, Reason: "ho"}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a visit: %v", err)
	}
	if _, err := d.RecordImmunization(other, &stationsv1.RecordImmunizationRequest{ClientId: id(5), Patient: p, Vaccine: "bcg", Dose: 1, Lot: "A"}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("an immunization: %v", err)
	}
	if _, err := d.OpenAccount(other, &stationsv1.OpenAccountRequest{Patient: p}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("an account: %v", err)
	}
	if _, err := d.RegisterHousehold(other, &stationsv1.RegisterHouseholdRequest{ClientId: id(6), Commune: here}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a household: %v", err)
	}
	if got, err := d.FindPeople(other, &stationsv1.FindPeopleRequest{Query: "hoa"}); err != nil || len(got.GetPeople()) != 0 {
		t.Errorf("found %v, %v", got, err)
	}
	if d.records.count("Patient") != 1 || d.records.count("Group")+d.records.count("Encounter")+d.records.count("Immunization") != 0 {
		t.Error("something was written")
	}
}

func TestWrongFieldsAreRefusedWithTheirPlace(t *testing.T) {
	d := open(t)
	for name, c := range map[string]struct {
		change func(*stationsv1.RegisterPersonRequest)
		at     string
	}{
		"one word":          {func(r *stationsv1.RegisterPersonRequest) { r.Name = "Hoa" }, "name"},
		"digits in a name":  {func(r *stationsv1.RegisterPersonRequest) { r.Name = "Nguyễn Hoa 2" }, "name"},
		"born tomorrow":     {func(r *stationsv1.RegisterPersonRequest) { r.BirthDate = "2026-11-22" }, "birth_date"},
		"born 1899":         {func(r *stationsv1.RegisterPersonRequest) { r.BirthDate = "1899" }, "birth_date"},
		"no such day":       {func(r *stationsv1.RegisterPersonRequest) { r.BirthDate = "2001-02-29" }, "birth_date"},
		"no birth":          {func(r *stationsv1.RegisterPersonRequest) { r.BirthDate = "" }, "birth_date"},
		"no sex":            {func(r *stationsv1.RegisterPersonRequest) { r.Gender = "" }, "gender"},
		"short phone":       {func(r *stationsv1.RegisterPersonRequest) { r.Phone = "09123" }, "phone"},
		"wrong number":      {func(r *stationsv1.RegisterPersonRequest) { r.Identifiers[0].Value = "12" }, "identifiers[0].value"},
		"unknown paper":     {func(r *stationsv1.RegisterPersonRequest) { r.Identifiers[0].Kind = "visa" }, "identifiers[0].kind"},
		"paper of no day":   {func(r *stationsv1.RegisterPersonRequest) { r.Identifiers[0].From = "1/5/2021" }, "identifiers[0].from"},
		"paper ends early":  {func(r *stationsv1.RegisterPersonRequest) { r.Identifiers[0].Until = "2020-01-01" }, "identifiers[0].until"},
		"no client id":      {func(r *stationsv1.RegisterPersonRequest) { r.ClientId = "1" }, "client_id"},
		"bare commune code": {func(r *stationsv1.RegisterPersonRequest) { r.Commune = "22015" }, "commune"},
		"commune of old":    {func(r *stationsv1.RegisterPersonRequest) { r.Commune = "22015@" }, "commune"},
		"unknown commune":   {func(r *stationsv1.RegisterPersonRequest) { r.Commune = "99999@2025-07-01" }, "commune"},
		"province":          {func(r *stationsv1.RegisterPersonRequest) { r.Commune = "66@2025-07-01" }, "commune"},
		"unknown relation":  {func(r *stationsv1.RegisterPersonRequest) { r.Relation = "boss" }, "relation"},
		"no such household": {func(r *stationsv1.RegisterPersonRequest) { r.Household = "404" }, "household"},
		"very long address": {func(r *stationsv1.RegisterPersonRequest) { r.Address = strings.Repeat("a", 201) }, "address"},
	} {
		t.Run(name, func(t *testing.T) {
			r := hoa(1)
			c.change(r)
			_, err := d.RegisterPerson(d.nurse, r)
			if f := fault.Of(err); f.Class != fault.Invalid || strings.TrimSuffix(f.At, ".") != c.at || f.Message == "" {
				t.Errorf("got %v at %q, want invalid at %q", err, fault.Of(err).At, c.at)
			}
		})
	}
	if d.records.transacts != 0 {
		t.Error("something was written")
	}
	year := hoa(2)
	year.BirthDate = "1956"
	year.Identifiers = nil
	d.register(t, year)
}

func TestLikelyDuplicatesStopARegistration(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*stationsv1.RegisterPersonRequest)
		same   bool
		reason string
	}{
		"all the same":            {func(*stationsv1.RegisterPersonRequest) {}, true, "cùng số căn cước"},
		"same number, other name": {func(r *stationsv1.RegisterPersonRequest) { r.Name, r.BirthDate = "Lê Bé", "1990-01-01" }, true, "cùng số căn cước"},
		"name without marks":      {func(r *stationsv1.RegisterPersonRequest) { r.Name, r.Identifiers = "Nguyen Thi Hoa", nil }, true, "khác dấu"},
		"a slip in the name": {func(r *stationsv1.RegisterPersonRequest) {
			r.Name, r.Identifiers, r.Phone = "Nguyễn Thị Hoan", nil, ""
		}, true, "gần giống"},
		"only the year of birth":          {func(r *stationsv1.RegisterPersonRequest) { r.BirthDate, r.Identifiers = "1980", nil }, true, "cùng năm sinh"},
		"two digits changed places":       {func(r *stationsv1.RegisterPersonRequest) { r.BirthDate, r.Identifiers = "1980-05-02", nil }, true, "ngày sinh gần giống"},
		"same name, other day":            {func(r *stationsv1.RegisterPersonRequest) { r.BirthDate, r.Identifiers, r.Phone = "1980-11-03", nil, "" }, false, ""},
		"same name and day, other number": {func(r *stationsv1.RegisterPersonRequest) { r.Identifiers[0].Value = "066180099999" }, false, ""},
		"child with mother's phone": {func(r *stationsv1.RegisterPersonRequest) {
			r.Name, r.BirthDate, r.Identifiers = "Lê Thị Mai", "2020-02-02", nil
		}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t)
			p := d.register(t, hoa(1))
			r := hoa(100)
			c.change(r)
			got, err := d.RegisterPerson(d.nurse, r)
			if err != nil {
				t.Fatal(err)
			}
			if !c.same {
				if len(got.GetDuplicates()) != 0 || got.GetPerson() == nil {
					t.Errorf("held back by %v", got.GetDuplicates())
				}
				return
			}
			if got.GetPerson() != nil || len(got.GetDuplicates()) == 0 || got.GetDuplicates()[0].GetPatient() != p {
				t.Fatalf("got %v", got)
			}
			if why := strings.Join(got.GetDuplicates()[0].GetReasons(), "; "); !strings.Contains(why, c.reason) {
				t.Errorf("because %q, want %q", why, c.reason)
			}
		})
	}
	// Seen and gone on: the same client id may be sent again with the word.
	d := open(t)
	p := d.register(t, hoa(1))
	r := hoa(50)
	if got, err := d.RegisterPerson(d.nurse, r); err != nil || len(got.GetDuplicates()) == 0 {
		t.Fatalf("%v, %v", got, err)
	}
	r.NotADuplicate = true
	if d.register(t, r) == p {
		t.Error("the other person was returned")
	}
}

func TestPeopleAreFoundAsOneTypes(t *testing.T) {
	d := open(t)
	p := d.register(t, hoa(1))
	other := hoa(2)
	other.Name, other.BirthDate, other.Phone, other.Identifiers = "Trần Văn Hùng", "1956", "0988888888", nil
	q := d.register(t, other)
	for query, want := range map[string]string{
		"hoa": p, "nguyen thi h": p, "Nguyễn Thị Hoa": p, "HOA NGUYEN": p, "0912345678": p, "0912 345 678": p, "066180012345": p,
		// A slip in one word, at its end, in its middle or at its beginning.
		"nguyen thi hos": p, "nguyen thi hao": p, "nguyn thi hoa": p, "ngyuen thi hoa": p, "nguyen thi moa": p, "tran vna hung": q,
		// The year or the day of birth after the name, or alone.
		"hoa 1980": p, "nguyen thi hoa 20/5/1980": p, "tran van hung 1956": q, "1956": q, "1980-05-20": p,
		"le van lan": "", "nguyen van lan": "", "0912 345 679": "", "1957": "",
		"tran": q, "hùng": q, "0988888888": q, "xyz": "", "h": "", "": "", "12": "",
	} {
		got, err := d.FindPeople(d.nurse, &stationsv1.FindPeopleRequest{Query: query})
		switch {
		case err != nil:
			t.Errorf("%q: %v", query, err)
		case want == "" && len(got.GetPeople()) != 0:
			t.Errorf("%q found %v", query, got)
		case want != "" && (len(got.GetPeople()) == 0 || got.GetPeople()[0].GetPatient() != want):
			t.Errorf("%q found %v", query, got)
		}
	}
	got, err := d.FindPeople(d.nurse, &stationsv1.FindPeopleRequest{BirthDate: "1956"})
	if err != nil || len(got.GetPeople()) != 1 || got.GetPeople()[0].GetPatient() != q {
		t.Errorf("by year: %v, %v", got, err)
	}
}

func TestTheNameThatIsMeantComesFirst(t *testing.T) {
	d := open(t)
	longer := hoa(1)
	longer.Name, longer.BirthDate, longer.Identifiers = "Nguyễn Thị Thu Hoa", "1958-12-12", nil
	d.register(t, longer)
	p := d.register(t, hoa(2))
	got, err := d.FindPeople(d.nurse, &stationsv1.FindPeopleRequest{Query: "nguyen thi hoa"})
	if err != nil || len(got.GetPeople()) != 2 || got.GetPeople()[0].GetPatient() != p {
		t.Errorf("found %v, %v", got, err)
	}
	for n, name := range []string{"Nguyễn Thị Thảo", "Nguyễn Thị Hoàng"} {
		other := hoa(10 + n)
		other.Name, other.BirthDate, other.Identifiers, other.Phone = name, fmt.Sprint(1991+n), nil, ""
		d.register(t, other)
	}
	for _, query := range []string{"nguyen thi hao", "hoa"} {
		got, err := d.FindPeople(d.nurse, &stationsv1.FindPeopleRequest{Query: query})
		if err != nil || len(got.GetPeople()) < 2 || got.GetPeople()[0].GetPatient() != p {
			t.Errorf("%q found %v, %v", query, got, err)
		}
	}
}

func TestMessagesSpeakOfUnitsAsPeopleDo(t *testing.T) {
	d := open(t)
	p := d.register(t, hoa(1))
	for n, c := range []struct {
		measures []*stationsv1.Measure
		says     string
	}{
		{[]*stationsv1.Measure{{Kind: "temperature", Value: "368"}}, "từ 30 đến 45 °C."},
		{[]*stationsv1.Measure{{Kind: "pulse", Value: "700"}}, "từ 20 đến 300 lần/phút."},
		{[]*stationsv1.Measure{{Kind: "systolic", Value: "12", Unit: "kPa"}, {Kind: "diastolic", Value: "8"}}, "tính bằng mmHg."},
	} {
		_, err := d.RecordVisit(d.nurse, &stationsv1.RecordVisitRequest{ClientId: id(10 + n), Patient: p, Measures: c.measures})
		if !strings.Contains(fault.Of(err).Message, c.says) {
			t.Errorf("%v, want %q", err, c.says)
		}
	}
}

// The code of the hamlet tells into which part of a divided commune people have
// come, and in which old commune a resident of a merged one lives.
func TestTheHamletIsKeptWithItsCode(t *testing.T) {
	for name, c := range map[string]struct{ typed, want string }{
		"as in the list":          {"Thôn Phú Mỹ", `"code":"2201501","display":"Thôn Phú Mỹ"`},
		"other case, no kind":     {"phú mỹ", `"code":"2201501"`},
		"without marks":           {"thon phu hoa", `"code":"2201503"`},
		"marks tell it apart":     {"Phú Mỳ", `"code":"2201502"`},
		"without marks, doubtful": {"phu my", `{"display":"phu my","system"`},
		"in no list":              {"Xóm Mới", `{"display":"Xóm Mới","system"`},
		"of another commune":      {"Thôn Xa", `{"display":"Thôn Xa","system"`},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t)
			hamlet := func(code, name, parent string) *stationsv1.Unit {
				return &stationsv1.Unit{Code: code, Level: "hamlet", Name: name, Kind: "Thôn", Parent: parent, ValidFrom: "2025-07-01"}
			}
			if _, err := d.ImportUnits(d.nurse, &stationsv1.ImportUnitsRequest{Units: []*stationsv1.Unit{
				hamlet("2201501", "Thôn Phú Mỹ", "22015"), hamlet("2201502", "Thôn Phú Mỳ", "22015"),
				hamlet("2201503", "Thôn Phú Hòa", "22015"), hamlet("2204501", "Thôn Xa", "22045"),
			}}); err != nil {
				t.Fatal(err)
			}
			r := hoa(1)
			r.Hamlet = c.typed
			d.register(t, r)
			wants(t, d.records.only(t, "Patient"), c.want)
			if _, err := d.RegisterHousehold(d.nurse, &stationsv1.RegisterHouseholdRequest{ClientId: id(2), Commune: here, Hamlet: c.typed, Address: "Số 5"}); err != nil {
				t.Fatal(err)
			}
			wants(t, d.records.only(t, "Group"), c.want)
		})
	}
}

func TestAnAccountIsOpenedOnce(t *testing.T) {
	d := open(t)
	p := d.register(t, hoa(1))
	got, err := d.OpenAccount(d.nurse, &stationsv1.OpenAccountRequest{Patient: p})
	if err != nil || got.GetUsername() != "0912345678" || got.GetActivationCode() == "" {
		t.Fatalf("got %v, %v", got, err)
	}
	if _, err := d.OpenAccount(d.nurse, &stationsv1.OpenAccountRequest{Patient: p}); !fault.Is(err, fault.Conflict) {
		t.Errorf("again: %v", err)
	}
	if person, err := d.GetPerson(d.nurse, &stationsv1.GetPersonRequest{Patient: p}); err != nil || !person.GetHasAccount() {
		t.Errorf("has_account: %v, %v", person, err)
	}
	// The daughter shares the phone.
	child := hoa(2)
	child.Name, child.BirthDate, child.Identifiers = "Lê Thị Mai", "2008-02-02", nil
	got, err = d.OpenAccount(d.nurse, &stationsv1.OpenAccountRequest{Patient: d.register(t, child)})
	if err != nil || got.GetUsername() != "mai.le2008" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAVisitIsOneTransactionAndItsDigitsAreKept(t *testing.T) {
	d := open(t)
	p := d.register(t, hoa(1))
	r := &stationsv1.RecordVisitRequest{
		ClientId: id(2), Patient: p, At: "2026-11-21T08:30:00+07:00", Reason: "đau đầu", Note: "nghỉ ngơi",
		Measures: []*stationsv1.Measure{
			{Kind: "temperature", Value: "36,80", Unit: "°C"}, {Kind: "systolic", Value: "120"}, {Kind: "diastolic", Value: "80", Unit: "mmHg"}, {Kind: "weight", Value: "52.0"},
		},
		Diagnoses: []*stationsv1.Diagnosis{{Code: "I10", Name: "Tăng huyết áp"}},
	}
	before := d.records.transacts
	first, err := d.RecordVisit(d.nurse, r)
	if err != nil || d.records.transacts != before+1 || len(first.GetReferences()) != 6 {
		t.Fatalf("%v, %v", first, err)
	}
	if again, err := d.RecordVisit(d.nurse, r); err != nil || !proto.Equal(first, again) || d.records.count("Observation") != 3 {
		t.Errorf("again: %v, %v", again, err)
	}
	encounter := first.GetReferences()[0]
	wants(t, d.records.only(t, "Encounter"), `"code":"AMB"`, `"Organization/77"`, `"Practitioner/5"`, `"text":"đau đầu"`, `"start":"2026-11-21T08:30:00+07:00"`)
	wants(t, d.records.only(t, "Condition"), `"code":"I10"`, `"display":"Tăng huyết áp"`, `"encounter":{"reference":"`+encounter+`"}`)
	wants(t, d.records.only(t, "DocumentReference"), `"11488-4"`)
	got, err := d.GetPerson(d.nurse, &stationsv1.GetPersonRequest{Patient: p})
	if err != nil {
		t.Fatal(err)
	}
	var last []string
	for _, m := range got.GetLast() {
		last = append(last, m.GetKind()+"="+m.GetValue()+m.GetUnit())
	}
	if s := strings.Join(last, " "); s != "weight=52.0kg systolic=120mm[Hg] diastolic=80mm[Hg] temperature=36.80Cel" {
		t.Errorf("last %s", s)
	}
	if len(got.GetConditions()) != 1 || got.GetConditions()[0] != "Tăng huyết áp" {
		t.Errorf("conditions %v", got.GetConditions())
	}
}

func TestMeasuresOutsideLifeAreRefused(t *testing.T) {
	d := open(t)
	p := d.register(t, hoa(1))
	bp := func(a, b string) []*stationsv1.Measure {
		return []*stationsv1.Measure{{Kind: "systolic", Value: a}, {Kind: "diastolic", Value: b}}
	}
	one := func(kind, value, unit string) []*stationsv1.Measure {
		return []*stationsv1.Measure{{Kind: kind, Value: value, Unit: unit}}
	}
	n := 10
	for name, c := range map[string]struct {
		measures []*stationsv1.Measure
		at       string
	}{
		"systolic 301":        {bp("301", "80"), "measures[0].value"},
		"systolic 49":         {bp("49", "30"), "measures[0].value"},
		"systolic 300 and 50": {bp("300", "50"), ""},
		"diastolic above":     {bp("80", "120"), "measures"},
		"diastolic equal":     {bp("120", "120"), "measures"},
		"half a pressure":     {one("systolic", "120", ""), "measures"},
		"height in metres":    {one("height", "1.65", ""), "measures[0].value"},
		"weight of nobody":    {one("weight", "0.4", ""), "measures[0].value"},
		"premature":           {one("weight", "0.5", ""), ""},
		"temperature 45.1":    {one("temperature", "45.1", ""), "measures[0].value"},
		"spo2 101":            {one("spo2", "101", "%"), "measures[0].value"},
		"pulse 19":            {one("pulse", "19", ""), "measures[0].value"},
		"glucose mg/dL":       {one("glucose", "110", "mg/dL"), "measures[0].unit"},
		"glucose 5.6":         {one("glucose", "5.6", "mmol/L"), ""},
		"words":               {one("pulse", "nhanh", ""), "measures[0].value"},
		"exponent":            {one("pulse", "1e2", ""), "measures[0].value"},
		"unknown kind":        {one("mood", "5", ""), "measures[0].kind"},
		"twice":               {append(one("pulse", "70", ""), one("pulse", "71", "")...), "measures[1].kind"},
		"nothing at all":      {nil, "measures"},
	} {
		t.Run(name, func(t *testing.T) {
			n++
			_, err := d.RecordVisit(d.nurse, &stationsv1.RecordVisitRequest{ClientId: id(n), Patient: p, Measures: c.measures})
			if c.at == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if f := fault.Of(err); f.Class != fault.Invalid || f.At != c.at {
				t.Errorf("got %v at %q, want invalid at %q", err, fault.Of(err).At, c.at)
			}
		})
	}
	for name, c := range map[string]struct {
		r  *stationsv1.RecordVisitRequest
		at string
	}{
		"tomorrow":     {&stationsv1.RecordVisitRequest{At: "2026-11-22T08:00:00+07:00", Reason: "ho"}, "at"},
		"before birth": {&stationsv1.RecordVisitRequest{At: "1980-05-19T08:00:00+07:00", Reason: "ho"}, "at"},
		"no time":      {&stationsv1.RecordVisitRequest{At: "hôm nay", Reason: "ho"}, "at"},
		"bad code":     {&stationsv1.RecordVisitRequest{Diagnoses: []*stationsv1.Diagnosis{{Code: "i10", Name: "x"}}}, "diagnoses[0].code"},
		"code twice":   {&stationsv1.RecordVisitRequest{Diagnoses: []*stationsv1.Diagnosis{{Code: "I10", Name: "x"}, {Code: "I10", Name: "x"}}}, "diagnoses[1].code"},
		"no name":      {&stationsv1.RecordVisitRequest{Diagnoses: []*stationsv1.Diagnosis{{Code: "I10"}}}, "diagnoses[0].name"},
	} {
		c.r.ClientId, c.r.Patient = id(90), p
		if _, err := d.RecordVisit(d.nurse, c.r); !fault.Is(err, fault.Invalid) || fault.Of(err).At != c.at {
			t.Errorf("%s: %v", name, err)
		}
	}
}
