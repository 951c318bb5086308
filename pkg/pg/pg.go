// Package pg is the suite's way to PostgreSQL: opening pools, migrations, a
// supervised private server, transactions, and what driver errors mean.
package pg

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/lib/pq"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"github.com/yba-health/yba/pkg/fault"
)

// Open returns a pool of at most conns connections to the database at dsn (a
// postgres:// URL), named after the service for pg_stat_activity.
func Open(dsn, service string, conns int) (*sql.DB, error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, errors.New("the database URL must look like postgres://user:password@host:5432/name")
	}
	q := u.Query()
	q.Set("application_name", "yba-"+service)
	// One round trip for a query with arguments instead of two.
	q.Set("binary_parameters", "yes")
	if q.Get("sslmode") == "" {
		q.Set("sslmode", "prefer")
	}
	u.RawQuery = q.Encode()
	connector, err := pq.NewConnector(u.String())
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db, nil
}

// Migrate brings the schema of one service up to date. The schema and its
// version table bear the service's name.
func Migrate(ctx context.Context, db *sql.DB, service string, migrations fs.FS) error {
	if _, err := db.ExecContext(ctx, `CREATE SCHEMA IF NOT EXISTS `+pq.QuoteIdentifier(service)); err != nil {
		return fmt.Errorf("schema %s: %w", service, err)
	}
	store, err := database.NewStore(goose.DialectPostgres, service+".goose_version")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider("", db, migrations, goose.WithStore(store), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrations of %s: %w", service, err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrations of %s: %w", service, err)
	}
	return nil
}

// InTx runs f in a transaction at the given isolation level and commits.
// Serialization failures and deadlocks are tried again, at most five times;
// f must therefore have no effect outside the transaction. The error of the
// commit is returned, so nothing is acknowledged that was not committed.
func InTx(ctx context.Context, db *sql.DB, level sql.IsolationLevel, f func(*sql.Tx) error) error {
	return Again(ctx, func() error { return inTx(ctx, db, level, f) })
}

// Again runs a transaction, which may be a single statement, until it is not
// one of those that may succeed later, at most five times.
func Again(ctx context.Context, transaction func() error) error {
	for try := 1; ; try++ {
		err := transaction()
		if err == nil || try == 5 || !Retryable(err) {
			return Fault(err)
		}
		select {
		case <-ctx.Done():
			return Fault(err)
		case <-time.After(time.Duration(try*try) * 5 * time.Millisecond):
		}
	}
}

func inTx(ctx context.Context, db *sql.DB, level sql.IsolationLevel, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: level})
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	return tx.Commit()
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// Retryable reports whether the same transaction may succeed when run again.
func Retryable(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	return ok && (e.Code == "40001" || e.Code == "40P01")
}

// Unique reports whether err is a violation of the named unique constraint;
// an empty name means any.
func Unique(err error, constraint string) bool {
	e, ok := errors.AsType[*pq.Error](err)
	return ok && e.Code == "23505" && (constraint == "" || e.Constraint == constraint)
}

// Fault gives a driver's error its class. A classified error stays as it is.
func Fault(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if errors.Is(err, sql.ErrNoRows) {
		return fault.New(fault.NotFound, "not found", err)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fault.New(fault.Unavailable, "the request was given up before it was done", err)
	}
	if e, ok := errors.AsType[*pq.Error](err); ok {
		switch {
		case e.Code == "23505":
			return fault.New(fault.Conflict, "it exists already", err)
		case e.Code == "40001" || e.Code == "40P01":
			return fault.New(fault.Conflict, "somebody else changed the same data at the same time; try again", err)
		case e.Code == "22021" || e.Code == "22P05":
			return fault.New(fault.Invalid, "a text holds a character that cannot be stored, such as U+0000", err)
		case e.Code == "57014":
			return fault.New(fault.Unavailable, "the request was given up before it was done", err)
		case strings.HasPrefix(string(e.Code), "08"), strings.HasPrefix(string(e.Code), "53"), strings.HasPrefix(string(e.Code), "57P"):
			return fault.New(fault.Unavailable, "the database is not available", err)
		}
	}
	if _, ok := errors.AsType[*net.OpError](err); ok || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.New(fault.Unavailable, "the database is not available", err)
	}
	return fault.New(fault.Internal, "internal error", err)
}
