package subscription

import "time"

// What the tests of the whole service wait for.
const (
	Tries      = tries
	FirstPause = firstPause
	MaxPause   = maxPause
	LeaseTime  = lease
	TokenLife  = tokenLife
)

// Hurry leaves out the waits for what others may have done.
func Hurry(h *Hooks) { h.idle, h.breath = time.Millisecond, 0 }

// Forget makes the next step store the cursor.
func Forget(h *Hooks) { h.ahead.saved = time.Time{} }
