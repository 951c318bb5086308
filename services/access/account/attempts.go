package account

import "time"

// Attempt is a counter that one try to sign in moves. It has a number
// of free failures, after which every further one doubles the wait.
type Attempt struct {
	Key  string
	Free int
}

// Wait bounds: the first wait after the free failures, and the longest.
const (
	firstWait = 2 * time.Second
	maxWait   = 15 * time.Minute
	// ForgetAfter is how long a failure counts.
	ForgetAfter = 24 * time.Hour
)

// Attempts returns the counters for a username and an address. A guesser at
// one place is slowed down after five failures; many places that guess at one
// account after thirty, so that nobody can lock somebody else out by a few
// tries; and one place that goes through many accounts after a hundred, since
// a whole hospital may stand behind one address.
func Attempts(username, address string) []Attempt {
	return []Attempt{
		{Key: "pair:" + username + "|" + address, Free: 5},
		{Key: "account:" + username, Free: 30},
		{Key: "address:" + address, Free: 100},
	}
}

// WaitAfter is how long the next try must wait after so many failures.
func (a Attempt) WaitAfter(failures int) time.Duration {
	if failures < a.Free {
		return 0
	}
	over := failures - a.Free
	if over > 20 {
		return maxWait
	}
	return min(firstWait<<over, maxWait)
}
