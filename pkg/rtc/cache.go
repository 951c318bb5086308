package rtc

import "sync"

// extended is a sequence number without wraparound: the 16 bits of RTP (RFC
// 3550 section 5.1) with the count of cycles above them.
type extended uint64

// firstCycle leaves room below the first packet, for those that come late.
const firstCycle = 1 << 16

// unwrap returns the extended number of seq that lies nearest to last.
func unwrap(last extended, seq uint16) extended {
	return last + extended(int64(int16(seq-uint16(last))))
}

// packetCache is a ring of the latest packets of one track. All receivers
// answer lost packets from it, so its cost does not grow with their number.
// It is safe for use by several goroutines.
type packetCache struct {
	mu    sync.Mutex
	slots []slot
}

type slot struct {
	seq       extended
	timestamp uint32
	marker    bool
	payload   []byte
}

func newPacketCache(size int) *packetCache { return &packetCache{slots: make([]slot, size)} }

// put keeps a copy of a packet and drops the one that is a ring older.
func (c *packetCache) put(seq extended, timestamp uint32, marker bool, payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.slots[int(uint64(seq)%uint64(len(c.slots)))]
	if s.seq > seq {
		// A straggler must not push out a packet of the next round.
		return
	}
	s.seq, s.timestamp, s.marker = seq, timestamp, marker
	s.payload = append(s.payload[:0], payload...)
}

// get copies the payload of packet seq into buf and returns it with the rest
// of the packet; ok is false when it is not kept.
func (c *packetCache) get(seq extended, buf []byte) (p slot, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.slots[int(uint64(seq)%uint64(len(c.slots)))]
	if s.seq != seq || seq == 0 {
		return slot{}, false
	}
	return slot{s.seq, s.timestamp, s.marker, append(buf[:0], s.payload...)}, true
}
