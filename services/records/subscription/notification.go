package subscription

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/yba-health/yba/pkg/fhir"
)

// The kinds of notifications
// (http://hl7.org/fhir/uv/subscriptions-backport/STU1.1/CodeSystem-backport-notification-type-code-system.html).
const (
	Handshake   = "handshake"
	Heartbeat   = "heartbeat"
	Event       = "event-notification"
	QueryStatus = "query-status"
	QueryEvent  = "query-event"
)

// Notification is what a Subscription's receiver is sent.
type Notification struct {
	Kind string
	// Base is the address of the FHIR face, ID the Subscription's.
	Base, ID string
	Topic    string
	Status   string
	// Last is the number of the newest event since the Subscription began.
	Last   int64
	Events []Told
	// Content says what is told of each resource.
	Content string
}

// Told is one event in a notification.
type Told struct {
	Number  int64
	At      time.Time
	Type    string
	ID      string
	Op      string
	Version int64
	// Body is the resource as it is now, nil when it is gone.
	Body []byte
}

// parameters returns the Parameters that say how the Subscription stands
// (http://hl7.org/fhir/uv/subscriptions-backport/STU1.1/StructureDefinition-backport-subscription-status-r4.html).
func (n *Notification) parameters(id string) []byte {
	out := []byte(`{"resourceType":"Parameters","id":` + fhir.Quote(id) + `,"meta":{"profile":["` + backport + `StructureDefinition/backport-subscription-status-r4"]},` +
		`"parameter":[{"name":"subscription","valueReference":{"reference":` + fhir.Quote(n.Base+"/Subscription/"+n.ID) + `}}`)
	if n.Topic != "" {
		out = append(out, `,{"name":"topic","valueCanonical":`+fhir.Quote(n.Topic)+`}`...)
	}
	out = append(out, `,{"name":"status","valueCode":`+fhir.Quote(n.Status)+`},{"name":"type","valueCode":`+fhir.Quote(n.Kind)+
		`},{"name":"events-since-subscription-start","valueString":"`+strconv.FormatInt(n.Last, 10)+`"}`...)
	for _, e := range n.Events {
		out = append(out, `,{"name":"notification-event","part":[{"name":"event-number","valueString":"`+strconv.FormatInt(e.Number, 10)+
			`"},{"name":"timestamp","valueInstant":"`+e.At.UTC().Format(fhir.InstantLayout)+`"}`...)
		if n.Content != Empty {
			out = append(out, `,{"name":"focus","valueReference":{"reference":`+fhir.Quote(n.Base+"/"+e.Type+"/"+e.ID)+`}}`...)
		}
		out = append(out, `]}`...)
	}
	return append(out, `]}`...)
}

// entry returns the Bundle's entry of the Parameters.
func (n *Notification) entry() fhir.BundleEntry {
	id := uuid.NewString()
	return fhir.BundleEntry{
		FullURL: "urn:uuid:" + id, Resource: n.parameters(id),
		Method: "GET", URL: n.Base + "/Subscription/" + n.ID + "/$status", Status: "200",
	}
}

// JSON returns the notification Bundle: a history whose first entry tells how
// the Subscription stands
// (http://hl7.org/fhir/uv/subscriptions-backport/STU1.1/StructureDefinition-backport-subscription-notification-r4.html).
func (n *Notification) JSON() []byte {
	b := fhir.Bundle{Type: "history", Entry: []fhir.BundleEntry{n.entry()}}
	if n.Content == Empty {
		return b.JSON()
	}
	seen := map[string]bool{}
	for _, e := range n.Events {
		// The content is of now, so a resource stands here once.
		url := n.Base + "/" + e.Type + "/" + e.ID
		if seen[url] {
			continue
		}
		seen[url] = true
		x := fhir.BundleEntry{FullURL: url, Method: "PUT", URL: e.Type + "/" + e.ID, Status: "200"}
		switch {
		case e.Body == nil:
			x.Method = "DELETE"
		case n.Content == Full:
			x.Resource = e.Body
		}
		if e.Op == "create" && e.Version == 1 && e.Body != nil {
			x.Method, x.URL, x.Status = "POST", e.Type, "201"
		}
		b.Entry = append(b.Entry, x)
	}
	return b.JSON()
}

// Statuses returns the searchset that $status answers with.
func Statuses(list []Notification) []byte {
	total := int64(len(list))
	b := fhir.Bundle{Type: "searchset", Total: &total}
	for i := range list {
		e := list[i].entry()
		b.Entry = append(b.Entry, fhir.BundleEntry{FullURL: e.FullURL, Resource: e.Resource, Mode: "match"})
	}
	return b.JSON()
}

// Signature is the header that proves who sent a rest-hook.
const Signature = "X-Yba-Signature"

// Secret returns the secret of a Subscription: it follows from the
// installation's own and is kept nowhere. Its owner is told by $secret.
func Secret(installation []byte, id string) string {
	m := hmac.New(sha256.New, installation)
	m.Write([]byte("Subscription/" + id))
	return hex.EncodeToString(m.Sum(nil))
}

// Sign returns the value of Signature: t is the time of sending in seconds
// since 1970, v1 the HMAC-SHA256 of t, a dot and the body in hexadecimal
// digits. The key is the text of the secret.
func Sign(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(t + "."))
	m.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(m.Sum(nil))
}
