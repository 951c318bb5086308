package notices

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/notices/event"
	"github.com/yba-health/yba/services/notices/message"
)

// follower carries the change log into notices.
type follower struct {
	records recordsv1.RecordsClient
	store   message.Store
	people  *people
	writer  *writer
	now     func() time.Time
	log     *slog.Logger
	wait    time.Duration
	limit   int32
}

// step reads one batch of the log and commits what follows from it. It reports
// whether there may be another.
func (f *follower) step(ctx context.Context) (more bool, err error) {
	ctx = guard.As(ctx, "notices")
	cursor, err := f.store.Cursor(ctx)
	if err != nil {
		return false, err
	}
	answer, err := f.records.Changes(ctx, &recordsv1.ChangesRequest{
		Cursor: cursor, Limit: f.limit, WaitMs: int32(f.wait.Milliseconds()), Types: event.Types,
	})
	if err != nil {
		return false, err
	}
	if answer.GetCursor() == cursor {
		return false, nil
	}
	var changes []event.Change
	var references []string
	for _, row := range answer.GetChanges() {
		c, err := event.Read(row)
		if err != nil {
			f.log.Error("a change cannot be read and is not told", "seq", row.GetSeq(), "error", err)
			continue
		}
		changes = append(changes, c)
		references = append(references, c.Type+"/"+c.ID)
		if c.Encounter != "" {
			references = append(references, c.Encounter)
		}
	}
	known, err := f.store.Facts(ctx, references)
	if err != nil {
		return false, err
	}
	now := f.now()
	var orders []message.Order
	var seen []message.Fact
	for _, c := range changes {
		before := lookup(known, c.Type+"/"+c.ID)
		told := c.Of(before, lookup(known, c.Encounter), now)
		// Of visits that were never remote nothing is kept.
		if c.Fact != nil && (before == nil && c.Fact.Remote || before != nil && before.Version < c.Fact.Version) {
			known[c.Fact.Reference] = *c.Fact
			seen = append(seen, *c.Fact)
		}
		if told == nil {
			continue
		}
		list, err := f.orders(ctx, *told, now)
		if err != nil {
			return false, err
		}
		orders = append(orders, list...)
	}
	err = f.store.Tell(ctx, cursor, answer.GetCursor(), orders, seen, now)
	if errors.Is(err, message.ErrMoved) {
		return true, nil
	}
	return err == nil && answer.GetMore(), err
}

func lookup(known map[string]message.Fact, reference string) *message.Fact {
	if f, ok := known[reference]; ok {
		return &f
	}
	return nil
}

// orders says what is told to whom.
func (f *follower) orders(ctx context.Context, e event.Event, now time.Time) ([]message.Order, error) {
	who, err := f.people.ofPatient(ctx, e.Patient)
	if err != nil {
		return nil, err
	}
	var out []message.Order
	for _, p := range who {
		o, err := f.writer.order(p, e.Kind, e.Key, "/patient/consultation/"+e.Consultation, e.Start, values{Ward: p.ward, What: e.What}, now)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	for _, id := range e.Practitioners {
		who, err := f.people.ofPractitioner(ctx, id)
		if err != nil {
			return nil, err
		}
		for _, p := range who {
			// The key differs: a doctor may be the patient's guardian too.
			o, err := f.writer.order(p, "doctor-"+e.Kind, "doctor/"+e.Key, "/clinic/consultation/"+e.Consultation, e.Start, values{}, now)
			if err != nil {
				return nil, err
			}
			o.Notice.Kind = e.Kind
			out = append(out, o)
		}
	}
	return out, nil
}

// writer turns a kind into words.
type writer struct{ words wording }

func (w *writer) order(p person, kind, key, link, start string, v values, now time.Time) (message.Order, error) {
	v.When = when(p.language, start)
	title, text, err := w.words.say(p.language, kind, v)
	return message.Order{
		Notice: message.Notice{Account: p.account, Kind: kind, Key: key, Title: title, Text: text, Link: link, At: now},
		Phone:  p.phone, Email: p.email,
	}, err
}
