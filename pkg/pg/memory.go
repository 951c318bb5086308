package pg

import (
	"os"
	"strconv"
	"strings"
)

// Bounds of the private server's own cache, in MB.
const (
	leastBuffers   = 128
	mostBuffers    = 2048
	unknownBuffers = 256
)

// buffers is how many MB of memory the private server keeps pages in: an
// eighth of the machine's, since the system caches the files as well and the
// services want memory too.
func buffers(memory int64) int64 {
	if memory <= 0 {
		return unknownBuffers
	}
	return min(max(memory>>20/8, leastBuffers), mostBuffers)
}

// machineMemory returns how many bytes of memory this process and the private
// server may use: the machine's, or those of the control group; 0 where the
// system does not tell.
func machineMemory() int64 {
	memory := int64(0)
	text, _ := os.ReadFile("/proc/meminfo")
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			memory = kb << 10
			break
		}
	}
	// Without a limit it says "max", which is no number.
	text, _ = os.ReadFile("/sys/fs/cgroup/memory.max")
	if limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && limit > 0 && (memory == 0 || limit < memory) {
		memory = limit
	}
	return memory
}
