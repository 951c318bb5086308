package consults

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	consultsv1 "github.com/yba-health/yba/proto/gen/yba/consults/v1"
	"github.com/yba-health/yba/services/consults/consult"
)

// Queue is the signed-in doctor's waiting room and day. What still goes on
// from an earlier day is in it too.
func (s *Service) Queue(ctx context.Context, _ *consultsv1.QueueRequest) (*consultsv1.QueueResponse, error) {
	me := guard.PrincipalOf(ctx).GetAccount()
	if me == "" {
		return nil, fault.New(fault.Unauthenticated, "sign in first", nil)
	}
	y, m, d := s.now().In(consult.Zone).Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, consult.Zone)
	list, err := s.store.List(ctx, consult.Filter{Doctor: me, From: today.AddDate(0, 0, -1), Until: today.AddDate(0, 0, 1), Limit: 500})
	if err != nil {
		return nil, err
	}
	// A room that was never ended stays in sight, however old it is.
	open, err := s.store.List(ctx, consult.Filter{Doctor: me, Statuses: []consult.Status{consult.Active}, Until: today.AddDate(0, 0, -1), Limit: 100})
	if err != nil {
		return nil, err
	}
	list = append(list, open...)
	slices.SortFunc(list, order)
	resp := &consultsv1.QueueResponse{}
	for status, part := range map[consult.Status]*[]*consultsv1.Consultation{
		consult.Waiting: &resp.Waiting, consult.Booked: &resp.Booked, consult.Active: &resp.Active, consult.Ended: &resp.Ended,
	} {
		some := slices.DeleteFunc(slices.Clone(list), func(c consult.Consultation) bool {
			yesterday := c.Start.Before(today)
			return c.Status != status || yesterday && (status == consult.Ended || status == consult.Booked && !c.Soon)
		})
		if *part, err = s.showAll(ctx, some, func(*consult.Consultation) consult.Role { return consult.Doctor }); err != nil {
			return nil, err
		}
	}
	return resp, nil
}

