package fhirpath

import (
	"fmt"
	"math/big"
	"time"
)

// instant is a date, dateTime or time, as far as it is known.
type instant struct {
	kind kind
	// part: year, month, day, hour, minute, milliseconds of the minute.
	part [6]int
	// known is the number of parts that are known; a time begins with the hour.
	known int
	// millis: it tells milliseconds.
	millis bool
	zone   int // minutes east of UTC
	zoned  bool
}

const (
	partDay    = 3
	partHour   = 4
	partMinute = 5
	partSecond = 6
)

// parseMoment reads 2015, 2015-02, 2015-02-04, 2015-02-04T14:34:28.123+09:00
// and T14:34:28. Literals may end after the T or the hour.
func parseMoment(s string, literal bool) (instant, bool) {
	var t instant
	ok := true
	two := func(sep string) int {
		if len(s) < len(sep)+2 || s[:len(sep)] != sep || !digit(s[len(sep)]) || !digit(s[len(sep)+1]) {
			ok = false
			return 0
		}
		n := int(s[len(sep)]-'0')*10 + int(s[len(sep)+1]-'0')
		s = s[len(sep)+2:]
		return n
	}
	t.kind = clock
	t.part = [6]int{1, 1, 1, 0, 0, 0}
	if s != "" && s[0] != 'T' {
		t.kind = date
		if len(s) < 4 {
			return t, false
		}
		t.part[0] = two("")*100 + two("")
		t.known = 1
		for i := 1; i < 3 && s != "" && s[0] == '-'; i++ {
			t.part[i] = two("-")
			t.known++
		}
	}
	if s != "" && s[0] == 'T' {
		if t.kind == date {
			t.kind = dateTime
		} else {
			t.known = partDay
		}
		if s = s[1:]; s != "" {
			t.part[3] = two("")
			t.known = partHour
		} else if !literal || t.kind == clock {
			return t, false
		}
		ok = ok && t.time(&s, two)
	}
	if !ok || s != "" {
		return t, false
	}
	return t, t.possible()
}

// time reads what follows the hour.
func (t *instant) time(s *string, two func(string) int) bool {
	rest := func(c byte) bool { return *s != "" && (*s)[0] == c }
	if rest(':') {
		t.part[4] = two(":")
		t.known = partMinute
	}
	if rest(':') {
		t.part[5] = two(":") * 1000
		t.known = partSecond
	}
	if rest('.') && t.known == partSecond {
		unit := 100
		i := 1
		for ; i < len(*s) && digit((*s)[i]); i++ {
			t.part[5] += int((*s)[i]-'0') * unit
			unit /= 10
		}
		t.millis = true
		*s = (*s)[i:]
		if i == 1 {
			return false
		}
	}
	if rest('Z') {
		*s, t.zoned = (*s)[1:], true
		return t.kind == dateTime
	}
	if rest('+') || rest('-') {
		sign := 1
		if rest('-') {
			sign = -1
		}
		t.zone, t.zoned = two((*s)[:1])*60, true
		t.zone = sign * (t.zone + two(":"))
		return t.kind == dateTime
	}
	return true
}

func (t instant) possible() bool {
	day := time.Date(t.part[0], time.Month(t.part[1]), t.part[2], 0, 0, 0, 0, time.UTC)
	return t.part[0] > 0 && t.part[1] >= 1 && t.part[1] <= 12 && day.Day() == t.part[2] &&
		t.part[3] < 24 && t.part[4] < 60 && t.part[5] < 61_000 && t.zone <= 14*60 && t.zone >= -14*60
}

// when is the time at which it begins.
func (t instant) when() time.Time {
	return time.Date(t.part[0], time.Month(t.part[1]), t.part[2], t.part[3], t.part[4], t.part[5]/1000, t.part[5]%1000*1e6, time.FixedZone("", t.zone*60))
}

// at sets the parts to those of a time, keeping what is known.
func (t instant) at(w time.Time) instant {
	w = w.In(time.FixedZone("", t.zone*60))
	t.part = [6]int{w.Year(), int(w.Month()), w.Day(), w.Hour(), w.Minute(), w.Second()*1000 + w.Nanosecond()/1e6}
	return t
}

