package main

import (
	"context"
	"embed"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"text/template"
	"time"
)

//go:embed conf
var confFiles embed.FS

// settings are the values of the templates in conf.
type settings struct {
	Dir                      string
	Mode                     string // of nginx
	Port, Upstream, Decision int
}

// target is a server that is measured, with every process that it consists of.
type target struct {
	url       string
	processes []*process
}

// file returns the path of a file in the working directory.
func (b *bench) file(name string) string { return filepath.Join(b.dir, name) }

// configure writes a template of conf to the file name and returns its path.
func (b *bench) configure(source, name string, s settings) (string, error) {
	t, err := template.ParseFS(confFiles, "conf/"+source)
	if err != nil {
		return "", err
	}
	path := b.file(name)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	s.Dir = b.dir
	if err := t.Execute(file, s); err != nil {
		return "", err
	}
	return path, file.Close()
}

// startUpstream starts the one upstream of all targets.
func (b *bench) startUpstream() error {
	var err error
	if b.upstream, err = freePort(); err != nil {
		return err
	}
	path, err := b.configure("nginx.conf", "upstream.conf", settings{Mode: "upstream", Port: b.upstream})
	if err != nil {
		return err
	}
	_, err = b.start("upstream", "nginx", "-p", b.dir, "-c", path)
	return err
}

// startPeers starts every target except Toksta. They read the keys that Toksta
// imported.
func (b *bench) startPeers() error {
	upstream := fmt.Sprintf("http://127.0.0.1:%d", b.upstream)
	_, err := b.add(targetBare, func(port int) ([]string, error) {
		return []string{b.self, "serve", "-listen", fmt.Sprintf("127.0.0.1:%d", port)}, nil
	})
	if err != nil {
		return err
	}
	decision, err := b.add(targetDecision, func(port int) ([]string, error) {
		return []string{b.self, "serve", "-listen", fmt.Sprintf("127.0.0.1:%d", port), "-keys", b.file(digestsMap), "-upstream", upstream}, nil
	})
	if err != nil {
		return err
	}
	if _, err := b.add(targetHAProxy, func(port int) ([]string, error) {
		path, err := b.configure("haproxy.cfg", "haproxy.cfg", settings{Port: port, Upstream: b.upstream})
		return []string{"haproxy", "-db", "-f", path}, err
	}); err != nil {
		return err
	}
	for name, mode := range map[string]string{targetMap: "map", targetLua: "lua", targetAuth: "auth"} {
		if _, err := b.add(name, func(port int) ([]string, error) {
			path, err := b.configure("nginx.conf", "nginx-"+mode+".conf", settings{Mode: mode, Port: port, Upstream: b.upstream, Decision: decision})
			return []string{"nginx", "-p", b.dir, "-c", path}, err
		}); err != nil {
			return err
		}
	}
	auth := b.targets[targetAuth]
	auth.processes = append(auth.processes, b.targets[targetDecision].processes...)
	_, err = b.add(targetCaddy, func(port int) ([]string, error) {
		path, err := b.configure("Caddyfile", "Caddyfile", settings{Port: port, Upstream: b.upstream})
		return []string{"caddy", "run", "--adapter", "caddyfile", "--config", path}, err
	})
	return err
}

// add starts a target with the command that command returns for a free port.
func (b *bench) add(name string, command func(port int) ([]string, error)) (port int, err error) {
	if port, err = freePort(); err != nil {
		return 0, err
	}
	args, err := command(port)
	if err != nil {
		return 0, fmt.Errorf("configure %s: %w", name, err)
	}
	p, err := b.start(name, args...)
	if err != nil {
		return 0, err
	}
	b.targets[name] = &target{url: fmt.Sprintf("http://127.0.0.1:%d", port), processes: []*process{p}}
	return port, nil
}

// freePort returns a port on loopback that no server uses.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// awaitTimeout bounds a start, and the renewal of a lease after a suspension.
const awaitTimeout = 60 * time.Second

// await polls the target until it responds to a request with the expected status.
func (t *target) await(ctx context.Context, path, secret string, status int) error {
	ctx, cancel := context.WithTimeout(ctx, awaitTimeout)
	defer cancel()
	got := "no response"
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+path, nil)
		if err != nil {
			return err
		}
		if secret != "" {
			r.Header.Set("Authorization", "Bearer "+secret)
		}
		if response, err := http.DefaultClient.Do(r); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == status {
				return nil
			}
			got = response.Status
		}
		for _, p := range t.processes {
			if err := p.check(); err != nil {
				return err
			}
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("GET %s: %s after %v, want status %d", path, got, awaitTimeout, status)
		}
	}
}

// signal calls send for each process of the target.
func (t *target) signal(send func(*process) error) error {
	for _, p := range t.processes {
		if err := send(p); err != nil {
			return fmt.Errorf("signal %s: %w", p.name, err)
		}
	}
	return nil
}

// cpu returns the user and system time of all processes since their start.
func (t *target) cpu() (total time.Duration, err error) {
	for _, p := range t.processes {
		used, err := p.cpu()
		if err != nil {
			return 0, err
		}
		total += used
	}
	return total, nil
}

// memory returns the resident bytes of all processes.
func (t *target) memory() (total int64, err error) {
	for _, p := range t.processes {
		used, err := p.memory()
		if err != nil {
			return 0, err
		}
		total += used
	}
	return total, nil
}

// inRound returns the targets of a case, or cases, in the order of a round: each round
// starts with the next one.
func inRound[T any](measured []T, round int) []T {
	first := round % len(measured)
	return slices.Concat(measured[first:], measured[:first])
}
