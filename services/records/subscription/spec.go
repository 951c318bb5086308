package subscription

import (
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/record"
)

const backport = "http://hl7.org/fhir/uv/subscriptions-backport/"

// The extensions of the backport that are read here.
const (
	extensionFilter    = backport + "StructureDefinition/backport-filter-criteria"
	extensionContent   = backport + "StructureDefinition/backport-payload-content"
	extensionHeartbeat = backport + "StructureDefinition/backport-heartbeat-period"
	extensionTimeout   = backport + "StructureDefinition/backport-timeout"
	extensionMaxCount  = backport + "StructureDefinition/backport-max-count"
)

// ExtensionTopic tells in the CapabilityStatement which topics are here.
const ExtensionTopic = backport + "StructureDefinition/capability-subscriptiontopic-canonical"

// The kinds of channels.
const (
	RestHook  = "rest-hook"
	WebSocket = "websocket"
)

// The states of a Subscription (https://hl7.org/fhir/R4/valueset-subscription-status.html).
const (
	Requested = "requested"
	Active    = "active"
	Failed    = "error"
	Off       = "off"
)

// What a notification holds of a resource.
const (
	Empty  = "empty"
	IDOnly = "id-only"
	Full   = "full-resource"
)

// Limits of what a Subscription may ask for.
const (
	minHeartbeat   = 10 * time.Second
	maxTimeout     = 60 * time.Second
	defaultTimeout = 10 * time.Second
	maxEvents      = 100
	maxHeaders     = 20
)

// Spec is a Subscription as it was understood.
type Spec struct {
	Status string
	// Topic is the canonical address, empty for R4's own criteria.
	Topic   string
	Channel string
	// Endpoint, Headers and Content are for notifications.
	Endpoint  string
	Headers   [][2]string
	Content   string
	Heartbeat time.Duration // 0: none
	Timeout   time.Duration
	MaxCount  int
	End       time.Time // zero: never

	classic bool
	rules   map[string]*rule
	filters []*record.Query
}

func refuse(at fhir.Value, message string) error {
	return fault.New(fault.Unprocessable, message, nil).In(at.Path())
}

// Read understands a Subscription that is valid FHIR, and refuses what cannot
// be delivered.
func Read(defs *fhir.Definitions, x *record.Indexer, v fhir.Value) (*Spec, error) {
	s := &Spec{Status: v.Get("status").Str(), rules: map[string]*rule{}, Timeout: defaultTimeout, MaxCount: 1}
	if err := s.criteria(defs, x, v); err != nil {
		return nil, err
	}
	if end := v.Get("end"); end.Exists() {
		at, _, err := fhir.TimeRange(end.Str(), record.Zone)
		if err != nil {
			return nil, refuse(end, "end is an instant")
		}
		s.End = at
	}
	return s, s.channel(v.Get("channel"))
}

func (s *Spec) criteria(defs *fhir.Definitions, x *record.Indexer, v fhir.Value) error {
	at := v.Get("criteria")
	// R4's own criteria begin with a type; what else there is, is a canonical.
	if typ, _, _ := strings.Cut(at.Str(), "?"); defs.Number(typ) > 0 || !strings.Contains(at.Str(), "://") {
		s.classic = true
		return s.filter(defs, x, at, nil)
	}
	topic := topicOf(at.Str())
	if topic == nil {
		return refuse(at, "there is no such topic here; /metadata lists the topics")
	}
	s.Topic = topic.URL
	for _, t := range topic.Triggers {
		if topic.Typed {
			break
		}
		r := &rule{on: t.On}
		for _, c := range []struct {
			text string
			to   **record.Query
		}{{t.Before, &r.before}, {t.After, &r.after}} {
			if c.text == "" {
				continue
			}
			q, err := x.ParseQuery(t.Type, c.text, false)
			if err != nil {
				return err
			}
			*c.to = q
		}
		s.rules[t.Type] = r
	}
	for e := range v.At("_criteria", "extension").Items() {
		if e.Get("url").Str() == extensionFilter {
			if err := s.filter(defs, x, e.Get("valueString"), topic); err != nil {
				return err
			}
		}
	}
	if len(s.rules) == 0 {
		return refuse(at, "this topic needs a backport-filter-criteria extension on criteria that names a type, such as Condition?")
	}
	return nil
}

// filter reads Type?parameters.
func (s *Spec) filter(defs *fhir.Definitions, x *record.Indexer, at fhir.Value, topic *Topic) error {
	typ, query, _ := strings.Cut(at.Str(), "?")
	switch {
	case defs.Number(typ) == 0:
		return refuse(at, "Type?parameters is expected, such as Observation?code=http://loinc.org|8480-6")
	case typ == "Subscription":
		return refuse(at, "a Subscription to Subscriptions would answer itself")
	case topic == nil:
		s.rules[typ] = &rule{on: []string{"create", "update"}}
	case topic.Typed:
		s.rules[typ] = &rule{on: topic.Triggers[0].On}
	case s.rules[typ] == nil:
		return refuse(at, "the topic is not about this type")
	}
	q, err := x.ParseQuery(typ, query, false)
	if err == nil {
		err = q.Matchable()
	}
	if err != nil {
		return refuse(at, fault.Of(err).Message)
	}
	for _, f := range q.Filters {
		if topic != nil && topic.CanFilterBy != nil && !slices.Contains(topic.CanFilterBy, f.Param.Code) {
			return refuse(at, "the topic can be filtered by "+strings.Join(topic.CanFilterBy, ", ")+" only")
		}
	}
	s.filters = append(s.filters, q)
	return nil
}

