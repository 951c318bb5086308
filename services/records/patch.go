package records

import (
	"context"
	"encoding/base64"
	"mime"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/fhir/patch"
	"github.com/yba-health/yba/services/records/record"
)

// readPatch reads the body of a PATCH by its media type
// (https://hl7.org/fhir/R4/http.html#patch).
func (r *Records) readPatch(contentType string, body []byte) (patch.Patch, error) {
	kind, _, _ := mime.ParseMediaType(contentType)
	switch kind {
	case patch.MediaType:
		return patch.ParseJSON(body)
	case "application/fhir+json", "application/json":
		doc, err := fhir.Parse(body)
		if err != nil {
			return nil, err
		}
		return patch.ParseFHIRPath(r.defs, doc.Root())
	}
	return nil, fault.New(fault.Invalid, "a patch is "+patch.MediaType+" or a Parameters resource", nil)
}

// entryPatch reads the patch in an entry of a Bundle: a Binary that holds a
// JSON Patch, or a Parameters resource (https://hl7.org/fhir/R4/http.html#jsonpatch).
func (r *Records) entryPatch(resource fhir.Value) (patch.Patch, error) {
	if resource.Get("resourceType").Str() != "Binary" {
		return patch.ParseFHIRPath(r.defs, resource)
	}
	if kind, _, _ := mime.ParseMediaType(resource.Get("contentType").Str()); kind != patch.MediaType {
		return nil, fault.New(fault.Invalid, "a patch in a Binary is "+patch.MediaType, nil)
	}
	body, err := base64.StdEncoding.DecodeString(resource.Get("data").Str())
	if err != nil {
		return nil, fault.New(fault.Invalid, "the data of the Binary is no base64", nil)
	}
	return patch.ParseJSON(body)
}

// patched makes the body of a patch from the version that is locked. What is
// no valid resource afterwards is refused with its place.
func (b *batch) patched(ctx context.Context, c *change) error {
	whole := []record.Stored{*c.old}
	if err := b.r.store.Fill(ctx, b.tx, whole); err != nil {
		return err
	}
	if len(whole[0].Splices) > 0 {
		return fault.New(fault.TooLarge, "the resource is too large to be patched; replace it", nil)
	}
	doc, err := fhir.Parse(whole[0].Body)
	if err != nil {
		return err
	}
	text, err := c.patch.Apply(doc.Root())
	if err != nil {
		return err
	}
	if len(text) > record.MaxSize {
		return fault.New(fault.TooLarge, "the patched resource is larger than 16 MB", nil)
	}
	v, err := b.r.parse(c.typ, text)
	if err == nil && v.Get("id").Str() != c.id {
		err = fault.New(fault.Invalid, "a patch cannot change the id", nil).In(c.typ + ".id")
	}
	if err != nil {
		f := fault.Of(err)
		if f.Class != fault.Invalid {
			return err
		}
		return fault.Newf(fault.Unprocessable, "the patch does not leave a valid resource: %s", f.Message).In(f.At)
	}
	c.body = v
	return nil
}
