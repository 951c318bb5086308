package guard

import (
	"context"
	"log/slog"
	"sync"
	"time"

	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
)

// Auditor carries audit entries to access in batches. Entries are never
// dropped: while access is unreachable they wait, and when the buffer is full
// the operations that make them wait too.
type Auditor struct {
	access  accessv1.AccessClient
	log     *slog.Logger
	entries chan *accessv1.AuditEntry
	flushes chan chan struct{}
	done    chan struct{}

	// state guards closed: whoever adds holds it for reading.
	state  sync.RWMutex
	closed bool
}

const (
	auditBatch  = 2000
	auditBuffer = 20_000
	auditEvery  = 50 * time.Millisecond
)

// NewAuditor returns an auditor whose goroutine runs until Close.
func NewAuditor(access accessv1.AccessClient, log *slog.Logger) *Auditor {
	a := &Auditor{
		access: access, log: log,
		entries: make(chan *accessv1.AuditEntry, auditBuffer),
		flushes: make(chan chan struct{}),
		done:    make(chan struct{}),
	}
	go a.run() // Close closes entries and waits for done.
	return a
}

// Add hands over one entry. An operation that outlives Close, cut off at the
// end of the process, leaves its entry in the process's own log.
func (a *Auditor) Add(e *accessv1.AuditEntry) {
	a.state.RLock()
	defer a.state.RUnlock()
	if a.closed {
		a.log.Error("an operation ended after the audit log was closed", "operation", e.GetOperation(), "account", e.GetAccount(), "outcome", e.GetOutcome())
		return
	}
	a.entries <- e
}

// Flush waits until everything added before is in the log.
func (a *Auditor) Flush() {
	ack := make(chan struct{})
	select {
	case a.flushes <- ack:
		<-ack
	case <-a.done:
	}
}

// Close writes what is left and ends the goroutine.
func (a *Auditor) Close() {
	a.state.Lock()
	if !a.closed {
		a.closed = true
		close(a.entries)
	}
	a.state.Unlock()
	<-a.done
}

func (a *Auditor) run() {
	defer close(a.done)
	tick := time.NewTicker(auditEvery)
	defer tick.Stop()
	var batch []*accessv1.AuditEntry
	for {
		select {
		case e, ok := <-a.entries:
			if !ok {
				a.write(batch, true)
				return
			}
			if batch = append(batch, e); len(batch) >= auditBatch {
				batch = a.write(batch, false)
			}
		case <-tick.C:
			batch = a.write(batch, false)
		case ack := <-a.flushes:
			for n := len(a.entries); n > 0; n-- {
				if e, ok := <-a.entries; ok {
					batch = append(batch, e)
				}
			}
			batch = a.write(batch, false)
			close(ack)
		}
	}
}

// write appends batch to the log, trying again until it succeeds; the last
// write, at shutdown, gives up after a few tries and says so. No caller's
// context bounds it: what was audited outlives the request.
//
//nolint:contextcheck // as said above
func (a *Auditor) write(batch []*accessv1.AuditEntry, last bool) []*accessv1.AuditEntry {
	if len(batch) == 0 {
		return batch
	}
	ctx := As(context.Background(), "guard")
	for try := 1; ; try++ {
		_, err := a.access.Append(ctx, &accessv1.AppendRequest{Entries: batch})
		if err == nil {
			return batch[:0]
		}
		a.log.Error("audit log unreachable", "entries", len(batch), "try", try, "error", err)
		if last && try >= 5 {
			return nil
		}
		// There is nothing to do but wait: what was audited must not be lost.
		<-time.NewTimer(min(time.Duration(try)*100*time.Millisecond, 2*time.Second)).C
	}
}
