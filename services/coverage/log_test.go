package coverage

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

// memoryLog is a change log in memory; the cursor is a position.
type memoryLog struct {
	recordsv1.RecordsClient
	mu   sync.Mutex
	rows []*recordsv1.Change
	more chan struct{}
}

func newLog() *memoryLog { return &memoryLog{more: make(chan struct{})} }

func (l *memoryLog) add(rows ...*recordsv1.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range rows {
		r.Seq = int64(len(l.rows) + 1)
		l.rows = append(l.rows, r)
	}
	close(l.more)
	l.more = make(chan struct{})
}

func (l *memoryLog) Changes(ctx context.Context, req *recordsv1.ChangesRequest, _ ...grpc.CallOption) (*recordsv1.ChangesResponse, error) {
	if guard.PrincipalOf(ctx).GetService() != "coverage" {
		return nil, fmt.Errorf("called by %v", guard.PrincipalOf(ctx))
	}
	from := 0
	if req.GetCursor() != "" {
		var err error
		if from, err = strconv.Atoi(req.GetCursor()); err != nil {
			return nil, err
		}
	}
	wait := time.After(time.Duration(req.GetWaitMs()) * time.Millisecond)
	for {
		l.mu.Lock()
		rows, more := l.rows[from:], l.more
		l.mu.Unlock()
		if len(rows) > 0 || req.GetWaitMs() == 0 {
			rows = rows[:min(len(rows), int(req.GetLimit()))]
			next := ""
			if from+len(rows) > 0 {
				next = strconv.Itoa(from + len(rows))
			}
			return &recordsv1.ChangesResponse{Changes: rows, Cursor: next}, nil
		}
		select {
		case <-more:
		case <-wait:
			return &recordsv1.ChangesResponse{Cursor: req.GetCursor()}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// memoryUnits are the units of stations in memory.
type memoryUnits struct {
	stationsv1.StationsClient
	units       []*stationsv1.Unit
	successions []*stationsv1.Succession
}

func (m *memoryUnits) ListUnits(_ context.Context, req *stationsv1.ListUnitsRequest, _ ...grpc.CallOption) (*stationsv1.ListUnitsResponse, error) {
	out := &stationsv1.ListUnitsResponse{}
	for _, u := range m.units {
		if u.GetLevel() == req.GetLevel() && u.GetValidFrom() <= req.GetAsOf() && (u.GetValidTo() == "" || req.GetAsOf() <= u.GetValidTo()) {
			out.Units = append(out.Units, u)
		}
	}
	return out, nil
}

func (m *memoryUnits) ListSuccessions(context.Context, *stationsv1.ListSuccessionsRequest, ...grpc.CallOption) (*stationsv1.ListSuccessionsResponse, error) {
	return &stationsv1.ListSuccessionsResponse{Successions: m.successions}, nil
}

const (
	oldLaw, lastDay, newLaw = "2004-01-01", "2025-06-30", "2025-07-01"
	province                = "66"
)

// mergedProvince has old communes a, b, c and new ones a (from a, b and a part
// of c) and c (from the rest of c): codes are used again.
func mergedProvince() *memoryUnits {
	unit := func(code, level, parent, from, to string) *stationsv1.Unit {
		return &stationsv1.Unit{Code: code, Level: level, Name: "Xã " + code + " " + from[:4], Parent: parent, ValidFrom: from, ValidTo: to}
	}
	to := func(old, now, extent string) *stationsv1.Succession {
		return &stationsv1.Succession{OldCode: old, OldValidFrom: oldLaw, NewCode: now, NewValidFrom: newLaw, Extent: extent}
	}
	return &memoryUnits{
		units: []*stationsv1.Unit{
			unit(province, "province", "", oldLaw, ""), unit("555", "district", province, oldLaw, lastDay),
			unit("a", "commune", "555", oldLaw, lastDay), unit("b", "commune", "555", oldLaw, lastDay), unit("c", "commune", "555", oldLaw, lastDay),
			unit("a", "commune", province, newLaw, ""), unit("c", "commune", province, newLaw, ""),
			unit("bh", "hamlet", "b", oldLaw, lastDay),
		},
		successions: []*stationsv1.Succession{to("a", "a", "full"), to("b", "a", "full"), to("c", "a", "partial"), to("c", "c", "partial")},
	}
}

type person struct {
	id, commune, hamlet, birth string
	version                    int64
	at                         time.Time
	dead, deleted              bool
}

func key(code, from string) string { return code + "@" + from }

func unitCoding(url, key string) map[string]any {
	code, version := key[:len(key)-11], key[len(key)-10:]
	return map[string]any{"url": url, "valueCoding": map[string]string{"system": "https://yba.health/fhir/units", "code": code, "version": version}}
}

func (p person) change(t testing.TB) *recordsv1.Change {
	t.Helper()
	c := &recordsv1.Change{Type: "Patient", Id: p.id, Patient: p.id, Version: p.version, At: p.at.Format(time.RFC3339), Op: "update"}
	if p.deleted {
		c.Op = "delete"
		return c
	}
	var units []any
	if p.commune != "" {
		units = append(units, unitCoding("https://yba.health/fhir/unit", p.commune))
	}
	if p.hamlet != "" {
		units = append(units, unitCoding("https://yba.health/fhir/hamlet", p.hamlet))
	}
	c.Body = body(t, map[string]any{"resourceType": "Patient", "birthDate": p.birth, "deceasedBoolean": p.dead, "address": []any{map[string]any{"extension": units}}})
	return c
}

func encounter(t testing.TB, id, patient, class, status string, version int64, end time.Time) *recordsv1.Change {
	t.Helper()
	return &recordsv1.Change{
		Type: "Encounter", Id: id, Patient: patient, Version: version, At: end.Format(time.RFC3339), Op: "update",
		Body: body(t, map[string]any{"status": status, "class": map[string]string{"code": class}, "period": map[string]string{"end": end.Format(time.RFC3339)}}),
	}
}

func body(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
