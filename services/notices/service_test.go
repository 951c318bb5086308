package notices

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/pg/pgtest"
	noticesv1 "github.com/yba-health/yba/proto/gen/yba/notices/v1"
	"github.com/yba-health/yba/services/notices/message"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

const (
	half = "2026-11-22T14:30:00+07:00"
	nine = "2026-11-23T09:00:00+07:00"
	vr   = `{"status":%q,"class":{"code":"VR"},"subject":{"reference":"Patient/7"},"identifier":[{"system":"https://yba.health/fhir/sid/consultation","value":"c9"}]}`
	note = `{"status":"current","context":{"encounter":[{"reference":"Encounter/e"}]},"description":"ho ra máu"}`
	drug = `{"status":"active","encounter":{"reference":"Encounter/e"},"medicationCodeableConcept":{"text":"Rifampicin"}}`
)

func TestAConsultationIsToldFromBookingToResult(t *testing.T) {
	x := newSuite(t)
	at := x.clock
	x.records.add("Appointment", "a", 1, at.Add(-30*24*time.Hour), appointment("proposed", half))
	x.records.add("Appointment", "a", 2, at, appointment("booked", half))
	x.records.add("Appointment", "a", 3, at, appointment("booked", nine))
	x.records.add("Encounter", "e", 1, at, fmt.Sprintf(vr, "in-progress"))
	x.records.add("Encounter", "e", 2, at, fmt.Sprintf(vr, "in-progress"))
	x.records.add("DocumentReference", "d1", 1, at, note)
	x.records.add("DocumentReference", "d1", 2, at, note)
	x.records.add("MedicationRequest", "m1", 1, at, drug)
	x.records.add("MedicationRequest", "m2", 1, at, drug)
	x.records.add("Patient", "7", 1, at, "not JSON")
	x.follow(t)
	want := []string{"booked", "rescheduled", "starting", "result", "result"}
	for _, who := range []string{"hoa", "mother"} {
		if got := x.told(t, who); !slices.Equal(got, want) {
			t.Errorf("%s was told %v, want %v", who, got, want)
		}
	}
	if got := x.told(t, "bs"); !slices.Equal(got, want[:2]) {
		t.Errorf("the doctor was told %v", got)
	}
	for _, who := range []string{"closed", "aunt", "other"} {
		if got := x.told(t, who); got != nil {
			t.Errorf("%s was told %v", who, got)
		}
	}
	r, err := x.ListNotices(as(t, "hoa"), &noticesv1.ListNoticesRequest{})
	if err != nil || r.GetUnread() != 5 {
		t.Fatal(r, err)
	}
	first := r.GetNotices()[4]
	if !strings.Contains(first.GetText(), "14:30 ngày 22/11/2026") || first.GetLink() != "/patient/consultation/c9" {
		t.Errorf("first notice %v", first)
	}
	for _, n := range r.GetNotices() {
		if strings.Contains(n.String(), "ho ra") || strings.Contains(n.String(), "Rifampicin") {
			t.Errorf("clinical content in %v", n)
		}
	}
}

func TestAnImportWakesNobody(t *testing.T) {
	x := newSuite(t)
	old := x.clock.Add(-25 * time.Hour)
	x.records.add("Appointment", "a", 1, old, appointment("booked", half))
	x.records.add("Encounter", "e", 1, old, fmt.Sprintf(vr, "in-progress"))
	x.records.add("DocumentReference", "d", 1, old, note)
	x.follow(t)
	if got := x.told(t, "hoa"); got != nil {
		t.Errorf("told %v", got)
	}
	// What was imported is still understood when it goes on.
	x.records.add("Appointment", "a", 2, x.clock, appointment("cancelled", half))
	x.records.add("MedicationRequest", "m", 1, x.clock, drug)
	x.follow(t)
	if got := x.told(t, "hoa"); !slices.Equal(got, []string{"cancelled", "result"}) {
		t.Errorf("told %v", got)
	}
}

// Records of other years that a loading brings today are rows of today.
func TestHistoryThatIsLoadedTodayWakesNobody(t *testing.T) {
	x := newSuite(t)
	x.records.add("Encounter", "e", 1, x.clock, strings.Replace(fmt.Sprintf(vr, "finished"), "{", `{"period":{"start":"2025-02-01T08:00:00+07:00"},`, 1))
	x.records.add("DocumentReference", "d", 1, x.clock, strings.Replace(note, "{", `{"date":"2025-02-01T08:20:00+07:00",`, 1))
	x.records.add("MedicationRequest", "m", 1, x.clock, strings.Replace(drug, "{", `{"authoredOn":"2025-02-01T08:20:00+07:00",`, 1))
	x.follow(t)
	x.carry(t)
	if got := x.told(t, "hoa"); got != nil {
		t.Errorf("told %v", got)
	}
	if sent := x.spooled(t, message.SMS); len(sent) != 0 {
		t.Errorf("sent %v", sent)
	}
}

