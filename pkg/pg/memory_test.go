package pg

import (
	"runtime"
	"testing"
)

func TestBuffersAreAShareOfTheMemory(t *testing.T) {
	for memory, want := range map[int64]int64{0: 256, 512 << 20: 128, 1 << 30: 128, 4 << 30: 512, 24 << 30: 2048, 1 << 40: 2048} {
		if got := buffers(memory); got != want {
			t.Errorf("of %d MB %d, not %d", memory>>20, got, want)
		}
	}
	if got := machineMemory(); runtime.GOOS == "linux" && got < 64<<20 {
		t.Errorf("this machine has %d bytes", got)
	}
}
