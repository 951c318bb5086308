package load

import (
	"io"
	"iter"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/terminology"
)

// Kinds are the files that can be read.
var Kinds = []string{"icd10", "loinc", "ucum", "codesystem"}

// maxResource bounds a CodeSystem resource, which is held as a whole.
const maxResource = 512 << 20

// Open reads the beginning of a file and returns what the code system is and
// its concepts. version is that of the release ("2.78"), which the files do
// not tell; a CodeSystem tells its own. names are those of linguistic variants
// of LOINC.
func Open(kind, version string, r io.Reader, names map[string][]terminology.Designation) (terminology.Head, iter.Seq2[terminology.Concept, error], error) {
	h := terminology.Head{Version: version, CaseSensitive: true}
	var concepts iter.Seq2[terminology.Concept, error]
	var err error
	switch kind {
	case "icd10":
		h.URL, h.Name, h.Language = fhir.SystemICD10, "ICD-10", "vi"
		concepts, err = ICD10(r)
	case "loinc":
		h.URL, h.Name, h.Language, h.ValueSet = fhir.SystemLOINC, "LOINC", "en", "http://loinc.org/vs"
		h.CaseSensitive = false
		concepts, err = LOINC(r, names)
	case "ucum":
		h.URL, h.Name, h.Language = fhir.SystemUCUM, "UCUM", "en"
		concepts, err = UCUM(r)
	case "codesystem":
		return codeSystem(version, r)
	default:
		err = fault.Newf(fault.Invalid, "there is no kind %q: icd10, loinc, ucum and codesystem are known", kind)
	}
	if err == nil && version == "" {
		err = fault.New(fault.Invalid, "say which release the file is; the file itself does not", nil)
	}
	return h, concepts, err
}

func codeSystem(version string, r io.Reader) (terminology.Head, iter.Seq2[terminology.Concept, error], error) {
	b, err := io.ReadAll(io.LimitReader(r, maxResource+1))
	if err != nil {
		return terminology.Head{}, nil, err
	}
	if len(b) > maxResource {
		return terminology.Head{}, nil, fault.New(fault.TooLarge, "the CodeSystem is larger than 512 MB", nil)
	}
	doc, err := fhir.Parse(b)
	if err != nil {
		return terminology.Head{}, nil, err
	}
	h, concepts, err := terminology.ReadCodeSystem(doc.Root())
	if err == nil && version != "" && version != h.Version {
		err = fault.Newf(fault.Invalid, "the CodeSystem says that it is version %q", h.Version)
	}
	return h, concepts, err
}
