// Package account holds the people who use the system: who they are, how
// they prove it, and how guessing is slowed down.
package account

import (
	"crypto/rand"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/vitext"
	"github.com/yba-health/yba/services/access/merge"
)

// Roles that an account can have. The policy's rows use the same words.
var Roles = []string{"patient", "guardian", "nurse", "doctor", "specialist", "department", "administrator", "importer"}

// Account is one person's way into the system.
type Account struct {
	ID       string
	Username string
	// Name is shown to people: "BS. Trần Thị Hoa".
	Name  string
	Roles []string
	// Patient is the one whom the account was opened for, Merged whom that one
	// was merged into since.
	Patient      string
	Merged       merge.Line
	Practitioner string
	// Communes are keys of units as of today: "95012@2025-07-01".
	Communes []string
	Facility string
	Created  time.Time
	// Disabled is when the account was closed; zero while it is open.
	Disabled time.Time
}

// Is reports whether the account has the role.
func (a Account) Is(role string) bool { return slices.Contains(a.Roles, role) }

// Folded is what a search compares: username and name without tone marks.
func (a Account) Folded() string { return vitext.Fold(a.Username + " " + a.Name) }

// NewID returns an id that cannot be guessed.
func NewID() string { return strings.ToLower(rand.Text()) }

var (
	usernames = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{2,63}$`)
	units     = regexp.MustCompile(`^[0-9]{1,10}@[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
)

// Username returns the form in which a username is kept and compared.
func Username(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// Check says what is wrong with a new account.
func (a Account) Check() error {
	if !usernames.MatchString(a.Username) {
		return fault.New(fault.Invalid, "a username has 3 to 64 letters without marks, digits, and . _ - @", nil).In("username")
	}
	if strings.TrimSpace(a.Name) == "" || len(a.Name) > 200 {
		return fault.New(fault.Invalid, "the name people see is missing or too long", nil).In("name")
	}
	if len(a.Roles) == 0 {
		return fault.New(fault.Invalid, "an account needs at least one role: "+strings.Join(Roles, ", "), nil).In("roles")
	}
	for _, r := range a.Roles {
		if !slices.Contains(Roles, r) {
			return fault.New(fault.Invalid, "there is no such role; roles are "+strings.Join(Roles, ", "), nil).In("roles")
		}
	}
	if a.Is("patient") && a.Patient == "" {
		return fault.New(fault.Invalid, "an account with the role patient names its Patient", nil).In("patient")
	}
	for _, c := range a.Communes {
		if !units.MatchString(c) {
			return fault.New(fault.Invalid, "a commune is written as code and date, such as 95012@2025-07-01", nil).In("communes")
		}
	}
	if a.Is("nurse") && len(a.Communes) == 0 {
		return fault.New(fault.Invalid, "a nurse serves at least one commune", nil).In("communes")
	}
	return nil
}
