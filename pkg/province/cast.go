package province

import (
	"strings"
	"time"

	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
)

// castPerson is somebody whom the demo accounts are about: a rich record, the
// same for every seed but for the measured values.
type castPerson struct {
	relation, name, family, sex, born, phone string
	conditions                               []string
	allergies                                []string
	// yearly is how many visits a year the last five years saw.
	yearly int
	remote int
}

// cast lives in the commune that the demo nurse serves, one household each.
var cast = [][]castPerson{
	{
		{relation: "head", name: "Lê Văn Thắng", family: "Lê", sex: "male", born: "1988-05-17", phone: "0100000101", yearly: 1},
		{
			relation: "spouse", name: "Nguyễn Thị Hoa", family: "Nguyễn", sex: "female", born: "1992-03-08", phone: "0100000102",
			conditions: []string{"J45.9", "I10", "K29.7"}, allergies: []string{"penicillin", "tom"}, yearly: 4, remote: 3,
		},
		{relation: "child", name: "Lê Minh Khang", family: "Lê", sex: "male", born: "2017-09-21", conditions: []string{"J45.9"}, yearly: 2},
		{relation: "child", name: "Lê Bảo Ngọc", family: "Lê", sex: "female", born: "2023-11-04", allergies: []string{"sua-bo"}, yearly: 4, remote: 1},
	},
	{
		{
			relation: "head", name: "Trần Văn Bình", family: "Trần", sex: "male", born: "1963-08-02", phone: "0100000103",
			conditions: []string{"I10", "E11.9", "M10.9", "E78.5"}, allergies: []string{"aspirin"}, yearly: 6, remote: 4,
		},
		{
			relation: "spouse", name: "Phạm Thị Liên", family: "Phạm", sex: "female", born: "1966-01-15", phone: "0100000104",
			conditions: []string{"I10", "M17.9"}, yearly: 3, remote: 1,
		},
	},
	{
		{
			relation: "head", name: "Võ Thị Lan", family: "Võ", sex: "female", born: "1984-12-12", phone: "0100000105",
			conditions: []string{"B18.1"}, yearly: 2, remote: 1,
		},
		{
			relation: "parent", name: "Đặng Thị Cúc", family: "Đặng", sex: "female", born: "1946-02-20",
			conditions: []string{"I10", "J44.9", "M81.9"}, allergies: []string{"sulfa"}, yearly: 5, remote: 2,
		},
		{relation: "child", name: "Võ Gia Bảo", family: "Võ", sex: "male", born: "2015-06-30", yearly: 2},
	},
}

// Patients of the demo accounts.
const (
	patientHoa   = "patient-00001-2"
	patientKhang = "patient-00001-3"
	patientNgoc  = "patient-00001-4"
	patientBinh  = "patient-00002-1"
	patientLan   = "patient-00003-1"
	patientCuc   = "patient-00003-2"
	patientBao   = "patient-00003-3"
)

func givenOf(name, family string) []string {
	return strings.Fields(strings.Replace(name, family, "", 1))
}

// played turns one household of the cast into members.
func (p *Province) played(h *household, people []castPerson) []member {
	h.group, h.hamlet = "Kinh", h.commune.hamlets[0]
	h.since = time.Date(2021, 2, 15, 0, 0, 0, 0, Zone)
	var out []member
	for i := range people {
		c := &people[i]
		// The literals above are dates; the test of the cast reads them all.
		born, _ := time.ParseInLocation(time.DateOnly, c.born, Zone)
		out = append(out, member{
			relation: c.relation, sex: c.sex, born: born, phone: c.phone, hasFile: true, cast: c,
			name: personName{text: c.name, family: c.family, given: givenOf(c.name, c.family)},
		})
	}
	return out
}

func accounts() []Account {
	station := &communes[0]
	nurse, nurseName, _ := nurseOf(station)
	list := []Account{
		{
			What: "Người dân; mẹ của hai con nhỏ", WhatEn: "patient, mother of two",
			Create: &accessv1.CreateAccountRequest{Username: "hoa", Name: "Nguyễn Thị Hoa", Roles: []string{"patient", "guardian"}, Patient: patientHoa},
			Wards:  []Ward{{patientKhang, "Giấy khai sinh"}, {patientNgoc, "Giấy khai sinh"}},
		},
		{
			What: "Người dân; tăng huyết áp, đái tháo đường", WhatEn: "patient with hypertension and diabetes",
			Create: &accessv1.CreateAccountRequest{Username: "binh", Name: "Trần Văn Bình", Roles: []string{"patient"}, Patient: patientBinh},
		},
		{
			What: "Người chăm sóc mẹ già và con", WhatEn: "guardian of her mother and her son",
			Create: &accessv1.CreateAccountRequest{Username: "lan", Name: "Võ Thị Lan", Roles: []string{"patient", "guardian"}, Patient: patientLan},
			Wards:  []Ward{{patientCuc, "Giấy ủy quyền của mẹ"}, {patientBao, "Giấy khai sinh"}},
		},
		{
			What: "Điều dưỡng trạm y tế", WhatEn: "nurse of a commune health station",
			Create: &accessv1.CreateAccountRequest{
				Username: "dieuduong", Name: "ĐD. " + nurseName, Roles: []string{"nurse"},
				Practitioner: nurse, Communes: []string{station.key()}, Facility: station.station(),
			},
		},
	}
	for _, d := range doctorList {
		role, what, whatEn := "doctor", "Bác sĩ "+strings.ToLower(d.specialty), "doctor"
		if d.username == "chuyenkhoa" {
			role, whatEn = "specialist", "specialist (cardiology)"
		}
		list = append(list, Account{What: what, WhatEn: whatEn, Create: &accessv1.CreateAccountRequest{
			Username: d.username,
			Name:     "BS. " + d.name, Roles: []string{role}, Practitioner: d.id, Facility: hospitals[d.hospital].id,
		}})
	}
	return append(list,
		Account{
			What: "Sở Y tế", WhatEn: "health department",
			Create: &accessv1.CreateAccountRequest{Username: "soyte", Name: "Sở Y tế " + provinceName, Roles: []string{"department"}},
		},
		Account{
			What: "Quản trị hệ thống", WhatEn: "administrator",
			Create: &accessv1.CreateAccountRequest{Username: "quantri", Name: "Quản trị hệ thống", Roles: []string{"administrator"}},
		})
}
