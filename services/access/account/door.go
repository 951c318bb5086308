package account

import (
	"context"
	"fmt"
	"time"

	"github.com/yba-health/yba/pkg/fault"
)

// Door lets people in who know their password or hold an activation code.
type Door struct {
	store  Store
	hasher *Hasher
	now    func() time.Time
}

// NewDoor returns a door to the accounts of store.
func NewDoor(store Store, hasher *Hasher, now func() time.Time) *Door {
	return &Door{store, hasher, now}
}

// LimitedError is the error of a try that came too soon.
type LimitedError struct{ Wait time.Duration }

// Error tells how long to wait.
func (l *LimitedError) Error() string { return fmt.Sprintf("wait %s", l.Wait.Round(time.Second)) }

// errWrong is the one answer to an unknown username, a wrong password, a
// disabled account and an account that was never activated.
func errWrong() error {
	return fault.New(fault.Unauthenticated, "the username or the password is wrong", nil)
}

// Enter checks a password. Which of both was wrong stays open, in words and in time.
func (d *Door) Enter(ctx context.Context, username, password, address string) (Account, error) {
	return d.prove(ctx, username, password, address, func(c Credential) string { return c.Password })
}

// Activate checks a one-time code and sets the password with it.
func (d *Door) Activate(ctx context.Context, username, code, password, address string) (Account, error) {
	username = Username(username)
	if err := CheckPassword(username, password); err != nil {
		return Account{}, err
	}
	now := d.now()
	a, err := d.prove(ctx, username, ActivationCode(code), address, func(c Credential) string {
		if now.After(c.ActivationExpires) {
			return ""
		}
		return c.Activation
	})
	if err != nil {
		return Account{}, err
	}
	return a, d.SetPassword(ctx, a, password)
}

// SetPassword keeps a new password, and makes an activation code useless.
func (d *Door) SetPassword(ctx context.Context, a Account, password string) error {
	if err := CheckPassword(a.Username, password); err != nil {
		return err
	}
	hash, err := d.hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	return d.store.SetCredential(ctx, a.ID, Credential{Password: hash})
}

// Add opens an account. Without a password it returns a one-time activation code.
func (d *Door) Add(ctx context.Context, a Account, password string) (Account, string, error) {
	a.Username = Username(a.Username)
	if err := a.Check(); err != nil {
		return a, "", err
	}
	var c Credential
	var code string
	var err error
	if password != "" {
		if err := CheckPassword(a.Username, password); err != nil {
			return a, "", err
		}
		c.Password, err = d.hasher.Hash(ctx, password)
	} else {
		c, code, err = d.activation(ctx)
	}
	if err != nil {
		return a, "", err
	}
	a.ID, a.Created = NewID(), d.now()
	return a, code, d.store.AddAccount(ctx, a, c)
}

// Renew gives an account that was never activated a new activation code, for
// who lost the slip of paper; the old one stops to work. An account with a
// password is fault.Conflict.
func (d *Door) Renew(ctx context.Context, a Account) (string, error) {
	c, err := d.store.Credential(ctx, a.ID)
	if err != nil {
		return "", err
	}
	if c.Password != "" {
		return "", fault.New(fault.Conflict, "this person has an account already and has set a password", nil)
	}
	c, code, err := d.activation(ctx)
	if err != nil {
		return "", err
	}
	return code, d.store.SetCredential(ctx, a.ID, c)
}

func (d *Door) activation(ctx context.Context) (Credential, string, error) {
	code, err := NewActivationCode()
	if err != nil {
		return Credential{}, "", err
	}
	hash, err := d.hasher.Hash(ctx, code)
	return Credential{Activation: hash, ActivationExpires: d.now().Add(ActivationLife)}, code, err
}

func (d *Door) prove(ctx context.Context, username, secret, address string, of func(Credential) string) (Account, error) {
	username = Username(username)
	if len(username) > 64 || len(secret) > 4*maxPassword {
		return Account{}, errWrong()
	}
	attempts := Attempts(username, address)
	wait, err := d.store.CountAttempt(ctx, attempts, d.now())
	if err != nil {
		return Account{}, err
	}
	if wait > 0 {
		return Account{}, fault.New(fault.Limited, "too many tries; wait a little", &LimitedError{wait})
	}
	a, c, err := d.store.AccountByUsername(ctx, username)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Account{}, err
	}
	ok, err := d.hasher.Verify(ctx, of(c), secret)
	if err != nil {
		return Account{}, err
	}
	if !ok || !a.Disabled.IsZero() {
		return Account{}, errWrong()
	}
	// The pair and the account start anew; the address keeps what others failed.
	return a, d.store.ForgetAttempts(ctx, []string{attempts[0].Key, attempts[1].Key}, []string{attempts[2].Key})
}
