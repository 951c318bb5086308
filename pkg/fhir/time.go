package fhir

import (
	"strconv"
	"time"

	"github.com/yba-health/yba/pkg/fault"
)

// Far is the open end of a range of time.
var (
	FarPast   = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	FarFuture = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

// TimeRange reads a date, dateTime or instant as the half-open range of time
// that its precision leaves open (https://hl7.org/fhir/R4/search.html#date).
// A value without a time zone is read in zone.
func TimeRange(s string, zone *time.Location) (low, high time.Time, err error) {
	fail := fault.New(fault.Invalid, "a date such as 2024, 2024-05, 2024-05-17 or 2024-05-17T08:30:00+07:00 is expected", nil)
	year, rest, ok := number(s, 4)
	if !ok || year == 0 {
		return low, high, fail
	}
	if rest == "" {
		low = time.Date(year, 1, 1, 0, 0, 0, 0, zone)
		return low, low.AddDate(1, 0, 0), nil
	}
	month, rest, ok := after(rest, '-')
	if !ok || month < 1 || month > 12 {
		return low, high, fail
	}
	if rest == "" {
		low = time.Date(year, time.Month(month), 1, 0, 0, 0, 0, zone)
		return low, low.AddDate(0, 1, 0), nil
	}
	day, rest, ok := after(rest, '-')
	low = time.Date(year, time.Month(month), day, 0, 0, 0, 0, zone)
	if !ok || day < 1 || low.Day() != day {
		return low, high, fail
	}
	if rest == "" {
		return low, low.AddDate(0, 0, 1), nil
	}
	return clock(year, month, day, rest, zone, fail)
}

// clock reads "Thh:mm[:ss[.fff]][zone]".
func clock(year, month, day int, s string, zone *time.Location, fail error) (low, high time.Time, err error) {
	hour, s, ok := after(s, 'T')
	minute, s, ok2 := after(s, ':')
	if !ok || !ok2 || hour > 23 || minute > 59 {
		return low, high, fail
	}
	second, nanos, width := 0, 0, time.Minute
	if s != "" && s[0] == ':' {
		if second, s, ok = after(s, ':'); !ok || second > 60 {
			return low, high, fail
		}
		width = time.Second
	}
	if s != "" && s[0] == '.' && width == time.Second {
		n := 1
		unit := int(time.Second)
		for ; n < len(s) && s[n] >= '0' && s[n] <= '9'; n++ {
			unit /= 10
			nanos += int(s[n]-'0') * unit
		}
		if n == 1 {
			return low, high, fail
		}
		s = s[n:]
		// Finer than the index's microsecond is a point.
		width = max(time.Duration(unit), time.Microsecond)
	}
	switch {
	case s == "":
	case s == "Z":
		zone = time.UTC
	case len(s) == 6 && (s[0] == '+' || s[0] == '-'):
		h, rest, ok := number(s[1:], 2)
		m, rest, ok2 := after(rest, ':')
		if !ok || !ok2 || rest != "" || h > 14 || m > 59 {
			return low, high, fail
		}
		offset := h*3600 + m*60
		if s[0] == '-' {
			offset = -offset
		}
		zone = time.FixedZone("", offset)
	default:
		return low, high, fail
	}
	low = time.Date(year, time.Month(month), day, hour, minute, second, nanos, zone)
	return low, low.Add(width), nil
}

// after reads the two digits that follow sep.
func after(s string, sep byte) (int, string, bool) {
	if s == "" || s[0] != sep {
		return 0, s, false
	}
	return number(s[1:], 2)
}

func number(s string, digits int) (int, string, bool) {
	if len(s) < digits {
		return 0, s, false
	}
	for i := range digits {
		if s[i] < '0' || s[i] > '9' {
			return 0, s, false
		}
	}
	n, err := strconv.Atoi(s[:digits])
	return n, s[digits:], err == nil
}
