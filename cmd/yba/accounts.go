package main

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"os/user"
	"time"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/obs"
	"github.com/yba-health/yba/pkg/pg"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	"github.com/yba-health/yba/services/access"
	"github.com/yba-health/yba/services/access/account"
	"github.com/yba-health/yba/services/access/audit"
	"github.com/yba-health/yba/services/access/openid"
	"github.com/yba-health/yba/services/access/postgres"
)

// accountsTimeout bounds what a command does with the database, a start of
// the private server included.
const accountsTimeout = 2 * time.Minute

// withAccounts opens the tables of access, brings them up to date and calls f.
// Whoever may read the data folder or knows the database URL may do so; every
// change is written to the audit log under the name of the machine's user.
func withAccounts(ctx context.Context, cfg *config.Config, f func(ctx context.Context, store *postgres.Store) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, accountsTimeout)
	defer cancel()
	log, err := obs.Logger(os.Stderr, cfg.LogLevel, cfg.LogFormat)
	if err != nil {
		return err
	}
	dsn, stop, err := openDatabase(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	db, err := pg.Open(dsn, "command", 2)
	if err != nil {
		return err
	}
	defer func(db *sql.DB) { err = errors.Join(err, db.Close()) }(db)
	if err := pg.Migrate(ctx, db, "access", postgres.Migrations()); err != nil {
		return err
	}
	return f(ctx, postgres.New(db))
}

// noteCommand writes what a command did to the audit log.
func noteCommand(ctx context.Context, store *postgres.Store, operation string, a account.Account, reason string) error {
	name := "command line"
	if u, err := user.Current(); err == nil {
		name += " (" + u.Username + ")"
	}
	entry := audit.From(&accessv1.AuditEntry{
		Operation: operation, Name: name, Service: "yba", Patient: a.Patient, Target: "account/" + a.ID, Outcome: "ok", Reason: reason,
	}, time.Now())
	return store.AppendAudit(ctx, []audit.Entry{entry})
}

// createAccount opens an account on the machine; an empty password is not
// asked for here.
func createAccount(ctx context.Context, cfg *config.Config, req *accessv1.CreateAccountRequest) error {
	return withAccounts(ctx, cfg, func(ctx context.Context, store *postgres.Store) error {
		_, _, err := createIn(ctx, store, req)
		return err
	})
}

func createIn(ctx context.Context, store *postgres.Store, req *accessv1.CreateAccountRequest) (*accessv1.Account, string, error) {
	a, code, err := access.OpenAccount(ctx, store, req, time.Now)
	if err != nil {
		return nil, "", err
	}
	return a, code, noteCommand(ctx, store, "access.CreateAccount", account.Account{ID: a.GetId(), Patient: a.GetPatient()}, "")
}

// mintToken returns an access token for an account, for commands that act as
// clients of this machine's server.
func mintToken(ctx context.Context, cfg *config.Config, username string) (string, error) {
	return mintTokenFor(ctx, cfg, username, openid.TokenLife)
}

func mintTokenFor(ctx context.Context, cfg *config.Config, username string, life time.Duration) (token string, err error) {
	folder, err := cfg.Folder("access")
	if err != nil {
		return "", err
	}
	keys, err := openid.LoadKeys(folder)
	if err != nil {
		return "", err
	}
	err = withAccounts(ctx, cfg, func(ctx context.Context, store *postgres.Store) error {
		a, err := findAccount(ctx, store, username)
		if err != nil {
			return err
		}
		if !a.Disabled.IsZero() {
			return errors.New("the account is disabled")
		}
		if err := noteCommand(ctx, store, "access.MintToken", a, "for "+life.String()); err != nil {
			return err
		}
		token, err = openid.NewToken(ctx, store, keys, a, life, time.Now())
		return err
	})
	return token, err
}
