package consults

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/consults/consult"
)

const (
	recordEvery = 5 * time.Second
	// recordAfter leaves a change to the operation that made it.
	recordAfter = 10 * time.Second
	recordBatch = 50
)

// record carries the consultation to the record and to access. It returns an
// error only if it was refused for good; while they cannot be reached, the
// duty stays in the table and sweep sees to it, so the operation is done.
func (s *Service) record(ctx context.Context, id string) error {
	// What is begun is finished, though the caller may hang up.
	ctx = guard.As(context.WithoutCancel(ctx), name)
	err := s.store.Record(ctx, id, func(c *consult.Consultation) error { return s.carry(ctx, c) })
	if err == nil {
		return nil
	}
	switch fault.Of(err).Class {
	case fault.Unavailable, fault.Internal, fault.Limited, fault.Unauthenticated:
		s.log.Warn("consultation not in the record yet", "consultation", id, "error", err)
		return nil
	default:
		return err
	}
}

// carry writes what has changed since the last time. c.Written remembers a
// digest of each resource as it was written.
func (s *Service) carry(ctx context.Context, c *consult.Consultation) error {
	if err := s.write(ctx, c, "Appointment", c.ID, appointment(c)); err != nil {
		return err
	}
	// Relations before the room opens: the doctor reads the record beside the picture.
	if err := s.relate(ctx, c); err != nil {
		return err
	}
	if !c.Started.IsZero() {
		if err := s.write(ctx, c, "Encounter", c.ID, encounter(c)); err != nil {
			return err
		}
	}
	if c.Note != "" {
		if err := s.write(ctx, c, "DocumentReference", c.ID, note(c)); err != nil {
			return err
		}
	}
	var lines []consult.Medicine
	for _, m := range c.Medicines {
		if c.Written["MedicationRequest/"+m.ID] == "" {
			lines = append(lines, m)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	body, err := encode(prescription(c, lines))
	if err != nil {
		return err
	}
	if _, err := s.records.Transact(ctx, &recordsv1.TransactRequest{Bundle: body}); err != nil {
		return err
	}
	for _, m := range lines {
		c.Written["MedicationRequest/"+m.ID] = "written"
	}
	return nil
}

func (s *Service) write(ctx context.Context, c *consult.Consultation, kind, id string, resource object) error {
	body, err := encode(resource)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	if c.Written[kind+"/"+id] == digest {
		return nil
	}
	if _, err := s.records.Update(ctx, &recordsv1.UpdateRequest{Type: kind, Id: id, Body: body}); err != nil {
		return err
	}
	c.Written[kind+"/"+id] = digest
	return nil
}

func (s *Service) put(ctx context.Context, kind, id string, resource object) error {
	body, err := encode(resource)
	if err != nil {
		return err
	}
	_, err = s.records.Update(ctx, &recordsv1.UpdateRequest{Type: kind, Id: id, Body: body})
	return err
}

// encode leaves < > & as they are: the bytes are the record.
func encode(o object) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(o)
	return bytes.TrimSpace(b.Bytes()), err
}

// relate brings the treating relations in access in line with the
// consultation. A longer one is granted before the shorter one ends.
func (s *Service) relate(ctx context.Context, c *consult.Consultation) error {
	wanted := c.Grants()
	for account, until := range wanted {
		old, here := c.Relations[account]
		if here && old.Until.Equal(until) {
			continue
		}
		r, err := s.access.GrantRelation(ctx, &accessv1.Relation{
			Account: account, Patient: c.Patient, Kind: "treating", From: instant(s.now()), Until: instant(until),
			Reason: "consultation/" + c.ID, PatientName: c.PatientName,
		})
		if err != nil {
			return err
		}
		c.Relations[account] = consult.Grant{ID: r.GetId(), Until: until}
		if here && old.ID != r.GetId() {
			if err := s.endRelation(ctx, old.ID); err != nil {
				return err
			}
		}
	}
	for account, g := range c.Relations {
		if _, ok := wanted[account]; ok {
			continue
		}
		if err := s.endRelation(ctx, g.ID); err != nil {
			return err
		}
		delete(c.Relations, account)
	}
	return nil
}

func (s *Service) endRelation(ctx context.Context, id string) error {
	_, err := s.access.EndRelation(ctx, &accessv1.EndRelationRequest{Id: id})
	if fault.Is(err, fault.NotFound) {
		return nil // ended by somebody else
	}
	return err
}

// sweep carries what could not be carried at once, and closes the day.
func (s *Service) sweep(ctx context.Context) error {
	ids, err := s.store.Unrecorded(ctx, s.now().Add(-recordAfter), recordBatch)
	if err != nil {
		return err
	}
	var failed error
	for _, id := range ids {
		err := s.store.Record(ctx, id, func(c *consult.Consultation) error { return s.carry(guard.As(ctx, name), c) })
		failed = errors.Join(failed, err)
	}
	return errors.Join(failed, s.miss(ctx))
}

// miss closes consultations that never began and whose day is over.
func (s *Service) miss(ctx context.Context) error {
	now := s.now()
	list, err := s.store.List(ctx, consult.Filter{
		Statuses: []consult.Status{consult.Booked, consult.Waiting}, Until: now.Add(-consult.MissedAfter), Limit: 1000,
	})
	if err != nil {
		return err
	}
	var failed error
	for _, c := range list {
		if !c.IsMissed(now) {
			continue
		}
		_, err := s.store.Change(ctx, c.ID, func(c *consult.Consultation) error {
			if c.IsMissed(now) {
				c.Status = consult.Missed
			}
			return nil
		})
		failed = errors.Join(failed, err)
	}
	return failed
}
