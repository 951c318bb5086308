package rtc

// sequencer gives the packets that one receiver gets sequence numbers without
// holes where packets were left out on purpose (padding, paused video), keeps
// holes where packets were lost, so that the receiver asks for them, and turns
// a number back into that of the source. It is not safe for concurrent use.
//
// It keeps spans: from the source number first on, the receiver's number is
// the source's minus delta.
type sequencer struct {
	spans []span
	// next is one above the highest source number seen.
	next extended
}

type span struct{ first, delta extended }

// maxSpans bounds what is remembered; older packets have left the cache by then.
const maxSpans = 64

// begin starts the mapping at the source number seq.
func (s *sequencer) begin(seq extended) {
	if len(s.spans) == 0 {
		s.spans = append(s.spans, span{first: 0})
		s.next = seq
	}
}

// send returns the receiver's number of a packet that is sent; ok is false
// for one that lies in a stretch that was left out or is too old.
func (s *sequencer) send(seq extended) (out extended, ok bool) {
	s.begin(seq)
	if seq >= s.next {
		s.next = seq + 1
	}
	for i := len(s.spans) - 1; i >= 0; i-- {
		if sp := s.spans[i]; seq >= sp.first {
			if out = seq - sp.delta; i+1 < len(s.spans) {
				// Between the end of this span and the next one packets were left out.
				if following := s.spans[i+1]; out >= following.first-following.delta {
					return 0, false
				}
			}
			return out, true
		}
	}
	return 0, false
}

// drop leaves the packet seq out. Only the newest can be: a late one has its
// number already, and the receiver sees a hole.
func (s *sequencer) drop(seq extended) {
	s.begin(seq)
	if seq < s.next {
		return
	}
	last := &s.spans[len(s.spans)-1]
	if last.first == s.next && len(s.spans) > 1 {
		// Nothing was sent since the last one was left out: one longer stretch,
		// those lost within it included.
		last.delta += seq + 1 - s.next
		last.first = seq + 1
	} else {
		s.spans = append(s.spans, span{first: seq + 1, delta: last.delta + 1})
		if len(s.spans) > maxSpans {
			s.spans = append(s.spans[:0], s.spans[1:]...)
		}
	}
	s.next = seq + 1
}

// source returns the source number of the receiver's 16-bit number out.
func (s *sequencer) source(out uint16) (seq extended, ok bool) {
	if len(s.spans) == 0 {
		return 0, false
	}
	newest := s.next - 1 - s.spans[len(s.spans)-1].delta
	wanted := unwrap(newest, out)
	if wanted > newest {
		return 0, false
	}
	for i := len(s.spans) - 1; i >= 0; i-- {
		if sp := s.spans[i]; wanted+sp.delta >= sp.first {
			return wanted + sp.delta, true
		}
	}
	return 0, false
}
