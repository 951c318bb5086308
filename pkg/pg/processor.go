package pg

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is USER_HZ, which Linux fixes at 100 for all that it tells
// user space.
const ticksPerSecond = 100

// EmbeddedCPU returns the processor time that the private server in dir has
// used, its processes that have ended included; false where none runs or the
// system does not tell (only Linux's /proc is read).
func EmbeddedCPU(dir string) (time.Duration, bool) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return 0, false
	}
	pid, alive := postmaster(abs)
	if !alive {
		return 0, false
	}
	_, own, ended, ok := processTicks(pid)
	if !ok {
		return 0, false
	}
	sum := own + ended
	stats, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, false
	}
	for _, p := range stats {
		child, err := strconv.Atoi(filepath.Base(p))
		if err != nil {
			continue
		}
		if parent, ticks, _, ok := processTicks(child); ok && parent == pid {
			sum += ticks
		}
	}
	return time.Duration(sum) * time.Second / ticksPerSecond, true
}

// processTicks reads a process's parent, its own time and that of its children that
// it has waited for, from /proc/<pid>/stat (proc_pid_stat(5), fields 4 and 14 to 17).
func processTicks(pid int) (parent int, own, ended int64, ok bool) {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, 0, 0, false
	}
	// The name in brackets may hold anything; the numbers begin after it.
	f := strings.Fields(string(b)[strings.LastIndexByte(string(b), ')')+1:])
	if len(f) < 15 {
		return 0, 0, 0, false
	}
	number := func(field int) int64 {
		n, err := strconv.ParseInt(f[field-3], 10, 64)
		ok = ok && err == nil
		return n
	}
	ok = true
	parent, own, ended = int(number(4)), number(14)+number(15), number(16)+number(17)
	return parent, own, ended, ok
}
