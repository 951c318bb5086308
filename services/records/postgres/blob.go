package postgres

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
)

// partSize is how many bytes of a value stand in one row.
const partSize = 256 << 10

// maxWhole bounds a resource that is put together in memory. Larger ones, that
// were uploaded as Binary content, are read as a stream; elsewhere their
// values are left out.
const maxWhole = 48 << 20

var errBlob = errors.New("records: a value that is kept apart is not whole")

// blobID names a value within its compartment.
type blobID struct {
	patient int64
	digest  [sha256.Size]byte
}

func (b blobID) compare(c blobID) int {
	return cmp.Or(cmp.Compare(b.patient, c.patient), bytes.Compare(b.digest[:], c.digest[:]))
}

// values collects what a statement stores apart from the bodies.
type values map[blobID][]byte

// split takes the large values out of a write.
func (v *values) split(x *record.Write) ([]byte, []record.Splice) {
	if len(x.Splices) > 0 {
		return x.Body, x.Splices // they are stored already
	}
	body, list, kept := record.Split(x.Body)
	for i, s := range list {
		if *v == nil {
			*v = values{}
		}
		(*v)[blobID{x.Patient, s.Digest}] = kept[i]
	}
	return body, list
}

// to adds the statement for the collected values to w. What the compartment
// has already stays as it is.
func (v values) to(w *statement, p *packer) {
	if len(v) == 0 {
		return
	}
	ids := make([]blobID, 0, len(v))
	for id := range v {
		ids = append(ids, id)
	}
	// One order of locking for everybody.
	slices.SortFunc(ids, blobID.compare)
	var patients, parts, encodings, offs, sizes array
	var digests pq.ByteaArray
	var all []byte
	for _, id := range ids {
		part := 0
		for chunk := range slices.Chunk(v[id], partSize) {
			begun := len(all)
			var e int16
			all, e = p.part(all, chunk)
			patients.int(id.patient)
			digests = append(digests, id.digest[:])
			parts.int(int64(part))
			encodings.int(int64(e))
			offs.int(int64(begun) + 1)
			sizes.int(int64(len(all) - begun))
			part++
		}
	}
	w.part("bl AS (INSERT INTO records.blobs (patient, digest, part, encoding, body)" +
		" SELECT patient, digest, part, enc, substring(" + w.arg(all) + "::bytea FROM off FOR size) FROM unnest(" +
		w.arg(patients.arg()) + "::bigint[], " + w.arg(digests) + "::bytea[], " + w.arg(parts.arg()) + "::int[], " +
		w.arg(encodings.arg()) + "::smallint[], " + w.arg(offs.arg()) + "::int[], " + w.arg(sizes.arg()) + "::int[])" +
		" AS b(patient, digest, part, enc, off, size) ON CONFLICT DO NOTHING)")
}

// part appends a part of a value to dst, compressed where it helps.
func (p *packer) part(dst, chunk []byte) ([]byte, int16) {
	begun := len(dst)
	dst = p.enc.EncodeAll(chunk, dst)
	if len(dst)-begun > len(chunk)/16*15 {
		return append(dst[:begun], chunk...), plain
	}
	return dst, zstd1
}

// Keep stores a value of a compartment part by part.
func (s *Store) Keep(ctx context.Context, tx *sql.Tx, patient int64, x record.Splice, r io.Reader) error {
	st, err := tx.PrepareContext(ctx, `INSERT INTO records.blobs (patient, digest, part, encoding, body)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`)
	if err != nil {
		return err
	}
	defer st.Close()
	buf, packed := make([]byte, partSize), make([]byte, 0, partSize)
	left := x.Size
	for part := 0; left > 0; part++ {
		chunk := buf[:min(left, partSize)]
		if _, err := io.ReadFull(r, chunk); err != nil {
			return err
		}
		left -= int64(len(chunk))
		var e int16
		packed, e = s.packer.part(packed[:0], chunk)
		if _, err := st.ExecContext(ctx, patient, x.Digest[:], part, e, packed); err != nil {
			return err
		}
	}
	return nil
}

