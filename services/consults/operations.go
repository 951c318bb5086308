package consults

import (
	"net/http"

	"github.com/yba-health/yba/pkg/kit"
	consultsv1 "github.com/yba-health/yba/proto/gen/yba/consults/v1"
)

func (s *Service) table() (kit.Table, error) {
	return kit.NewTable(&consultsv1.Consults_ServiceDesc,
		kit.Op("ListDoctors", s.ListDoctors, kit.Unaudited),
		kit.Op("ListSlots", s.ListSlots, kit.Unaudited),
		kit.Op("SetHours", s.SetHours),
		kit.Op("Book", s.Book),
		kit.Op("Reschedule", s.Reschedule),
		kit.Op("Cancel", s.Cancel),
		kit.Op("ListConsultations", s.ListConsultations),
		kit.Op("GetConsultation", s.GetConsultation),
		kit.Op("CheckIn", s.CheckIn),
		kit.Op("Queue", s.Queue),
		kit.Op("Admit", s.Admit),
		kit.Op("Invite", s.Invite),
		kit.Op("Join", s.Join),
		kit.Op("SaveNote", s.SaveNote),
		kit.Op("Prescribe", s.Prescribe),
		kit.Op("End", s.End),
	)
}

// Routes adds the WebSockets.
func (m *module) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/consults/v1/rooms", m.serveRoom)
	mux.HandleFunc("GET /api/consults/v1/live", m.serveLive)
}
