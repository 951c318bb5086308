// Package postgres keeps code systems and value sets in the tables of schema
// "records" (migration 00006).
package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/terminology"
)

// Resources are the CodeSystems and ValueSets that are stored as FHIR resources.
type Resources interface {
	// Canonicals returns the ids and versions of the current resources of a
	// type that have the url, the last written first.
	Canonicals(ctx context.Context, typ, url string) ([]Canonical, error)
	// Body returns the current version of a resource.
	Body(ctx context.Context, typ, id string) ([]byte, error)
}

// Canonical names a version of a stored resource.
type Canonical struct {
	ID      string
	Version int64
}

func (c Canonical) source(typ string) string {
	return typ + "/" + c.ID + "/_history/" + strconv.FormatInt(c.Version, 10)
}

// Store keeps the concepts. Use New. Its methods may run in parallel.
type Store struct {
	db        *sql.DB
	resources Resources

	base struct {
		sync.Mutex
		loaded bool
	}
	// useless are stored CodeSystems that hold no complete list of concepts.
	useless struct {
		sync.Mutex
		sources map[string]bool
	}
}

var _ terminology.Store = (*Store)(nil)

// New returns a store; resources may be nil where only imports are made.
func New(db *sql.DB, resources Resources) *Store {
	s := &Store{db: db, resources: resources}
	s.useless.sources = map[string]bool{}
	return s
}

const systemColumns = `id, url, version, name, language, case_sensitive, value_set, source`

func scanSystem(row interface{ Scan(...any) error }) (terminology.System, error) {
	var x terminology.System
	err := row.Scan(&x.ID, &x.URL, &x.Version, &x.Name, &x.Language, &x.CaseSensitive, &x.ValueSet, &x.Source)
	return x, err
}

// Systems returns the versions of a code system: stored resources first, then
// what was imported, then the base specification's; of each the last loaded first.
func (s *Store) Systems(ctx context.Context, url string) ([]terminology.System, error) {
	if err := s.Ready(ctx); err != nil {
		return nil, err
	}
	stored, err := s.stored(ctx, url)
	if err != nil {
		return nil, err
	}
	list := stored
	rows, err := s.db.QueryContext(ctx, `SELECT `+systemColumns+` FROM records.code_systems
		WHERE url = $1 AND replaced IS NULL AND source IN ('r4', 'import') ORDER BY source = 'import' DESC, id DESC`, url)
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	for rows.Next() {
		x, err := scanSystem(rows)
		if err != nil {
			return nil, pg.Fault(err)
		}
		list = append(list, x)
	}
	return list, pg.Fault(rows.Err())
}

// stored returns the stored CodeSystems of a url. One that was written since
// it was last used is loaded first, so that an answer is never older than the
// resource.
func (s *Store) stored(ctx context.Context, url string) ([]terminology.System, error) {
	if s.resources == nil {
		return nil, nil
	}
	found, err := s.resources.Canonicals(ctx, "CodeSystem", url)
	if err != nil {
		return nil, err
	}
	var list []terminology.System
	for _, c := range found {
		source := c.source("CodeSystem")
		if s.isUseless(source) {
			continue
		}
		x, err := s.bySource(ctx, source)
		if err != nil {
			return nil, err
		}
		if x == nil {
			if x, err = s.loadStored(ctx, c, url); err != nil {
				return nil, err
			}
		}
		if x != nil {
			list = append(list, *x)
		}
	}
	return list, nil
}

func (s *Store) bySource(ctx context.Context, source string) (*terminology.System, error) {
	x, err := scanSystem(s.db.QueryRowContext(ctx, `SELECT `+systemColumns+` FROM records.code_systems
		WHERE source = $1 AND replaced IS NULL`, source))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &x, pg.Fault(err)
}

func (s *Store) loadStored(ctx context.Context, c Canonical, url string) (*terminology.System, error) {
	body, err := s.resources.Body(ctx, "CodeSystem", c.ID)
	if err != nil {
		return nil, err
	}
	doc, err := fhir.Parse(body)
	if err != nil {
		return nil, err
	}
	head, concepts, err := terminology.ReadCodeSystem(doc.Root())
	if fault.Is(err, fault.Unprocessable) {
		s.noteUseless(c.source("CodeSystem"))
		return nil, nil
	}
	if err != nil || head.URL != url {
		return nil, err
	}
	if _, err := s.Load(ctx, Load{Head: head, Source: c.source("CodeSystem")}, concepts); err != nil {
		f := fault.Of(err)
		return nil, fault.New(f.Class, "the stored CodeSystem "+url+" cannot be used: "+f.Message, err)
	}
	return s.bySource(ctx, c.source("CodeSystem"))
}

// maxUseless bounds what is remembered; forgetting costs reading again.
const maxUseless = 10_000

func (s *Store) isUseless(source string) bool {
	s.useless.Lock()
	defer s.useless.Unlock()
	return s.useless.sources[source]
}

func (s *Store) noteUseless(source string) {
	s.useless.Lock()
	defer s.useless.Unlock()
	if len(s.useless.sources) >= maxUseless {
		clear(s.useless.sources)
	}
	s.useless.sources[source] = true
}

