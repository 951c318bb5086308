package province

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// family is a family name with its share in per cent. The shares follow what
// is known of Kinh names; the tail is cut to names common in the south centre.
type family struct {
	name  string
	share float64
}

var families = []family{
	{"Nguyễn", 31},
	{"Trần", 11},
	{"Lê", 9.5},
	{"Phạm", 7},
	{"Huỳnh", 5.1},
	{"Phan", 4.5},
	{"Vũ", 2.0},
	{"Võ", 3.9},
	{"Đặng", 2.6},
	{"Bùi", 2.5},
	{"Đỗ", 2.4},
	{"Hồ", 1.9},
	{"Ngô", 1.7},
	{"Dương", 1.6},
	{"Lý", 0.9},
	{"Đinh", 1.2},
	{"Lương", 1.0},
	{"Trương", 1.8},
	{"Đoàn", 1.2},
	{"Mai", 1.0},
	{"Tô", 0.7},
	{"Cao", 0.9},
	{"Hà", 0.8},
	{"Châu", 0.6},
	{"Tạ", 0.5},
	{"Thái", 0.6},
	{"Lâm", 0.8},
	{"Trịnh", 0.7},
}

// Given names by sex and by the time they were in fashion.
var given = map[string][3][]string{
	"male": {
		{"Hùng", "Dũng", "Sơn", "Thành", "Bình", "Minh", "Tâm", "Phước", "Lợi", "Năm", "Bảy", "Tư", "Đức", "Quang", "Thạnh", "Hiền", "Sáu", "Hòa"},
		{"Tuấn", "Hải", "Nam", "Cường", "Thắng", "Trung", "Vinh", "Hoàng", "Long", "Tùng", "Phong", "Khánh", "Việt", "Tài", "Nghĩa", "Toàn", "Duy"},
		{"Gia Bảo", "Minh Khang", "Anh Khoa", "Đăng Khôi", "Phúc", "Thiên Ân", "Minh Quân", "Quốc Huy", "Nhật Minh", "Hoàng Phúc", "Đức Anh", "Tiến Đạt", "Bảo Long"},
	},
	"female": {
		{"Lan", "Hoa", "Mai", "Cúc", "Hồng", "Nga", "Liên", "Thu", "Hương", "Ba", "Bốn", "Sáu", "Tuyết", "Loan", "Nhung", "Phượng", "Lệ", "Xuân"},
		{"Thảo", "Trang", "Linh", "Hằng", "Huyền", "Ngọc", "Yến", "Phương", "Thủy", "Dung", "Vân", "Oanh", "Diễm", "Trinh", "Kiều", "Nguyệt", "Hạnh"},
		{"Bảo Ngọc", "Khánh Vy", "Gia Hân", "Minh Anh", "An Nhiên", "Ngọc Diệp", "Tường Vy", "Phương Linh", "Bảo Trâm", "Thảo My", "Quỳnh Chi", "Hà My"},
	},
}

var middle = map[string][2][]string{
	"male":   {{"Văn", "Văn", "Văn", "Đình", "Hữu", "Công"}, {"Văn", "Minh", "Quốc", "Thanh", "Đức", "Anh"}},
	"female": {{"Thị", "Thị", "Thị", "Thị", "Thị Thu"}, {"Thị", "Thị Kim", "Thị Thanh", "Ngọc", "Thị Mỹ"}},
}

// personName keeps the parts as a FHIR HumanName has them. The text is the
// name as it is said and written, which for Ê Đê puts the family name last.
type personName struct {
	text, family string
	given        []string
}

// own is the last given name, by which people are called.
func (n personName) own() string {
	if len(n.given) == 0 {
		return ""
	}
	return n.given[len(n.given)-1]
}

func generation(year int) int {
	switch {
	case year < 1976:
		return 0
	case year < 2005:
		return 1
	}
	return 2
}

// nameOf makes a name. inherited is the father's family name, empty for one's own.
func nameOf(r *rand.Rand, group, sex string, year int, inherited string) personName {
	switch group {
	case "Ê Đê":
		return edeName(r, sex, inherited)
	case "Raglai":
		return raglaiName(r, sex, inherited)
	case "Chăm":
		return chamName(r, sex, inherited)
	}
	f := inherited
	if f == "" {
		f = weighted(r, families, func(f family) float64 { return f.share }).name
	}
	g := generation(year)
	own := pick(r, given[sex][g])
	var parts []string
	// A double given name ("Gia Bảo") takes no middle name.
	if !strings.Contains(own, " ") {
		parts = strings.Fields(pick(r, middle[sex][min(g, 1)]))
		// Nobody is called "Thị Thu Thu".
		if last := len(parts) - 1; parts[last] == own {
			parts[last] = map[string]string{"male": "Văn", "female": "Thị"}[sex]
			parts = slices.Compact(parts)
		}
	}
	return kinhOrder(f, append(parts, strings.Fields(own)...))
}

func kinhOrder(family string, given []string) personName {
	return personName{text: family + " " + strings.Join(given, " "), family: family, given: given}
}

func edeName(r *rand.Rand, sex, inherited string) personName {
	clan := inherited
	if clan == "" {
		clan = pick(r, []string{"Niê", "Mlô", "Êban", "Ayŭn", "Kbuôr", "Byă", "Hđơk", "Knul"})
	}
	if sex == "male" {
		own := pick(r, []string{"Blê", "Thuyên", "Khăm", "Suin", "Wŏ", "Nuên", "Bhêm", "Krông"})
		return personName{"Y " + own + " " + clan, clan, []string{"Y", own}}
	}
	own := "H'" + pick(r, []string{"Hoa", "Blen", "Nga", "Luin", "Drai", "Yar", "Mrao", "Linh"})
	return personName{own + " " + clan, clan, []string{own}}
}

func raglaiName(r *rand.Rand, sex, inherited string) personName {
	f := inherited
	if f == "" {
		f = pick(r, []string{"Chamaléa", "Katơr", "Pinăng", "Pupur", "Tà Thía"})
	}
	if sex == "male" {
		return kinhOrder(f, []string{pick(r, []string{"Khoa", "Thiết", "Hùng", "Điệp", "Sơn", "Ấn", "Liêm"})})
	}
	return kinhOrder(f, []string{"Thị", pick(r, []string{"Liên", "Hương", "Đào", "Xuyến", "Bưởi", "Lý"})})
}

func chamName(r *rand.Rand, sex, inherited string) personName {
	f := inherited
	if f == "" {
		f = pick(r, []string{"Đàng", "Quảng", "Thập", "Bá", "Thiên", "Lưu", "Kiều", "Hán", "Châu"})
	}
	if sex == "male" {
		return kinhOrder(f, []string{pick(r, []string{"Năng", "Văn", "Xuân"}), pick(r, []string{"Thọ", "Quyền", "Đạo", "Phú", "Khánh", "Sỹ"})})
	}
	return kinhOrder(f, []string{"Thị", pick(r, []string{"Kim", "Mỹ", "Thanh", "Hiệp", "Diễm", "Thu"})})
}
