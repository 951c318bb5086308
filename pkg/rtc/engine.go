package rtc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/pion/dtls/v2"
	"github.com/pion/ice/v2"
	"github.com/pion/webrtc/v3"
	"github.com/prometheus/client_golang/prometheus"
)

// Config is what an engine is made of.
type Config struct {
	// Port is the UDP and TCP port of all media; 0 takes a free one.
	Port int
	// IPs are the addresses that browsers reach the port at; those that this
	// machine does not have are taken as 1:1 NAT in front of it. Empty: the
	// machine's own, loopback included.
	IPs     []string
	Log     *slog.Logger
	Metrics prometheus.Registerer
	// Disconnected and Failed are how long a peer may be silent, ICE's words.
	// Zero means 5 s and 15 s.
	Disconnected, Failed time.Duration
	// Silence is after how long a track without packets is reported; zero means 5 s.
	Silence time.Duration
}

// freePortTries bounds the search for a port that is free for UDP and TCP.
const freePortTries = 20

const (
	keepAlive = 2 * time.Second
	// replayWindow is wide enough for packets that are sent again: pion's 64
	// would refuse them (RFC 3711 section 3.3.2 asks for at least 64).
	replayWindow = 1024
)

// Engine owns the media port and the settings that all peer connections share.
type Engine struct {
	port      int
	addresses []net.IP
	udp       *ice.MultiUDPMuxDefault
	tcp       *ice.TCPMuxDefault
	// fast offers SRTP with AES-GCM only, every what all browsers have.
	fast, every apis
	config      webrtc.Configuration
	log         *slog.Logger
	silence     time.Duration
	meters      *meters

	mu    sync.Mutex
	rooms map[*Room]struct{}
	work  sync.WaitGroup
}

// New opens the media port.
func New(c Config) (*Engine, error) {
	own, nat, err := addresses(c.IPs)
	if err != nil {
		return nil, err
	}
	e := &Engine{log: c.Log, silence: orDefault(c.Silence, 5*time.Second), rooms: map[*Room]struct{}{}, meters: newMeters(c.Metrics)}
	// A port that is free for UDP may be taken for TCP; any other one does.
	for try := 1; ; try++ {
		err := e.listen(c.Port, own)
		if err == nil {
			break
		}
		if c.Port != 0 || try == freePortTries {
			return nil, err
		}
	}
	e.addresses = own
	if len(c.IPs) > 0 {
		e.addresses = nil
		for _, s := range c.IPs {
			e.addresses = append(e.addresses, net.ParseIP(s))
		}
	}
	settings := webrtc.SettingEngine{LoggerFactory: pionLogs{c.Log}}
	settings.SetICEUDPMux(e.udp)
	settings.SetICETCPMux(e.tcp)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6})
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(func(ip net.IP) bool { return slices.ContainsFunc(own, ip.Equal) })
	if len(nat) > 0 {
		settings.SetNAT1To1IPs(nat, webrtc.ICECandidateTypeHost)
	}
	settings.DisableActiveTCP(true)
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	settings.SetICETimeouts(orDefault(c.Disconnected, 5*time.Second), orDefault(c.Failed, 15*time.Second), keepAlive)
	settings.SetSRTPReplayProtectionWindow(replayWindow)
	settings.SetDTLSExtendedMasterSecret(dtls.RequireExtendedMasterSecret)

	// GCM costs a fifth of AES-CM with HMAC, but browsers that know both take
	// the latter, in either DTLS role; so it is offered alone at first. What
	// every WebRTC endpoint must have (RFC 8827 section 6.5) is for those that
	// refuse it: see Events.Again.
	settings.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM)
	if e.fast, err = newAPIs(settings); err == nil {
		settings.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
		e.every, err = newAPIs(settings)
	}
	if err != nil {
		e.closePorts()
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		e.closePorts()
		return nil, err
	}
	certificate, err := webrtc.GenerateCertificate(key)
	if err != nil {
		e.closePorts()
		return nil, err
	}
	e.config = webrtc.Configuration{
		Certificates: []webrtc.Certificate{*certificate}, BundlePolicy: webrtc.BundlePolicyMaxBundle, RTCPMuxPolicy: webrtc.RTCPMuxPolicyRequire,
	}
	return e, nil
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// Port is the media port.
func (e *Engine) Port() int { return e.port }

