package province

import (
	"encoding/base64"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
)

// remoteShare is how many adults with a record used remote care so far.
const remoteShare = 0.20

var notes = []struct{ reason, text string }{
	{"Tư vấn kết quả đo huyết áp", "Huyết áp đo tại nhà dao động nhẹ, không đau ngực, không khó thở. Tiếp tục thuốc đang dùng, giảm muối, đo huyết áp mỗi sáng. Hẹn khám lại sau 4 tuần."},
	{"Ho và sốt nhẹ ba ngày", "Ho khan, sốt nhẹ, ăn uống được, không khó thở. Nghĩ đến viêm đường hô hấp trên. Nghỉ ngơi, uống nhiều nước, đến trạm y tế nếu sốt trên 39 °C hoặc khó thở."},
	{"Đau dạ dày tái phát", "Đau thượng vị sau ăn, không nôn ra máu, không sụt cân. Dùng thuốc giảm tiết axit 2 tuần, ăn đúng giờ, tránh rượu bia và đồ cay."},
	{"Đau khớp gối khi đi lại", "Đau gối hai bên khi lên cầu thang, không sưng nóng. Giảm đau khi cần, tập cơ đùi mỗi ngày, giữ cân nặng."},
	{"Mất ngủ", "Khó vào giấc hai tuần nay, không lo âu nặng. Hướng dẫn vệ sinh giấc ngủ, giảm cà phê, khám lại nếu kéo dài."},
	{"Tư vấn thuốc đang dùng", "Đã xem lại các thuốc đang dùng, không có tương tác đáng lo. Tiếp tục điều trị, xét nghiệm lại sau 3 tháng."},
}

var shortCourse = []medicine{
	{"N02BE01", "Paracetamol 500 mg", "Uống 1 viên khi sốt hoặc đau, cách nhau ít nhất 4 giờ", "viên"},
	{"A02BC01", "Omeprazol 20 mg", "Uống 1 viên trước ăn sáng 30 phút", "viên"},
	{"R06AE07", "Cetirizin 10 mg", "Uống 1 viên vào buổi tối", "viên"},
	{"R05CB06", "Ambroxol 30 mg", "Uống 1 viên sau ăn sáng và tối", "viên"},
}

// remoteCare writes the remote consultations of the past two years.
func (b *builder) remoteCare(s *subject) {
	n := 0
	switch {
	case s.cast != nil:
		n = s.cast.remote
	case s.years >= 18 && b.chance(remoteShare):
		n = 1 + b.rng.IntN(2)*b.rng.IntN(2)
	}
	from := later(s.since, b.p.today.AddDate(-2, 0, 0))
	if s.years >= 18 {
		from = later(from, s.born.AddDate(18, 0, 0))
	}
	if !from.AddDate(0, 0, 7).Before(b.p.today) {
		return
	}
	span := b.p.today.Sub(from)
	for i := range n {
		a := from.Add(span * time.Duration(i) / time.Duration(n))
		z := from.Add(span * time.Duration(i+1) / time.Duration(n))
		b.consultation(s, b.between(a, z))
	}
}

func (b *builder) consultation(s *subject, at time.Time) {
	d := pick(b.rng, doctorList)
	if s.years < 16 {
		d = doctorList[2]
	}
	note := pick(b.rng, notes)
	end := at.Add(time.Duration(8+b.rng.IntN(14)) * time.Minute)
	doctor := named("Practitioner", d.id, "BS. "+d.name)
	appointment, encounter := s.next("appointment"), s.next("remote")
	remote := []fields{{"system": fhir.SystemServiceKind, "code": "remote", "display": "Khám từ xa"}}
	b.put("Appointment", appointment, fields{
		"status": "fulfilled", "appointmentType": fields{"coding": remote},
		"start": instant(at), "end": instant(at.Add(time.Duration(d.minutes) * time.Minute)),
		"reasonCode": []fields{{"text": note.reason}},
		"participant": []fields{
			{"actor": s.reference(), "status": "accepted"},
			{"actor": doctor, "status": "accepted"},
		},
	})
	b.put("Encounter", encounter, fields{
		"status": "finished", "class": fields{"system": fhir.SystemActCode, "code": "VR", "display": "Khám từ xa"},
		"subject": s.reference(), "period": fields{"start": instant(at), "end": instant(end)},
		"appointment":     []fields{reference("Appointment", appointment)},
		"participant":     []fields{{"individual": doctor}},
		"reasonCode":      []fields{{"text": note.reason}},
		"serviceProvider": reference("Organization", hospitals[d.hospital].id),
	})
	b.put("DocumentReference", s.next("note"), fields{
		"status": "current", "docStatus": "final", "type": concept(fhir.SystemLOINC, "11488-4", "Ghi chú khám bệnh"),
		"subject": s.reference(), "date": instant(end), "author": []fields{doctor},
		"content": []fields{{"attachment": fields{
			"contentType": "text/plain; charset=utf-8", "language": "vi",
			"data": base64.StdEncoding.EncodeToString([]byte(note.text)), "title": "Ghi chú khám từ xa",
		}}},
		"context": fields{"encounter": []fields{reference("Encounter", encounter)}},
	})
	if s.cast != nil || b.chance(0.65) {
		b.prescription(s, pick(b.rng, shortCourse), end, encounter, doctor, "completed", 7)
	}
}
