// Package audit makes the append-only log of who reached whose data: what an
// entry holds, and the chain of hashes that shows whether the log was changed.
package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"
	"unicode/utf8"

	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
)

// Entry is one access to one patient's data, or one refused attempt.
type Entry struct {
	Seq       int64
	At        time.Time
	Operation string
	Account   string
	Name      string
	Roles     []string
	Service   string
	Facility  string
	Patient   string
	Target    string
	Outcome   string
	Reason    string
	Previous  []byte
	Hash      []byte
}

// Bounds of what an entry keeps: targets and reasons come from callers.
const (
	maxText   = 300
	maxReason = 1000
)

// From returns the entry of a message. It never fails, because an entry that
// could not be kept would be an access that nobody sees: an unreadable time
// becomes now, and text is cut to what the database takes.
func From(m *accessv1.AuditEntry, now time.Time) Entry {
	at, err := time.Parse(time.RFC3339, m.GetAt())
	if err != nil || at.Year() < 2000 || at.Year() > 9999 {
		at = now
	}
	e := Entry{
		At: at.UTC().Truncate(time.Millisecond), Operation: clean(m.GetOperation(), maxText),
		Account: clean(m.GetAccount(), maxText), Name: clean(m.GetName(), maxText), Service: clean(m.GetService(), maxText),
		Facility: clean(m.GetFacility(), maxText), Patient: clean(m.GetPatient(), maxText), Target: clean(m.GetTarget(), maxText),
		Outcome: clean(m.GetOutcome(), maxText), Reason: clean(m.GetReason(), maxReason), Roles: []string{},
	}
	for _, r := range m.GetRoles() {
		e.Roles = append(e.Roles, clean(r, maxText))
	}
	return e
}

// clean drops what PostgreSQL's text cannot hold (NUL, broken UTF-8) and cuts
// to max runes.
func clean(s string, limit int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit])
}

// Message returns the entry as others see it.
func (e Entry) Message() *accessv1.AuditEntry {
	return &accessv1.AuditEntry{
		At: e.At.UTC().Format("2006-01-02T15:04:05.000Z"), Operation: e.Operation, Account: e.Account, Name: e.Name,
		Roles: e.Roles, Service: e.Service, Facility: e.Facility, Patient: e.Patient, Target: e.Target,
		Outcome: e.Outcome, Reason: e.Reason, Seq: e.Seq,
	}
}

// Sum is the hash of an entry: SHA-256 over the hash before it and the
// entry's fields, each with its length in front so that no two entries have
// the same encoding.
func (e Entry) Sum(previous []byte) []byte {
	h := sha256.New()
	var n [8]byte
	number := func(v int64) {
		binary.BigEndian.PutUint64(n[:], uint64(v))
		h.Write(n[:])
	}
	text := func(s string) {
		number(int64(len(s)))
		h.Write([]byte(s))
	}
	text(string(previous))
	number(e.Seq)
	number(e.At.UnixMilli())
	for _, s := range []string{e.Operation, e.Account, e.Name, e.Service, e.Facility, e.Patient, e.Target, e.Outcome, e.Reason} {
		text(s)
	}
	number(int64(len(e.Roles)))
	for _, r := range e.Roles {
		text(r)
	}
	return h.Sum(nil)
}

// Link numbers and chains entries after the last one in the log.
func Link(last int64, lastHash []byte, entries []Entry) {
	for i := range entries {
		last++
		entries[i].Seq, entries[i].Previous = last, lastHash
		entries[i].Hash = entries[i].Sum(lastHash)
		lastHash = entries[i].Hash
	}
}
