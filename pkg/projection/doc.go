// Package projection runs what a service derives from the change log of
// records: a read model, notices. A Follower takes one batch after another
// until it is stopped, rests after failures and, where only one process at a
// time may work, does so under a Lock.
//
// The package knows neither the log nor the read model. That nothing is lost
// and nothing is taken twice is the step's doing: it commits what follows from
// a batch in one transaction with the cursor, on the condition that the cursor
// still is where the batch began.
package projection
