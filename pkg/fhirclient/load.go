package fhirclient

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/yba-health/yba/pkg/fault"
)

// Bundle is one transaction bundle to load. Name is what people know it by,
// such as its file's name.
type Bundle struct {
	Name string
	Body []byte
	// First bundles are loaded before all others, since others refer to them.
	First bool
	// Line, from 1, tells that Body is no Bundle but lines of NDJSON, and
	// where they begin in their file.
	Line int
}

// Load sends bundles over several connections. The zero values of Journal,
// Each and Start are allowed.
type Load struct {
	Client      *Client
	Connections int
	Journal     *Journal
	// Each is told of every bundle that is done with, one at a time.
	Each func(Outcome)
}

// Outcome tells what became of one bundle.
type Outcome struct {
	Name      string
	Resources int
	Took      time.Duration
	// Skipped: acknowledged in an earlier run. Found: its acknowledgement had
	// been lost, and the server has it.
	Skipped, Found bool
	// Err is why it was not loaded, with the place in the bundle.
	Err error
}

// Summary is the whole load.
type Summary struct {
	Bundles, Resources, Skipped, Found int
	Failed                             []Outcome
	Took                               time.Duration
	latencies                          []time.Duration
}

// PerSecond returns resources a second.
func (s Summary) PerSecond() float64 {
	if s.Took <= 0 {
		return 0
	}
	return float64(s.Resources) / s.Took.Seconds()
}

// Percentile returns how long a bundle took at most in the given share of cases.
func (s Summary) Percentile(share float64) time.Duration {
	return Percentile(s.latencies, share)
}

// Percentile returns the value below which the given share of d lies, by the
// nearest rank; 0 when d is empty.
func Percentile(d []time.Duration, share float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Clone(d)
	slices.Sort(d)
	i := int(share*float64(len(d))+0.9999999) - 1
	return d[min(max(i, 0), len(d)-1)]
}

