package postgres

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"

	"github.com/klauspost/compress/zstd"
	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/terminology"
)

// Ready makes sure that the code systems and value sets of the base
// specification are in the tables. A program that brings others replaces them.
func (s *Store) Ready(ctx context.Context) error {
	s.base.Lock()
	defer s.base.Unlock()
	if s.base.loaded {
		return nil
	}
	digest := sha256.Sum256(fhir.Terminology())
	err := pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('terminology r4', 0))`); err != nil {
			return err
		}
		var there bool
		err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM records.code_systems WHERE source = 'r4' AND replaced IS NULL AND digest = $1)`, digest[:]).Scan(&there)
		if err != nil || there {
			return err
		}
		return loadBase(ctx, tx, digest[:])
	})
	s.base.loaded = err == nil
	return err
}

// maxLine bounds a line of the packed definitions; the longest has 700 kB.
const maxLine = 8 << 20

func loadBase(ctx context.Context, tx *sql.Tx, digest []byte) error {
	if _, err := tx.ExecContext(ctx, `UPDATE records.code_systems SET replaced = now() WHERE source = 'r4' AND replaced IS NULL`); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM records.value_sets`); err != nil {
		return err
	}
	dec, err := zstd.NewReader(bytes.NewReader(fhir.Terminology()), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return err
	}
	defer dec.Close()
	lines := bufio.NewScanner(dec)
	lines.Buffer(make([]byte, 0, 1<<20), maxLine)
	var loads []Load
	var systems []*fhir.Doc
	var sets []terminology.Definition
	var urls []string
	for lines.Scan() {
		doc, err := fhir.Parse(bytes.Clone(lines.Bytes()))
		if err != nil {
			return err
		}
		if v := doc.Root(); v.Get("resourceType").Str() == "ValueSet" {
			urls = append(urls, v.Get("url").Str())
			sets = append(sets, terminology.Definition{Version: v.Get("version").Str(), Body: doc.Bytes()})
			continue
		}
		head, _, err := terminology.ReadCodeSystem(doc.Root())
		if err != nil {
			return err
		}
		if head.Language == "" {
			head.Language = "en"
		}
		loads, systems = append(loads, Load{Head: head, Source: "r4", Digest: digest}), append(systems, doc)
	}
	if err := lines.Err(); err != nil {
		return err
	}
	ids, err := insertSystems(ctx, tx, loads)
	if err != nil {
		return err
	}
	c, err := copyInto(ctx, tx)
	if err != nil {
		return err
	}
	for i, doc := range systems {
		_, concepts, err := terminology.ReadCodeSystem(doc.Root())
		if err != nil {
			return c.abandon(err)
		}
		for concept, err := range concepts {
			if err = errors.Join(err, c.add(ctx, ids[i], &concept)); err != nil {
				return c.abandon(err)
			}
		}
	}
	if err := c.end(ctx); err != nil {
		return err
	}
	if err := relate(ctx, tx, ids, manyConcepts, false); err != nil {
		return err
	}
	return insertSets(ctx, tx, urls, sets)
}

func insertSets(ctx context.Context, tx *sql.Tx, urls []string, sets []terminology.Definition) error {
	versions, bodies := make([]string, len(sets)), make([]string, len(sets))
	for i, d := range sets {
		versions[i], bodies[i] = d.Version, string(d.Body)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO records.value_sets (url, version, body) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])`,
		pq.Array(urls), pq.Array(versions), pq.Array(bodies))
	return err
}
