package records

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/fhir"
)

// settings are what an installation may switch.
type settings struct {
	// validate checks what is written against the base definitions.
	validate bool
	// updateCreate lets a PUT create under the client's id.
	updateCreate bool
	// randomIDs lets callers with a restricted scope create under UUIDs only:
	// other ids could be guessed to learn whether they are taken.
	randomIDs bool
	// deleteMany is how many resources a conditional delete may delete.
	deleteMany int
	// maxContent is how large the raw content of a Binary may be, in bytes;
	// uploads is the folder where it waits for its transaction.
	maxContent int64
	uploads    string
	// cors tells that the edge lets pages of other origins call the face.
	cors bool
	// written are the types whose references are checked when they are
	// written, deleted those that are kept while others refer to them.
	written, deleted types
}

// types is a set of resource types.
type types struct {
	all  bool
	list []string
}

func (t types) has(typ string) bool { return t.all || slices.Contains(t.list, typ) }

// enforced reports whether references to and from a type are kept whole.
func (s settings) enforced(typ string) bool { return s.written.has(typ) && s.deleted.has(typ) }

// maxDelete bounds what one conditional delete deletes.
const maxDelete = 1000

// maxBinaryMB bounds the content that can be allowed, in megabytes.
const maxBinaryMB = 10_000

func newSettings(c config.Config, defs *fhir.Definitions) (s settings, err error) {
	s = settings{validate: c.RecordsValidate, updateCreate: c.RecordsUpdateCreate, randomIDs: c.RecordsRandomIDs, deleteMany: c.RecordsDeleteMany, cors: len(c.CORSOrigins) > 0}
	if s.deleteMany < 1 || s.deleteMany > maxDelete {
		return s, fmt.Errorf("records-delete-many must be between 1 and %d", maxDelete)
	}
	s.maxContent, s.uploads = int64(c.RecordsBinaryMB)<<20, filepath.Join(c.Data, "uploads")
	if c.RecordsBinaryMB < 1 || c.RecordsBinaryMB > maxBinaryMB {
		return s, fmt.Errorf("records-binary-mb must be between 1 and %d", maxBinaryMB)
	}
	if s.written, err = readTypes("records-references-write", c.RecordsReferencesWrite, defs); err != nil {
		return s, err
	}
	s.deleted, err = readTypes("records-references-delete", c.RecordsReferencesDelete, defs)
	return s, err
}

func readTypes(key string, list []string, defs *fhir.Definitions) (types, error) {
	if len(list) == 1 && (list[0] == "all" || list[0] == "none") {
		return types{all: list[0] == "all"}, nil
	}
	for _, typ := range list {
		if defs.Number(typ) == 0 {
			return types{}, fmt.Errorf("%s: %q is no resource type of FHIR R4; write all, none or a list of types", key, typ)
		}
	}
	return types{list: list}, nil
}
