package contract_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// subscribed proves that whoever may read a change is told of it, over both
// channels, and that who may not is told nothing: the nurse of the resident's
// commune, and a doctor who does not treat the resident yet.
func subscribed(t *testing.T, nurse, doctor *user, patient string) {
	t.Helper()
	var mu sync.Mutex
	told := map[string][]string{}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("X-Yba-Signature") == "" {
			t.Errorf("a notification without signature or whole body: %v", err)
		}
		mu.Lock()
		defer mu.Unlock()
		told[r.URL.Path] = append(told[r.URL.Path], string(b))
	}))
	t.Cleanup(receiver.Close)
	heard := func(path string) []string {
		mu.Lock()
		defer mu.Unlock()
		return told[path]
	}
	subscribe := func(u *user, channel string) string {
		status, body := u.send(http.MethodPost, "/fhir/R4/Subscription", "application/fhir+json", []byte(`{"resourceType":"Subscription","status":"requested","reason":"follow-up",
			"criteria":"https://yba.health/fhir/SubscriptionTopic/observation-changed","_criteria":{"extension":[{
			"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-filter-criteria","valueString":"Observation?code=http://loinc.org|8867-4"}]},
			"channel":{`+channel+`,"payload":"application/fhir+json"}}`))
		var x struct{ ID string }
		if err := json.Unmarshal(body, &x); err != nil || status != http.StatusCreated {
			t.Fatalf("Subscription: %d %s", status, body)
		}
		return x.ID
	}
	hook := subscribe(nurse, `"type":"rest-hook","endpoint":"`+receiver.URL+`/nurse"`)
	subscribe(doctor, `"type":"rest-hook","endpoint":"`+receiver.URL+`/doctor"`)
	socket := subscribe(nurse, `"type":"websocket"`)
	until(t, "the handshakes", 60*time.Second, func() error {
		_, body := nurse.send(http.MethodGet, "/fhir/R4/Subscription/"+socket+"/$status", "", nil)
		if len(heard("/nurse")) == 0 || len(heard("/doctor")) == 0 || !strings.Contains(string(body), `"valueCode":"active"`) {
			return fmt.Errorf("the nurse's receiver heard %d, the doctor's %d, the websocket's Subscription is %s", len(heard("/nurse")), len(heard("/doctor")), body)
		}
		return nil
	})
	_, body := nurse.send(http.MethodGet, "/fhir/R4/Subscription/"+socket+"/$get-ws-binding-token", "", nil)
	given := map[string]string{}
	var p struct {
		Parameter []struct{ Name, ValueString, ValueURL string }
	}
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	for _, x := range p.Parameter {
		given[x.Name] = x.ValueString + x.ValueURL
	}
	ws, _, err := websocket.Dial(t.Context(), given["websocket-url"], nil) //nolint:bodyclose // the handshake's body is the library's to close
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	defer func() { _ = ws.CloseNow() }()
	if err := ws.Write(t.Context(), websocket.MessageText, []byte("bind-with-token "+given["token"])); err != nil {
		t.Fatal(err)
	}
	if _, b, err := ws.Read(t.Context()); err != nil || !strings.Contains(string(b), "handshake") {
		t.Fatalf("%v %s", err, b)
	}
	status, body := nurse.send(http.MethodPost, "/fhir/R4/Observation", "application/fhir+json", []byte(`{"resourceType":"Observation","status":"final",
		"code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},"subject":{"reference":"Patient/`+patient+`"},"effectiveDateTime":"2026-03-04T08:00:00+07:00",
		"valueQuantity":{"value":71.0,"unit":"/min","system":"http://unitsofmeasure.org","code":"/min"}}`))
	if status != http.StatusCreated {
		t.Fatalf("%d %s", status, body)
	}
	until(t, "the nurse was told", 60*time.Second, func() error {
		if list := heard("/nurse"); len(list) < 2 || !strings.Contains(list[1], "71.0") {
			return errors.New("not told")
		}
		return nil
	})
	if _, b, err := ws.Read(t.Context()); err != nil || !strings.Contains(string(b), "event-notification") || !strings.Contains(string(b), "71.0") {
		t.Errorf("over the websocket: %v %s", err, b)
	}
	if list := heard("/doctor"); len(list) != 1 {
		t.Errorf("a doctor who does not treat the resident was told %d times", len(list)-1)
	}
	if status, _ := doctor.send(http.MethodGet, "/fhir/R4/Subscription/"+hook+"/$events", "", nil); status != http.StatusForbidden {
		t.Errorf("a doctor asks for the nurse's events: %d", status)
	}
	_, body = doctor.send(http.MethodGet, "/fhir/R4/Subscription/$status", "", nil)
	if strings.Contains(string(body), hook) {
		t.Error("a doctor finds the nurse's Subscription")
	}
}
