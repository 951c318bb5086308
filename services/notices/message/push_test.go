package message

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
)

// browser is the receiving end of Web Push.
type browser struct {
	key  *ecdh.PrivateKey
	auth []byte
}

func newBrowser(t *testing.T) browser {
	t.Helper()
	k, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := browser{k, make([]byte, 16)}
	if _, err := rand.Read(b.auth); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b browser) subscription(endpoint string) Subscription {
	return Subscription{
		Account: "1", Endpoint: endpoint, P256dh: base64.RawURLEncoding.EncodeToString(b.key.PublicKey().Bytes()),
		Auth: base64.RawURLEncoding.EncodeToString(b.auth),
	}
}

// open decrypts a body as RFC 8291, section 3.4, and RFC 8188, section 2.1, say.
func (b browser) open(body []byte) ([]byte, error) {
	if len(body) < 86 {
		return nil, errors.New("too short")
	}
	salt, sender, sealed := body[:16], body[21:86], body[86:]
	from, err := ecdh.P256().NewPublicKey(sender)
	if err != nil {
		return nil, err
	}
	secret, err := b.key.ECDH(from)
	if err != nil {
		return nil, err
	}
	info := "WebPush: info\x00" + string(b.key.PublicKey().Bytes()) + string(sender)
	ikm, err := hkdf.Key(sha256.New, secret, b.auth, info, 32)
	if err != nil {
		return nil, err
	}
	cek, err := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, err
	}
	nonce, err := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(cek)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	text, err := gcm.Open(nil, nonce, sealed, nil)
	if err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(strings.TrimRight(string(text), "\x00"), "\x02")), nil
}

func TestPushReachesTheBrowserEncrypted(t *testing.T) {
	b := newBrowser(t)
	var got map[string]string
	var header http.Header
	status := http.StatusCreated
	service := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			var text []byte
			if text, err = b.open(body); err == nil {
				err = json.Unmarshal(text, &got)
			}
		}
		if err != nil {
			t.Error(err)
		}
		header = r.Header
		w.WriteHeader(status)
	}))
	defer service.Close()
	keys, err := LoadVAPID(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := NewWebPush(keys, "https://yba.example", service.Client())
	m := Message{ID: 1, Subscription: b.subscription(service.URL + "/x"), Notice: Notice{ID: 9, Kind: "starting", Title: "Bác sĩ đang chờ", Link: "/patient/consultation/1"}}
	if err := w.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got["title"] != m.Notice.Title || got["link"] != m.Notice.Link || got["id"] != "9" {
		t.Errorf("the browser read %v", got)
	}
	if !strings.HasPrefix(header.Get("Authorization"), "vapid t=") || header.Get("Urgency") != "high" || header.Get("TTL") != "86400" {
		t.Errorf("headers %v", header)
	}
	for code, gone := range map[int]bool{404: true, 410: true, 429: false, 500: false, 302: false} {
		status = code
		err := w.Send(t.Context(), m)
		if err == nil || errors.Is(err, ErrGone) != gone {
			t.Errorf("%d: %v", code, err)
		}
	}
}

func TestOnlyPublicEndpointsAreReached(t *testing.T) {
	b := newBrowser(t)
	if err := CheckSubscription(b.subscription("https://fcm.googleapis.com/fcm/send/abc")); err != nil {
		t.Errorf("a real endpoint is refused: %v", err)
	}
	for _, endpoint := range []string{
		"http://push.example.com/x", "https://127.0.0.1/x", "https://[::1]/x", "https://10.1.2.3/x", "https://169.254.169.254/latest",
		"https://[::ffff:10.0.0.1]/", "https://localhost/x", "https://db.internal/x", "https://a@push.example.com/x", "https://push.example.com:8443/x",
		"https://100.64.0.1/", "https://192.168.1.1./", "https://intranet/", "", "://", "ftp://push.example.com/",
	} {
		if err := CheckSubscription(b.subscription(endpoint)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q is accepted: %v", endpoint, err)
		}
	}
	bad := b.subscription("https://push.example.com/x")
	bad.P256dh = base64.RawURLEncoding.EncodeToString(make([]byte, 65))
	if err := CheckSubscription(bad); fault.Of(err).At != "p256dh" {
		t.Errorf("a key that is no point: %v", err)
	}
	// A name that leads inside passes the check, and the dialer refuses it.
	inside := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a private address was reached") }))
	defer inside.Close()
	keys, err := LoadVAPID(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := NewWebPush(keys, "https://yba.example", PublicClient())
	err = w.Send(t.Context(), Message{Subscription: b.subscription(strings.Replace(inside.URL, "127.0.0.1", "localhost", 1))})
	if !errors.Is(err, ErrGone) {
		t.Errorf("sending inside: %v", err)
	}
	for address, want := range map[string]bool{"8.8.8.8": true, "2606:4700::1": true, "64:ff9b::a00:1": false, "fe80::1": false, "fc00::1": false, "0.0.0.0": false, "224.0.0.1": false} {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("public(%s) = %v", address, got)
		}
	}
}

func TestKeysSurviveARestartAndArePrivate(t *testing.T) {
	folder := t.TempDir()
	first, err := LoadVAPID(folder)
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadVAPID(folder)
	if err != nil || again != first {
		t.Errorf("%v, %v after a restart", again == first, err)
	}
	info, err := os.Stat(filepath.Join(folder, "vapid.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(folder, ".vapid-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestSpoolWritesWholeFilesOnce(t *testing.T) {
	folder := t.TempDir()
	s, err := NewSpool(folder, Email)
	if err != nil {
		t.Fatal(err)
	}
	m := Message{ID: 5, Address: "a@example.com", Notice: Notice{Title: "Tiêu đề", Text: "Nội dung", At: time.Unix(0, 0)}}
	for range 2 {
		if err := s.Send(context.Background(), m); err != nil {
			t.Fatal(err)
		}
	}
	list, err := os.ReadDir(filepath.Join(folder, "email"))
	if err != nil || len(list) != 1 || list[0].Name() != "5.json" {
		t.Fatalf("%v, %v", list, err)
	}
	b, err := os.ReadFile(filepath.Join(folder, "email", "5.json"))
	if err != nil {
		t.Fatal(err)
	}
	var doc Spooled
	if err := json.Unmarshal(b, &doc); err != nil || doc.To != "a@example.com" || doc.Subject != "Tiêu đề" || doc.Text != "Nội dung" {
		t.Errorf("%+v, %v", doc, err)
	}
}

func FuzzCheckSubscription(f *testing.F) {
	f.Add("https://fcm.googleapis.com/x", "BA", "AA")
	f.Add("https://[::ffff:127.0.0.1]/", "", "=")
	f.Fuzz(func(t *testing.T, endpoint, key, auth string) {
		if CheckSubscription(Subscription{Endpoint: endpoint, P256dh: key, Auth: auth}) == nil && !strings.HasPrefix(strings.ToLower(endpoint), "https://") {
			t.Errorf("accepted %q", endpoint)
		}
	})
}
