package message

import (
	"context"
	"crypto/ecdh"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/yba-health/yba/pkg/fault"
)

// CheckSubscription refuses what no browser would send: the server will POST
// to the endpoint, so it must be a public https address, and the keys must be
// a point on P-256 and 16 bytes (RFC 8291, section 2).
func CheckSubscription(s Subscription) error {
	u, err := url.Parse(s.Endpoint)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || len(s.Endpoint) > 2000 {
		return fault.New(fault.Invalid, "the endpoint must be the https address that the browser gave", nil).In("endpoint")
	}
	if p := u.Port(); p != "" && p != "443" {
		return fault.New(fault.Invalid, "the endpoint must be on port 443", nil).In("endpoint")
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if ip, err := netip.ParseAddr(host); err == nil && !public(ip) ||
		!strings.Contains(host, ".") && err != nil || strings.HasSuffix(host, ".localhost") ||
		strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal") {
		return fault.New(fault.Invalid, "the endpoint must be a public address", nil).In("endpoint")
	}
	key, err := decodeKey(s.P256dh)
	if err == nil {
		_, err = ecdh.P256().NewPublicKey(key)
	}
	if err != nil {
		return fault.New(fault.Invalid, "p256dh must be the key that the browser gave", nil).In("p256dh")
	}
	if auth, err := decodeKey(s.Auth); err != nil || len(auth) != 16 {
		return fault.New(fault.Invalid, "auth must be the secret that the browser gave", nil).In("auth")
	}
	return nil
}

func decodeKey(s string) ([]byte, error) {
	s = strings.TrimRight(s, "=")
	if strings.ContainsAny(s, "+/") {
		return base64.RawStdEncoding.DecodeString(s)
	}
	return base64.RawURLEncoding.DecodeString(s)
}

// Shared, translating and reserved ranges that netip does not name:
// https://www.iana.org/assignments/iana-ipv4-special-registry and -ipv6-.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
}

// public reports whether an address is on the internet and not this machine
// or its network.
func public(ip netip.Addr) bool {
	ip = ip.Unmap()
	if !ip.IsValid() || !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range special {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

var errNotPublic = errors.New("the address is not public")

// PublicClient returns an HTTP client that connects to public addresses only.
// It looks at the address itself, after the name was resolved, because a name
// may lead anywhere; and it follows no redirect.
func PublicClient() *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !public(at.Addr()) {
			return errNotPublic
		}
		return nil
	}}
	return &http.Client{
		Timeout: 20 * time.Second,
		Transport: &http.Transport{
			// No proxy: it would connect where this dialer would not.
			Proxy: nil,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				return dialer.DialContext(ctx, network, address)
			},
			TLSHandshakeTimeout: 10 * time.Second, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
