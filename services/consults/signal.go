package consults

import (
	"bytes"
	"encoding/json"
	"io"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/rtc"
	consultsv1 "github.com/yba-health/yba/proto/gen/yba/consults/v1"
	"github.com/yba-health/yba/services/consults/consult"
)

// maxSignal bounds a message, in bytes; maxChat a line of chat, in characters.
const (
	maxSignal = 64 << 10
	maxChat   = 4000
)

// What a browser says. README.md explains the messages.
type (
	sayOffer struct {
		Type    string                `json:"type"`
		SDP     string                `json:"sdp"`
		Sources map[string]rtc.Source `json:"sources"`
	}
	sayAnswer struct {
		Type string `json:"type"`
		ID   int    `json:"id"`
		SDP  string `json:"sdp"`
	}
	sayCandidate struct {
		Type      string        `json:"type"`
		PC        string        `json:"pc"`
		Candidate rtc.Candidate `json:"candidate"`
	}
	sayRestart struct {
		Type string `json:"type"`
	}
	sayMute struct {
		Type  string `json:"type"`
		Kind  string `json:"kind"`
		Muted bool   `json:"muted"`
	}
	sayReceive struct {
		Type  string `json:"type"`
		Video bool   `json:"video"`
	}
	sayChat struct {
		Type string `json:"type"`
		ID   string `json:"id"`
		Text string `json:"text"`
	}
	sayLeave struct {
		Type string `json:"type"`
	}
)

// What the server says.
type (
	helloMessage struct {
		Type         string            `json:"type"`
		Seat         string            `json:"seat"`
		Resume       string            `json:"resume"`
		Consultation string            `json:"consultation"`
		Role         consult.Role      `json:"role"`
		IceServers   []iceServer       `json:"iceServers"`
		Members      []memberState     `json:"members"`
		Chat         []consult.Message `json:"chat"`
	}
	iceServer struct {
		URLs       []string `json:"urls"`
		Username   string   `json:"username,omitempty"`
		Credential string   `json:"credential,omitempty"`
	}
	memberState struct {
		Seat       string       `json:"seat"`
		Account    string       `json:"account"`
		Name       string       `json:"name"`
		Role       consult.Role `json:"role"`
		Present    bool         `json:"present"`
		Audio      bool         `json:"audio"`
		Video      bool         `json:"video"`
		Screen     bool         `json:"screen"`
		AudioMuted bool         `json:"audioMuted"`
		VideoMuted bool         `json:"videoMuted"`
	}
	membersMessage struct {
		Type    string        `json:"type"`
		Members []memberState `json:"members"`
	}
	answerMessage struct {
		Type string `json:"type"`
		SDP  string `json:"sdp"`
	}
	offerMessage struct {
		Type   string     `json:"type"`
		ID     int        `json:"id"`
		SDP    string     `json:"sdp"`
		Tracks []rtc.Sent `json:"tracks"`
	}
	chatMessage struct {
		Type    string          `json:"type"`
		Message consult.Message `json:"message"`
	}
	qualityMessage struct {
		Type  string    `json:"type"`
		Level rtc.Level `json:"level"`
	}
	silentMessage struct {
		Type   string     `json:"type"`
		Seat   string     `json:"seat"`
		Source rtc.Source `json:"source"`
		Silent bool       `json:"silent"`
	}
	endedMessage struct {
		Type   string `json:"type"`
		Reason string `json:"reason,omitempty"`
	}
	errorMessage struct {
		Type    string `json:"type"`
		Class   string `json:"class"`
		Message string `json:"message"`
		At      string `json:"at,omitempty"`
	}
)

func refusal(err error) errorMessage {
	f := fault.Of(err)
	return errorMessage{"error", f.Class.String(), f.Message, f.At}
}

// parseSignal reads one message of a browser, strictly: unknown types and
// fields are refused, so that nobody relies on what is not there.
func parseSignal(b []byte) (any, error) {
	if len(b) > maxSignal {
		return nil, fault.Newf(fault.TooLarge, "a message has at most %d bytes", maxSignal)
	}
	if !utf8.Valid(b) {
		return nil, fault.New(fault.Invalid, "a message is UTF-8", nil)
	}
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fault.New(fault.Invalid, "a message is a JSON object with a type", err)
	}
	var m any
	switch head.Type {
	case "offer":
		m = &sayOffer{}
	case "answer":
		m = &sayAnswer{}
	case "candidate":
		m = &sayCandidate{}
	case "restart":
		m = &sayRestart{}
	case "mute":
		m = &sayMute{}
	case "receive":
		m = &sayReceive{}
	case "chat":
		m = &sayChat{}
	case "leave":
		m = &sayLeave{}
	default:
		return nil, fault.New(fault.Invalid, "this type of message is not known", nil).In("type")
	}
	if err := strict(b, m); err != nil {
		return nil, err
	}
	return m, check(m)
}

func strict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fault.New(fault.Invalid, "the message has a field that is unknown or of the wrong type", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fault.New(fault.Invalid, "one message holds one object", nil)
	}
	return nil
}

func check(m any) error {
	switch m := m.(type) {
	case *sayCandidate:
		if m.PC != "publish" && m.PC != "subscribe" {
			return fault.New(fault.Invalid, "a connection is publish or subscribe", nil).In("pc")
		}
	case *sayMute:
		if m.Kind != "audio" && m.Kind != "video" {
			return fault.New(fault.Invalid, "a kind is audio or video", nil).In("kind")
		}
	case *sayChat:
		if _, err := uuid.Parse(m.ID); err != nil {
			return fault.New(fault.Invalid, "the id is a UUID of your own", nil).In("id")
		}
		if n := utf8.RuneCountInString(m.Text); n == 0 || n > maxChat {
			return fault.Newf(fault.Invalid, "a line has 1 to %d characters", maxChat).In("text")
		}
	case *sayOffer:
		if len(m.Sources) > 16 {
			return fault.New(fault.Invalid, "at most 16 sources", nil).In("sources")
		}
	}
	return nil
}

func iceOf(list []*consultsv1.IceServer) []iceServer {
	out := []iceServer{}
	for _, s := range list {
		out = append(out, iceServer{s.GetUrls(), s.GetUsername(), s.GetCredential()})
	}
	return out
}
