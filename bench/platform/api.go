package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/bench/lab"
)

const (
	// connections are how many load a target at once.
	connections = 8
	// roundTime is the length of one round against one target.
	roundTime = 2 * time.Second
)

// api compares the processor time per request of the platform, from the HTTP API to a warm function and back, with nginx's in front of a Go
// backend: the same load, in rounds that alternate.
func (b *bench) api(ctx context.Context) (err error) {
	p, outputs, err := b.application(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	platformAddr := strings.TrimPrefix(p.Endpoint, "http://")
	at, err := url.Parse(outputs["ApiURL"])
	if err != nil {
		return err
	}
	ours := &target{addr: platformAddr, host: at.Host, path: strings.TrimRight(at.Path, "/") + "/answer", pid: p.PID()}
	if _, err := ours.load(ctx, 1); err != nil { // starts the first function
		return err
	}
	if err != nil {
		return err
	}
	theirs, stop, err := b.startNginx(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if _, err := ours.load(ctx, connections); err != nil { // starts the functions
		return err
	}
	var us, them, single []time.Duration
	for range b.rounds {
		o, err := ours.load(ctx, connections)
		if err != nil {
			return err
		}
		t, err := theirs.load(ctx, connections)
		if err != nil {
			return err
		}
		one, err := ours.load(ctx, 1)
		if err != nil {
			return err
		}
		us, them, single = append(us, o.cpu), append(them, t.cpu), append(single, one.p50)
	}
	u, t, s := lab.Median(us), lab.Median(them), lab.Median(single)
	ratio := float64(u) / float64(t)
	lab.Row("HTTP API → warm Go function → answer, CPU of the platform per request", "≤ 4 × nginx `proxy_pass`",
		fmt.Sprintf("%.1f × (%d µs against %d µs)", ratio, u.Microseconds(), t.Microseconds()), ratio <= 4)
	lab.Row("POST at one connection, p50: no delayed-ACK stall", "< 2 ms", lab.Ms(s), s < 2*time.Millisecond)
	return nil
}

// startNginx starts one nginx process with an upstream that is a Go server in this process, both with kept connections.
func (b *bench) startNginx(ctx context.Context) (*target, func() error, error) {
	backend, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "ok")
	})}
	go func() { _ = server.Serve(backend) }()
	addr, err := lab.FreeAddress()
	if err != nil {
		return nil, nil, errors.Join(err, server.Close())
	}
	prefix := filepath.Join(b.dir, "nginx")
	file := filepath.Join(prefix, "nginx.conf")
	conf := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 256; }
http {
  access_log off; keepalive_requests 1000000;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  upstream backend { server %[2]s; keepalive 64; }
  server { listen %[3]s; location / { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; } }
}
`, prefix, backend.Addr(), addr)
	if err := errors.Join(os.MkdirAll(prefix, 0o700), os.WriteFile(file, []byte(conf), 0o600)); err != nil {
		return nil, nil, errors.Join(err, server.Close())
	}
	cmd := exec.CommandContext(ctx, b.nginx, "-p", prefix, "-c", file)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("start nginx (the Debian package nginx-light has it): %w", err), server.Close())
	}
	stop := func() error {
		err := cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // how it ends does not matter
		return errors.Join(err, server.Close())
	}
	for range 50 {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return &target{addr: addr, host: addr, path: "/answer", pid: cmd.Process.Pid}, stop, c.Close()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil, nil, errors.Join(errors.New("nginx did not start"), stop())
}

// target is a server under load.
type target struct {
	addr, host, path string
	pid              int
}

// result is what the requests of one round cost: processor time each, and the median latency.
type result struct{ cpu, p50 time.Duration }

// load sends requests on kept connections for one round.
func (t *target) load(ctx context.Context, conns int) (result, error) {
	before, err := lab.CPUOf(t.pid)
	if err != nil {
		return result{}, err
	}
	times := make([][]time.Duration, conns)
	failed := make([]error, conns)
	end := time.Now().Add(roundTime)
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() { times[i], failed[i] = t.loop(ctx, end) })
	}
	wg.Wait()
	after, err := lab.CPUOf(t.pid)
	if err := errors.Join(errors.Join(failed...), err); err != nil {
		return result{}, err
	}
	var all []time.Duration
	for _, some := range times {
		all = append(all, some...)
	}
	if len(all) == 0 {
		return result{}, fmt.Errorf("%s answered nothing in %s", t.addr, roundTime)
	}
	return result{cpu: (after - before) / time.Duration(len(all)), p50: lab.Median(all)}, nil
}

// loop sends requests one after another on one connection.
func (t *target) loop(ctx context.Context, end time.Time) (times []time.Duration, err error) {
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "tcp", t.addr)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"name\":\"ann\"}", t.path, t.host)
	r := bufio.NewReader(c)
	for time.Now().Before(end) {
		began := time.Now()
		if _, err := c.Write(request); err != nil {
			return nil, err
		}
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			return nil, err
		}
		if answer.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s%s: %s: %s", t.host, t.path, answer.Status, body)
		}
		times = append(times, time.Since(began))
	}
	return times, nil
}
