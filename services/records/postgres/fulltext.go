package postgres

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
)

// Limits of what one search by text reads. It has no index, which every write
// would pay for, so the other conditions must narrow it down.
const (
	maxRead      = 5000
	maxReadBytes = 64 << 20
	readAtOnce   = 500
)

// places are compartments' and resources' keys, side by side.
type places struct{ patients, keys []int64 }

func (p *places) add(patient, key int64) {
	p.patients, p.keys = append(p.patients, patient), append(p.keys, key)
}

// from returns a part of the places as a table n.
func (p *places) from(q *sqlText, begin, end int) string {
	var patients, keys array
	for i := begin; i < end; i++ {
		patients.int(p.patients[i])
		keys.int(p.keys[i])
	}
	return "unnest(" + q.arg(patients.arg()) + "::bigint[], " + q.arg(keys.arg()) + "::bigint[]) AS n(patient, key)"
}

// containing finds the resources that the search's conditions leave and that
// have the texts it asks for; nil where it asks for none. Every page finds
// them anew, so that no state is kept between pages: what one page costs is
// bounded, and a write between two is seen as it is by every search.
func (s *Store) containing(ctx context.Context, tx *sql.Tx, x *record.Indexer, q *record.Query, r record.Reach) (*places, error) {
	if len(q.Texts) == 0 {
		return nil, nil
	}
	found := &places{}
	left, err := s.left(ctx, tx, x, q, r)
	if err != nil {
		return nil, err
	}
	bytes := 0
	for begin := 0; begin < len(left.keys); begin += readAtOnce {
		text := &sqlText{fresh: true}
		text.WriteString("SELECT c.patient, c.key, c.encoding, c.body FROM " + left.from(text, begin, min(begin+readAtOnce, len(left.keys))) +
			" JOIN records.current c ON c.patient = n.patient AND c.key = n.key WHERE " + text.reach("c.patient", r))
		if err := s.readTexts(ctx, tx, q, text, found, &bytes); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// left returns what the search's other conditions leave.
func (s *Store) left(ctx context.Context, tx *sql.Tx, x *record.Indexer, q *record.Query, r record.Reach) (*places, error) {
	list := &places{}
	b := &search{sqlText: &sqlText{}, s: s, x: x, q: q, reach: r}
	none, err := b.build(ctx, false)
	if none || err != nil {
		return list, err
	}
	rows, err := s.on(tx).QueryContext(ctx, "SELECT DISTINCT f.patient, f.key FROM "+b.from+" WHERE "+strings.Join(b.where, " AND ")+
		" LIMIT "+strconv.Itoa(maxRead+1), b.args...)
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	for rows.Next() {
		var patient, key int64
		if err := rows.Scan(&patient, &key); err != nil {
			return nil, pg.Fault(err)
		}
		list.add(patient, key)
	}
	if len(list.keys) > maxRead {
		return nil, tooMuch("the other parameters leave more than " + strconv.Itoa(maxRead) + " resources")
	}
	return list, pg.Fault(rows.Err())
}

func (s *Store) readTexts(ctx context.Context, tx *sql.Tx, q *record.Query, text *sqlText, found *places, bytes *int) error {
	rows, err := s.on(tx).QueryContext(ctx, text.String(), text.args...)
	if err != nil {
		return pg.Fault(err)
	}
	defer rows.Close()
	for rows.Next() {
		var patient, key int64
		var encoding int16
		var body sql.RawBytes
		if err := rows.Scan(&patient, &key, &encoding, &body); err != nil {
			return pg.Fault(err)
		}
		// What is kept apart is no text.
		whole, _, err := s.packer.unpack(body, encoding)
		if err != nil {
			return err
		}
		if *bytes += len(whole); *bytes > maxReadBytes {
			return tooMuch("the other parameters leave more than " + strconv.Itoa(maxReadBytes>>20) + " MB of resources")
		}
		doc, err := fhir.Parse(whole)
		if err != nil {
			return err
		}
		if q.Contains(s.defs, doc.Root()) {
			found.add(patient, key)
		}
	}
	return pg.Fault(rows.Err())
}

func tooMuch(what string) error {
	return fault.New(fault.Unprocessable, "_text and _content read every resource that the other parameters leave, and "+what+
		": add a patient, a date or a code", record.ErrTooCostly)
}
