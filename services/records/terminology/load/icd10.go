package load

import (
	"io"
	"iter"
	"regexp"
	"strings"

	"github.com/yba-health/yba/services/records/terminology"
)

// Columns of an ICD-10 table.
const (
	chapterCode   = "chapter's code"
	chapterVi     = "chapter's Vietnamese name"
	chapterEn     = "chapter's English name"
	groupCode     = "group's code"
	groupVi       = "group's Vietnamese name"
	groupEn       = "group's English name"
	subgroupCode  = "subgroup's code"
	subgroupVi    = "subgroup's Vietnamese name"
	subgroupEn    = "subgroup's English name"
	typeCode      = "type's code"
	typeVi        = "type's Vietnamese name"
	typeEn        = "type's English name"
	diseaseCode   = "code"
	diseaseVi     = "Vietnamese name"
	diseaseEn     = "English name"
	diseaseStatus = "status"
)

// icd10Columns are the names of columns, folded: those of the Ministry's
// tables (QĐ 4469/QĐ-BYT and later) in the spellings that spreadsheets have,
// and English ones.
var icd10Columns = map[string]string{
	"ma chuong": chapterCode, "chuong": chapterCode, "chapter": chapterCode, "chapter_code": chapterCode, "chapter code": chapterCode,
	"ten chuong": chapterVi, "ten chuong tieng viet": chapterVi, "chapter_vi": chapterVi,
	"chapter name": chapterEn, "chapter_name": chapterEn, "ten chuong tieng anh": chapterEn, "chapter_en": chapterEn,
	"ma nhom": groupCode, "ma nhom chinh": groupCode, "main group code": groupCode, "main_group_code": groupCode, "group": groupCode, "group_code": groupCode,
	"ten nhom": groupVi, "ten nhom chinh": groupVi, "ten nhom tieng viet": groupVi, "group_vi": groupVi,
	"main group name i": groupEn, "main group name": groupEn, "ten nhom tieng anh": groupEn, "group_en": groupEn,
	"ma nhom phu": subgroupCode, "ma nhom phu 1": subgroupCode, "sub group code i": subgroupCode, "subgroup_code": subgroupCode,
	"ten nhom phu": subgroupVi, "ten nhom phu 1": subgroupVi, "subgroup_vi": subgroupVi,
	"sub group name i": subgroupEn, "subgroup_en": subgroupEn,
	"ma loai": typeCode, "ma loai (3 ky tu)": typeCode, "ma 3 ky tu": typeCode, "type code": typeCode, "type_code": typeCode, "category": typeCode, "category_code": typeCode,
	"ten loai": typeVi, "ten loai tieng viet": typeVi, "category_vi": typeVi, "type_vi": typeVi,
	"type name": typeEn, "type_name": typeEn, "ten loai tieng anh": typeEn, "category_en": typeEn, "type_en": typeEn,
	"ma benh": diseaseCode, "ma": diseaseCode, "ma icd": diseaseCode, "ma icd10": diseaseCode, "ma icd 10": diseaseCode, "ma icd-10": diseaseCode,
	"ma 4 ky tu": diseaseCode, "disease code": diseaseCode, "disease_code": diseaseCode, "code": diseaseCode, "icd10": diseaseCode, "icd-10": diseaseCode,
	"ten benh": diseaseVi, "ten": diseaseVi, "ten tieng viet": diseaseVi, "ten benh tieng viet": diseaseVi, "name_vi": diseaseVi, "vi": diseaseVi,
	"disease name": diseaseEn, "disease_name": diseaseEn, "ten tieng anh": diseaseEn, "ten benh tieng anh": diseaseEn, "name_en": diseaseEn, "en": diseaseEn,
	"trang thai": diseaseStatus, "hieu luc": diseaseStatus, "status": diseaseStatus,
}

var (
	icd10Type    = regexp.MustCompile(`^[A-Z][0-9]{2}$`)
	icd10Disease = regexp.MustCompile(`^[A-Z][0-9]{2}(\.[0-9A-Z]{1,4})?$`)
	// The Ministry's tables also write codes without the point, and some with
	// the dagger or asterisk of the dual classification behind.
	icd10Bare = regexp.MustCompile(`^([A-Z][0-9]{2})\.?([0-9A-Z]{0,4})[†*+]?$`)
)

