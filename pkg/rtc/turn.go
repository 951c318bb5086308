package rtc

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 7635's predecessor fixes HMAC-SHA1
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pion/turn/v2"
)

// TURNConfig is what the embedded TURN server is made of.
type TURNConfig struct {
	Port   int
	Secret []byte
	// Relays are the engine's addresses: the server relays from them and to them only.
	Relays []net.IP
	// MediaPort is the only port that is relayed to.
	MediaPort int
	Log       *slog.Logger
	Now       func() time.Time
}

const (
	turnRealm = "yba"
	// maxCredential bounds the life of credentials whoever made them.
	maxCredential  = 2 * time.Hour
	maxAllocations = 200
)

// TURN is a STUN and TURN server (RFC 8489, RFC 8656) for browsers whose
// network lets nothing else through. It leads to our media port and nowhere
// else, so that it is of no use to anybody else.
type TURN struct {
	server *turn.Server
	port   int
}

// Credentials returns the name and password of user until expiry, in the
// form "expiry:user" that TURN REST services use.
func Credentials(secret []byte, user string, expiry time.Time) (username, password string) {
	username = strconv.FormatInt(expiry.Unix(), 10) + ":" + user
	m := hmac.New(sha1.New, secret)
	m.Write([]byte(username))
	return username, base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// ListenTURN starts the server on UDP and TCP.
func ListenTURN(c TURNConfig) (*TURN, error) {
	if len(c.Secret) < 16 {
		return nil, errors.New("the TURN secret must have at least 16 bytes")
	}
	fail := func(err error) error {
		return fmt.Errorf("the TURN port %d cannot be opened: %w; choose another with YBA_TURN_PORT, 0 turns it off", c.Port, err)
	}
	packets, listener, port, err := listenBoth(c.Port)
	for try := 1; err != nil && c.Port == 0 && try < freePortTries; try++ {
		packets, listener, port, err = listenBoth(0)
	}
	if err != nil {
		return nil, fail(err)
	}
	relay := &relays{config: c}
	allow := func(_ net.Addr, peer net.IP) bool { return relay.allowed(peer) }
	server, err := turn.NewServer(turn.ServerConfig{
		Realm: turnRealm, LoggerFactory: pionLogs{c.Log},
		AuthHandler: func(username, realm string, _ net.Addr) ([]byte, bool) {
			return c.key(username, realm)
		},
		PacketConnConfigs: []turn.PacketConnConfig{{PacketConn: packets, RelayAddressGenerator: relay, PermissionHandler: allow}},
		ListenerConfigs:   []turn.ListenerConfig{{Listener: listener, RelayAddressGenerator: relay, PermissionHandler: allow}},
	})
	if err != nil {
		_ = packets.Close()
		_ = listener.Close()
		return nil, err
	}
	return &TURN{server, port}, nil
}

// listenBoth opens one port for UDP and TCP.
func listenBoth(want int) (packets net.PacketConn, listener net.Listener, port int, err error) {
	packets, err = (&net.ListenConfig{}).ListenPacket(context.Background(), "udp", ":"+strconv.Itoa(want))
	if err != nil {
		return nil, nil, 0, err
	}
	port = want
	if a, ok := packets.LocalAddr().(*net.UDPAddr); ok {
		port = a.Port
	}
	listener, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", ":"+strconv.Itoa(port))
	if err != nil {
		_ = packets.Close()
	}
	return packets, listener, port, err
}

// Port is the server's port.
func (t *TURN) Port() int { return t.port }

// Close ends the server and all allocations.
func (t *TURN) Close() error { return t.server.Close() }

// key returns the long-term key of a username that has not expired.
func (c TURNConfig) key(username, realm string) ([]byte, bool) {
	expiry, user, ok := strings.Cut(username, ":")
	if !ok || user == "" || len(username) > 128 {
		return nil, false
	}
	n, err := strconv.ParseInt(expiry, 10, 64)
	if err != nil {
		return nil, false
	}
	at := time.Unix(n, 0)
	if now := c.Now(); now.After(at) || at.Sub(now) > maxCredential {
		return nil, false
	}
	want, password := Credentials(c.Secret, user, at)
	if subtle.ConstantTimeCompare([]byte(want), []byte(username)) != 1 {
		return nil, false
	}
	return turn.GenerateAuthKey(username, realm, password), true
}

// relays makes the sockets that allocations relay from.
type relays struct {
	config TURNConfig
	open   atomic.Int64
}

func (r *relays) allowed(peer net.IP) bool {
	for _, ip := range r.config.Relays {
		if ip.Equal(peer) {
			return true
		}
	}
	return false
}

// Validate implements turn.RelayAddressGenerator.
func (r *relays) Validate() error {
	if len(r.config.Relays) == 0 {
		return errors.New("TURN needs an address to relay from")
	}
	return nil
}

// AllocatePacketConn implements turn.RelayAddressGenerator.
func (r *relays) AllocatePacketConn(string, int) (net.PacketConn, net.Addr, error) {
	if r.open.Add(1) > maxAllocations {
		r.open.Add(-1)
		return nil, nil, errors.New("too many TURN allocations")
	}
	conn, err := net.ListenUDP("udp", nil)
	if err != nil {
		r.open.Add(-1)
		return nil, nil, err
	}
	addr := &net.UDPAddr{IP: r.config.Relays[0]}
	if a, ok := conn.LocalAddr().(*net.UDPAddr); ok {
		addr.Port = a.Port
	}
	return &mediaConn{PacketConn: conn, relays: r}, addr, nil
}

// AllocateConn implements turn.RelayAddressGenerator; TCP relaying (RFC 6062)
// is not offered.
func (r *relays) AllocateConn(string, int) (net.Conn, net.Addr, error) {
	return nil, nil, errors.New("no TCP relays")
}

// mediaConn passes packets to and from our media port only: permissions of
// TURN name an address without a port.
type mediaConn struct {
	net.PacketConn
	relays *relays
	closed atomic.Bool
}

func (c *mediaConn) media(a net.Addr) bool {
	u, ok := a.(*net.UDPAddr)
	return ok && u.Port == c.relays.config.MediaPort && c.relays.allowed(u.IP)
}

// WriteTo drops what is not for the media port.
func (c *mediaConn) WriteTo(p []byte, to net.Addr) (int, error) {
	if !c.media(to) {
		return len(p), nil
	}
	return c.PacketConn.WriteTo(p, to)
}

// ReadFrom skips what is not from the media port.
func (c *mediaConn) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.PacketConn.ReadFrom(p)
		if err != nil || c.media(from) {
			return n, from, err
		}
	}
}

// Close gives the allocation back.
func (c *mediaConn) Close() error {
	if !c.closed.Swap(true) {
		c.relays.open.Add(-1)
	}
	return c.PacketConn.Close()
}
