package records

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"os"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
)

// opened is a Binary that is about to be read.
type opened struct {
	*record.Stored
	store Store
	mime  string
	// context is what the securityContext refers to.
	context string
	data    fhir.Value
	// body is what the caller may see of it in JSON, without values kept apart.
	body []byte
}

// binary opens a Binary for a caller who wants its raw content, or the
// resource that may be larger than memory.
func (r *Records) binary(ctx context.Context, id, v string, raw bool) (*opened, error) {
	n, err := r.number("Binary")
	if err != nil {
		return nil, err
	}
	absent := caller.Hidden(ctx, fault.New(fault.NotFound, "there is no such version", nil))
	number := int64(0)
	if v != "" {
		if number = numbered(v); number < 1 || !fhir.ValidID(id) {
			return nil, absent
		}
	}
	if caller.Deidentified(ctx) && raw {
		return nil, fault.New(fault.Forbidden, "the content of a Binary is not read without names", nil)
	}
	if id, err = r.real(ctx, "Binary", id); err != nil {
		return nil, caller.Hidden(ctx, err)
	}
	reach, err := r.reach(ctx)
	if err != nil {
		return nil, err
	}
	x, err := r.store.Outline(ctx, n, id, number, reach)
	if err != nil {
		return nil, caller.Hidden(ctx, err)
	}
	r.touch(ctx, x)
	if x.Deleted {
		return nil, fault.New(fault.Gone, "the resource was deleted; its history is kept", nil)
	}
	b := &opened{Stored: x, store: r.store, body: x.Body}
	if caller.Deidentified(ctx) {
		b.body, _, err = r.shown(ctx, x)
		b.Splices = nil
		return b, err
	}
	doc, err := fhir.Parse(x.Body)
	if err != nil {
		return nil, err
	}
	b.mime, b.context = doc.Root().Get("contentType").Str(), doc.Root().At("securityContext", "reference").Str()
	b.data = doc.Root().Get("data")
	return b, nil
}

// content returns the raw content.
func (b *opened) content(ctx context.Context) (io.ReadSeeker, error) {
	for _, s := range b.Splices {
		if !b.data.Exists() || s.At != b.data.Offset()+1 {
			continue
		}
		if s.Text {
			return b.odd(ctx)
		}
		return &parts{ctx: ctx, of: b, splice: s}, nil
	}
	return decode(b.data.Str())
}

// odd returns content that was sent as base64 with blanks or line breaks. It
// came within a resource, whose size is bounded.
func (b *opened) odd(ctx context.Context) (io.ReadSeeker, error) {
	list := []record.Stored{*b.Stored}
	if err := b.store.Fill(ctx, nil, list); err != nil {
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
		return nil, fault.New(fault.Unprocessable, "the data of this Binary is no base64; read it as "+fhirJSON, nil)
	}
	return bytes.NewReader(value), nil
}

// parts reads a value that is kept apart part by part.
type parts struct {
	ctx    context.Context //nolint:containedctx // io.ReadSeeker has no place for it
	of     *opened
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
	size := p.of.store.PartSize()
	if number := p.at / size; p.part == nil || number != p.number {
		var err error
		if p.part, err = p.of.store.Part(p.ctx, p.of.Patient, p.splice, number); err != nil {
			return 0, err
		}
		p.number = number
	}
	n := copy(b, p.part[p.at%size:])
	p.at += int64(n)
	return n, nil
}

// stream writes the resource with its values.
func (b *opened) stream(ctx context.Context, w io.Writer) error {
	from := 0
	for _, s := range b.Splices {
		if _, err := w.Write(b.body[from:s.At]); err != nil {
			return err
		}
		if err := b.streamValue(ctx, w, s); err != nil {
			return err
		}
		from = s.At
	}
	_, err := w.Write(b.body[from:])
	return err
}

func (b *opened) streamValue(ctx context.Context, w io.Writer, s record.Splice) error {
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
