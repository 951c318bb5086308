package message

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	webpush "github.com/SherClockHolmes/webpush-go"
)

// VAPID are the keys with which push services know this server (RFC 8292).
type VAPID struct {
	Public  string `json:"public"`
	Private string `json:"private"`
}

// LoadVAPID reads the keys from the folder, making them at the first start:
// browsers subscribe to one key, so it must survive.
func LoadVAPID(folder string) (VAPID, error) {
	var v VAPID
	name := filepath.Join(folder, "vapid.json")
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return makeVAPID(folder, name)
	}
	if err != nil {
		return v, fmt.Errorf("web push keys: %w", err)
	}
	if err := json.Unmarshal(b, &v); err != nil || v.Public == "" || v.Private == "" {
		return v, fmt.Errorf("web push keys: %s cannot be read; restore it from the backup, or remove it and everyone has to allow notices again", name)
	}
	return v, nil
}

func makeVAPID(folder, name string) (VAPID, error) {
	private, public, err := webpush.GenerateVAPIDKeys()
	if err != nil {
		return VAPID{}, fmt.Errorf("web push keys: %w", err)
	}
	v := VAPID{Public: public, Private: private}
	b, err := json.Marshal(v)
	if err != nil {
		return VAPID{}, err
	}
	f, err := os.CreateTemp(folder, ".vapid-*") // 0600
	if err != nil {
		return VAPID{}, fmt.Errorf("web push keys: %w", err)
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(b); err != nil {
		_ = f.Close()
		return VAPID{}, fmt.Errorf("web push keys: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return VAPID{}, fmt.Errorf("web push keys: %w", err)
	}
	// A link fails where a rename would replace: of two processes that start
	// together one makes the keys, and both use them.
	if err := os.Link(f.Name(), name); errors.Is(err, os.ErrExist) {
		return LoadVAPID(folder)
	} else if err != nil {
		return VAPID{}, fmt.Errorf("web push keys: %w", err)
	}
	return v, nil
}

// WebPush is the channel to browsers (RFC 8030, RFC 8291, RFC 8292).
type WebPush struct {
	keys    VAPID
	contact string
	client  *http.Client
}

// NewWebPush returns the channel. Contact is the https address that push
// services may turn to; client is PublicClient except in tests.
func NewWebPush(keys VAPID, contact string, client *http.Client) *WebPush {
	return &WebPush{keys, contact, client}
}

// timeToLive is how long a push service keeps a message for a browser that is
// offline, in seconds: a day, after which it is no news.
const timeToLive = 24 * 60 * 60

// recordSize keeps the padded message small for data plans; all messages have
// the same size, so that their length tells nothing.
const recordSize = 2048

// Send implements Channel.
func (w *WebPush) Send(ctx context.Context, m Message) error {
	s := m.Subscription
	if s.Endpoint == "" {
		return ErrGone
	}
	body, err := json.Marshal(map[string]string{
		"id": strconv.FormatInt(m.Notice.ID, 10), "kind": m.Notice.Kind, "title": m.Notice.Title, "text": m.Notice.Text, "link": m.Notice.Link,
	})
	if err != nil {
		return err
	}
	urgency := webpush.UrgencyNormal
	if m.Notice.Kind == "starting" {
		urgency = webpush.UrgencyHigh
	}
	res, err := webpush.SendNotificationWithContext(ctx, body, &webpush.Subscription{
		Endpoint: s.Endpoint, Keys: webpush.Keys{Auth: s.Auth, P256dh: s.P256dh},
	}, &webpush.Options{
		HTTPClient: w.client, Subscriber: w.contact, VAPIDPublicKey: w.keys.Public, VAPIDPrivateKey: w.keys.Private,
		TTL: timeToLive, Urgency: urgency, RecordSize: recordSize,
	})
	if errors.Is(err, errNotPublic) {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	if err != nil {
		// The endpoint names a browser; it stays out of the log.
		return errors.New("the push service cannot be reached")
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 4096)
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return nil
	case res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone:
		return ErrGone
	}
	return fmt.Errorf("the push service answered %d", res.StatusCode)
}
