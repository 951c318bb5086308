package subscription

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestOnlyPublicAddressesAreCalled(t *testing.T) {
	h := &Hooks{}
	for address, open := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "203.0.112.1": true,
		"127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "0.0.0.0": false, "100.64.0.1": false,
		"224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false, "198.18.0.1": false, "::1": false, "::": false, "fe80::1": false, "fd00::1": false, "fe80::1%eth0": false,
		"::ffff:10.0.0.1": false, "::ffff:127.0.0.1": false, "::127.0.0.1": false, "64:ff9b::a00:1": false, "64:ff9b:1::a00:1": false, "2002:a00:1::": false, "2001::a00:1": false, "fec0::1": false, "ff02::1": false,
	} {
		if got := h.open(netip.MustParseAddr(address)); got != open {
			t.Errorf("%s: open is %v", address, got)
		}
	}
	h.private = []netip.Prefix{netip.MustParsePrefix("10.2.0.0/16")}
	if !h.open(netip.MustParseAddr("10.2.3.4")) || h.open(netip.MustParseAddr("10.3.0.1")) || !h.open(netip.MustParseAddr("::ffff:10.2.0.1")) {
		t.Error("hook-networks opens something else")
	}
	for endpoint, ok := range map[string]bool{
		"https://example.org": true, "https://10.2.3.4/x": true, "http://example.org": false, "http://10.2.3.4": false, "http://127.0.0.1": false, "https://localhost": false,
		"https://LOCALHOST:8443": false, "https://[::1]/": false,
	} {
		if err := h.callable(endpoint); (err == nil) != ok {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
	if _, err := networks([]string{"10.0.0.1"}); err == nil {
		t.Error("an address was taken for a network")
	}
}

// TestANameThatLeadsInsideIsNotDialled calls a receiver on this machine by
// name: the text says nothing, only the address that is dialled does.
func TestANameThatLeadsInsideIsNotDialled(t *testing.T) {
	called := false
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	defer server.Close()
	h := &Hooks{}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.Replace(server.URL, "127.0.0.1", "localhost", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := h.caller().Do(req)
	if err == nil {
		resp.Body.Close()
	}
	if err == nil || called || !strings.Contains(err.Error(), "not a public one") {
		t.Errorf("called %v: %v", called, err)
	}
}
