package contract_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/yba-health/yba/pkg/pg"
)

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "yba-contract-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err == nil {
		binary = filepath.Join(dir, "yba")
		var out []byte
		if out, err = exec.Command("go", "build", "-o", binary, "../../cmd/yba").CombinedOutput(); err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// system is a running suite.
type system struct {
	url  string
	env  []string
	data string
	logs *logs
	// records is the process that serves records, with or without others.
	records *process
}

// process is one of the suite's, which may be killed and started again.
type process struct {
	args []string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has been waited for
}

// logs keeps what the processes print, for when a test fails.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

var services = []string{"access", "records", "exchange", "stations", "consults", "coverage", "notices"}

// forms start the suite in its two forms.
var forms = map[string]func(*testing.T) *system{"one process": single, "a process for each service": split}

func newSystem(t *testing.T) *system {
	t.Helper()
	dir, err := os.MkdirTemp("", "yba-contract-data-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &system{data: dir, logs: &logs{}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what the processes said:\n%s", s.logs)
		}
		_ = os.RemoveAll(dir)
	})
	s.env = append(os.Environ(), "YBA_DATA="+dir, "YBA_RATE_LIMIT=0", "YBA_HOOK_NETWORKS=127.0.0.0/8", "YBA_DRAIN_WAIT=200ms",
		fmt.Sprintf("YBA_MEDIA_PORT=%d", port(t)), "YBA_TURN_PORT=0")
	return s
}

func single(t *testing.T) *system {
	t.Helper()
	s := newSystem(t)
	listen := fmt.Sprintf("localhost:%d", port(t))
	s.url = "http://" + listen
	s.env = append(s.env, "YBA_LISTEN="+listen)
	s.records = s.run(t, "serve")
	s.ready(t, s.url)
	return s
}

func split(t *testing.T) *system {
	t.Helper()
	s := newSystem(t)
	db, err := pg.StartEmbedded(t.Context(), pg.EmbeddedOptions{
		Dir: filepath.Join(s.data, "postgres"), Volatile: true, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Stop() })
	edge := fmt.Sprintf("localhost:%d", port(t))
	s.url = "http://" + edge
	peers, edges := []string{}, []string{}
	grpcAt, httpAt := map[string]string{}, map[string]string{}
	for _, name := range services {
		grpcAt[name] = fmt.Sprintf("localhost:%d", port(t))
		httpAt[name] = fmt.Sprintf("localhost:%d", port(t))
		peers = append(peers, name+"="+grpcAt[name])
		edges = append(edges, name+"=http://"+httpAt[name])
	}
	s.env = append(s.env,
		"YBA_DATABASE_URL="+db.URL, "YBA_INTERNAL_KEY="+strings.Repeat("0123456789abcdef", 4), "YBA_CONNS=4",
		"YBA_PEERS="+strings.Join(peers, ","), "YBA_EDGES="+strings.Join(edges, ","), "YBA_PUBLIC_URL="+s.url)
	for _, name := range services {
		p := s.run(t, "serve", name, "--listen", httpAt[name], "--grpc-listen", grpcAt[name])
		if name == "records" {
			s.records = p
		}
	}
	for _, name := range services {
		s.ready(t, "http://"+httpAt[name])
	}
	s.run(t, "serve", "gateway", "--listen", edge)
	s.ready(t, s.url)
	return s
}

// run starts a process that ends with the test.
func (s *system) run(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{args: args}
	s.launch(t, p)
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGINT)
		select {
		case <-p.done:
		case <-time.After(20 * time.Second):
			t.Errorf("%v did not stop when asked", args)
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	})
	return p
}

func (s *system) launch(t *testing.T, p *process) {
	t.Helper()
	p.cmd, p.done = exec.Command(binary, p.args...), make(chan struct{})
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = s.env, s.logs, s.logs
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func(cmd *exec.Cmd, done chan struct{}) { _ = cmd.Wait(); close(done) }(p.cmd, p.done)
}

// restart kills the process that serves records as a power cut would, and
// starts it again.
func (s *system) restart(t *testing.T) {
	t.Helper()
	if err := s.records.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.records.done
	s.launch(t, s.records)
}

// cli runs a command of the operator's and returns what it prints.
func (s *system) cli(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("yba %s: %v: %s", strings.Join(args, " "), err, errs.String())
	}
	return strings.TrimSpace(out.String())
}

func (s *system) ready(t *testing.T, base string) {
	t.Helper()
	until(t, base+" is ready", 60*time.Second, func() error {
		resp, err := http.Get(base + "/readyz")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d", resp.StatusCode)
		}
		return nil
	})
}

// until polls until f is content.
func until(t *testing.T, what string, limit time.Duration, f func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not in %s: %v", what, limit, err)
		case <-tick.C:
		}
	}
}

func port(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// user is somebody with a token.
type user struct {
	t      *testing.T
	system *system
	token  string
}

func (s *system) as(t *testing.T, username string) *user {
	t.Helper()
	if username == "" {
		return &user{t: t, system: s}
	}
	return &user{t: t, system: s, token: s.cli(t, "token", "--as", username)}
}

// send sends a request and returns status and body.
func (u *user) send(method, path, kind string, body []byte) (int, []byte) {
	u.t.Helper()
	req, err := http.NewRequestWithContext(u.t.Context(), method, u.system.url+path, bytes.NewReader(body))
	if err != nil {
		u.t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if u.token != "" {
		req.Header.Set("Authorization", "Bearer "+u.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		u.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		u.t.Fatal(err)
	}
	return resp.StatusCode, answer
}

// do calls an operation that must succeed.
func do[T any, M interface {
	*T
	proto.Message
}](u *user, operation string, req proto.Message) M {
	u.t.Helper()
	status, body := u.try(operation, req)
	if status != http.StatusOK {
		u.t.Fatalf("%s: %d %s", operation, status, body)
	}
	answer := M(new(T))
	if err := protojson.Unmarshal(body, answer); err != nil {
		u.t.Fatalf("%s: %v in %s", operation, err, body)
	}
	return answer
}

func (u *user) try(operation string, req proto.Message) (int, []byte) {
	u.t.Helper()
	body, err := protojson.Marshal(req)
	if err != nil {
		u.t.Fatal(err)
	}
	service, method, _ := strings.Cut(operation, ".")
	return u.send(http.MethodPost, "/api/"+service+"/v1/"+method, "application/json", body)
}

// refused calls an operation that must be refused with the class.
func (u *user) refused(operation string, req proto.Message, class string) {
	u.t.Helper()
	status, body := u.try(operation, req)
	var e struct {
		Error struct{ Class, Message string }
	}
	if err := json.Unmarshal(body, &e); err != nil || e.Error.Class != class {
		u.t.Errorf("%s: %d %s, want class %s", operation, status, body, class)
	}
}

// search returns the resources of a FHIR search.
func (u *user) search(typ string, query url.Values) []map[string]any {
	u.t.Helper()
	status, body := u.send(http.MethodGet, "/fhir/R4/"+typ+"?"+query.Encode(), "", nil)
	if status != http.StatusOK {
		u.t.Fatalf("search %s: %d %s", typ, status, body)
	}
	var b struct {
		Entry []struct{ Resource map[string]any }
	}
	if err := json.Unmarshal(body, &b); err != nil {
		u.t.Fatal(err)
	}
	var out []map[string]any
	for _, e := range b.Entry {
		out = append(out, e.Resource)
	}
	return out
}
