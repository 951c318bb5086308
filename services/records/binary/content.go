// Package binary holds the raw content of Binaries
// (https://hl7.org/fhir/R4/binary.html#rest) on its way between the FHIR face
// and the store, which keeps it apart from the resource and in parts.
package binary

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"io"
	"os"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/record"
)

// Content is a Binary that is about to be read.
type Content struct {
	*record.Stored
	Store Store
	// MIME is the contentType, Context what the securityContext refers to.
	MIME, Context string
	// Data is the element that holds the content.
	Data fhir.Value
	// Body is what the caller may see of it in JSON, without values kept apart.
	Body []byte
}

// Store keeps the values that are kept apart.
type Store interface {
	// Fill puts values that are kept apart back into the bodies, but for those
	// of resources that are too large to be held in memory.
	Fill(ctx context.Context, tx *sql.Tx, list []record.Stored) error
	// Part returns a part of a value that is kept apart, of PartSize bytes but
	// for the last one.
	Part(ctx context.Context, patient int64, x record.Splice, part int64) ([]byte, error)
	PartSize() int64
}

// Open returns the raw content.
func (b *Content) Open(ctx context.Context) (io.ReadSeeker, error) {
	start, _ := b.Data.Span()
	for _, s := range b.Splices {
		if !b.Data.Exists() || s.At != start+1 {
			continue
		}
		if s.Text {
			return b.odd(ctx)
		}
		return &parts{ctx: ctx, of: b, splice: s}, nil
	}
	return decode(b.Data.Str())
}

// odd returns content that was sent as base64 with blanks or line breaks. It
// came within a resource, whose size is bounded.
func (b *Content) odd(ctx context.Context) (io.ReadSeeker, error) {
	list := []record.Stored{*b.Stored}
	if err := b.Store.Fill(ctx, nil, list); err != nil {
		return nil, err
	}
	doc, err := fhir.Parse(list[0].Body)
	if err != nil {
		return nil, err
	}
	return decode(doc.Root().Get("data").Str())
}

func decode(text string) (io.ReadSeeker, error) {
	value, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, fault.New(fault.Unprocessable, "the data of this Binary is no base64; read it as application/fhir+json", nil)
	}
	return bytes.NewReader(value), nil
}

// parts reads a value that is kept apart part by part.
type parts struct {
	ctx    context.Context //nolint:containedctx // io.ReadSeeker has no place for it
	of     *Content
	splice record.Splice
	at     int64
	part   []byte
	number int64 // of part, which is nil at first
}

func (p *parts) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += p.at
	case io.SeekEnd:
		offset += p.splice.Size
	}
	if offset < 0 {
		return 0, os.ErrInvalid
	}
	p.at = offset
	return offset, nil
}

func (p *parts) Read(b []byte) (int, error) {
	if p.at >= p.splice.Size {
		return 0, io.EOF
	}
	size := p.of.Store.PartSize()
	if number := p.at / size; p.part == nil || number != p.number {
		var err error
		if p.part, err = p.of.Store.Part(p.ctx, p.of.Patient, p.splice, number); err != nil {
			return 0, err
		}
		p.number = number
	}
	n := copy(b, p.part[p.at%size:])
	p.at += int64(n)
	return n, nil
}

// Write writes the resource with its values.
func (b *Content) Write(ctx context.Context, w io.Writer) error {
	from := 0
	for _, s := range b.Splices {
		if _, err := w.Write(b.Body[from:s.At]); err != nil {
			return err
		}
		if err := b.streamValue(ctx, w, s); err != nil {
			return err
		}
		from = s.At
	}
	_, err := w.Write(b.Body[from:])
	return err
}

func (b *Content) streamValue(ctx context.Context, w io.Writer, s record.Splice) error {
	value := &parts{ctx: ctx, of: b, splice: s}
	if s.Text {
		_, err := io.Copy(w, value)
		return err
	}
	text := base64.NewEncoder(base64.StdEncoding, w)
	if _, err := io.Copy(text, value); err != nil {
		return err
	}
	return text.Close()
}
