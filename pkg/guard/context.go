package guard

import (
	"context"
	"slices"
	"strings"
	"sync"

	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
)

type (
	// Principal is who acts.
	Principal = accessv1.Principal
	// Scope says which compartments an operation may reach.
	Scope = accessv1.Scope
)

type key int

const (
	tokenKey key = iota
	principalKey
	scopeKey
	touchedKey
	reasonKey
)

// WithToken returns a context that carries a bearer token, not yet checked.
func WithToken(ctx context.Context, token string) context.Context {
	return context.WithValue(ctx, tokenKey, token)
}

func tokenOf(ctx context.Context) string {
	t, _ := ctx.Value(tokenKey).(string)
	return t
}

// WithReason returns a context that carries why the user opens a record.
func WithReason(ctx context.Context, reason string) context.Context {
	return context.WithValue(ctx, reasonKey, reason)
}

// ReasonOf returns why the user opens a record, in their words; empty when
// none was given.
func ReasonOf(ctx context.Context) string {
	r, _ := ctx.Value(reasonKey).(string)
	return r
}

// WithPrincipal returns a context in which p acts. Only a transport that has
// authenticated p, a test, As and Behalf may call it.
func WithPrincipal(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, principalKey, p)
}

// PrincipalOf returns who acts, or nil when nobody was authenticated yet.
func PrincipalOf(ctx context.Context) *Principal {
	p, _ := ctx.Value(principalKey).(*Principal)
	return p
}

// As returns a context in which the named service acts: for the principal of
// ctx if there is one, else on its own. The policy's rows for
// "service:<name>" then decide, and the audit log names both.
func As(ctx context.Context, service string) context.Context {
	p := &Principal{Service: service}
	if of := PrincipalOf(ctx); of != nil {
		p.Account, p.Name, p.Roles, p.Patient = of.GetAccount(), of.GetName(), of.GetRoles(), of.GetPatient()
		p.Practitioner, p.Facility, p.Session, p.Communes = of.GetPractitioner(), of.GetFacility(), of.GetSession(), of.GetCommunes()
		p.Merged = of.GetMerged()
	}
	return WithPrincipal(ctx, p)
}

// Behalf returns a context in which an account, or "service:name", acts in
// the background with the rights that it has by then, because of what it
// asked for when it was signed in (a Subscription).
func Behalf(ctx context.Context, actor string) context.Context {
	if service, ok := strings.CutPrefix(actor, "service:"); ok {
		return WithPrincipal(ctx, &Principal{Service: service})
	}
	return WithPrincipal(ctx, &Principal{Account: actor})
}

// WithScope returns a context in which queries reach s.
func WithScope(ctx context.Context, s *Scope) context.Context {
	return context.WithValue(ctx, scopeKey, s)
}

// ScopeOf returns what the operation may reach. Without a decision it is
// empty, which reaches nothing.
func ScopeOf(ctx context.Context) *Scope {
	if s, ok := ctx.Value(scopeKey).(*Scope); ok && s != nil {
		return s
	}
	return &Scope{}
}

// Covers reports whether s reaches the compartment of patient, who lives in commune.
func Covers(s *Scope, patient, commune string) bool {
	return s.GetAll() ||
		slices.Contains(s.GetPatients(), patient) ||
		commune != "" && slices.Contains(s.GetCommunes(), commune)
}

// touched collects the patients and targets that one operation touched.
type touched struct {
	mu   sync.Mutex
	list []touch
	seen map[touch]struct{}
}

type touch struct{ patient, target string }

// maxTouched bounds the targets that are named for one operation. Beyond it
// only the patients are: whose record was opened is never left out.
const maxTouched = 1000

func (t *touched) add(x touch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.list) >= maxTouched {
		x.target = ""
	}
	if len(t.list) < fewTouched {
		if !slices.Contains(t.list, x) {
			t.list = append(t.list, x)
		}
		return
	}
	if t.seen == nil {
		t.seen = map[touch]struct{}{}
		for _, y := range t.list {
			t.seen[y] = struct{}{}
		}
	}
	if _, twice := t.seen[x]; !twice {
		t.seen[x] = struct{}{}
		t.list = append(t.list, x)
	}
}

// fewTouched are compared one by one; most operations touch one.
const fewTouched = 8

// entries returns what was touched so far.
func (t *touched) entries() []touch {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.list)
}

// Touch notes for the audit log that the running operation touched target in
// patient's compartment. A patient is noted once per operation and target "".
func Touch(ctx context.Context, patient, target string) {
	if t, ok := ctx.Value(touchedKey).(*touched); ok {
		t.add(touch{patient, target})
	}
}
