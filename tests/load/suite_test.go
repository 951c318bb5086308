package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// suite is one `yba serve` in a process of its own, on a folder that survives it.
type suite struct {
	binary, data, url string
	ports             []int
	process           *exec.Cmd
	// ended is closed when the process has been waited for.
	ended chan struct{}
	log   *lines
}

// lines keeps the last output of a process for the report of a failure.
type lines struct {
	mu  sync.Mutex
	all []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, p...)
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.all[max(0, len(l.all)-4000):])
}

// build builds the program, or takes the one that YBA_TEST_BINARY names.
func build(t *testing.T) string {
	t.Helper()
	if b := os.Getenv("YBA_TEST_BINARY"); b != "" {
		return b
	}
	binary := filepath.Join(t.TempDir(), "yba")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/yba")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building yba: %v\n%s", err, out)
	}
	return binary
}

// freePorts finds ports that nobody listens on.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var out []int
	var open []net.Listener
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, l)
		out = append(out, l.Addr().(*net.TCPAddr).Port)
	}
	for _, l := range open {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// newSuite starts a server on a folder of its own.
func newSuite(t *testing.T) *suite {
	t.Helper()
	s := unstarted(t)
	t.Cleanup(func() { s.stop(t) })
	s.start(t)
	return s
}

// unstarted prepares the folder and the ports.
func unstarted(t *testing.T) *suite {
	t.Helper()
	// The private PostgreSQL may run as another account, which must reach it.
	data, err := os.MkdirTemp("", "yba-load-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(data, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &suite{binary: build(t), data: data, ports: freePorts(t, 3)}
	s.url = fmt.Sprintf("http://localhost:%d", s.ports[0])
	t.Cleanup(func() {
		if err := os.RemoveAll(data); err != nil {
			t.Error(err)
		}
	})
	return s
}

// flags are those that all commands on this installation share.
func (s *suite) flags() []string {
	return []string{
		"--data", s.data, "--listen", fmt.Sprintf("localhost:%d", s.ports[0]), "--rate-limit", "1000000",
		"--media-port", fmt.Sprint(s.ports[1]), "--turn-port", fmt.Sprint(s.ports[2]), "--log-level", "warn",
	}
}

func (s *suite) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, s.binary, append(args, s.flags()...)...)
}

// start starts the server and waits until it is ready.
func (s *suite) start(t *testing.T) {
	t.Helper()
	// Not t.Context: cleanup must still stop it in order.
	s.process, s.log, s.ended = s.command(context.Background(), "serve"), &lines{}, make(chan struct{})
	s.process.Stdout, s.process.Stderr = s.log, s.log
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	go func(cmd *exec.Cmd, ended chan struct{}) {
		// How it ended is told by what the test sees afterwards.
		_ = cmd.Wait()
		close(ended)
	}(s.process, s.ended)
	until(t, s, "the server is ready", func() bool {
		resp, err := http.Get(s.url + "/readyz")
		if err != nil {
			return false
		}
		return errors.Join(resp.Body.Close()) == nil && resp.StatusCode == http.StatusOK
	})
}

// until waits for a condition; it fails when the server ends before or a
// minute has passed.
func until(t *testing.T, s *suite, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-s.ended:
			t.Fatalf("the server ended before %s:\n%s", what, s.log)
		case <-deadline:
			t.Fatalf("waited a minute until %s:\n%s", what, s.log)
		case <-tick.C:
		}
	}
}

// kill ends the server as a power cut would: no handler runs.
func (s *suite) kill(t *testing.T) {
	t.Helper()
	if err := s.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.ended
}

func (s *suite) stop(t *testing.T) {
	t.Helper()
	if s.process == nil {
		return
	}
	// It may have ended already.
	_ = s.process.Process.Signal(os.Interrupt)
	select {
	case <-s.ended:
	case <-time.After(30 * time.Second):
		t.Errorf("the server did not stop within 30 s:\n%s", s.log)
		_ = s.process.Process.Kill()
		<-s.ended
	}
}

// run runs a command of the program to its end.
func (s *suite) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.command(t.Context(), args...).Output()
	if err != nil {
		stderr := ""
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			stderr = string(e.Stderr)
		}
		t.Fatalf("yba %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr)
	}
	return string(out)
}
