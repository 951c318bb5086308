package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhirclient"
	"github.com/yba-health/yba/pkg/province"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	consultsv1 "github.com/yba-health/yba/proto/gen/yba/consults/v1"
	coveragev1 "github.com/yba-health/yba/proto/gen/yba/coverage/v1"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

// loadDemo loads the invented province through the public API, like any
// client: accounts as the administrator, units and records as the importer.
// Every step may be repeated, so that a stopped load goes on.
func loadDemo(ctx context.Context, cfg *config.Config, people int, seed uint64, url string) error {
	state, err := readState(cfg)
	if err != nil {
		return err
	}
	if state.Loaded {
		if state.People != people || state.Seed != seed {
			fmt.Fprintf(os.Stderr, "The data folder holds a province of %d people, seed %d; it is kept. `make demo-reset` starts over.\n", state.People, state.Seed)
		}
		return nil
	}
	// A load that is resumed makes the same province, the day included.
	if state.Today.IsZero() {
		state.People, state.Seed, state.Today = people, seed, time.Now()
	}
	p := province.New(province.Config{People: state.People, Seed: state.Seed, Today: state.Today})
	state.tell(p)
	if err := state.write(cfg); err != nil {
		return err
	}
	l := &demoLoad{cfg: cfg, url: url, state: state, province: p, accounts: map[string]string{}}
	for _, step := range []func(context.Context) error{l.people, l.geography, l.records, l.staff, l.booking} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	state.Loaded = true
	return state.write(cfg)
}

type demoLoad struct {
	cfg      *config.Config
	url      string
	state    *demoState
	province *province.Province
	// accounts are the ids by username.
	accounts map[string]string
	// admin is the administrator's username.
	admin string
}

const loadConnections = 4

func (l *demoLoad) as(ctx context.Context, username string) (*fhirclient.Client, error) {
	return fhirclient.New(fhirclient.Options{
		Base: l.url, Connections: loadConnections,
		Token: func() (string, error) { return mintToken(ctx, l.cfg, username) },
	})
}

// people opens the accounts. The administrator's is made on the machine
// itself, as on any installation.
func (l *demoLoad) people(ctx context.Context) error {
	list := append([]province.Account(nil), l.province.Accounts...)
	list = append(list, province.Account{Create: &accessv1.CreateAccountRequest{Username: importAccount, Name: "Nhập dữ liệu", Roles: []string{"importer"}}})
	for _, a := range list {
		if a.Create.GetRoles()[0] == "administrator" {
			l.admin = a.Create.GetUsername()
			req := proto.CloneOf(a.Create)
			req.Password = l.state.Password
			if err := createAccount(ctx, l.cfg, req); err != nil && !fault.Is(err, fault.Conflict) {
				return err
			}
		}
	}
	c, err := l.as(ctx, l.admin)
	if err != nil {
		return err
	}
	defer c.Close()
	for _, a := range list {
		req := proto.CloneOf(a.Create)
		req.Password = l.state.Password
		if req.GetUsername() != l.admin {
			_, err := fhirclient.Call[accessv1.CreateAccountResponse](ctx, c, "access.CreateAccount", req)
			if err != nil && !fault.Is(err, fault.Conflict) {
				return fmt.Errorf("account %s: %w", req.GetUsername(), err)
			}
		}
	}
	all, err := fhirclient.Call[accessv1.ListAccountsResponse](ctx, c, "access.ListAccounts", &accessv1.ListAccountsRequest{})
	if err != nil {
		return err
	}
	for _, a := range all.GetAccounts() {
		l.accounts[a.GetUsername()] = a.GetId()
	}
	return nil
}

// geography loads units, population and targets.
func (l *demoLoad) geography(ctx context.Context) error {
	c, err := l.as(ctx, importAccount)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = fhirclient.Call[stationsv1.ImportUnitsResponse](ctx, c, "stations.ImportUnits",
		&stationsv1.ImportUnitsRequest{Units: l.province.Units, Successions: l.province.Successions})
	if err != nil {
		return fmt.Errorf("administrative units: %w", err)
	}
	if _, err = fhirclient.Call[coveragev1.SetPopulationResponse](ctx, c, "coverage.SetPopulation",
		&coveragev1.SetPopulationRequest{Rows: l.province.Population}); err != nil {
		return fmt.Errorf("population: %w", err)
	}
	if _, err = fhirclient.Call[coveragev1.SetTargetsResponse](ctx, c, "coverage.SetTargets",
		&coveragev1.SetTargetsRequest{Targets: l.province.Targets}); err != nil {
		return fmt.Errorf("targets: %w", err)
	}
	return nil
}

