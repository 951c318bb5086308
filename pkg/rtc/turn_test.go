package rtc

import (
	"net"
	"testing"
	"time"
)

func TestRelayCredentialsExpireAndHoldForTwoHoursAtMost(t *testing.T) {
	now := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	c := TURNConfig{Secret: []byte("0123456789abcdef"), Now: func() time.Time { return now }}
	for name, tc := range map[string]struct {
		expiry time.Time
		user   string
		want   bool
	}{
		"in time":  {now.Add(time.Hour), "s1", true},
		"expired":  {now.Add(-time.Second), "s1", false},
		"too long": {now.Add(3 * time.Hour), "s1", false},
		"nobody":   {now.Add(time.Hour), "", false},
	} {
		username, _ := Credentials(c.Secret, tc.user, tc.expiry)
		if _, ok := c.key(username, turnRealm); ok != tc.want {
			t.Errorf("%s: accepted %v", name, ok)
		}
	}
	for _, bad := range []string{"", "1", "x:y", "99999999999999999999:y", "-1:y"} {
		if _, ok := c.key(bad, turnRealm); ok {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestTheRelayReachesTheMediaPortOnly(t *testing.T) {
	media, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer media.Close()
	other, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	r := &relays{config: TURNConfig{Relays: []net.IP{net.IPv4(127, 0, 0, 1)}, MediaPort: media.LocalAddr().(*net.UDPAddr).Port}}
	conn, _, err := r.AllocatePacketConn("udp4", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if r.allowed(net.IPv4(10, 0, 0, 1)) {
		t.Error("a foreign address is allowed")
	}
	for _, to := range []net.Addr{other.LocalAddr(), media.LocalAddr()} {
		if _, err := conn.WriteTo([]byte("x"), to); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 8)
	if err := media.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := media.ReadFrom(buf); err != nil {
		t.Error("the media port was not reached:", err)
	}
	// The other socket was written to first: what it was sent would be here.
	if err := other.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := other.ReadFrom(buf); err == nil {
		t.Error("another port was reached")
	}
}

func TestALineThatStaysPoorLosesThePictureAndGetsItBack(t *testing.T) {
	var l line
	seconds := func(n int, level Level) (pauses []bool) {
		for range n {
			if _, changed := l.next(level); changed {
				pauses = append(pauses, l.pausing())
			}
		}
		return pauses
	}
	if got := seconds(2, Poor); len(got) != 0 {
		t.Error("paused too early")
	}
	seconds(1, Good)
	if got := seconds(3, Poor); len(got) != 1 || !got[0] {
		t.Error("not paused after three poor seconds")
	}
	if got := seconds(9, Good); len(got) != 0 {
		t.Error("resumed too early")
	}
	if got := seconds(1, Good); len(got) != 1 || got[0] {
		t.Error("not resumed after ten good seconds")
	}
	for _, c := range []struct {
		connected bool
		loss      float64
		rate      uint64
		want      Level
	}{{true, 0, 0, Good}, {true, .05, 0, Fair}, {true, .2, 0, Poor}, {true, 0, 100_000, Poor}, {false, 0, 0, Lost}} {
		if got := judge(c.connected, c.loss, c.rate); got != c.want {
			t.Errorf("judge(%v) = %s", c, got)
		}
	}
}

func TestKeyFramesAreKnownByTheirFirstBytes(t *testing.T) {
	for name, c := range map[string]struct {
		payload []byte
		want    bool
	}{
		"key frame":               {[]byte{0x10, 0x00}, true},
		"delta frame":             {[]byte{0x10, 0x01}, false},
		"middle of a frame":       {[]byte{0x00, 0x00}, false},
		"second partition":        {[]byte{0x11, 0x00}, false},
		"picture id of 15 bits":   {[]byte{0x90, 0x80, 0x81, 0x02, 0x00}, true},
		"all extensions":          {[]byte{0x90, 0xf0, 0x01, 0x02, 0x03, 0x00}, true},
		"cut off":                 {[]byte{0x90, 0xf0, 0x81}, false},
		"nothing":                 {nil, false},
		"extension bit, no bytes": {[]byte{0x90}, false},
	} {
		if got := startsKeyFrame(c.payload); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
