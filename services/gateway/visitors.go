package gateway

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
)

// ParseProxies reads networks such as 10.0.0.0/8 and single addresses.
func ParseProxies(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, aerr := netip.ParseAddr(s)
			if aerr != nil {
				return nil, fault.Newf(fault.Invalid, "trusted-proxies: %q is no network such as 10.0.0.0/8", s)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// visitors puts the visitor's address into the request where a trusted proxy
// stands before the edge, so that limits and the throttle of sign-in count
// visitors and not the proxy. Each proxy appends the address it saw to
// X-Forwarded-For, so the last one that is no proxy of ours is the visitor;
// what stands before it anybody may have written.
func visitors(trusted []netip.Prefix, next http.Handler) http.Handler {
	if len(trusted) == 0 {
		return next
	}
	known := func(s string) bool {
		a, err := netip.ParseAddr(strings.TrimSpace(s))
		return err == nil && slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host, port, err := net.SplitHostPort(r.RemoteAddr); err == nil && known(host) {
			hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
			for _, hop := range slices.Backward(hops) {
				hop = strings.TrimSpace(hop)
				if known(hop) {
					continue
				}
				if a, err := netip.ParseAddr(hop); err == nil {
					r.RemoteAddr = net.JoinHostPort(a.String(), port)
				}
				break
			}
		}
		next.ServeHTTP(w, r)
	})
}
