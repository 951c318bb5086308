package exchange

import (
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/yba-health/yba/pkg/fhir"
)

// The kinds of identifier.
const (
	// KindCCCD is the citizen's personal number, số định danh cá nhân.
	KindCCCD = "cccd"
	// KindBHYT is the health-insurance number, in any of its forms.
	KindBHYT = "bhyt"
	// KindBHXH is the social-insurance number.
	KindBHXH = "bhxh"
	// KindFacility is the code of a health facility, mã CSKCB.
	KindFacility = "facility"
)

var systemOf = map[string]string{
	KindCCCD: fhir.SystemCCCD, KindBHYT: fhir.SystemBHYT, KindBHXH: fhir.SystemBHXH, KindFacility: fhir.SystemFacility,
}

// Checked is an identifier that was looked at.
type Checked struct {
	Kind string
	// Value has no blanks and stands in capitals.
	Value string
	// System is the FHIR system that the value is kept under.
	System string
	// Problem says what is wrong and what to do, for the person who typed it.
	// It is empty when the structure is right.
	Problem string
	// Parts are what the number itself says.
	Parts map[string]string
}

// Valid reports whether the structure is right.
func (c Checked) Valid() bool { return c.Problem == "" }

// Check parses typed as an identifier of the given kind; an empty kind lets
// the form decide. Now bounds the years of birth that can be.
func Check(kind, typed string, now time.Time) Checked {
	value := Normalize(typed)
	if kind == "" {
		kind = guess(value)
	}
	c := Checked{Kind: kind, Value: value, System: systemOf[kind], Parts: map[string]string{}}
	switch {
	case value == "":
		c.Problem = "Chưa có số nào. Nhờ anh/chị nhập lại số trên giấy tờ."
	case kind == KindCCCD:
		c.cccd(now)
	case kind == KindBHYT:
		c.bhyt(now)
	case kind == KindBHXH:
		c.bhxh()
	case kind == KindFacility:
		c.facility()
	case kind == "":
		c.Problem = "Số này không giống loại giấy tờ nào hệ thống biết (CCCD 12 số, thẻ BHYT 15 ký tự, mã số BHXH 10 số, mã cơ sở 5 ký tự). Nhờ anh/chị xem lại giấy tờ."
	default:
		c.Problem = "Hệ thống chưa biết loại giấy tờ này. Anh/chị chọn CCCD, BHYT, BHXH hoặc mã cơ sở khám chữa bệnh."
	}
	return c
}

// Normalize returns s without blanks, dots and dashes, in capitals. Digits of
// other widths, as some keyboards type them, become plain ones.
func Normalize(s string) string {
	// A spacing accent becomes a blank and a combining one, and where the blank
	// goes the accent joins the letter before: so it is done until nothing
	// changes, which two or three rounds reach; the bound is for foreign bytes.
	for range 8 {
		clean := strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune(".-–‐", r) {
				return -1
			}
			return unicode.ToUpper(r)
		}, norm.NFKC.String(s))
		if clean == s {
			return s
		}
		s = clean
	}
	return s
}

// guess tells the kind by the form. Ten digits are also what a phone number
// has: whoever knows the field it came from should say the kind.
func guess(value string) string {
	switch {
	case digits(value) && len(value) == 12:
		return KindCCCD
	case digits(value) && len(value) == 10:
		return KindBHXH
	case len(value) == 15 && letters(value[:2]):
		return KindBHYT
	case len(value) == 5 && alphanumeric(value):
		return KindFacility
	}
	return ""
}

func digits(s string) bool  { return s != "" && strings.Trim(s, "0123456789") == "" }
func letters(s string) bool { return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" }

func alphanumeric(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}

// onlyDigits says in one sentence what to do about a number of the wrong
// form, or "" when it has n digits.
func onlyDigits(name, value string, n int) string {
	length := len([]rune(value))
	switch {
	case strings.ContainsAny(value, "OIL") && digits(strings.Map(toDigit, value)):
		return name + " chỉ có chữ số. Có vẻ có chữ O hoặc chữ I ở chỗ số 0 hoặc số 1, nhờ anh/chị sửa lại."
	case !digits(value):
		return name + " chỉ có chữ số, ở đây có ký tự khác. Nhờ anh/chị xem lại."
	case length < n:
		return name + " phải đủ " + itoa(n) + " số, ở đây mới có " + itoa(length) + " số. Nhờ anh/chị nhập thêm cho đủ."
	case length > n:
		return name + " chỉ có " + itoa(n) + " số, ở đây có đến " + itoa(length) + " số. Nhờ anh/chị xem số nào thừa."
	}
	return ""
}

func toDigit(r rune) rune {
	switch r {
	case 'O':
		return '0'
	case 'I', 'L':
		return '1'
	}
	return r
}
