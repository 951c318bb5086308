package stations

import (
	"regexp"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/yba-health/yba/pkg/fault"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

// vietnam is the time zone of every station: UTC+7, without summer time.
func vietnam() *time.Location { return time.FixedZone("ICT", 7*60*60) }

func invalid(at, message string) error { return fault.New(fault.Invalid, message, nil).In(at) }

var uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

// checkClientID wants a UUID: shorter names of devices would meet.
func checkClientID(id string) error {
	if !uuidForm.MatchString(id) {
		return invalid("client_id", "Thiếu mã gửi của thiết bị (một UUID). Xin tải lại ứng dụng rồi thử lại.")
	}
	return nil
}

// birth is when somebody was born, as exactly as it is known.
type birth struct {
	// first and last are the days between which it was.
	first, last time.Time
	// form is "2006-01-02", "2006-01" or "2006".
	form string
}

func (b birth) exact() bool { return b.form == time.DateOnly }

// parseBirth reads a FHIR date: a day, a month or only a year.
func parseBirth(s string) (birth, error) {
	for form, n := range map[string][3]int{time.DateOnly: {0, 0, 1}, "2006-01": {0, 1, 0}, "2006": {1, 0, 0}} {
		if len(s) != len(form) {
			continue
		}
		t, err := time.Parse(form, s)
		if err != nil {
			break
		}
		return birth{t, t.AddDate(n[0], n[1], n[2]).AddDate(0, 0, -1), form}, nil
	}
	return birth{}, invalid("birth_date", "Ngày sinh chưa đúng. Xin nhập như 1980-05-20; nếu giấy tờ chỉ có năm thì nhập 1980.")
}

func checkBirth(s string, today time.Time) (birth, error) {
	b, err := parseBirth(s)
	switch {
	case err != nil:
		return b, err
	case b.first.After(today):
		return b, invalid("birth_date", "Ngày sinh này chưa đến. Xin xem lại năm sinh.")
	case b.first.Year() < 1900:
		return b, invalid("birth_date", "Năm sinh trước 1900 thì không thể đúng. Xin xem lại giấy tờ.")
	}
	return b, nil
}

// day is the date of t in Vietnam, as a time at midnight UTC, which is how
// dates are compared here.
func day(t time.Time) time.Time {
	y, m, d := t.In(vietnam()).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

func dayText(t time.Time) string { return t.Format("02/01/2006") }

func checkName(s string) (string, error) {
	name := strings.Join(strings.Fields(norm.NFC.String(s)), " ")
	words := strings.Fields(name)
	if len(words) < 2 {
		return "", invalid("name", "Xin ghi đủ họ và tên, ít nhất hai chữ.")
	}
	if len([]rune(name)) > 100 {
		return "", invalid("name", "Họ tên dài quá 100 ký tự. Xin xem lại có dán nhầm không.")
	}
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.Is(unicode.Mn, r) && !strings.ContainsRune(" '’-.", r) {
			return "", invalid("name", "Họ tên chỉ gồm chữ cái. Xin bỏ số và ký hiệu.")
		}
	}
	return name, nil
}

var phoneForm = regexp.MustCompile(`^0[0-9]{9,10}$`)

// cleanPhone returns a number as it is dialled at home: 0912345678.
func cleanPhone(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) || r == '+' {
			return r
		}
		return -1
	}, norm.NFKC.String(s))
	for _, prefix := range []string{"+84", "0084"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			return "0" + rest
		}
	}
	return s
}

func checkPhone(s string) (string, error) {
	if strings.TrimSpace(s) == "" {
		return "", nil
	}
	phone := cleanPhone(s)
	if !phoneForm.MatchString(phone) {
		return "", invalid("phone", "Số điện thoại bắt đầu bằng 0 và có 10 số. Xin xem lại, hoặc để trống nếu không có.")
	}
	return phone, nil
}

func checkGender(s string) error {
	switch s {
	case "male", "female", "other", "unknown":
		return nil
	}
	return invalid("gender", "Xin chọn giới tính: nam, nữ, khác hoặc chưa rõ.")
}

func checkRelation(s string) error {
	switch s {
	case "", "head", "spouse", "child", "parent", "other":
		return nil
	}
	return invalid("relation", "Xin chọn quan hệ với chủ hộ: chủ hộ, vợ/chồng, con, cha/mẹ hoặc khác.")
}

// checkText bounds free text; a station's lines are short.
func checkText(at, s string, most int) error {
	if len([]rune(s)) > most {
		return fault.Newf(fault.Invalid, "Phần này dài quá %d ký tự. Xin viết gọn lại.", most).In(at)
	}
	return nil
}

// checkRegistration checks what can be checked without asking anyone, and
// puts the fields into the form they are kept in.
func checkRegistration(r *stationsv1.RegisterPersonRequest, today time.Time) error {
	if err := checkClientID(r.GetClientId()); err != nil {
		return err
	}
	var err error
	if r.Name, err = checkName(r.GetName()); err != nil {
		return err
	}
	if _, err := checkBirth(r.GetBirthDate(), today); err != nil {
		return err
	}
	if r.Phone, err = checkPhone(r.GetPhone()); err != nil {
		return err
	}
	for _, check := range []error{
		checkGender(r.GetGender()), checkRelation(r.GetRelation()),
		checkText("hamlet", r.GetHamlet(), 100), checkText("address", r.GetAddress(), 200), checkText("ethnicity", r.GetEthnicity(), 50),
	} {
		if check != nil {
			return check
		}
	}
	r.Hamlet, r.Address, r.Ethnicity = strings.TrimSpace(r.GetHamlet()), strings.TrimSpace(r.GetAddress()), strings.TrimSpace(r.GetEthnicity())
	return nil
}