// ICD10 reads a table of ICD-10 with Vietnamese names: a line is a disease
// with the chapter, group and type it belongs to. A table may give only codes
// and names; then a code with a point is below the one without. Chapters,
// groups and types are concepts too, each once; the first line that has one
// names it. Chapters and groups are abstract: no diagnosis is coded by them.
func ICD10(r io.Reader) (iter.Seq2[terminology.Concept, error], error) {
	t, err := openTable(r, icd10Columns)
	if err != nil {
		return nil, err
	}
	if err := t.needs(diseaseCode, diseaseVi); err != nil {
		return nil, err
	}
	return func(yield func(terminology.Concept, error) bool) {
		x := icd10{seen: map[string]bool{}, yield: yield}
		for {
			more, err := t.next()
			if err == nil && more {
				err = x.line(t)
			}
			if err != nil {
				yield(terminology.Concept{}, err)
				return
			}
			if !more || x.stopped {
				x.waiting()
				return
			}
		}
	}, nil
}

// icd10 puts out what is above a code before the code.
type icd10 struct {
	seen    map[string]bool
	pending []terminology.Concept
	yield   func(terminology.Concept, error) bool
	stopped bool
}

func (x *icd10) put(c terminology.Concept) {
	if x.stopped || x.seen[c.Code] {
		return
	}
	x.seen[c.Code] = true
	x.stopped = !x.yield(c, nil)
}

func (x *icd10) line(t *table) error {
	code, ok := icd10Code(t.get(diseaseCode))
	typ, typed := icd10Code(t.get(typeCode))
	if t.get(diseaseCode) == "" && typed {
		code, ok = typ, true
	}
	switch {
	case !ok || !icd10Disease.MatchString(code):
		return t.fail("the code is none of ICD-10, such as I10 or E11.9")
	case typed && !icd10Type.MatchString(typ):
		return t.fail("the type's code is none of ICD-10, such as E11")
	case typed && code[:3] != typ:
		return t.fail("the code does not belong to the type of its line")
	case code != code[:3] && t.get(diseaseVi) == "" && t.get(diseaseEn) == "":
		return t.fail("the code has no name")
	}
	above := x.grouping(t, "", chapterCode, chapterVi, chapterEn)
	above = x.grouping(t, above, groupCode, groupVi, groupEn)
	above = x.grouping(t, above, subgroupCode, subgroupVi, subgroupEn)
	if code == code[:3] {
		vi, en := t.get(diseaseVi), t.get(diseaseEn)
		if vi == "" {
			vi, en = t.get(typeVi), t.get(typeEn)
		}
		switch {
		case x.seen[code] && !typed:
			return t.fail("the code stands twice")
		case vi == "" && en == "":
			return t.fail("the code has no name")
		}
		x.put(named(code, vi, en, above))
		return nil
	}
	if typed {
		x.put(named(typ, t.get(typeVi), t.get(typeEn), above))
	}
	if x.seen[code] {
		return t.fail("the code stands twice")
	}
	c := named(code, t.get(diseaseVi), t.get(diseaseEn), code[:3])
	switch strings.ToLower(t.get(diseaseStatus)) {
	case "0", "inactive", "het hieu luc", "hết hiệu lực", "không sử dụng":
		c.Inactive = true
	}
	if !x.seen[code[:3]] {
		// A plain list may give the type later, or not at all.
		x.seen[code] = true
		x.pending = append(x.pending, c)
		return nil
	}
	x.put(c)
	return nil
}

// waiting puts out the codes whose type came after them or is missing.
func (x *icd10) waiting() {
	for _, c := range x.pending {
		if !x.seen[c.Parents[0]] {
			c.Parents = nil
		}
		if !x.stopped {
			x.stopped = !x.yield(c, nil)
		}
	}
}

func (x *icd10) grouping(t *table, above, code, vi, en string) string {
	c := strings.ToUpper(t.get(code))
	if c == "" || c == above {
		return above
	}
	g := named(c, t.get(vi), t.get(en), above)
	g.Abstract = true
	x.put(g)
	return c
}

func icd10Code(s string) (string, bool) {
	m := icd10Bare.FindStringSubmatch(strings.ToUpper(strings.ReplaceAll(s, " ", "")))
	if m == nil {
		return "", false
	}
	if m[2] == "" {
		return m[1], true
	}
	return m[1] + "." + m[2], true
}

// named makes a concept whose display is the Vietnamese name.
func named(code, vi, en, parent string) terminology.Concept {
	c := terminology.Concept{Code: code, Display: vi}
	if vi == "" {
		c.Display = en
	} else if en != "" {
		c.Designations = []terminology.Designation{{Language: "en", Value: en}}
	}
	if parent != "" {
		c.Parents = []string{parent}
	}
	return c
}