// Addresses are where browsers reach the media port.
func (e *Engine) Addresses() []net.IP { return slices.Clone(e.addresses) }

// listen opens one UDP socket for each address, so that answers leave from
// the address that was asked, and one TCP socket for all.
func (e *Engine) listen(port int, own []net.IP) error {
	var muxes []ice.UDPMux
	fail := func(err error) error {
		for _, m := range muxes {
			_ = m.Close()
		}
		return fmt.Errorf("the media port %d cannot be opened: %w; choose another with YBA_MEDIA_PORT", port, err)
	}
	for _, ip := range own {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip, Port: port})
		if err != nil {
			return fail(err)
		}
		// Key frames come in bursts; the kernel may grant less.
		_ = conn.SetReadBuffer(2 << 20)
		_ = conn.SetWriteBuffer(2 << 20)
		if addr, ok := conn.LocalAddr().(*net.UDPAddr); ok {
			port = addr.Port
		}
		muxes = append(muxes, ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: conn, Logger: pionLogs{e.log}.NewLogger("ice")}))
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", ":"+strconv.Itoa(port))
	if err != nil {
		return fail(err)
	}
	e.port = port
	e.udp = ice.NewMultiUDPMuxDefault(muxes...)
	// With a write buffer a slow receiver loses its packets instead of
	// stopping the others.
	e.tcp = ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener: listener, ReadBufferSize: 32, WriteBufferSize: 1 << 20, Logger: pionLogs{e.log}.NewLogger("ice"),
	})
	return nil
}

func (e *Engine) closePorts() {
	_ = e.udp.Close()
	_ = e.tcp.Close()
}

// Close ends all rooms and closes the port; ctx bounds the wait for them.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	rooms := make([]*Room, 0, len(e.rooms))
	for r := range e.rooms {
		rooms = append(rooms, r)
	}
	e.mu.Unlock()
	for _, r := range rooms {
		r.Close()
	}
	e.closePorts()
	done := make(chan struct{})
	go func() { e.work.Wait(); close(done) }() // ends with the last seat
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("media rooms did not end in time: %w", ctx.Err())
	}
}

// addresses splits the configured addresses: own are bound, and nat are
// "outside/inside" pairs for ICE when one of them is not this machine's.
func addresses(configured []string) (own []net.IP, nat []string, err error) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil, nil, fmt.Errorf("addresses of this machine: %w", err)
	}
	var local []net.IP
	for _, a := range list {
		n, ok := a.(*net.IPNet)
		if !ok || n.IP.IsLinkLocalUnicast() || n.IP.IsMulticast() || n.IP.IsLoopback() && n.IP.To4() == nil {
			continue
		}
		local = append(local, n.IP)
	}
	if len(configured) == 0 {
		if len(local) == 0 {
			return nil, nil, fmt.Errorf("this machine has no address for media; name one with YBA_MEDIA_IPS")
		}
		return local, nil, nil
	}
	behindNAT := false
	for _, s := range configured {
		ip := net.ParseIP(s)
		if ip == nil {
			return nil, nil, fmt.Errorf("media-ips: %q is no IP address", s)
		}
		inside := ip
		if !slices.ContainsFunc(local, ip.Equal) {
			if inside = insideOf(ip, local); inside == nil {
				return nil, nil, fmt.Errorf("media-ips: this machine has no address of the kind of %s", s)
			}
		}
		if slices.ContainsFunc(own, inside.Equal) {
			return nil, nil, fmt.Errorf("media-ips: %s and another one lead to the same address of this machine", s)
		}
		own = append(own, inside)
		nat = append(nat, ip.String()+"/"+inside.String())
		behindNAT = behindNAT || !inside.Equal(ip)
	}
	if !behindNAT {
		nat = nil
	}
	return own, nat, nil
}

// insideOf picks the machine's address that stands behind outside: one of the
// same family that is not loopback.
func insideOf(outside net.IP, local []net.IP) net.IP {
	for _, ip := range local {
		if !ip.IsLoopback() && (ip.To4() == nil) == (outside.To4() == nil) {
			return ip
		}
	}
	return nil
}