// CopyValues copies values of a compartment into another, within the database.
func (s *Store) CopyValues(ctx context.Context, tx *sql.Tx, from, to int64, list []record.Splice) error {
	if len(list) == 0 {
		return nil
	}
	digests := make(pq.ByteaArray, len(list))
	for i := range list {
		digests[i] = list[i].Digest[:]
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO records.blobs (patient, digest, part, encoding, body)
		SELECT $2, digest, part, encoding, body FROM records.blobs WHERE patient = $1 AND digest = ANY($3::bytea[])
		ORDER BY digest, part ON CONFLICT DO NOTHING`, from, to, digests)
	return err
}

// Part returns a part of a value, of 256 kB but for the last one.
func (s *Store) Part(ctx context.Context, patient int64, x record.Splice, part int64) ([]byte, error) {
	var encoding int16
	var body []byte
	err := s.db.QueryRowContext(ctx, `SELECT encoding, body FROM records.blobs WHERE patient = $1 AND digest = $2 AND part = $3`,
		patient, x.Digest[:], part).Scan(&encoding, &body)
	if err != nil {
		return nil, pg.Fault(err)
	}
	body, _, err = s.packer.unpack(body, encoding)
	if err == nil && int64(len(body)) != min(x.Size-part*partSize, partSize) {
		err = errBlob
	}
	return body, err
}

// PartSize is how many bytes of a value Part returns.
func (s *Store) PartSize() int64 { return partSize }

// Fill puts the values that are kept apart back into the bodies. Of a
// resource that is too large to be held in memory they stay away.
func (s *Store) Fill(ctx context.Context, tx *sql.Tx, list []record.Stored) error {
	var want map[blobID]int64 // made when need be: most lists have none
	for i := range list {
		x := &list[i]
		if len(x.Splices) == 0 || x.Whole() > maxWhole {
			continue
		}
		if want == nil {
			want = map[blobID]int64{}
		}
		for _, p := range x.Splices {
			want[blobID{x.Patient, p.Digest}] = p.Size
		}
	}
	if len(want) == 0 {
		return nil
	}
	have, err := s.load(ctx, tx, want)
	if err != nil {
		return err
	}
	for i := range list {
		x := &list[i]
		size := x.Whole()
		if len(x.Splices) == 0 || size > maxWhole {
			continue
		}
		body := make([]byte, 0, size)
		from := 0
		for _, p := range x.Splices {
			if p.At < from || p.At > len(x.Body) {
				return errSplices
			}
			body = append(body, x.Body[from:p.At]...)
			body = p.Append(body, have[blobID{x.Patient, p.Digest}])
			from = p.At
		}
		x.Body, x.Splices = append(body, x.Body[from:]...), nil
	}
	return nil
}

func (s *Store) load(ctx context.Context, tx *sql.Tx, want map[blobID]int64) (map[blobID][]byte, error) {
	var patients array
	var digests pq.ByteaArray
	for id := range want {
		patients.int(id.patient)
		digests = append(digests, id.digest[:])
	}
	rows, err := s.on(tx).QueryContext(ctx, `SELECT b.patient, b.digest, b.encoding, b.body FROM unnest($1::bigint[], $2::bytea[]) AS n(patient, digest)
		JOIN records.blobs b ON b.patient = n.patient AND b.digest = n.digest ORDER BY b.patient, b.digest, b.part`, patients.arg(), digests)
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	have := make(map[blobID][]byte, len(want))
	for rows.Next() {
		var id blobID
		var digest, body sql.RawBytes
		var encoding int16
		if err := rows.Scan(&id.patient, &digest, &encoding, &body); err != nil {
			return nil, pg.Fault(err)
		}
		copy(id.digest[:], digest)
		if have[id] == nil {
			have[id] = make([]byte, 0, want[id])
		}
		chunk, _, err := s.packer.unpack(body, encoding)
		if err != nil {
			return nil, err
		}
		have[id] = append(have[id], chunk...)
	}
	if err := rows.Err(); err != nil {
		return nil, pg.Fault(err)
	}
	for id, size := range want {
		if int64(len(have[id])) != size {
			return nil, fmt.Errorf("%w: %d of %d bytes", errBlob, len(have[id]), size)
		}
	}
	return have, nil
}
