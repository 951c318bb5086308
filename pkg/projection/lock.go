package projection

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"

	"github.com/yba-health/yba/pkg/pg"
)

// Lock is an advisory lock of a PostgreSQL session: it ends with the
// connection, so a dead process holds nothing up. It takes one connection of
// the pool for as long as it is held.
type Lock struct {
	conn *sql.Conn
	key  int64
}

// Hold takes the lock of that key, nil when another session has it. Keys are
// of the whole database, so a service's key begins with its name.
func Hold(ctx context.Context, db *sql.DB, key int64) (*Lock, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, pg.Fault(err)
	}
	var got bool
	if err := conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1)`, key).Scan(&got); err != nil || !got {
		_ = conn.Close()
		return nil, pg.Fault(err)
	}
	return &Lock{conn, key}, nil
}

// Check fails when the lock was lost.
func (l *Lock) Check(ctx context.Context) error { return pg.Fault(l.conn.PingContext(ctx)) }

// Release gives the lock to whoever asks next. That ctx has ended is mostly
// why it is called, so it does not end with it.
func (l *Lock) Release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if _, err := l.conn.ExecContext(ctx, `SELECT pg_advisory_unlock($1)`, l.key); err != nil {
		// The pool must not get a session back that may still hold the lock.
		_ = l.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	_ = l.conn.Close()
}
