package postgres

import (
	"context"
	"database/sql"
	"strings"

	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
)

// Known returns those of refs that are there, deletions included.
func (s *Store) Known(ctx context.Context, refs []record.Ref) (map[record.Ref]bool, error) {
	found := map[record.Ref]bool{}
	var types, ids array
	for _, x := range refs {
		types.int(int64(x.Type))
		ids.text(x.Target)
	}
	rows, err := s.query(ctx, s.db, true, `SELECT d.type, d.id FROM unnest($1::smallint[], $2::text[]) AS n(type, id)
		JOIN records.directory d ON d.type = n.type AND d.id = n.id`, types.arg(), ids.arg())
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	for rows.Next() {
		var x record.Ref
		if err := rows.Scan(&x.Type, &x.Target); err != nil {
			return nil, pg.Fault(err)
		}
		found[x] = true
	}
	return found, pg.Fault(rows.Err())
}

// Add stores the first versions of resources in one transaction. What they
// refer to is not looked for: the files of an import may come in any order. again
// tells that one of them is there already.
func (s *Store) Add(ctx context.Context, by record.Author, writes []record.Write) (again bool, err error) {
	if err := s.learnSystems(ctx, writes); err != nil {
		return false, err
	}
	select {
	case s.writers <- struct{}{}:
		defer func() { <-s.writers }()
	case <-ctx.Done():
		return false, pg.Fault(ctx.Err())
	}
	copies, large := s.copies(by, writes)
	err = pg.InConn(ctx, s.db, sql.LevelReadCommitted, func(conn *sql.Conn) error {
		for i := range copies {
			if err := copies[i].to(ctx, conn); err != nil {
				return err
			}
		}
		if len(large) == 0 {
			return nil
		}
		w := &statement{}
		large.to(w, s.packer)
		_, err := conn.ExecContext(ctx, "WITH "+strings.Join(w.parts, ", ")+" SELECT", w.args...)
		return err
	})
	if err != nil {
		return raced(err), err
	}
	s.Announce()
	return false, nil
}
