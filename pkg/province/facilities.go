package province

import (
	"github.com/yba-health/yba/pkg/fhir"
	consultsv1 "github.com/yba-health/yba/proto/gen/yba/consults/v1"
)

// hospital is an Organization that doctors work at.
type hospital struct{ id, code, name, place string }

var hospitals = []hospital{
	{"hospital-province", "99H01", "Bệnh viện Đa khoa tỉnh Sông Hiền", "99001"},
	{"hospital-region", "99H02", "Bệnh viện Đa khoa khu vực Ea Lang", "99016"},
}

// doctor is a practitioner who offers remote consultations.
type doctor struct {
	username, id, licence, name, family, sex, specialty, specialtyCode string
	hospital                                                           int
	hours                                                              []*consultsv1.Hours
	minutes                                                            int32
}

func weekly(from, until string, days ...int32) []*consultsv1.Hours {
	var out []*consultsv1.Hours
	for _, d := range days {
		out = append(out, &consultsv1.Hours{Weekday: d, From: from, Until: until})
	}
	return out
}

// The specialties are SNOMED CT's, as PractitionerRole.specialty prefers them.
var doctorList = []doctor{
	{
		username: "bacsi", id: "practitioner-bacsi", licence: "099001/SH-CCHN", name: "Trần Minh Đức", family: "Trần", sex: "male",
		specialty: "Nội tổng quát", specialtyCode: "419192003", minutes: 15,
		// The demo is tried at any hour of any day.
		hours: weekly("00:00", "23:45", 1, 2, 3, 4, 5, 6, 7),
	},
	{
		username: "chuyenkhoa", id: "practitioner-chuyenkhoa", licence: "099002/SH-CCHN", name: "Phạm Thị Thu Hà", family: "Phạm", sex: "female",
		specialty: "Tim mạch", specialtyCode: "394579002", minutes: 20,
		hours: append(weekly("07:30", "11:30", 1, 2, 3, 4, 5), weekly("13:30", "16:30", 2, 4)...),
	},
	{
		username: "bacsi.nhi", id: "practitioner-nhi", licence: "099003/SH-CCHN", name: "Lê Thị Ngọc Yến", family: "Lê", sex: "female",
		specialty: "Nhi khoa", specialtyCode: "394537008", minutes: 15, hospital: 1,
		hours: append(weekly("07:30", "11:30", 1, 3, 5), weekly("18:00", "20:30", 2, 4)...),
	},
	{
		username: "bacsi.noitiet", id: "practitioner-noitiet", licence: "099004/SH-CCHN", name: "Y Thuyên Niê", family: "Niê", sex: "male",
		specialty: "Nội tiết", specialtyCode: "394583002", minutes: 20, hospital: 1,
		hours: weekly("13:30", "16:30", 1, 2, 3, 4, 5),
	},
}

// nurseOf is the nurse of a station; the one of the first commune is the demo account.
func nurseOf(c *commune) (id, name, family string) {
	names := map[string][2]string{
		"99004": {"Nguyễn Thị Dịu", "Nguyễn"}, "99001": {"Huỳnh Kim Oanh", "Huỳnh"}, "99010": {"Võ Thị Hạnh", "Võ"},
		"99013": {"Đàng Thị Mỹ Hiệp", "Đàng"}, "99016": {"H'Linh Mlô", "Mlô"}, "99019": {"Chamaléa Thị Đào", "Chamaléa"},
	}
	n := names[c.code]
	return "practitioner-" + c.code, n[0], n[1]
}

func doctors() []Doctor {
	var out []Doctor
	for _, d := range doctorList {
		h := hospitals[d.hospital]
		out = append(out, Doctor{Username: d.username, Hours: &consultsv1.SetHoursRequest{
			Name: "BS. " + d.name, Specialty: d.specialty, Facility: h.id, FacilityName: h.name,
			Practitioner: d.id, Hours: d.hours, SlotMinutes: d.minutes,
		}})
	}
	return out
}

// facilities writes what belongs to nobody's compartment: organizations, the
// people who work there, and who offers remote care.
func (p *Province) facilities(b *builder) {
	for i := range communes {
		c := &communes[i]
		b.organization(c.station(), "99"+c.code[2:], "Trạm Y tế "+c.name, c.code, c.from, c.name, "")
		id, name, family := nurseOf(c)
		b.practitioner(id, "0991"+c.code[2:]+"/SH-CCHN", name, family, "female")
		b.role(id, c.station(), "Điều dưỡng", "")
		if c.remote {
			b.remoteService(c.station(), "Trạm Y tế "+c.name)
		}
	}
	// What was the second commune's station goes on as a point of care.
	b.organization("point-99007", "99007", "Điểm y tế Đồng Xoan", communes[0].code, communes[0].from, communes[0].name, communes[0].station())
	for _, h := range hospitals {
		c := communeOf(h.place)
		b.organization(h.id, h.code, h.name, c.code, c.from, c.name, "")
		b.remoteService(h.id, h.name)
	}
	for _, d := range doctorList {
		b.practitioner(d.id, d.licence, d.name, d.family, d.sex)
		b.role(d.id, hospitals[d.hospital].id, d.specialty, d.specialtyCode)
	}
}

func communeOf(code string) *commune {
	for i := range communes {
		if communes[i].code == code {
			return &communes[i]
		}
	}
	return &communes[0]
}

func (b *builder) organization(id, number, name, code, from, place, partOf string) {
	o := fields{
		"active": true, "name": name,
		"identifier": []fields{{"system": fhir.SystemFacility, "value": number}},
		"type": []fields{{"coding": []fields{{
			"system": "http://terminology.hl7.org/CodeSystem/organization-type", "code": "prov", "display": "Healthcare Provider",
		}}}},
		"address": []fields{{
			"use": "work", "text": place + ", " + provinceName, "city": place, "state": provinceName, "country": "VN",
			"extension": []fields{unitExtension(code, from, place)},
		}},
	}
	if partOf != "" {
		o["partOf"] = reference("Organization", partOf)
	}
	b.put("Organization", id, o)
}

func (b *builder) practitioner(id, licence, name, family, sex string) {
	b.put("Practitioner", id, fields{
		"active": true, "gender": sex,
		"identifier": []fields{{"system": fhir.SystemLicence, "value": licence}},
		"name":       []fields{{"use": "official", "text": name, "family": family, "given": givenOf(name, family)}},
	})
}

func (b *builder) role(practitioner, organization, specialty, code string) {
	concept := fields{"text": specialty}
	if code != "" {
		concept["coding"] = []fields{{"system": "http://snomed.info/sct", "code": code, "display": specialty}}
	}
	b.put("PractitionerRole", "role-"+practitioner[len("practitioner-"):], fields{
		"active": true, "practitioner": reference("Practitioner", practitioner),
		"organization": reference("Organization", organization), "specialty": []fields{concept},
	})
}

func (b *builder) remoteService(organization, name string) {
	b.put("HealthcareService", "remote-"+organization, fields{
		"active": true, "name": "Khám từ xa – " + name, "providedBy": reference("Organization", organization),
		"category": []fields{{"coding": []fields{{"system": fhir.SystemServiceKind, "code": "remote", "display": "Khám từ xa"}}}},
	})
}

func reference(typ, id string) fields { return fields{"reference": typ + "/" + id} }

func named(typ, id, display string) fields {
	return fields{"reference": typ + "/" + id, "display": display}
}
