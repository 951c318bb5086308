package consult

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Store keeps what is not clinical. Its errors are faults; NotFound when the
// thing asked for is not there.
type Store interface {
	// PutDoctor publishes or replaces a doctor's offer.
	PutDoctor(ctx context.Context, d DoctorOffer) error
	Doctor(ctx context.Context, id string) (DoctorOffer, error)
	// Doctors lists offers by name; an empty specialty means all.
	Doctors(ctx context.Context, specialty string) ([]DoctorOffer, error)
	// Taken lists a doctor's booked times that touch the period.
	Taken(ctx context.Context, doctor string, from, until time.Time) ([]Interval, error)

	// Book keeps a new consultation. When the same account has booked with
	// the same request id, that one is returned and nothing is kept. Two that
	// want one doctor at one time meet at a unique index: one of them gets
	// Conflict.
	Book(ctx context.Context, c Consultation) (kept Consultation, repeated bool, err error)
	Get(ctx context.Context, id string) (Consultation, error)
	// Change locks the consultation, lets f change it, and keeps the result
	// under the next revision. Nothing is kept when f fails.
	Change(ctx context.Context, id string, f func(*Consultation) error) (Consultation, error)
	// Discard removes a booking that the record refused.
	Discard(ctx context.Context, id string) error
	List(ctx context.Context, f Filter) ([]Consultation, error)
	// Record lets f carry a consultation to the record and to access, one
	// caller at a time, and keeps the Relations and Written that f changed,
	// even when f fails half way. Without an error the revision that f saw
	// counts as recorded.
	Record(ctx context.Context, id string, f func(*Consultation) error) error
	// Unrecorded lists consultations whose latest revision is not in the
	// record, whose latest change is older than the time given, and whose next
	// try is due: after each failure the wait doubles.
	Unrecorded(ctx context.Context, before time.Time, limit int) ([]string, error)

	// PutSeat keeps a token for a seat.
	PutSeat(ctx context.Context, s SeatToken) error
	// UseSeat returns what the token with the hash stands for and makes it
	// void: of two callers one gets NotFound. It takes the lease of the room
	// for owner; while another process holds it, the answer is Unavailable and
	// the token stays good.
	UseSeat(ctx context.Context, hash []byte, owner string, now time.Time) (SeatToken, error)
	// HoldRooms renews owner's leases of the rooms, lets go of its others, and
	// lists the rooms that another process has taken over.
	HoldRooms(ctx context.Context, owner string, consultations []string) (lost []string, err error)
	// ReleaseRooms lets go of all of owner's rooms.
	ReleaseRooms(ctx context.Context, owner string) error
	// RevokeSeats makes an account's tokens void, or everybody's when account is empty.
	RevokeSeats(ctx context.Context, consultation, account string) error

	// Say keeps a chat message. A repeated id of the same account returns the
	// one that was kept.
	Say(ctx context.Context, m Message) (Message, error)
	// Chat lists the latest messages of a consultation, oldest first.
	Chat(ctx context.Context, consultation string, limit int) ([]Message, error)
}

// Filter chooses consultations.
type Filter struct {
	Patient string
	// Merged are former ids of the Patient, from before merges.
	Merged []string
	// Account is the doctor's or a member's.
	Account string
	// Doctor is the booked doctor's only.
	Doctor   string
	Statuses []Status
	// From and Until bound the start when they are not zero.
	From, Until time.Time
	Limit       int
}

// TokenLife is how long a seat's first token may be used; ResumeLife how long
// the one that brings a reloaded page back.
const (
	TokenLife  = 5 * time.Minute
	ResumeLife = 4 * time.Hour
)

// LeaseLife is how long a room stays a process's own without being renewed;
// LeaseEvery how often it is renewed.
const (
	LeaseLife  = 15 * time.Second
	LeaseEvery = 5 * time.Second
)

// SeatToken is a token as the store knows it: hashed.
type SeatToken struct {
	Hash         []byte
	Consultation string
	Account      string
	Role         Role
	// Principal is who took the seat, as JSON.
	Principal []byte
	Expires   time.Time
}

// NewToken returns 128 random bits as text, and the hash to keep.
func NewToken() (token string, hash []byte) {
	var b [16]byte
	// crypto/rand.Read never fails (Go 1.24).
	_, _ = rand.Read(b[:])
	token = hex.EncodeToString(b[:])
	return token, HashToken(token)
}

// HashToken returns the hash of a token. The token is random, so that a fast
// hash is enough.
func HashToken(token string) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}

// SeatID names an account's place in a room without telling who it is.
func SeatID(consultation, account string) string {
	h := sha256.Sum256([]byte("seat\x1f" + consultation + "\x1f" + account))
	return "s" + hex.EncodeToString(h[:6])
}

// Message is one line of the chat.
type Message struct {
	Consultation string `json:"-"`
	// ID is the sender's own, so that a retry says it once.
	ID      string    `json:"id"`
	Account string    `json:"account"`
	Name    string    `json:"name"`
	Role    Role      `json:"role"`
	Text    string    `json:"text"`
	At      time.Time `json:"at"`
}
