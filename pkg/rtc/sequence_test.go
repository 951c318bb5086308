package rtc

import (
	"math/rand/v2"
	"testing"
)

func TestNumbersUnwrapAcrossTheWraparound(t *testing.T) {
	for _, c := range []struct {
		last extended
		seq  uint16
		want extended
	}{
		{firstCycle + 10, 11, firstCycle + 11},
		{firstCycle + 10, 9, firstCycle + 9},
		{firstCycle + 65535, 0, 2 * firstCycle},
		{2*firstCycle + 1, 65534, 2*firstCycle - 2},
	} {
		if got := unwrap(c.last, c.seq); got != c.want {
			t.Errorf("unwrap(%d, %d) = %d, want %d", c.last, c.seq, got, c.want)
		}
	}
}

func TestPacketsLeftOutMakeNoHoleAndLostOnesDo(t *testing.T) {
	var s sequencer
	base := extended(firstCycle + 65533) // wraps after three packets
	type step struct {
		seq  extended
		drop bool
		out  extended
	}
	for _, st := range []step{
		{seq: 0, out: 0},
		{seq: 1, drop: true},
		{seq: 2, out: 1},
		{seq: 4, out: 3}, // 3 was lost: a hole at 2
		{seq: 3, out: 2}, // and comes late
		{seq: 5, drop: true},
		{seq: 8, drop: true}, // 6 and 7 are lost within the pause
		{seq: 9, out: 4},
		{seq: 10, out: 5},
	} {
		if st.drop {
			s.drop(base + st.seq)
			continue
		}
		out, ok := s.send(base + st.seq)
		if !ok || out != base+st.out {
			t.Fatalf("packet +%d got number +%d (%v), want +%d", st.seq, out-base, ok, st.out)
		}
	}
	for out, seq := range map[extended]extended{0: 0, 1: 2, 2: 3, 3: 4, 4: 9, 5: 10} {
		if got, ok := s.source(uint16(base + out)); !ok || got != base+seq {
			t.Errorf("number +%d is packet +%d (%v), want +%d", out, got-base, ok, seq)
		}
	}
	if _, ok := s.source(uint16(base + 6)); ok {
		t.Error("a number that was not given yet has a source")
	}
	if _, ok := s.send(base + 6); ok {
		t.Error("a packet of a stretch that was left out got the number of another")
	}
}

// Whatever is sent, dropped and lost: numbers that were given are unique and
// lead back to their packets.
func TestEveryNumberLeadsBackToItsPacket(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var s sequencer
		given := map[uint16]extended{}
		seq := extended(firstCycle + r.IntN(65536))
		for range 300 {
			switch r.IntN(6) {
			case 0:
				s.drop(seq)
			case 1: // lost
			default:
				out, ok := s.send(seq)
				if !ok {
					t.Fatalf("seed %d: the newest packet got no number", seed)
				}
				if other, taken := given[uint16(out)]; taken {
					t.Fatalf("seed %d: packets %d and %d share a number", seed, other, seq)
				}
				given[uint16(out)] = seq
			}
			seq++
		}
		checked := 0
		for out, want := range given {
			if seq-want > 100 { // remembered by at most 64 spans
				continue
			}
			checked++
			if got, ok := s.source(out); !ok || got != want {
				t.Fatalf("seed %d: number %d is packet %d (%v), want %d", seed, out, got, ok, want)
			}
		}
		if checked == 0 {
			t.Fatal("nothing was checked")
		}
	}
}

func TestTheCacheKeepsARingAcrossTheWraparound(t *testing.T) {
	c := newPacketCache(8)
	start := extended(firstCycle + 65530)
	for i := range extended(20) {
		c.put(start+i, uint32(i), i%2 == 0, []byte{byte(i)})
	}
	buf := make([]byte, 0, 16)
	for i := range extended(20) {
		p, ok := c.get(start+i, buf)
		if kept := i >= 12; ok != kept {
			t.Fatalf("packet %d kept: %v, want %v", i, ok, kept)
		}
		if ok && (p.payload[0] != byte(i) || p.timestamp != uint32(i) || p.marker != (i%2 == 0)) {
			t.Fatalf("packet %d came back as %+v", i, p)
		}
	}
	c.put(start+3, 3, false, []byte{3}) // a straggler
	if p, ok := c.get(start+19, buf); !ok || p.payload[0] != 19 {
		t.Error("a straggler pushed out a newer packet")
	}
	if _, ok := newPacketCache(4).get(0, buf); ok {
		t.Error("an empty cache answered")
	}
}