func (t instant) String() string {
	s := ""
	p := t.part
	if t.kind != clock {
		s = fmt.Sprintf("%04d", p[0])
		if t.known > 1 {
			s += fmt.Sprintf("-%02d", p[1])
		}
		if t.known > 2 {
			s += fmt.Sprintf("-%02d", p[2])
		}
		if t.kind == dateTime {
			s += "T"
		}
	}
	if t.known >= partHour {
		s += fmt.Sprintf("%02d", p[3])
	}
	if t.known >= partMinute {
		s += fmt.Sprintf(":%02d", p[4])
	}
	if t.known >= partSecond {
		s += fmt.Sprintf(":%02d", p[5]/1000)
	}
	if t.millis {
		s += fmt.Sprintf(".%03d", p[5]%1000)
	}
	if t.zoned {
		sign, zone := "+", t.zone
		if zone < 0 {
			sign, zone = "-", -zone
		}
		s += fmt.Sprintf("%s%02d:%02d", sign, zone/60, zone%60)
	}
	return s
}

// compareMoments compares part by part; known is false where one of them ends
// before they differ, or where only one tells its time zone.
func compareMoments(a, b instant) (order int, known bool) {
	if a.known >= partHour && b.known >= partHour && a.kind != clock {
		switch {
		case a.zoned && b.zoned:
			a, b = a.utc(), b.utc()
		case a.zoned != b.zoned:
			d := a.when().Sub(b.when())
			if d > 26*time.Hour || d < -26*time.Hour {
				return a.when().Compare(b.when()), true
			}
			return 0, false
		}
	}
	for i := range min(a.known, b.known) {
		if a.part[i] != b.part[i] {
			if a.part[i] < b.part[i] {
				return -1, true
			}
			return 1, true
		}
	}
	return 0, a.known == b.known
}

func (t instant) utc() instant {
	w := t.when()
	t.zone = 0
	return t.at(w)
}

// plus adds a duration; it is cut to what is known
// (https://hl7.org/fhirpath/N1/#datetime-arithmetic).
func (t instant) plus(n number10, unit string) (instant, bool) {
	whole := new(big.Int).Quo(n.r.Num(), n.r.Denom())
	if !whole.IsInt64() || whole.Int64() > 1e9 || whole.Int64() < -1e9 {
		return t, false
	}
	count := int(whole.Int64())
	switch unit {
	case "year", "month":
		if unit == "year" {
			count *= 12
		}
		if t.kind == clock {
			return t, false
		}
		month := t.part[0]*12 + t.part[1] - 1 + count
		t.part[0], t.part[1] = month/12, month%12+1
		last := time.Date(t.part[0], time.Month(t.part[1])+1, 0, 0, 0, 0, 0, time.UTC).Day()
		t.part[2] = min(t.part[2], last)
		return t, t.part[0] > 0 && t.part[0] < 10000
	}
	width, ok := durations[unit]
	if !ok {
		return t, false
	}
	r := n.r
	if width > time.Second {
		// Only of seconds a part can be added.
		r = new(big.Rat).SetInt(whole)
	}
	millis, _ := new(big.Rat).Mul(r, big.NewRat(width.Milliseconds(), 1)).Float64()
	if millis > 9e12 || millis < -9e12 {
		return t, false
	}
	if t.known < partDay && width >= 24*time.Hour {
		// Of a month only whole months are added, of 30 days.
		days := int(millis / 86_400_000)
		if t.known == 1 {
			return t.plus(number10{r: big.NewRat(int64(days/365), 1)}, "year")
		}
		return t.plus(number10{r: big.NewRat(int64(days/30), 1)}, "month")
	}
	if t.known < partHour {
		millis = float64(int(millis/86_400_000)) * 86_400_000
	}
	out := t.at(t.when().Add(time.Duration(millis) * time.Millisecond))
	return out, out.part[0] > 0 && out.part[0] < 10000
}

// durations are the units that have a fixed length.
var durations = map[string]time.Duration{
	"week": 7 * 24 * time.Hour, "day": 24 * time.Hour, "hour": time.Hour,
	"minute": time.Minute, "second": time.Second, "millisecond": time.Millisecond,
}
