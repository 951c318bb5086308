package pg

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

const (
	// restartWithin bounds how long a server that ended may take to be back.
	restartWithin = 2 * time.Minute
	// A server that ends more often than crashes times in crashesIn has a
	// fault that no restart mends.
	crashes   = 5
	crashesIn = 10 * time.Minute
)

// postgresProcess is one run of the server.
type postgresProcess struct {
	cmd *exec.Cmd
	// ended is closed when the process has been waited for; err is how it ended.
	ended chan struct{}
	err   error
}

// watch starts the server again whenever it ends before Stop: what was
// acknowledged is in its log, and clients only have to connect again.
func (e *Embedded) watch(p *postgresProcess) {
	defer close(e.over)
	var ended []time.Time
	for {
		<-p.ended
		if e.stopped() {
			return
		}
		for len(ended) > 0 && time.Since(ended[0]) > crashesIn {
			ended = ended[1:]
		}
		if ended = append(ended, time.Now()); len(ended) > crashes {
			e.failed <- fmt.Errorf("it ended %d times in %s, the last time so: %w", len(ended), crashesIn, p.err)
			return
		}
		e.log.Error("the private PostgreSQL ended by itself and is started again", "error", p.err)
		next, err := e.relaunch()
		if e.stopped() {
			return
		}
		if err != nil {
			e.failed <- fmt.Errorf("it could not be started again: %w", err)
			return
		}
		e.log.Info("the private PostgreSQL is back")
		p = next
	}
}

// relaunch tries until the server is back: processes of the one that ended may
// hold its memory for a moment, and no other one starts until they have gone.
func (e *Embedded) relaunch() (p *postgresProcess, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), restartWithin)
	defer cancel()
	for {
		if p, err = e.launch(ctx); err == nil || e.stopped() || ctx.Err() != nil {
			return p, err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		case <-e.stopping:
		}
	}
}

func (e *Embedded) stopped() bool {
	select {
	case <-e.stopping:
		return true
	default:
		return false
	}
}

// launch starts the server and waits until it serves.
func (e *Embedded) launch(ctx context.Context) (*postgresProcess, error) {
	p, err := e.start()
	if err != nil {
		return nil, err
	}
	if err := e.ready(ctx, p); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

func (e *Embedded) start() (*postgresProcess, error) {
	// A page that changes for the first time after a checkpoint goes to the log
	// as a whole; with random index pages that is most of the log, so
	// checkpoints come rarely.
	memory := machineMemory()
	set := []string{
		"listen_addresses=", "unix_socket_directories=" + e.socket, "max_connections=120",
		"shared_buffers=" + strconv.FormatInt(buffers(memory), 10) + "MB", "max_wal_size=4GB", "min_wal_size=512MB", "checkpoint_timeout=15min", "checkpoint_completion_target=0.9",
		"wal_compression=on", "random_page_cost=1.1", "effective_cache_size=2GB", "jit=off",
		"autovacuum_vacuum_scale_factor=0.02", "autovacuum_analyze_scale_factor=0.01",
		"log_min_messages=error", "log_min_error_statement=panic", "log_error_verbosity=terse", "timezone=UTC",
	}
	if e.volatile {
		set = append(set, "fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=64MB", "max_connections=60")
	}
	args := []string{"-D", e.dir}
	for _, s := range set {
		args = append(args, "-c", s)
	}
	cmd := exec.Command(filepath.Join(e.bin, "postgres"), args...) //nolint:noctx // it serves until Stop, longer than any context of its start
	cmd.Dir = e.dir
	cmd.Stderr = &logWriter{log: e.log}
	// Its own process group, so that Ctrl-C at the terminal reaches us first;
	// and a fast shutdown when we die without a word.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: e.as, Setpgid: true, Pdeathsig: syscall.SIGINT}
	p := &postgresProcess{cmd: cmd, ended: make(chan struct{})}
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
		p.err = cmd.Wait()
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	e.mu.Lock()
	e.process = p
	e.mu.Unlock()
	if e.stopped() { // Stop may have looked before
		return nil, errors.Join(errors.New("postgres was stopped while it started"), p.stop())
	}
	return p, nil
}

// ready waits for the server and makes sure that the database exists.
func (e *Embedded) ready(ctx context.Context, p *postgresProcess) error {
	admin := "postgres://yba@/postgres?" + url.Values{"host": {e.socket}, "sslmode": {"disable"}}.Encode()
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
		case <-p.ended:
			return fmt.Errorf("postgres ended while starting: %w", p.err)
		case <-e.stopping:
			return errors.New("postgres was stopped while it started")
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

// Failed gets one error when the server ended and cannot be started again.
func (e *Embedded) Failed() <-chan error { return e.failed }

// Stop asks for a fast shutdown and waits.
func (e *Embedded) Stop() error {
	close(e.stopping)
	e.mu.Lock()
	p := e.process
	e.mu.Unlock()
	err := p.stop()
	<-e.over
	return err
}

func (p *postgresProcess) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended: // it was asked to end; how it says so does not matter
		return nil
	case <-time.After(30 * time.Second):
		err := p.cmd.Process.Kill()
		<-p.ended
		return errors.Join(errors.New("postgres did not stop in 30 s and was killed"), err)
	}
}
