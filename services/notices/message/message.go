// Package message is what a notice says and the ways it is carried.
package message

import (
	"context"
	"errors"
	"time"

	"github.com/yba-health/yba/pkg/projection"
)

// Notice is one thing told to one account.
type Notice struct {
	ID      int64
	Account string
	// Kind is booked, rescheduled, cancelled, starting, result or another of
	// the templates.
	Kind string
	// Key makes it told once per account.
	Key               string
	Title, Text, Link string
	At                time.Time
	Read              bool
}

// The channels.
const (
	Push  = "push"
	SMS   = "sms"
	Email = "email"
)

// Subscription is a browser (https://www.w3.org/TR/push-api/#pushsubscription-interface).
type Subscription struct{ Account, Endpoint, P256dh, Auth string }

// Message is a notice on its way through a channel.
type Message struct {
	ID     int64
	Notice Notice
	// Subscription is set for Push.
	Subscription Subscription
	// Address is the phone number or e-mail address for SMS and Email.
	Address string
	Tries   int
}

// Channel carries messages. Send returns nil once the message is handed over,
// ErrGone when it never can be, and any other error when it may be tried
// again.
type Channel interface {
	Send(ctx context.Context, m Message) error
}

// ErrGone says that the recipient is no longer there: the subscription ended
// (RFC 8030, section 7.3) or was never good.
var ErrGone = errors.New("the recipient is gone")

// Order is a notice to be told, with the ways besides the app.
type Order struct {
	Notice Notice
	// Phone and Email are where SMS and e-mail go; empty: not by that way.
	Phone, Email string
}

// Store keeps notices, subscriptions and the outbox.
type Store interface {
	// Hold takes the lock of background work, which one process at a time has;
	// nil when another has it.
	Hold(ctx context.Context) (*projection.Lock, error)
	// Cursor is where the projection of the log stands.
	Cursor(ctx context.Context) (string, error)
	// Tell commits notices, their messages in the outbox and, when from and
	// next differ, the cursor. Orders whose key was told before are left out.
	// It returns ErrMoved when the cursor is not at from.
	Tell(ctx context.Context, from, next string, orders []Order, seen []Fact, now time.Time) error
	// Facts returns what is known of these resources.
	Facts(ctx context.Context, references []string) (map[string]Fact, error)

	List(ctx context.Context, account string, limit int) (list []Notice, unread int, err error)
	// MarkRead marks one notice, or all when id is 0.
	MarkRead(ctx context.Context, account string, id int64) error

	// Subscribe replaces the subscription of the same endpoint.
	Subscribe(ctx context.Context, s Subscription) error
	Unsubscribe(ctx context.Context, account, endpoint string) error

	// Due returns messages that are to be carried now.
	Due(ctx context.Context, now time.Time, limit int) ([]Outgoing, error)
	// Sent removes a message that was carried or is given up.
	Sent(ctx context.Context, id int64) error
	// Again puts it back until then.
	Again(ctx context.Context, id int64, then time.Time) error
	// Forget removes a subscription and what was to go there.
	Forget(ctx context.Context, endpoint string) error
}

// Outgoing is a message with the name of its channel.
type Outgoing struct {
	Channel string
	Message Message
}

// Fact is the little that must be remembered of a resource to understand a
// later change: an Appointment's start and status, an Encounter's appointment
// and class. Nothing clinical.
type Fact struct {
	Reference string
	Version   int64
	Patient   string
	Status    string
	Start     string
	// Remote is true for remote appointments and virtual encounters.
	Remote bool
	// Consultation is the id under which the apps show it.
	Consultation string
}

// ErrMoved says that another process applied the batch first.
var ErrMoved = errors.New("notices: another process moved the cursor")
