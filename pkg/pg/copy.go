package pg

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// InConn is InTx for what Copy sends: it hands the transaction's connection to
// f. The driver begins and ends the transaction: a sql.Tx would hold on to the
// connection, and a statement that finds it broken would wait for it for ever.
func InConn(ctx context.Context, db *sql.DB, level sql.IsolationLevel, f func(*sql.Conn) error) error {
	return Again(ctx, func() error {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		var tx driver.Tx
		err = conn.Raw(func(c any) error {
			b, ok := c.(driver.ConnBeginTx)
			if !ok {
				return errors.New("the driver begins no transactions")
			}
			tx, err = b.BeginTx(ctx, driver.TxOptions{Isolation: driver.IsolationLevel(level)})
			return err
		})
		if err != nil {
			discard(conn)
			return err
		}
		if err := errors.Join(f(conn), ctx.Err()); err != nil {
			if conn.Raw(func(any) error { return tx.Rollback() }) != nil {
				discard(conn)
			}
			return err
		}
		if err = conn.Raw(func(any) error { return tx.Commit() }); err != nil {
			discard(conn)
		}
		return err
	})
}

// discard keeps a connection that may be in a transaction out of the pool.
func discard(conn *sql.Conn) { _ = conn.Raw(func(any) error { return driver.ErrBadConn }) }

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

// Line builds lines for Copy, column by column. The zero value is empty.
type Line struct{ b []byte }

func (l *Line) sep() {
	if len(l.b) > 0 {
		l.b = append(l.b, '\t')
	}
}

// Int adds a number.
func (l *Line) Int(n int64) *Line {
	l.sep()
	l.b = strconv.AppendInt(l.b, n, 10)
	return l
}

// Bytes adds a bytea.
func (l *Line) Bytes(v []byte) *Line {
	l.sep()
	l.b = hex.AppendEncode(append(l.b, `\\x`...), v)
	return l
}

// Text adds a text. It must not be the first column: an empty one begins no line.
func (l *Line) Text(v string) *Line {
	l.sep()
	l.escaped(v)
	return l
}

func (l *Line) escaped(v string) {
	for i := range len(v) {
		l.escape(v[i])
	}
}

func (l *Line) escape(c byte) {
	switch c {
	case '\\':
		l.b = append(l.b, `\\`...)
	case '\n':
		l.b = append(l.b, `\n`...)
	case '\r':
		l.b = append(l.b, `\r`...)
	case '\t':
		l.b = append(l.b, `\t`...)
	default:
		l.b = append(l.b, c)
	}
}

// Texts adds an array of texts.
func (l *Line) Texts(list []string) *Line {
	l.sep()
	l.b = append(l.b, '{')
	for i, v := range list {
		if i > 0 {
			l.b = append(l.b, ',')
		}
		l.b = append(l.b, '"')
		for j := range len(v) {
			if c := v[j]; c == '"' || c == '\\' {
				l.escape('\\') // within an array's quotes; COPY undoes its own escapes first
			}
			l.escape(v[j])
		}
		l.b = append(l.b, '"')
	}
	l.b = append(l.b, '}')
	return l
}

// End returns the line and begins the next.
func (l *Line) End() string {
	line := string(l.b)
	l.b = l.b[:0]
	return line
}
