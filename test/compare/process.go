package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one server process that this program started.
type process struct {
	name string
	args []string // of start
	cmd  *exec.Cmd
	log  string // file of its standard output and error
	done chan struct{}
	err  error // valid once done is closed
}

// childEnvironment is the environment of every child: no variable of the caller
// configures a target.
func childEnvironment(home string) []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + home}
}

// dieWithParent has the kernel kill a child if this process is killed, and keeps a
// terminal's interrupt from it. The starting thread must not end: main locks it.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// start starts a server on the core of the servers.
func (b *bench) start(name string, args ...string) (*process, error) {
	return b.startOn(strconv.Itoa(b.serverCore), name, args...)
}

// restart stops the process of a target that has only one, and starts it again on cores.
func (b *bench) restart(t *target, cores string) (err error) {
	old := t.processes[0]
	old.stop()
	t.processes[0], err = b.startOn(cores, old.name, old.args...)
	return err
}

// startOn starts a server on cores, in the form of taskset.
func (b *bench) startOn(cores, name string, args ...string) (*process, error) {
	path := b.file(strings.NewReplacer(" ", "-", ",", "", "/", "-").Replace(name) + ".log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command("taskset", append([]string{"-c", cores}, args...)...)
	cmd.Env, cmd.Dir, cmd.SysProcAttr = childEnvironment(b.dir), b.dir, dieWithParent()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, args: args, cmd: cmd, log: path, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	b.processes = append(b.processes, p)
	return p, nil
}

// stop ends the process, also if it is suspended.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// check returns an error with the end of the log if the process has ended.
func (p *process) check() error {
	select {
	case <-p.done:
		text, _ := os.ReadFile(p.log)
		return fmt.Errorf("%s ended: %w: %s", p.name, errors.Join(p.err), text[max(0, len(text)-2000):])
	default:
		return nil
	}
}

// suspend and resume keep an idle target from using the core of the one that is
// measured.
func (p *process) suspend() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }
func (p *process) resume() error  { return p.cmd.Process.Signal(syscall.SIGCONT) }

// clockTicks is the number of ticks a second in /proc/PID/stat on every Linux.
const clockTicks = 100

// parseCPU returns the user and system time in the text of /proc/PID/stat.
func parseCPU(stat string) (time.Duration, error) {
	// The name of the program, in parentheses, may hold spaces and parentheses.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("unknown form of /proc/PID/stat: %q", stat)
	}
	var ticks int64
	for _, field := range fields[11:13] { // utime and stime: 14 and 15 of the line
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("unknown form of /proc/PID/stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / clockTicks, nil
}

// parsePSS returns the bytes on the line Pss of /proc/PID/smaps_rollup: the resident
// memory, with shared pages divided among their processes.
func parsePSS(rollup string) (int64, error) {
	for line := range strings.Lines(rollup) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "Pss:" {
			kibibytes, err := strconv.ParseInt(fields[1], 10, 64)
			return kibibytes << 10, err
		}
	}
	return 0, errors.New("/proc/PID/smaps_rollup has no line Pss")
}

// cpu returns the user and system time of the process since its start.
func (p *process) cpu() (time.Duration, error) {
	text, err := p.proc("stat")
	if err != nil {
		return 0, err
	}
	return parseCPU(text)
}

// memory returns the resident bytes of the process.
func (p *process) memory() (int64, error) {
	text, err := p.proc("smaps_rollup")
	if err != nil {
		return 0, err
	}
	return parsePSS(text)
}

func (p *process) proc(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), name))
	if err != nil {
		return "", errors.Join(fmt.Errorf("read the state of %s: %w", p.name, err), p.check())
	}
	return string(text), nil
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