// Admit opens the room and starts the Encounter.
func (s *Service) Admit(ctx context.Context, req *consultsv1.AdmitRequest) (*consultsv1.Consultation, error) {
	c, err := s.doctors(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	now := s.now().UTC().Truncate(time.Second)
	return s.change(ctx, c.ID, consult.Doctor, func(c *consult.Consultation) error { return c.Admit(now) })
}

// Invite brings a doctor, specialist or nurse into the room, and lets them
// reach the record for a day.
func (s *Service) Invite(ctx context.Context, req *consultsv1.InviteRequest) (*consultsv1.Consultation, error) {
	c, err := s.doctors(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	guest, err := s.colleague(ctx, req.GetAccount())
	if err != nil {
		return nil, err
	}
	guest.Until = s.now().UTC().Truncate(time.Second).Add(consult.InvitedFor)
	return s.change(ctx, c.ID, consult.Doctor, func(c *consult.Consultation) error {
		if c.Status.Over() {
			return fault.New(fault.Precondition, "the consultation is over", nil).In("status")
		}
		if m, ok := c.Member(guest.Account); ok && m.Role.Cares() && !m.Until.IsZero() && s.now().Before(m.Until) {
			return nil // invited already
		}
		c.Put(guest)
		return nil
	})
}

// colleague finds an account that may be invited.
func (s *Service) colleague(ctx context.Context, account string) (consult.Member, error) {
	none := fault.New(fault.NotFound, "there is no doctor, specialist or nurse with this account", nil).In("account")
	if account == "" || account == guard.PrincipalOf(ctx).GetAccount() {
		return consult.Member{}, none
	}
	list, err := s.access.ListAccounts(guard.As(ctx, name), &accessv1.ListAccountsRequest{Account: account})
	if err != nil {
		return consult.Member{}, err
	}
	for _, a := range list.GetAccounts() {
		if a.GetId() != account || a.GetDisabled() {
			continue
		}
		for _, role := range []consult.Role{consult.Specialist, consult.Doctor, consult.Nurse} {
			if !slices.Contains(a.GetRoles(), string(role)) {
				continue
			}
			if role == consult.Doctor {
				role = consult.Specialist // there is one doctor in a consultation; the others advise
			}
			return consult.Member{Account: a.GetId(), Name: a.GetName(), Role: role}, nil
		}
	}
	return consult.Member{}, none
}

// Join returns a seat.
func (s *Service) Join(ctx context.Context, req *consultsv1.JoinRequest) (*consultsv1.Seat, error) {
	c, role, err := s.get(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	if err := c.MayJoin(role); err != nil {
		return nil, err
	}
	p := guard.PrincipalOf(ctx)
	if _, here := c.Member(p.GetAccount()); !here && role != consult.Doctor {
		c, err = s.store.Change(ctx, c.ID, func(c *consult.Consultation) error {
			c.Put(consult.Member{Account: p.GetAccount(), Name: p.GetName(), Role: role})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	token, err := s.seat(ctx, &c, role, p, consult.TokenLife)
	if err != nil {
		return nil, err
	}
	shown, err := s.show(ctx, &c, role)
	if err != nil {
		return nil, err
	}
	return &consultsv1.Seat{Token: token, IceServers: s.ice.forSeat(consult.SeatID(c.ID, p.GetAccount()), s.now()), Consultation: shown}, nil
}

// seat keeps a token for the caller's place and returns it.
func (s *Service) seat(ctx context.Context, c *consult.Consultation, role consult.Role, p *guard.Principal, life time.Duration) (string, error) {
	principal, err := protojson.Marshal(p)
	if err != nil {
		return "", err
	}
	token, hash := consult.NewToken()
	return token, s.store.PutSeat(ctx, consult.SeatToken{
		Hash: hash, Consultation: c.ID, Account: p.GetAccount(), Role: role, Principal: principal, Expires: s.now().Add(life),
	})
}

// SaveNote keeps the doctor's draft, or writes the final note to the record.
// A final note that is saved again becomes a new version of the document.
func (s *Service) SaveNote(ctx context.Context, req *consultsv1.SaveNoteRequest) (*consultsv1.Consultation, error) {
	c, err := s.doctors(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	if err := text(req.GetText(), "text", 100_000); err != nil {
		return nil, err
	}
	if req.GetFinal() && strings.TrimSpace(req.GetText()) == "" {
		return nil, fault.New(fault.Invalid, "a final note needs a text", nil).In("text")
	}
	now := s.now().UTC().Truncate(time.Second)
	return s.change(ctx, c.ID, consult.Doctor, func(c *consult.Consultation) error {
		if err := c.MayWrite(now); err != nil {
			return err
		}
		c.Draft = req.GetText()
		if req.GetFinal() && c.Note != req.GetText() {
			c.Note, c.NoteAt = req.GetText(), now
		}
		return nil
	})
}

// Prescribe writes one MedicationRequest for each medicine, all or none.
func (s *Service) Prescribe(ctx context.Context, req *consultsv1.PrescribeRequest) (*consultsv1.Consultation, error) {
	c, err := s.doctors(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	now := s.now().UTC().Truncate(time.Second)
	lines, err := medicines(req, now)
	if err != nil {
		return nil, err
	}
	return s.change(ctx, c.ID, consult.Doctor, func(c *consult.Consultation) error {
		if err := c.MayWrite(now); err != nil {
			return err
		}
		c.Prescribe(lines)
		return nil
	})
}

func medicines(req *consultsv1.PrescribeRequest, now time.Time) ([]consult.Medicine, error) {
	if n := len(req.GetMedicines()); n == 0 || n > 50 {
		return nil, fault.New(fault.Invalid, "a prescription has 1 to 50 medicines", nil).In("medicines")
	}
	if err := text(req.GetAdvice(), "advice", 4000); err != nil {
		return nil, err
	}
	var lines []consult.Medicine
	for i, m := range req.GetMedicines() {
		at := "medicines[" + strconv.Itoa(i) + "]"
		line := consult.Medicine{
			Name: strings.TrimSpace(m.GetName()), Code: strings.TrimSpace(m.GetCode()), Dose: strings.TrimSpace(m.GetDose()),
			PerDay: m.GetPerDay(), Days: m.GetDays(), Instruction: strings.TrimSpace(m.GetInstruction()),
			Quantity: strings.TrimSpace(m.GetQuantity()), Advice: strings.TrimSpace(req.GetAdvice()), At: now,
		}
		if line.Name == "" || line.Dose == "" {
			return nil, fault.New(fault.Invalid, "a medicine needs a name and a dose", nil).In(at)
		}
		if line.PerDay < 1 || line.PerDay > 24 || line.Days < 1 || line.Days > 365 {
			return nil, fault.New(fault.Invalid, "1 to 24 times a day, for 1 to 365 days", nil).In(at)
		}
		for _, part := range []string{line.Name, line.Code, line.Dose, line.Instruction, line.Quantity} {
			if err := text(part, at, 500); err != nil {
				return nil, err
			}
		}
		line.ID = consult.Derived(req.GetId(), strconv.Itoa(i), line.Name, line.Code, line.Dose, fmt.Sprint(line.PerDay, line.Days), line.Instruction, line.Quantity, line.Advice)
		lines = append(lines, line)
	}
	return lines, nil
}

// End finishes the consultation and closes the room.
func (s *Service) End(ctx context.Context, req *consultsv1.EndRequest) (*consultsv1.Consultation, error) {
	c, err := s.doctors(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	now := s.now().UTC().Truncate(time.Second)
	ended, err := s.store.Change(ctx, c.ID, func(c *consult.Consultation) error { return c.Finish(now) })
	if err != nil {
		return nil, err
	}
	// The room closes whatever the record says.
	if err := s.store.RevokeSeats(ctx, c.ID, ""); err != nil {
		return nil, err
	}
	s.hall.close(c.ID, "ended")
	if err := s.record(ctx, c.ID); err != nil {
		return nil, err
	}
	return s.show(ctx, &ended, consult.Doctor)
}