func (s *Spec) channel(v fhir.Value) error {
	s.Channel = v.Get("type").Str()
	switch s.Channel {
	case RestHook:
		if err := s.endpoint(v.Get("endpoint")); err != nil {
			return err
		}
	case WebSocket:
		if e := v.Get("endpoint"); e.Exists() {
			return refuse(e, "a websocket has no endpoint; ask for one with $get-ws-binding-token")
		}
	default:
		return refuse(v.Get("type"), "only rest-hook and websocket are offered")
	}
	if p := v.Get("payload"); p.Exists() && p.Str() != "application/fhir+json" && p.Str() != "application/json" {
		return refuse(p, "only application/fhir+json is sent")
	}
	// R4 sends the resource when there is a payload; the backport's extension says it exactly.
	s.Content = Empty
	if v.Get("payload").Exists() {
		s.Content = Full
	}
	for e := range v.At("_payload", "extension").Items() {
		if e.Get("url").Str() != extensionContent {
			continue
		}
		c := e.Get("valueCode")
		if s.Content = c.Str(); s.Content != Empty && s.Content != IDOnly && s.Content != Full {
			return refuse(e, "the content is empty, id-only or full-resource")
		}
	}
	if s.Content == Full && !v.Get("payload").Exists() {
		return refuse(v, "full-resource needs the payload application/fhir+json")
	}
	if err := s.pace(v); err != nil {
		return err
	}
	return s.headers(v.Get("header"))
}

// endpoint reads where a rest-hook goes. Whether the address may be called is
// asked when it is dialled.
func (s *Spec) endpoint(v fhir.Value) error {
	u, err := url.Parse(v.Str())
	switch {
	case !v.Exists() || err != nil || u.Hostname() == "" || u.Opaque != "":
		return refuse(v, "a rest-hook needs an endpoint such as https://example.org/hook")
	case u.Scheme != "https" && u.Scheme != "http":
		return refuse(v, "the endpoint must be https")
	case u.User != nil || u.Fragment != "":
		return refuse(v, "the endpoint holds no user and no fragment; put credentials into channel.header")
	}
	s.Endpoint = v.Str()
	return nil
}

func (s *Spec) pace(v fhir.Value) error {
	for e := range v.Get("extension").Items() {
		at := e.Get("valueUnsignedInt")
		if !at.Exists() {
			at = e.Get("valuePositiveInt")
		}
		n, err := strconv.Atoi(at.Text())
		switch e.Get("url").Str() {
		case extensionHeartbeat:
			if s.Heartbeat = time.Duration(n) * time.Second; err != nil || n != 0 && s.Heartbeat < minHeartbeat || n > 86400 {
				return refuse(e, "the heartbeat period is 0 or 10 to 86400 seconds")
			}
		case extensionTimeout:
			if s.Timeout = time.Duration(n) * time.Second; err != nil || n < 1 || s.Timeout > maxTimeout {
				return refuse(e, "the timeout is 1 to 60 seconds")
			}
		case extensionMaxCount:
			if s.MaxCount = n; err != nil || n < 1 || n > maxEvents {
				return refuse(e, "max-count is 1 to 100")
			}
		}
	}
	return nil
}

// ours are headers that the sender sets itself.
var ours = []string{
	"Host", "Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Connection", "Te", "Trailer", "Upgrade",
	"Proxy-Authorization", "Proxy-Connection", "Keep-Alive", "Expect",
}

func (s *Spec) headers(list fhir.Value) error {
	for h := range list.Items() {
		name, value, ok := strings.Cut(h.Str(), ":")
		name, value = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)), strings.TrimSpace(value)
		if !ok || !token(name) || len(h.Str()) > 4096 || strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
			return refuse(h, "a header is written Name: value, in ASCII")
		}
		if slices.Contains(ours, name) || strings.HasPrefix(name, "X-Yba-") {
			return refuse(h, "this header is set by the server")
		}
		if s.Headers = append(s.Headers, [2]string{http.CanonicalHeaderKey(name), value}); len(s.Headers) > maxHeaders {
			return refuse(h, "at most 20 headers are sent")
		}
	}
	return nil
}

// token reports whether s is a header's name (RFC 9110 section 5.6.2).
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20) < 'a' || (c|0x20) > 'z' {
			if (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
				return false
			}
		}
	}
	return s != ""
}
