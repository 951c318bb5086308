// Package units knows Vietnam's administrative units through time. Reforms
// dissolve units, merge them whole or in part, and give old codes to new
// areas: of the communes made on 1 July 2025 nearly all carry the code of an
// older, different one. So a unit's key is its code with the day it came into
// force, a type of its own: a bare code cannot be compared with it.
package units

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Key names one unit. The zero value names none.
type Key struct {
	// Code is the official one: 2 digits for a province, 3 for a district, 5
	// for a commune.
	Code Code
	// From is the day the unit came into force; the zero Date where the
	// sources know no beginning.
	From Date
}

// Code is an official code. Alone it does not say which unit is meant.
type Code string

// String writes the key as "95012@2025-07-01", or "00004@" without a beginning.
func (k Key) String() string { return string(k.Code) + "@" + k.From.String() }

// ParseKey reads what String writes.
func ParseKey(s string) (Key, error) {
	code, from, ok := strings.Cut(s, "@")
	if !ok {
		return Key{}, fmt.Errorf("%q does not say since when: a unit is written 95012@2025-07-01", s)
	}
	c, err := ParseCode(code)
	if err != nil {
		return Key{}, err
	}
	d, err := ParseDate(from)
	if err != nil {
		return Key{}, err
	}
	return Key{c, d}, nil
}

// ParseCode reads an official code: 2 to 10 digits.
func ParseCode(s string) (Code, error) {
	if len(s) < 2 || len(s) > 10 || strings.Trim(s, "0123456789") != "" {
		return "", fmt.Errorf("%q is no code of 2 to 10 digits", s)
	}
	return Code(s), nil
}

// Date is a day written 2006-01-02, or "" for none; it sorts as text.
type Date string

// ParseDate reads a day of the years 1900 to 2999, or "" as none.
func ParseDate(s string) (Date, error) {
	if s == "" {
		return "", nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1900 || t.Year() > 2999 {
		return "", fmt.Errorf("%q is no date such as 2025-07-01", s)
	}
	return Date(s), nil
}

// String returns the date as text.
func (d Date) String() string { return string(d) }

// Before returns the day before d.
func (d Date) Before() Date {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return ""
	}
	return Date(t.AddDate(0, 0, -1).Format(time.DateOnly))
}

// Level is a unit's place in the order of units.
type Level string

// The levels. Districts ended on 30 June 2025; they stay readable.
const (
	Province Level = "province"
	District Level = "district"
	Commune  Level = "commune"
	Hamlet   Level = "hamlet"
)

// Unit is one administrative unit for as long as it was in force.
type Unit struct {
	Key
	Level  Level
	Name   string
	NameEn string
	// Kind is the Vietnamese word: Tỉnh, Xã, Phường, Đặc khu.
	Kind string
	// Parent is the code of the unit above, in force at the same time; empty
	// for a province.
	Parent Code
	// To is the last day in force; the zero Date while it is.
	To Date
}

// In reports whether the unit was in force on day.
func (u Unit) In(day Date) bool { return u.From <= day && (u.To == "" || day <= u.To) }

// Check reports what is wrong with u by itself.
func (u Unit) Check() error {
	switch u.Level {
	case Province, District, Commune, Hamlet:
	default:
		return fmt.Errorf("level %q is none of province, district, commune, hamlet", u.Level)
	}
	if _, err := ParseCode(string(u.Code)); err != nil {
		return err
	}
	if u.Name == "" {
		return errors.New("a unit needs a name")
	}
	if (u.Level == Province) != (u.Parent == "") {
		return errors.New("every unit but a province has a parent")
	}
	if u.To != "" && u.To < u.From {
		return fmt.Errorf("it ended on %s, before it began on %s", u.To, u.From)
	}
	return nil
}

// Extent says how much of the old unit went into the new one.
type Extent string

// The extents.
const (
	Full    Extent = "full"
	Partial Extent = "partial"
)

// Succession says that Old became part of New, on the day New came into force.
type Succession struct {
	Old, New Key
	Extent   Extent
}
