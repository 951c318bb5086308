package access_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/guard"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// feed is the merges as records tells them; the cursor is how many were read.
type feed struct {
	mu  sync.Mutex
	all []*recordsv1.MergedPatient
}

func (f *feed) tell(patient, into string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, &recordsv1.MergedPatient{Patient: patient, Into: into})
}

func (f *feed) after(cursor string) *recordsv1.MergesResponse {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(cursor)
	return &recordsv1.MergesResponse{Patients: f.all[n:], Cursor: strings.Repeat("x", len(f.all))}
}

// settled waits until what was told is decided by.
func (w *world) settled(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 30 s", what)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		<-ctx.Done()
		cancel()
	}
}

func TestWhoIsBoundToAMergedPatientReachesWhereTheirRecordIs(t *testing.T) {
	w := newWorld(t)
	now := w.clock.now()
	patient := func(p string) func(*accessv1.CreateAccountRequest) {
		return func(r *accessv1.CreateAccountRequest) { r.Patient = p }
	}
	source := w.open("hoa", []string{"patient"}, patient("a"))
	mother := w.open("lan", []string{"guardian"}, nil)
	doctor := w.open("doctor", []string{"doctor"}, nil)
	target := w.open("binh", []string{"patient"}, patient("b"))
	stranger := w.open("cuc", []string{"patient"}, patient("x"))
	w.relate(mother, "a", "guardian", now.Add(-time.Hour), time.Time{})
	w.relate(doctor, "a", "treating", now.Add(-time.Hour), time.Time{})
	reach := func(a *accessv1.Account) string {
		return written(w.authorize(&accessv1.AuthorizeRequest{Principal: &accessv1.Principal{Account: a.GetId()}, Operation: "records.Search"}))
	}
	me := func(a *accessv1.Account) *accessv1.Account {
		m, err := w.client.Me(w.as(a), &accessv1.MeRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, step := range []struct {
		name, patient, into  string
		bound, target, other string
		living               string
	}{
		{"a merge", "a", "b", "patients a,b", "patients b", "patients x", "b"},
		{"a chain of two", "b", "c", "patients a,b,c", "patients b,c", "patients x", "c"},
		{"the last undone", "b", "", "patients a,b", "patients b", "patients x", "b"},
		{"the first undone", "a", "", "patients a", "patients b", "patients x", "a"},
		{"merged again, into another", "a", "c", "patients a,c", "patients b", "patients x", "c"},
		{"a circle of links", "c", "a", "patients a,c", "patients b", "patients x", "c"},
	} {
		w.feed.tell(step.patient, step.into)
		w.settled(t, step.name, func() bool { return reach(source) == step.bound })
		for who, is := range map[*accessv1.Account]string{mother: step.bound, doctor: step.bound, target: step.target, stranger: step.other} {
			if got := reach(who); got != is {
				t.Errorf("%s: %s reaches %s, want %s", step.name, who.GetUsername(), got, is)
			}
		}
		if got := me(source).GetPatient(); got != step.living {
			t.Errorf("%s: the app opens %q, want %q", step.name, got, step.living)
		}
		if wards := me(mother).GetWards(); len(wards) != 1 || wards[0].GetPatient() != step.living {
			t.Errorf("%s: the guardian's app opens %v", step.name, wards)
		}
		if got := me(stranger).GetPatient(); got != "x" {
			t.Errorf("%s: another's app opens %q", step.name, got)
		}
		d := w.authorize(&accessv1.AuthorizeRequest{Principal: &accessv1.Principal{Account: source.GetId()}, Operation: "consults.Book"})
		if p := d.GetPrincipal(); p.GetPatient() != step.living || slices.Contains(p.GetMerged(), "a") != (step.living != "a") || slices.Contains(p.GetMerged(), step.living) {
			t.Errorf("%s: acts as %v", step.name, p)
		}
	}
}

// TestServicesFindWhoIsBoundToAMergedPatient is what notices and stations ask.
func TestServicesFindWhoIsBoundToAMergedPatient(t *testing.T) {
	w := newWorld(t)
	source := w.open("hoa", []string{"patient"}, func(r *accessv1.CreateAccountRequest) { r.Patient = "a" })
	mother := w.open("lan", []string{"guardian"}, nil)
	w.relate(mother, "a", "guardian", w.clock.now().Add(-time.Hour), time.Time{})
	notices := guard.As(t.Context(), "notices")
	found := func(patient string) (accounts, relations int) {
		t.Helper()
		l, err := w.client.ListAccounts(notices, &accessv1.ListAccountsRequest{Patient: patient})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range l.GetAccounts() {
			if a.GetId() == source.GetId() && a.GetPatient() == "b" {
				accounts++
			}
		}
		r, err := w.client.ListRelations(notices, &accessv1.ListRelationsRequest{Patient: patient})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range r.GetRelations() {
			if x.GetAccount() == mother.GetId() && x.GetPatient() == "b" {
				relations++
			}
		}
		return accounts, relations
	}
	if a, r := found("b"); a+r != 0 {
		t.Fatalf("before a merge the other Patient has %d accounts and %d relations", a, r)
	}
	w.feed.tell("a", "b")
	w.settled(t, "the merge", func() bool { a, r := found("b"); return a == 1 && r == 1 })
	w.feed.tell("a", "")
	w.settled(t, "its undoing", func() bool { a, r := found("b"); return a+r == 0 })
}
