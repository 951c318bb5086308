package records

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// people are real kinds of names: the national majority's, of each tone
// placement, and those of minorities, one with the given name alone.
var people = map[string]string{
	"hoà":    `"name":[{"use":"official","text":"Nguyễn Thị Hoà","family":"Nguyễn","given":["Thị","Hoà"]}]`,
	"hòa":    `"name":[{"family":"Nguyễn","given":["Thị Hòa"]}]`,
	"đức":    `"name":[{"text":"Đặng Văn Đức"}]`,
	"phuong": `"name":[{"text":"Trần Lê Phương Thảo","family":"Trần","given":["Lê","Phương Thảo"]}]`,
	"ton":    `"name":[{"text":"Công Tằng Tôn Nữ Minh Châu","family":"Công Tằng Tôn Nữ","given":["Minh","Châu"]}]`,
	"hhen":   `"name":[{"text":"H'Hen Niê","family":"Niê","given":["H'Hen"]}]`,
	"hhoa":   `"name":[{"text":"H’Hoa Êban"}]`,
	"pao":    `"name":[{"family":"Giàng","given":["A Pao"]}]`,
	"sua":    `"name":[{"text":"Sùng Thị Sủa"}]`,
	"ynghia": `"name":[{"text":"Y Nghĩa"}]`,
	"one":    `"name":[{"given":["Lan"]}]`,
	"files":  `"name":[{"text":"` + norm.NFD.String("Bế Văn Đàn") + `"}]`,
	"west":   `"name":[{"text":"Peter James Chalmers","family":"Chalmers","given":["Peter","James"]}]`,
}

func TestVietnameseNamesAreFoundAsPeopleTypeThem(t *testing.T) {
	r, _ := loose(t)
	n := store(t, r, "Patient", people)
	for _, tt := range []struct{ name, want string }{
		{"nguyen thi hoa", "hoà hòa"},
		{"Nguyễn Thị Hoà", "hoà hòa"},
		{"Nguyễn Thị Hòa", "hoà hòa"},
		{"NGUYỄN THỊ HOÀ", "hoà hòa"},
		{"  nguyen   thi  hoa ", "hoà hòa"},
		{"nguyen\tthi\u00a0hoa", "hoà hòa"},
		{"nguyễn th", "hoà hòa"},
		{"hoa", "hoà hòa"},
		{"ho", "hoà hòa"},
		{"thi hoa", "hoà hòa"},
		{"hoa nguyen", "hoà hòa"},
		{"thi hoa nguyen", "hoà hòa"},
		{"nguyen hoa", "hoà hòa"},
		{"hoa thi nguyen", ""},
		{"oa", ""},
		{"duc", "đức"},
		{"đức", "đức"},
		{"Đặng Đức", "đức"},
		{"dang van duc", "đức"},
		{"DANG", "đức"},
		{"van duc", "đức"},
		{"phuong", "phuong"},
		{"thao", "phuong"},
		{"phương thảo", "phuong"},
		{"tran thao", "phuong"},
		{"le", "phuong"},
		{"minh chau", "ton"},
		{"ton nu minh chau", "ton"},
		{"chau", "ton"},
		{"h'hen", "hhen"},
		{"H’Hen Niê", "hhen"},
		{"hhen nie", "hhen"},
		{"nie", "hhen"},
		{"Niê H'Hen", "hhen"},
		{"h'", "hhen hhoa hoà hòa"},
		{"h'hoa", "hhoa"},
		{"eban", "hhoa"},
		{"Êban H’Hoa", "hhoa"},
		{"giang a pao", "pao"},
		{"a pao", "pao"},
		{"pao", "pao"},
		{"Giàng A", "pao"},
		{"sùng", "sua"},
		{"sua", "sua"},
		{"thi", "hoà hòa sua"},
		{"y nghia", "ynghia"},
		{"nghĩa", "ynghia"},
		{"lan", "one"},
		{"chalmers peter", "west"},
		{"james", "west"},
		{"peter james", "west"},
	} {
		for form, name := range map[string]string{"": tt.name, "decomposed": norm.NFD.String(tt.name)} {
			n.expect(t, r, "Patient?name="+url.PathEscape(name), tt.want)
			if t.Failed() {
				t.Fatalf("%q %s", tt.name, form)
			}
		}
	}
	n.expect(t, r, "Patient?family=cong tang", "ton")
	n.expect(t, r, "Patient?given=hoa", "hoà")
	n.expect(t, r, "Patient?name:exact="+url.PathEscape("Nguyễn Thị Hoà"), "hoà")
	n.expect(t, r, "Patient?name:exact=hoa", "")
	for _, form := range []norm.Form{norm.NFC, norm.NFD} {
		n.expect(t, r, "Patient?name:exact="+url.PathEscape(form.String("Trần Lê Phương Thảo")), "phuong")
		n.expect(t, r, "Patient?name:exact="+url.PathEscape(form.String("Bế Văn Đàn")), "files")
	}
	n.expect(t, r, "Patient?name:contains=hoa", "hoà hòa hhoa")
	n.expect(t, r, "Patient?phonetic=nguyen thi hoa", "hoà hòa")
}

func TestAnOrderByNameGoesByTheNamesThatWereWritten(t *testing.T) {
	r, ctx := loose(t)
	n := store(t, r, "Patient", map[string]string{
		"b": `"name":[{"text":"Bùi Anh"}]`, "c": `"name":[{"text":"Cao Bá"}]`, "a": `"name":[{"text":"Âu Cơ"}]`,
	})
	if got := search(ctx, t, r, "Patient", "_sort=name"); !slices.Equal(got.ids, []string{n["a"], n["b"], n["c"]}) {
		t.Errorf("the order by name is %s", strings.Join(got.ids, " "))
	}
}
