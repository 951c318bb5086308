package postgres

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/terminology"
)

// Load is a version of a code system that is to replace what was there of it.
type Load struct {
	Head terminology.Head
	// Source is "import", or the version of a stored resource.
	Source string
	// Digest tells what was loaded; loading the same again changes nothing.
	Digest []byte
	// Strict refuses a concept below one that is not there.
	Strict bool
	// Progress, if set, is told now and then how many concepts were read.
	Progress func(n int)
}

// Loaded is what a Load did.
type Loaded struct {
	Concepts  int
	Unchanged bool // the same was there already
}

// Load stores the concepts in one transaction: until it commits, and when it
// fails, the version that was there answers. Loads of one code system wait for
// each other.
func (s *Store) Load(ctx context.Context, l Load, concepts iter.Seq2[terminology.Concept, error]) (Loaded, error) {
	var done Loaded
	if l.Digest == nil {
		sum := sha256.Sum256([]byte(l.Source))
		l.Digest = sum[:]
	}
	// Not pg.InTx: the concepts can be read only once.
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return done, pg.Fault(err)
	}
	done, err = load(ctx, tx, l, concepts)
	if err == nil {
		err = tx.Commit()
	} else if back := tx.Rollback(); !errors.Is(back, sql.ErrTxDone) {
		err = errors.Join(err, back)
	}
	return done, pg.Fault(err)
}