// records loads the people's records through the FHIR API.
func (l *demoLoad) records(ctx context.Context) error {
	c, err := l.as(ctx, importAccount)
	if err != nil {
		return err
	}
	defer c.Close()
	bar := newProgress(os.Stderr, "records", l.province.Count())
	load := fhirclient.Load{Client: c, Connections: loadConnections, Each: bar.each}
	sum, err := load.Run(ctx, l.bundles())
	bar.finish()
	if err != nil {
		return err
	}
	if len(sum.Failed) > 0 {
		report(os.Stderr, sum)
		return errors.New("some records could not be loaded")
	}
	fmt.Fprintf(os.Stderr, "%d resources in %.1f s: %.0f a second\n", sum.Resources, sum.Took.Seconds(), sum.PerSecond())
	return nil
}

func (l *demoLoad) bundles() iter.Seq2[fhirclient.Bundle, error] {
	return func(yield func(fhirclient.Bundle, error) bool) {
		first := true
		for b, err := range l.province.Bundles() {
			if !yield(fhirclient.Bundle{Name: b.Name, Body: b.JSON, First: first}, err) || err != nil {
				return
			}
			first = false
		}
	}
}

// staff publishes the doctors' hours and makes the guardians' relations.
func (l *demoLoad) staff(ctx context.Context) error {
	c, err := l.as(ctx, importAccount)
	if err != nil {
		return err
	}
	defer c.Close()
	admin, err := l.as(ctx, l.admin)
	if err != nil {
		return err
	}
	defer admin.Close()
	for _, d := range l.province.Doctors {
		req := proto.CloneOf(d.Hours)
		req.Doctor = l.accounts[d.Username]
		if req.GetDoctor() == "" {
			return fmt.Errorf("the doctor %s has no account", d.Username)
		}
		if _, err := fhirclient.Call[consultsv1.Doctor](ctx, admin, "consults.SetHours", req); err != nil {
			return fmt.Errorf("hours of %s: %w", d.Username, err)
		}
	}
	for _, a := range l.province.Accounts {
		for _, w := range a.Wards {
			_, err := fhirclient.Call[accessv1.Relation](ctx, c, "access.GrantRelation", &accessv1.Relation{
				Account: l.accounts[a.Create.GetUsername()], Patient: w.Patient, Kind: "guardian", Reason: w.Reason,
			})
			if err != nil && !fault.Is(err, fault.Conflict) {
				return fmt.Errorf("guardian %s: %w", a.Create.GetUsername(), err)
			}
		}
	}
	return nil
}

// booking lets the demo's patient book and wait, so that the doctor's queue
// is not empty when it is opened for the first time.
func (l *demoLoad) booking(ctx context.Context) error {
	var patient, doctor *accessv1.CreateAccountRequest
	for _, a := range l.province.Accounts {
		switch role := a.Create.GetRoles()[0]; {
		case role == "patient" && patient == nil:
			patient = a.Create
		case role == "doctor" && doctor == nil:
			doctor = a.Create
		}
	}
	c, err := l.as(ctx, patient.GetUsername())
	if err != nil {
		return err
	}
	defer c.Close()
	booked, err := fhirclient.Call[consultsv1.Consultation](ctx, c, "consults.Book", &consultsv1.BookRequest{
		Patient: patient.GetPatient(), Doctor: l.accounts[doctor.GetUsername()],
		Reason: "Đau đầu, muốn hỏi lại về thuốc huyết áp", RequestId: "demo",
	})
	if err != nil {
		return fmt.Errorf("booking: %w", err)
	}
	_, err = fhirclient.Call[consultsv1.Consultation](ctx, c, "consults.CheckIn", &consultsv1.CheckInRequest{Id: booked.GetId()})
	if err != nil && !fault.Is(err, fault.Conflict) {
		return fmt.Errorf("check-in: %w", err)
	}
	return nil
}
