package contract_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	consultsv1 "github.com/yba-health/yba/proto/gen/yba/consults/v1"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

// merged proves that the account of a resident, and the doctor who treats the
// resident, reach the record that theirs was merged into, and lose it again
// when the merge is undone; nobody else gains anything.
func merged(t *testing.T, s *system, nurse, doctor, resident *user, source, consultation string) {
	t.Helper()
	commune := do[accessv1.Account](nurse, "access.Me", &accessv1.MeRequest{}).GetCommunes()[0]
	register := func(n, name string) string {
		return do[stationsv1.RegisterPersonResponse](nurse, "stations.RegisterPerson", &stationsv1.RegisterPersonRequest{
			ClientId: "7e0c1f86-2f0d-4a53-9c11-0d9c52a0c00" + n, Name: name, BirthDate: "1990-05-06", Gender: "female",
			Commune: commune, Address: "Số 1, thôn 1", NotADuplicate: true,
		}).GetPerson().GetPatient()
	}
	target, other := register("1", "Lý Thị Kiểm Chúng"), register("2", "Trần Văn Khác")
	stranger := s.as(t, do[stationsv1.OpenAccountResponse](nurse, "stations.OpenAccount", &stationsv1.OpenAccountRequest{Patient: other}).GetUsername())
	pulse := func(n string) {
		do[stationsv1.Entry](nurse, "stations.RecordVisit", &stationsv1.RecordVisitRequest{
			ClientId: "7e0c1f86-2f0d-4a53-9c11-0d9c52a0c01" + n, Patient: target, Reason: "Đo mạch", Measures: []*stationsv1.Measure{{Kind: "pulse", Value: "72"}},
		})
	}
	pulse("1")
	heard := listening(t, doctor)

	notes := func(u *user, patient string) int {
		return len(u.search("DocumentReference", url.Values{"patient": {patient}}))
	}
	status := func(u *user, path string) int {
		code, _ := u.send(http.MethodGet, "/fhir/R4/"+path, "", nil)
		return code
	}
	me := func() string {
		return do[accessv1.Account](resident, "access.Me", &accessv1.MeRequest{}).GetPatient()
	}
	operation := func(name string) {
		t.Helper()
		code, body := nurse.send(http.MethodPost, "/fhir/R4/Patient/$"+name, "application/fhir+json", []byte(`{"resourceType":"Parameters","parameter":[
			{"name":"source-patient","valueReference":{"reference":"Patient/`+source+`"}},{"name":"target-patient","valueReference":{"reference":"Patient/`+target+`"}}]}`))
		if code != http.StatusOK {
			t.Fatalf("$%s: %d %s", name, code, body)
		}
	}
	if status(resident, "Patient/"+target) != http.StatusForbidden || status(doctor, "Patient/"+target) != http.StatusForbidden {
		t.Fatal("the other record is reached before the merge")
	}
	operation("merge")
	until(t, "the account follows the merge", 20*time.Second, func() error {
		if me() != target || notes(resident, target) != 1 || notes(doctor, target) != 1 {
			return fmt.Errorf("the app opens %q; %d notes for the resident, %d for the doctor", me(), notes(resident, target), notes(doctor, target))
		}
		return nil
	})
	for _, path := range []string{"Patient/" + target, "Patient/" + target + "/$everything", "Patient/" + target + "/_history", "Patient/" + source, "Patient/" + target + "/Observation"} {
		until(t, "what another process decided before holds no longer", 10*time.Second, func() error {
			if code := status(resident, path); code != http.StatusOK {
				return fmt.Errorf("after the merge %s answers the resident %d", path, code)
			}
			return nil
		})
		if code := status(stranger, path); code != http.StatusForbidden && (code != http.StatusOK || !strings.HasSuffix(path, "/Observation")) {
			t.Errorf("after the merge %s answers somebody else %d", path, code)
		}
	}
	if n := len(stranger.search("Observation", url.Values{"patient": {target}})); n > 0 {
		t.Errorf("somebody else finds %d observations", n)
	}
	// What was booked before bears the former id.
	do[consultsv1.Consultation](resident, "consults.GetConsultation", &consultsv1.GetConsultationRequest{Id: consultation})
	list := do[consultsv1.ListConsultationsResponse](resident, "consults.ListConsultations", &consultsv1.ListConsultationsRequest{Patient: target})
	if n := len(list.GetConsultations()); n != 1 || list.GetConsultations()[0].GetId() != consultation {
		t.Errorf("the app lists %d consultations of before", n)
	}
	until(t, "the access log names the target", 10*time.Second, func() error {
		own := do[accessv1.Account](resident, "access.Me", &accessv1.MeRequest{}).GetId()
		for _, e := range do[accessv1.AccessLogResponse](resident, "access.AccessLog", &accessv1.AccessLogRequest{Limit: 200}).GetEntries() {
			if e.GetAccount() == own && e.GetOperation() == "records.Everything" && e.GetPatient() == target {
				return nil
			}
		}
		return errors.New("not there")
	})
	pulse("2")
	until(t, "the doctor's Subscription tells of the merged record", 30*time.Second, func() error {
		if !heard(target) {
			return errors.New("nothing")
		}
		return nil
	})

	operation("unmerge")
	until(t, "the account follows the undoing", 20*time.Second, func() error {
		if me() != source || status(resident, "Patient/"+target) != http.StatusForbidden || status(doctor, "Patient/"+target) != http.StatusForbidden {
			return fmt.Errorf("the app opens %q", me())
		}
		if notes(resident, source) != 1 || notes(doctor, source) != 1 || len(resident.search("Observation", url.Values{"patient": {target}})) != 0 {
			return errors.New("the records are not what they were")
		}
		return nil
	})
}

// listening subscribes to pulses and tells whether one of a patient was told.
func listening(t *testing.T, u *user) func(patient string) bool {
	t.Helper()
	var mu sync.Mutex
	var told []string
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		told = append(told, string(b))
	}))
	t.Cleanup(receiver.Close)
	status, body := u.send(http.MethodPost, "/fhir/R4/Subscription", "application/fhir+json", []byte(`{"resourceType":"Subscription","status":"requested","reason":"follow-up",
		"criteria":"https://yba.health/fhir/SubscriptionTopic/observation-changed","_criteria":{"extension":[{
		"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-filter-criteria","valueString":"Observation?code=http://loinc.org|8867-4"}]},
		"channel":{"type":"rest-hook","endpoint":"`+receiver.URL+`","payload":"application/fhir+json","_payload":{"extension":[{
		"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content","valueCode":"full-resource"}]}}}`))
	var x struct{ ID string }
	if err := json.Unmarshal(body, &x); err != nil || status != http.StatusCreated {
		t.Fatalf("Subscription: %d %s", status, body)
	}
	until(t, "the handshake", 60*time.Second, func() error {
		mu.Lock()
		defer mu.Unlock()
		if len(told) == 0 {
			return errors.New("nothing")
		}
		return nil
	})
	return func(patient string) bool {
		mu.Lock()
		defer mu.Unlock()
		for _, n := range told {
			if strings.Contains(n, `"Patient/`+patient+`"`) {
				return true
			}
		}
		return false
	}
}