func load(ctx context.Context, tx *sql.Tx, l Load, concepts iter.Seq2[terminology.Concept, error]) (Loaded, error) {
	var done Loaded
	kind, id, _ := strings.Cut(l.Source, "/")
	id, _, _ = strings.Cut(id, "/")
	lock := l.Head.URL
	if id != "" {
		lock = kind + "/" + id
	}
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('terminology ' || $1, 0))`, lock); err != nil {
		return done, err
	}
	// A stored resource replaces its own older version, an import the import
	// of the same version.
	same := `replaced IS NULL AND split_part(source, '/', 1) = $1 AND split_part(source, '/', 2) = $2
		AND ($2 <> '' OR url = $3 AND version = $4)`
	err := tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM records.concepts c WHERE c.system = s.id) FROM records.code_systems s
		WHERE `+same+` AND digest = $5`, kind, id, l.Head.URL, l.Head.Version, l.Digest).Scan(&done.Concepts)
	if err == nil {
		done.Unchanged = true
		return done, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return done, err
	}
	if _, err := tx.ExecContext(ctx, `WITH old AS (DELETE FROM records.code_systems WHERE replaced < now() - interval '1 hour' RETURNING id),
		names AS (DELETE FROM records.concepts WHERE system IN (SELECT id FROM old))
		DELETE FROM records.concept_ancestors WHERE system IN (SELECT id FROM old)`); err != nil {
		return done, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE records.code_systems SET replaced = now() WHERE `+same, kind, id, l.Head.URL, l.Head.Version); err != nil {
		return done, err
	}
	systems, err := insertSystems(ctx, tx, []Load{l})
	if err != nil {
		return done, err
	}
	c, err := copyInto(ctx, tx)
	if err != nil {
		return done, err
	}
	for concept, err := range concepts {
		if err != nil {
			return done, c.abandon(err)
		}
		if err := c.add(ctx, systems[0], &concept); err != nil {
			return done, c.abandon(err)
		}
		if done.Concepts++; l.Progress != nil && done.Concepts%1000 == 0 {
			l.Progress(done.Concepts)
		}
	}
	if err := c.end(ctx); err != nil {
		return done, err
	}
	if done.Concepts == 0 {
		return done, fault.New(fault.Invalid, "there is no concept to load", nil)
	}
	return done, relate(ctx, tx, systems, done.Concepts, l.Strict)
}

func insertSystems(ctx context.Context, tx *sql.Tx, list []Load) ([]int32, error) {
	ids := make([]int32, len(list))
	insert, err := tx.PrepareContext(ctx, `INSERT INTO records.code_systems (url, version, name, language, case_sensitive, value_set, source, digest)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id`)
	if err != nil {
		return nil, err
	}
	defer insert.Close()
	for i, l := range list {
		h := l.Head
		if err := insert.QueryRowContext(ctx, h.URL, h.Version, h.Name, h.Language, h.CaseSensitive, h.ValueSet, l.Source, l.Digest).Scan(&ids[i]); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// copier streams concepts into the table.
type copier struct {
	stmt     *sql.Stmt
	ordinals map[int32]int
}

func copyInto(ctx context.Context, tx *sql.Tx) (*copier, error) {
	stmt, err := tx.PrepareContext(ctx, pq.CopyInSchema("records", "concepts", "system", "ordinal", "code", "display", "definition", //nolint:staticcheck // the way lib/pq copies
		"inactive", "abstract", "designations", "properties", "parents", "folded", "words"))
	return &copier{stmt, map[int32]int{}}, err
}

func (c *copier) add(ctx context.Context, system int32, x *terminology.Concept) error {
	c.ordinals[system]++
	folded := x.Folded()
	list := x.Words(folded)
	slices.Sort(list)
	var words strings.Builder
	for _, w := range slices.Compact(list) {
		words.WriteString("'" + w + "' ") // a word is letters and digits only
	}
	_, err := c.stmt.ExecContext(ctx, system, c.ordinals[system], x.Code, x.Display, x.Definition, x.Inactive, x.Abstract,
		marshalled(x.Designations), marshalled(x.Properties), arrayOf(x.Parents), folded, words.String())
	return err
}

func (c *copier) end(ctx context.Context) error {
	if _, err := c.stmt.ExecContext(ctx); err != nil {
		return c.abandon(err)
	}
	return c.stmt.Close()
}

// abandon ends the COPY after an error, which says more than the end's own.
func (c *copier) abandon(err error) error {
	_ = c.stmt.Close()
	return err
}

func marshalled[T any](list []T) any {
	if len(list) == 0 {
		return nil
	}
	// Designations and properties are made of strings only, which always marshal.
	b, _ := json.Marshal(list)
	return string(b)
}

func arrayOf(list []string) any {
	if len(list) == 0 {
		return nil
	}
	return pq.Array(list)
}

// manyConcepts are so many that the planner must know of them.
const manyConcepts = 1000

// relate computes who is below whom at any distance.
func relate(ctx context.Context, tx *sql.Tx, systems []int32, concepts int, strict bool) error {
	// Many new rows would be planned for as if they were none.
	if concepts >= manyConcepts {
		if _, err := tx.ExecContext(ctx, `ANALYZE records.concepts`); err != nil {
			return err
		}
	}
	if strict {
		var code, parent string
		err := tx.QueryRowContext(ctx, `SELECT c.code, p.code FROM records.concepts c, unnest(c.parents) AS p(code)
			WHERE c.system = ANY($1) AND NOT EXISTS (SELECT FROM records.concepts x WHERE x.system = c.system AND x.code = p.code)
			ORDER BY c.ordinal LIMIT 1`, pq.Array(systems)).Scan(&code, &parent)
		if err == nil {
			return fault.Newf(fault.Invalid, "the code %s is below %s, which is not there", code, parent)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO records.concept_ancestors (system, ancestor, descendant, direct)
		WITH RECURSIVE edge AS MATERIALIZED (
			SELECT c.system, c.ordinal AS child, x.ordinal AS parent FROM records.concepts c, unnest(c.parents) AS p(code), records.concepts x
			WHERE c.system = ANY($1) AND c.parents IS NOT NULL AND x.system = c.system AND x.code = p.code
		), up (system, ancestor, descendant, direct) AS (
			SELECT system, parent, child, true FROM edge
			UNION SELECT u.system, e.parent, u.descendant, false FROM up u JOIN edge e ON e.system = u.system AND e.child = u.ancestor
		)
		SELECT system, ancestor, descendant, bool_or(direct) FROM up GROUP BY 1, 2, 3`, pq.Array(systems))
	if err != nil {
		return err
	}
	var code string
	err = tx.QueryRowContext(ctx, `SELECT c.code FROM records.concept_ancestors a JOIN records.concepts c ON c.system = a.system AND c.ordinal = a.ancestor
		WHERE a.system = ANY($1) AND a.ancestor = a.descendant LIMIT 1`, pq.Array(systems)).Scan(&code)
	switch {
	case err == nil:
		return fault.Newf(fault.Unprocessable, "the code %s is below itself", code)
	case !errors.Is(err, sql.ErrNoRows):
		return err
	case concepts >= manyConcepts:
		_, err = tx.ExecContext(ctx, `ANALYZE records.concept_ancestors`)
		return err
	}
	return nil
}

// Imported is a version of a code system that was imported.
type Imported struct {
	URL, Version string
	Concepts     int
	Loaded       time.Time
}

// Imported lists what was imported, by url and the last loaded first.
func (s *Store) Imported(ctx context.Context) ([]Imported, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT url, version, (SELECT count(*) FROM records.concepts c WHERE c.system = s.id), loaded
		FROM records.code_systems s WHERE source = 'import' AND replaced IS NULL ORDER BY url, id DESC`)
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	var list []Imported
	for rows.Next() {
		var x Imported
		if err := rows.Scan(&x.URL, &x.Version, &x.Concepts, &x.Loaded); err != nil {
			return nil, pg.Fault(err)
		}
		list = append(list, x)
	}
	return list, pg.Fault(rows.Err())
}
