package records

import (
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/fhir/patch"
	"github.com/yba-health/yba/services/records/record"
)

// change is one write that a caller asks for.
type change struct {
	verb   string // create, update, patch, delete
	typ    string
	number int16
	id     string // of create: given by the server
	// given is the id that it has unless its condition matches another.
	given string
	// own tells that the resource in a conditional update bears an id.
	own  bool
	body fhir.Value
	// trusted: the server itself made the body out of what is stored, so what
	// it refers to is not looked for.
	trusted bool
	// patch makes the body of the current version.
	patch patch.Patch
	// content is what was uploaded for the body.
	content *content
	// ifMatch are versions of which one must be current, none for any;
	// ifNoneMatch those of which none may be.
	ifMatch, ifNoneMatch []string
	// match are the criteria of a conditional interaction.
	match *record.Query
	// limit is how many matches a conditional delete wants to delete at most.
	limit int
	// fullURL is how the other entries of a Bundle refer to it.
	fullURL string
	// place is where it stands in a Bundle, for errors.
	place string

	// What became of it.
	stored  *record.Stored
	created bool
	// settled: there is nothing to write.
	settled bool
	// matched is the version that the condition found, 0 for none.
	matched int64
	// also are what it brings along: the further matches of a conditional
	// delete, and what follows a resource to another patient.
	also []*change

	old *record.Stored
}

// reset makes ready for another attempt.
func (c *change) reset() {
	c.id, c.stored, c.old, c.created, c.settled, c.matched, c.also = c.given, nil, nil, false, false, 0, nil
}

// live reports whether the resource is there, undeleted, before the change.
func (c *change) live() bool { return c.old != nil && !c.old.Deleted }

// deleted is how many resources a delete deleted; what was deleted already
// does not count.
func (c *change) deleted() int {
	if c.stored == nil || c.settled {
		return 0
	}
	return 1 + len(c.also)
}

func (c *change) fail(err error) error {
	if c.place == "" {
		return err
	}
	f := fault.Of(err)
	if strings.HasPrefix(f.At, "Bundle.") {
		return f
	}
	if within, ok := strings.CutPrefix(f.At, c.typ+"."); ok {
		return fault.New(f.Class, f.Message, err).In(c.place + ".resource." + within)
	}
	return f.In(c.place)
}

// parse reads and validates a resource of the given type.
func (r *Records) parse(typ string, body []byte) (fhir.Value, error) {
	doc, err := fhir.Parse(body)
	if err != nil {
		return fhir.Value{}, err
	}
	v := doc.Root()
	if got := v.Get("resourceType").Str(); got != typ {
		return v, fault.Newf(fault.Invalid, "resourceType must be %s", typ).In("resourceType")
	}
	return v, r.valid(v)
}

// valid checks a resource that is to be written, where the installation wants
// that.
func (r *Records) valid(v fhir.Value) error {
	if !r.settings.validate {
		return nil
	}
	return r.defs.Validate(v)
}

func sameID(v fhir.Value, id string) error {
	if !fhir.ValidID(id) {
		return fault.New(fault.Invalid, "an id has 1 to 64 letters, digits, hyphens and dots", nil)
	}
	if in := v.Get("id"); in.Exists() && in.Str() != id {
		return fault.New(fault.Invalid, "the id in the resource is another one than in the address", nil).In(in.Path())
	}
	return nil
}
