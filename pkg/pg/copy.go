package pg

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
)

// InConn is InTx for what Copy sends: it hands the transaction's connection to f.
func InConn(ctx context.Context, db *sql.DB, level sql.IsolationLevel, f func(*sql.Conn) error) error {
	return Again(ctx, func() error {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		return inTx(ctx, conn, level, func(*sql.Tx) error { return f(conn) })
	})
}

// copier is what lib/pq's statements of COPY are.
type copier interface {
	driver.Stmt
	CopyData(ctx context.Context, line string) (driver.Result, error)
}

// copyChunk is how many bytes Copy hands to the driver at once.
const copyChunk = 60 << 10

// Copy adds rows to a table, written as COPY's text format has them, without
// the line feeds between them. It is the cheapest way to add many.
// The driver has no other way to rows that are written already: a statement's
// arguments would be converted one by one.
func Copy(ctx context.Context, conn *sql.Conn, table, columns string, rows []string) error {
	return conn.Raw(func(c any) error {
		p, ok := c.(driver.ConnPrepareContext)
		if !ok {
			return errors.New("the driver prepares no statements")
		}
		st, err := p.PrepareContext(ctx, "COPY "+table+" ("+columns+") FROM STDIN")
		if err != nil {
			return fmt.Errorf("copy to %s: %w", table, err)
		}
		defer st.Close()
		in, ok := st.(copier)
		if !ok {
			return errors.New("the driver copies no rows")
		}
		for len(rows) > 0 {
			n, size := 0, 0
			for n < len(rows) && size < copyChunk {
				size += len(rows[n])
				n++
			}
			if _, err := in.CopyData(ctx, strings.Join(rows[:n], "\n")); err != nil {
				return fmt.Errorf("copy to %s: %w", table, err)
			}
			rows = rows[n:]
		}
		// Without arguments it ends the copy and tells what became of it.
		if _, err := in.Exec(nil); err != nil { //nolint:staticcheck // the driver's way to end it
			return fmt.Errorf("copy to %s: %w", table, err)
		}
		return nil
	})
}
