package consults

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
)

func TestMessagesAreReadStrictly(t *testing.T) {
	for name, c := range map[string]struct {
		in string
		ok bool
	}{
		"offer":           {`{"type":"offer","sdp":"v=0","sources":{"0":"camera"}}`, true},
		"answer":          {`{"type":"answer","id":1,"sdp":"v=0"}`, true},
		"candidate":       {`{"type":"candidate","pc":"publish","candidate":{"candidate":"a","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":null}}`, true},
		"mute":            {`{"type":"mute","kind":"audio","muted":true}`, true},
		"chat":            {`{"type":"chat","id":"7d444840-9dc0-11d1-b245-5ffdce74fad2","text":"a"}`, true},
		"unknown type":    {`{"type":"shout"}`, false},
		"unknown field":   {`{"type":"leave","x":1}`, false},
		"two objects":     {`{"type":"leave"}{"type":"leave"}`, false},
		"wrong pc":        {`{"type":"candidate","pc":"both","candidate":{}}`, false},
		"wrong kind":      {`{"type":"mute","kind":"all","muted":true}`, false},
		"chat without":    {`{"type":"chat","id":"7d444840-9dc0-11d1-b245-5ffdce74fad2","text":""}`, false},
		"chat too long":   {`{"type":"chat","id":"7d444840-9dc0-11d1-b245-5ffdce74fad2","text":"` + strings.Repeat("ă", maxChat+1) + `"}`, false},
		"chat bad id":     {`{"type":"chat","id":"1","text":"a"}`, false},
		"no object":       {`[]`, false},
		"nothing":         {``, false},
		"not UTF-8":       {"{\"type\":\"leave\xff\"}", false},
		"message too big": {`{"type":"offer","sdp":"` + strings.Repeat("a", maxSignal) + `"}`, false},
	} {
		_, err := parseSignal([]byte(c.in))
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && fault.Is(err, fault.Internal) {
			t.Errorf("%s: an error without a class: %v", name, err)
		}
	}
}

// FuzzSignal feeds what a browser could send: it never panics, errors have a
// class, and what is accepted reads the same when written again.
func FuzzSignal(f *testing.F) {
	for _, s := range []string{
		`{"type":"offer","sdp":"v=0","sources":{"0":"camera"}}`, `{"type":"answer","id":1,"sdp":"v=0"}`, `{"type":"leave"}`,
		`{"type":"candidate","pc":"publish","candidate":{"candidate":"a","sdpMid":"0"}}`, `{"type":"receive","video":false}`,
		`{"type":"chat","id":"7d444840-9dc0-11d1-b245-5ffdce74fad2","text":"\ud800"}`, `{"type":1}`, `null`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseSignal(b)
		if err != nil {
			if fault.Is(err, fault.Internal) {
				t.Fatalf("an error without a class: %v", err)
			}
			return
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		second, err := parseSignal(again)
		if err != nil {
			if fault.Is(err, fault.TooLarge) {
				return // escaping made it longer
			}
			t.Fatalf("%s was accepted, %s not: %v", b, again, err)
		}
		third, err := json.Marshal(second)
		if err != nil || !reflect.DeepEqual(third, again) {
			t.Fatalf("%s became %s", again, third)
		}
	})
}