// Run loads all bundles. Failures of single bundles stand in the summary; an
// error means that the load itself could not go on (the source or the journal
// failed, ctx ended, or the server stayed away). What was acknowledged until
// then is in the journal.
func (l *Load) Run(ctx context.Context, bundles iter.Seq2[Bundle, error]) (Summary, error) {
	begin := time.Now()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var (
		sum     Summary
		mu      sync.Mutex
		workers sync.WaitGroup
		queue   = make(chan Bundle)
	)
	finish := func(o Outcome) {
		mu.Lock()
		defer mu.Unlock()
		sum.add(o)
		if l.Each != nil {
			l.Each(o)
		}
		// Every further bundle would meet the same: stop instead of listing
		// thousands of failures.
		if c := fault.Of(o.Err).Class; o.Err != nil && (c == fault.Unavailable || c == fault.Unauthenticated) {
			stop(o.Err)
		}
		if o.Err != nil && errors.Is(o.Err, errJournal) {
			stop(o.Err)
		}
	}
	for range max(l.Connections, 1) {
		workers.Go(func() {
			for b := range queue {
				finish(l.one(ctx, b))
			}
		})
	}
	err := func() error {
		defer workers.Wait()
		defer close(queue)
		for b, err := range bundles {
			if err != nil {
				return err
			}
			if b.First {
				finish(l.one(ctx, b))
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				continue
			}
			select {
			case queue <- b:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	}()
	sum.Took = time.Since(begin)
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return sum, err
}

func (s *Summary) add(o Outcome) {
	switch {
	case o.Err != nil:
		s.Failed = append(s.Failed, o)
		return
	case o.Skipped:
		s.Skipped++
		return
	case o.Found:
		s.Found++
		return
	}
	s.Bundles++
	s.Resources += o.Resources
	s.latencies = append(s.latencies, o.Took)
}

var errJournal = errors.New("journal")

// one loads one bundle, once.
func (l *Load) one(ctx context.Context, b Bundle) Outcome {
	if b.Line > 0 {
		return l.lines(ctx, b)
	}
	o := Outcome{Name: b.Name}
	digest := sumOf(b.Body)
	before := l.Journal.of(digest)
	if before == acknowledged {
		o.Skipped = true
		return o
	}
	shape, err := examine(b.Body)
	if err != nil {
		o.Err = err
		return o
	}
	o.Resources = shape.entries
	if ctx.Err() != nil {
		o.Err = fault.New(fault.Unavailable, "not sent: the load was stopped", context.Cause(ctx))
		return o
	}
	if before == sent && !shape.repeatable {
		if there, err := l.there(ctx, shape); err != nil || there {
			o.Found, o.Err = there, err
			return l.note(o, digest)
		}
	}
	if err := l.Journal.set(b.Name, digest, "sent", sent); err != nil {
		o.Err = errors.Join(errJournal, err)
		return o
	}
	begin := time.Now()
	_, err = l.Client.Transaction(ctx, b.Body)
	// The connection broke and the server is back: ask it, then send again at most once.
	if FateUnknown(err) && ctx.Err() == nil {
		var there bool
		if !shape.repeatable {
			var asked error
			if there, asked = l.there(ctx, shape); asked != nil {
				o.Err = errors.Join(err, asked)
				return o
			}
		}
		if o.Found = there; there {
			err = nil
		} else {
			_, err = l.Client.Transaction(ctx, b.Body)
		}
	}
	o.Took, o.Err = time.Since(begin), err
	return l.note(o, digest)
}

// sumOf is what the journal knows a bundle by.
func sumOf(body []byte) string {
	d := sha256.Sum256(body)
	return hex.EncodeToString(d[:])
}

// note writes the outcome to the journal. A bundle whose fate stays unknown
// keeps its line "sent".
func (l *Load) note(o Outcome, digest string) Outcome {
	var err error
	switch {
	case o.Err == nil:
		err = l.Journal.set(o.Name, digest, "acknowledged", acknowledged)
	case !FateUnknown(o.Err) && fault.Of(o.Err).Class != fault.Unavailable:
		err = l.Journal.set(o.Name, digest, "refused", unsent)
	}
	if err != nil {
		o.Err = errors.Join(errJournal, err)
	}
	return o
}

// shape is what a load must know of a bundle.
type shape struct {
	entries int
	// repeatable: sending it twice is the same as sending it once, because
	// every entry is an update by id, a deletion or a conditional create.
	repeatable bool
	// typ, system and value name one resource of the bundle, a Patient if
	// there is one. Since a transaction is all or nothing, its being there
	// answers for the whole.
	typ, system, value string
}

// examine reads the bundle's requests without touching its bytes.
func examine(body []byte) (shape, error) {
	var b struct {
		ResourceType string `json:"resourceType"`
		Type         string `json:"type"`
		Entry        []struct {
			Resource struct {
				ResourceType string          `json:"resourceType"`
				Identifier   json.RawMessage `json:"identifier"`
			} `json:"resource"`
			Request struct {
				Method      string `json:"method"`
				IfNoneExist string `json:"ifNoneExist"`
			} `json:"request"`
		} `json:"entry"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return shape{}, fault.New(fault.Invalid, "this is not the JSON of a Bundle: "+err.Error(), nil)
	}
	if b.ResourceType != "Bundle" || b.Type != "transaction" {
		return shape{}, fault.Newf(fault.Invalid, "this is no transaction Bundle but %s %s", b.ResourceType, b.Type)
	}
	s := shape{entries: len(b.Entry), repeatable: true}
	for _, e := range b.Entry {
		if e.Request.Method == http.MethodPost && e.Request.IfNoneExist == "" {
			s.repeatable = false
		}
		if s.typ == "Patient" || (s.typ != "" && e.Resource.ResourceType != "Patient") {
			continue
		}
		// Only some types have identifier as a list; the others do not matter.
		var ids []struct{ System, Value string }
		if json.Unmarshal(e.Resource.Identifier, &ids) != nil {
			continue
		}
		for _, id := range ids {
			if id.System != "" && id.Value != "" {
				s.typ, s.system, s.value = e.Resource.ResourceType, id.System, id.Value
				break
			}
		}
	}
	return s, nil
}

// there asks whether a bundle of unknown fate was carried out.
func (l *Load) there(ctx context.Context, s shape) (bool, error) {
	if s.typ == "" {
		return false, fault.New(fault.Conflict, "whether it was loaded is unknown, and it has no identifier to ask for; "+
			"look, and load it with --restart if it is absent", nil)
	}
	q := url.Values{"identifier": {s.system + "|" + s.value}, "_count": {"1"}}
	for _, err := range l.Client.Search(ctx, s.typ, q) {
		if err != nil {
			return false, fmt.Errorf("asking whether it was loaded: %w", err)
		}
		return true, nil
	}
	return false, nil
}
