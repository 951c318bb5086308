package gateway

import (
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/yba-health/yba/pkg/fault"
)

// limits bounds the request rate of each address.
type limits struct {
	perSecond int
	mu        sync.Mutex
	visitors  map[string]*visitor
	swept     time.Time
}

type visitor struct {
	limiter *rate.Limiter
	seen    time.Time
}

// forgetAfter is how long a quiet address is remembered.
const forgetAfter = 10 * time.Minute

func newLimits(perSecond int) *limits {
	return &limits{perSecond: perSecond, visitors: map[string]*visitor{}, swept: time.Now()}
}

func (l *limits) wrap(next http.Handler) http.Handler {
	if l.perSecond <= 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !l.allow(address(r), time.Now()) {
			w.Header().Set("Retry-After", "1")
			refuse(w, r, fault.New(fault.Limited, "too many requests; wait a moment", nil))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (l *limits) allow(who string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.swept) > forgetAfter {
		for k, v := range l.visitors {
			if now.Sub(v.seen) > forgetAfter {
				delete(l.visitors, k)
			}
		}
		l.swept = now
	}
	v, ok := l.visitors[who]
	if !ok {
		v = &visitor{limiter: rate.NewLimiter(rate.Limit(l.perSecond), l.perSecond*10)}
		l.visitors[who] = v
	}
	v.seen = now
	return v.limiter.AllowN(now, 1)
}

// address is the peer's, by /64 for IPv6, where one customer holds that many.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	ip := net.ParseIP(host)
	if ip != nil && ip.To4() == nil {
		return ip.Mask(net.CIDRMask(64, 128)).String()
	}
	return host
}

// LoopbackOnly serves h to callers on this machine and in private networks,
// where collectors live.
func LoopbackOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		ip := net.ParseIP(host)
		if ip == nil || !ip.IsLoopback() && !ip.IsPrivate() || r.Header.Get("X-Forwarded-For") != "" {
			http.NotFound(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}