// A small child has no telephone.
func TestGuardiansAreReachedByTheirOwnNumber(t *testing.T) {
	for name, c := range map[string]struct {
		mother string
		closed bool
		sent   []string
		told   bool
	}{
		"own number":             {`{"telecom":[{"system":"phone","value":"0907777777"}]}`, false, []string{"0901234567", "0907777777"}, true},
		"the same number":        {`{"telecom":[{"system":"phone","value":"0901234567"}]}`, false, []string{"0901234567"}, true},
		"no number":              {`{}`, false, []string{"0901234567"}, true},
		"the account was closed": {`{"telecom":[{"system":"phone","value":"0907777777"}]}`, true, []string{"0901234567"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			x := newSuite(t)
			x.records.bodies["Patient/70"] = c.mother
			for _, a := range x.access.accounts {
				if a.GetId() == "mother" {
					a.Disabled = c.closed
				}
			}
			x.records.add("Appointment", "a", 1, x.clock, appointment("booked", half))
			x.follow(t)
			x.carry(t)
			var to []string
			for _, m := range x.spooled(t, message.SMS) {
				to = append(to, m.To)
			}
			slices.Sort(to)
			if !slices.Equal(to, c.sent) {
				t.Errorf("sent to %v, want %v", to, c.sent)
			}
			if got := x.told(t, "mother"); (got != nil) != c.told {
				t.Errorf("the mother was told %v", got)
			}
		})
	}
}

func TestNothingIsLostWhileAccessIsDown(t *testing.T) {
	x := newSuite(t)
	x.records.add("Appointment", "a", 1, x.clock, appointment("booked", half))
	x.access.down = true
	if _, err := x.follower.step(t.Context()); err == nil {
		t.Fatal("no error though access is down")
	}
	x.access.down = false
	x.follow(t)
	if got := x.told(t, "hoa"); !slices.Equal(got, []string{"booked"}) {
		t.Errorf("told %v", got)
	}
}

func TestMessagesAreTriedAgainAndSentOnce(t *testing.T) {
	x := newSuite(t)
	x.subscribe(t, "hoa")
	x.records.add("Appointment", "a", 1, x.clock, appointment("booked", half))
	x.follow(t)
	x.push.fail = 2
	x.carry(t)
	if len(x.push.got) != 0 {
		t.Fatal("sent though the channel failed")
	}
	x.clock = x.clock.Add(firstPause)
	x.carry(t)
	x.clock = x.clock.Add(firstPause) // The second pause is longer.
	x.carry(t)
	if len(x.push.got) != 0 {
		t.Error("the pause did not grow")
	}
	x.clock = x.clock.Add(firstPause)
	x.carry(t)
	x.clock = x.clock.Add(time.Hour)
	x.carry(t)
	if len(x.push.got) != 1 || x.push.got[0].Subscription.Endpoint != "https://push.example.com/1" {
		t.Errorf("sent %d times, want once", len(x.push.got))
	}
	for _, channel := range []string{"sms", "email"} {
		files, err := filepath.Glob(filepath.Join(x.spool, channel, "*.json"))
		if err != nil || len(files) != 1 {
			t.Errorf("%s: %v, %v; want one file", channel, files, err)
		}
	}
}

func TestEndedSubscriptionsAreForgottenAndOldNewsIsGivenUp(t *testing.T) {
	x := newSuite(t)
	x.subscribe(t, "hoa")
	tell := func(key string) {
		_, err := x.Notify(guard.As(t.Context(), "consults"), &noticesv1.NotifyRequest{Account: "hoa", Kind: "starting", Key: key, Link: "/patient/consultation/1"})
		if err != nil {
			t.Fatal(err)
		}
	}
	tell("1")
	x.push.fail = 1 << 20
	x.carry(t)
	x.clock = x.clock.Add(giveUp + time.Hour)
	x.carry(t)
	x.push.fail = 0
	x.clock = x.clock.Add(2 * time.Hour)
	x.carry(t)
	if len(x.push.got) != 0 {
		t.Error("news older than a day were sent")
	}
	x.push.fail, x.push.err = 1, message.ErrGone
	tell("2")
	x.carry(t)
	tell("3")
	x.carry(t)
	if len(x.push.got) != 0 {
		t.Error("sent to a browser that is gone")
	}
	if err := x.store.Unsubscribe(t.Context(), "hoa", "https://push.example.com/1"); !fault.Is(err, fault.NotFound) {
		t.Errorf("the subscription is still there: %v", err)
	}
}

