package records

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"os"
	"unicode/utf8"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/binary"
	"github.com/yba-health/yba/services/records/record"
)

// content is raw content that has arrived. It stands in a file without a name
// until the transaction begins: a slow sender must not hold one open, and what
// breaks off leaves nothing.
type content struct {
	file   *os.File
	splice record.Splice
	// keep tells that a replaced Binary keeps its securityContext.
	keep bool
}

// close forgets the content.
func (c *content) close() { _ = c.file.Close() }

// splices returns what a body of the given length lacks: its last member is
// the empty data.
func (c *content) splices(length int) []record.Splice {
	if c == nil || c.splice.Size == 0 {
		return nil
	}
	s := c.splice
	s.At = length - len(`"}`)
	return []record.Splice{s}
}

// envelope is the Binary around content. Small content stands in it.
func envelope(contentType, securityContext string, data []byte) (fhir.Value, error) {
	b := []byte(`{"resourceType":"Binary","contentType":` + fhir.Quote(contentType))
	if securityContext != "" {
		b = append(b, `,"securityContext":{"reference":`+fhir.Quote(securityContext)+`}`...)
	}
	b = append(b, `,"data":"`...)
	b = append(base64.StdEncoding.AppendEncode(b, data), `"}`...)
	doc, err := fhir.Parse(b)
	if err != nil {
		return fhir.Value{}, err
	}
	return doc.Root(), nil
}

// inlineContent is how much content stays in the body.
const inlineContent = record.Inline / 4 * 3

// upload stores raw content as a Binary, under an id or a new one.
func (r *Records) upload(ctx context.Context, u *binary.Upload) (*recordsv1.Resource, error) {
	n, err := r.number(u.Type)
	if err != nil {
		return nil, err
	}
	c := &change{verb: "create", typ: u.Type, number: n, id: u.ID}
	if u.ID == "" {
		if c.id, err = record.NewID(); err == nil && u.IfNoneExist != "" {
			c.match, err = r.criteria(ctx, c.typ, u.IfNoneExist)
		}
	} else {
		c.verb = "update"
		if !fhir.ValidID(u.ID) {
			err = fault.New(fault.Invalid, "an id has 1 to 64 letters, digits, hyphens and dots", nil)
		}
	}
	if err != nil {
		return nil, err
	}
	if c.ifMatch, err = tags(u.IfMatch, "If-Match"); err != nil {
		return nil, err
	}
	if c.ifNoneMatch, err = tags(u.IfNoneMatch, "If-None-Match"); err != nil {
		return nil, err
	}
	if !utf8.ValidString(u.Context) || !utf8.ValidString(u.MIME) {
		return nil, fault.New(fault.Invalid, "Content-Type and X-Security-Context are UTF-8", nil)
	}
	small := make([]byte, inlineContent)
	got, err := io.ReadFull(u.Body, small)
	switch {
	case got == 0 && errors.Is(err, io.EOF):
		return nil, fault.New(fault.Invalid, "the body is empty", nil)
	case err == nil || errors.Is(err, io.ErrUnexpectedEOF):
	default:
		return nil, unread(err)
	}
	small = small[:got]
	c.content = &content{keep: u.ID != "" && u.Context == ""}
	if err == nil {
		if err := c.content.spool(r.settings.uploads, small, u.Body); err != nil {
			return nil, err
		}
		defer c.content.close()
		if c.content.splice.Size > inlineContent {
			small = nil
		} else {
			c.content.splice.Size = 0
		}
	}
	if c.body, err = envelope(u.MIME, u.Context, small); err != nil {
		return nil, err
	}
	if err := r.write(ctx, []*change{c}); err != nil {
		return nil, err
	}
	a := &recordsv1.Resource{Type: c.typ, Id: c.id, Version: c.stored.Version, Created: c.created}
	if !c.stored.Updated.IsZero() {
		a.LastUpdated = fhir.Instant(c.stored.Updated)
	}
	return a, nil
}

// unread tells why a body could not be read.
func unread(err error) error {
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.Newf(fault.TooLarge, "the content is larger than %d bytes", e.Limit)
	}
	return fault.New(fault.Invalid, "the body could not be read", err)
}

// spool reads the content into a file of the folder that nobody else sees.
func (c *content) spool(folder string, begun []byte, rest io.Reader) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, "upload-")
	if err != nil {
		return err
	}
	// Open files live on without a name, and end with the process.
	if err := os.Remove(f.Name()); err != nil {
		return errors.Join(err, f.Close())
	}
	c.file = f
	sum := sha256.New()
	if _, err := io.MultiWriter(f, sum).Write(begun); err != nil {
		return errors.Join(err, f.Close())
	}
	// Reader and writer are told apart: one is the caller's fault.
	in := &tracked{from: rest}
	n, err := io.Copy(io.MultiWriter(f, sum), in)
	if in.err != nil {
		err = unread(in.err)
	}
	if err != nil {
		c.close()
		return err
	}
	c.splice = record.Splice{Size: int64(len(begun)) + n}
	sum.Sum(c.splice.Digest[:0])
	return nil
}

// tracked remembers how reading ended.
type tracked struct {
	from io.Reader
	err  error
}

func (r *tracked) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// replaces makes the body of an upload that replaces a Binary: without a
// header it keeps the securityContext, as it would else be open to all.
func (b *batch) replaces(c *change) error {
	if !c.content.keep || !c.live() {
		return nil
	}
	doc, err := fhir.Parse(c.old.Body)
	if err != nil {
		return err
	}
	old := doc.Root().Get("securityContext")
	if !old.Exists() {
		return nil
	}
	e := fhir.Edit(c.body)
	e.Insert(c.body.Get("contentType"), `,"securityContext":`+string(old.Raw()))
	if doc, err = fhir.Parse(e.Bytes()); err != nil {
		return err
	}
	c.body = doc.Root()
	return nil
}

// contents stores what was uploaded, in the compartments that were found.
func (b *batch) contents(ctx context.Context) error {
	for i, c := range b.changes {
		if len(b.writes[i].Splices) == 0 || c.content == nil {
			continue
		}
		if _, err := c.content.file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if err := b.r.store.Keep(ctx, b.tx, b.writes[i].Patient, c.content.splice, c.content.file); err != nil {
			return err
		}
	}
	return nil
}
