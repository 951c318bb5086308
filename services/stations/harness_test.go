package stations_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/pg/pgtest"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
	"github.com/yba-health/yba/services/exchange"
	"github.com/yba-health/yba/services/stations"
	"github.com/yba-health/yba/services/stations/postgres"
	"github.com/yba-health/yba/services/stations/postgres/migrations"
)

// desk is a station at work: the service on its own tables, and a nurse.
type desk struct {
	*stations.Service
	records *memory
	access  *accounts
	nurse   context.Context
}

func open(t *testing.T) *desk {
	t.Helper()
	db, _ := pgtest.New(t, pgtest.Schema{Service: "stations", Migrations: migrations.Files})
	clock := func() time.Time { return now }
	numbersService, err := exchange.New(clock)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{records: &memory{}, access: &accounts{}}
	d.Service, err = stations.New(stations.Needs{
		Store: postgres.New(db), Records: d.records, Access: d.access, Exchange: numbers{numbersService},
		Log: slog.New(slog.DiscardHandler), Now: clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	d.nurse = as(t, "n1", here)
	if _, err := d.ImportUnits(d.nurse, &stationsv1.ImportUnitsRequest{Units: []*stationsv1.Unit{
		{Code: "66", Level: "province", Name: "Tỉnh Đắk Lắk", Kind: "Tỉnh", ValidFrom: "2025-07-01"},
		{Code: "22015", Level: "commune", Name: "Xã Tuy An Bắc", Kind: "Xã", Parent: "66", ValidFrom: "2025-07-01"},
		{Code: "22045", Level: "commune", Name: "Xã Sông Hinh", Kind: "Xã", Parent: "66", ValidFrom: "2025-07-01"},
		{Code: "22015", Level: "commune", Name: "Thị trấn Cũ", Kind: "Thị trấn", Parent: "555", ValidTo: "2025-06-30"},
	}}); err != nil {
		t.Fatal(err)
	}
	return d
}

// as is a nurse of the communes, as the guard would let her in.
func as(t *testing.T, account string, communes ...string) context.Context {
	t.Helper()
	ctx := guard.WithPrincipal(t.Context(), &accessv1.Principal{Account: account, Roles: []string{"nurse"}, Communes: communes, Facility: "77", Practitioner: "5"})
	return guard.WithScope(ctx, &guard.Scope{Communes: communes, Shared: true})
}

func id(n int) string { return fmt.Sprintf("0d6f3c1a-8a0e-4b5d-9c4e-%012d", n) }

func hoa(n int) *stationsv1.RegisterPersonRequest {
	return &stationsv1.RegisterPersonRequest{
		ClientId: id(n), Name: "Nguyễn  Thị Hoa", BirthDate: "1980-05-20", Gender: "female", Phone: "+84 912 345 678",
		Identifiers: []*stationsv1.Identifier{{Kind: "cccd", Value: "066 180 012 345", From: "2021-05-01"}},
		Commune:     here, Hamlet: "Thôn Phú Mỹ", Address: "Số 5",
	}
}

func (d *desk) register(t *testing.T, r *stationsv1.RegisterPersonRequest) string {
	t.Helper()
	got, err := d.RegisterPerson(d.nurse, r)
	if err != nil || got.GetPerson().GetPatient() == "" {
		t.Fatalf("registered %v, %v", got, err)
	}
	return got.GetPerson().GetPatient()
}

func wants(t *testing.T, body string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(body, p) {
			t.Errorf("%s is missing in %s", p, body)
		}
	}
}