func TestNotifyTellsAPatientsPeopleOnce(t *testing.T) {
	x := newSuite(t)
	x.subscribe(t, "hoa")
	req := &noticesv1.NotifyRequest{Patient: "7", Kind: "starting", Key: "starting/e", Link: "/patient/consultation/e"}
	for range 2 {
		if _, err := x.Notify(guard.As(t.Context(), "consults"), req); err != nil {
			t.Fatal(err)
		}
	}
	// The log tells the same under the same key.
	x.records.add("Encounter", "e", 1, x.clock, fmt.Sprintf(vr, "in-progress"))
	x.follow(t)
	for _, who := range []string{"hoa", "mother"} {
		if got := x.told(t, who); !slices.Equal(got, []string{"starting"}) {
			t.Errorf("%s was told %v", who, got)
		}
	}
	x.carry(t)
	if len(x.push.got) != 1 {
		t.Errorf("sent %d times, want once", len(x.push.got))
	}
	if _, err := x.Notify(as(t, "hoa"), req); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a person could notify: %v", err)
	}
	for at, change := range map[string]func(*noticesv1.NotifyRequest){
		"link": func(r *noticesv1.NotifyRequest) { r.Link = "//evil.example" }, "kind": func(r *noticesv1.NotifyRequest) { r.Kind = "x" },
		"key": func(r *noticesv1.NotifyRequest) { r.Key = "" }, "account": func(r *noticesv1.NotifyRequest) { r.Patient = "" },
		"values": func(r *noticesv1.NotifyRequest) { r.Values = map[string]string{"diagnosis": "x"} },
	} {
		bad := &noticesv1.NotifyRequest{Patient: "7", Kind: "starting", Key: "k", Link: "/x"}
		change(bad)
		if _, err := x.Notify(guard.As(t.Context(), "consults"), bad); !fault.Is(err, fault.Invalid) || fault.Of(err).At != at {
			t.Errorf("%s: %v", at, err)
		}
	}
}

func TestPeopleReadAndMarkOnlyTheirOwn(t *testing.T) {
	x := newSuite(t)
	if _, err := x.Notify(guard.As(t.Context(), "consults"), &noticesv1.NotifyRequest{Account: "hoa", Kind: "starting", Key: "1"}); err != nil {
		t.Fatal(err)
	}
	list, err := x.ListNotices(as(t, "hoa"), &noticesv1.ListNoticesRequest{})
	if err != nil || len(list.GetNotices()) != 1 {
		t.Fatal(list, err)
	}
	id := list.GetNotices()[0].GetId()
	if _, err := x.MarkRead(as(t, "other"), &noticesv1.MarkReadRequest{Id: id}); !fault.Is(err, fault.NotFound) {
		t.Errorf("another's notice was marked: %v", err)
	}
	if _, err := x.MarkRead(as(t, "other"), &noticesv1.MarkReadRequest{}); err != nil {
		t.Error(err)
	}
	if r, err := x.ListNotices(as(t, "hoa"), &noticesv1.ListNoticesRequest{}); err != nil || r.GetUnread() != 1 {
		t.Errorf("unread %d, %v", r.GetUnread(), err)
	}
	if _, err := x.MarkRead(as(t, "hoa"), &noticesv1.MarkReadRequest{Id: id}); err != nil {
		t.Error(err)
	}
	if r, err := x.ListNotices(as(t, "hoa"), &noticesv1.ListNoticesRequest{}); err != nil || r.GetUnread() != 0 {
		t.Errorf("unread %d, %v", r.GetUnread(), err)
	}
	if _, err := x.ListNotices(t.Context(), &noticesv1.ListNoticesRequest{}); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("nobody could list: %v", err)
	}
}

func TestASharedBrowserShowsNothingOfWhoUsedItBefore(t *testing.T) {
	x := newSuite(t)
	x.subscribe(t, "hoa")
	if _, err := x.Notify(guard.As(t.Context(), "consults"), &noticesv1.NotifyRequest{Account: "hoa", Kind: "starting", Key: "1"}); err != nil {
		t.Fatal(err)
	}
	x.subscribe(t, "other")
	x.carry(t)
	if len(x.push.got) != 0 {
		t.Errorf("sent %v", x.push.got[0].Notice.Account)
	}
}

func TestRunningServiceTellsAndStops(t *testing.T) {
	x := newSuite(t)
	x.subscribe(t, "hoa")
	x.records.add("Appointment", "a", 1, x.clock, appointment("booked", half))
	if err := x.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for len(x.told(t, "hoa")) == 0 {
		if t.Context().Err() != nil {
			t.Fatal("never told")
		}
	}
	if err := x.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestEveryTextExistsInBothLanguages(t *testing.T) {
	w, err := loadWording()
	if err != nil {
		t.Fatal(err)
	}
	for _, language := range languages {
		for _, kind := range w.kinds() {
			for _, v := range []values{{When: "x"}, {When: "x", Ward: true, What: "prescription"}} {
				title, text, err := w.say(language, kind, v)
				if err != nil || title == "" || text == "" || len(text) > 300 || strings.Contains(text, "  ") || strings.Contains(text, "<no value>") {
					t.Errorf("%s %s: %q %q %v", language, kind, title, text, err)
				}
			}
		}
	}
}