// SystemOf returns the imported or base code system of all whose codes the
// value set is.
func (s *Store) SystemOf(ctx context.Context, valueSet string) (*terminology.System, error) {
	if err := s.Ready(ctx); err != nil {
		return nil, err
	}
	x, err := scanSystem(s.db.QueryRowContext(ctx, `SELECT `+systemColumns+` FROM records.code_systems
		WHERE value_set = $1 AND value_set <> '' AND replaced IS NULL AND source IN ('r4', 'import') ORDER BY source = 'import' DESC, id DESC LIMIT 1`, valueSet))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &x, pg.Fault(err)
}

// ValueSets returns the value sets of a url, stored resources first.
func (s *Store) ValueSets(ctx context.Context, url string) ([]terminology.Definition, error) {
	if err := s.Ready(ctx); err != nil {
		return nil, err
	}
	var list []terminology.Definition
	if s.resources != nil {
		found, err := s.resources.Canonicals(ctx, "ValueSet", url)
		if err != nil {
			return nil, err
		}
		for _, c := range found {
			body, err := s.resources.Body(ctx, "ValueSet", c.ID)
			if err != nil {
				return nil, err
			}
			var head struct{ Version string }
			if err := json.Unmarshal(body, &head); err != nil {
				return nil, err
			}
			list = append(list, terminology.Definition{Version: head.Version, Key: c.source("ValueSet"), Body: body})
		}
	}
	d := terminology.Definition{Key: "r4:" + url}
	err := s.db.QueryRowContext(ctx, `SELECT version, body FROM records.value_sets WHERE url = $1`, url).Scan(&d.Version, &d.Body)
	if errors.Is(err, sql.ErrNoRows) {
		return list, nil
	}
	return append(list, d), pg.Fault(err)
}

// Concept returns a concept with the codes right above it.
func (s *Store) Concept(ctx context.Context, x *terminology.System, code string) (*terminology.Concept, error) {
	c := &terminology.Concept{}
	var designations, properties []byte
	text := `SELECT c.code, c.display, c.definition, c.inactive, c.abstract, c.designations, c.properties,
		coalesce((SELECT string_agg(p.code, E'\n' ORDER BY p.ordinal) FROM records.concept_ancestors a
			JOIN records.concepts p ON p.system = c.system AND p.ordinal = a.ancestor
			WHERE a.system = c.system AND a.descendant = c.ordinal AND a.direct), '')
		FROM records.concepts c WHERE c.system = $1 AND `
	var parents string
	err := s.db.QueryRowContext(ctx, text+sameCode(x, "c.code", "$2")+` LIMIT 1`, x.ID, code).
		Scan(&c.Code, &c.Display, &c.Definition, &c.Inactive, &c.Abstract, &designations, &properties, &parents)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, pg.Fault(err)
	}
	if parents != "" {
		c.Parents = strings.Split(parents, "\n")
	}
	return c, errors.Join(unmarshal(designations, &c.Designations), unmarshal(properties, &c.Properties))
}

// sameCode compares codes as the system does.
func sameCode(x *terminology.System, column, arg string) string {
	if x == nil || x.CaseSensitive {
		return column + ` = ` + arg
	}
	return `lower(` + column + `) = lower(` + arg + `)`
}

func unmarshal(b []byte, to any) error {
	if len(b) == 0 {
		return nil
	}
	return json.Unmarshal(b, to)
}

// Children returns the codes right below one.
func (s *Store) Children(ctx context.Context, x *terminology.System, code string) ([]string, error) {
	return s.codes(ctx, `SELECT d.code FROM records.concepts c
		JOIN records.concept_ancestors a ON a.system = c.system AND a.ancestor = c.ordinal AND a.direct
		JOIN records.concepts d ON d.system = c.system AND d.ordinal = a.descendant
		WHERE c.system = $1 AND c.code = $2 ORDER BY d.ordinal`, x.ID, code)
}

// Related returns the code itself first and all above or below it.
func (s *Store) Related(ctx context.Context, x *terminology.System, code string, up bool, limit int) ([]string, error) {
	from, to := "ancestor", "descendant"
	if up {
		from, to = to, from
	}
	return s.codes(ctx, `SELECT code FROM (
		SELECT 0 AS n, c.ordinal, c.code FROM records.concepts c WHERE c.system = $1 AND c.code = $2
		UNION ALL SELECT 1, d.ordinal, d.code FROM records.concepts c
		JOIN records.concept_ancestors a ON a.system = c.system AND a.`+from+` = c.ordinal
		JOIN records.concepts d ON d.system = c.system AND d.ordinal = a.`+to+`
		WHERE c.system = $1 AND c.code = $2) r ORDER BY n, ordinal LIMIT $3`, x.ID, code, limit)
}

func (s *Store) codes(ctx context.Context, text string, args ...any) ([]string, error) {
	rows, err := s.db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var code string
		if err := rows.Scan(&code); err != nil {
			return nil, pg.Fault(err)
		}
		list = append(list, code)
	}
	return list, pg.Fault(rows.Err())
}
