package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"lambent.dev/lambent/bench/lab"
	"lambent.dev/lambent/internal/auth/sigv4"
)

// endpoint is a server under load. Without a secret, requests are not signed.
type endpoint struct {
	url        string
	pid        int
	id, secret string
	http       *http.Client
}

// result is what the requests of one round cost: the server's processor time each, and how many were answered a second.
type result struct {
	cpu  time.Duration
	rate float64
}

// load runs count requests on conns connections.
func (e *endpoint) load(ctx context.Context, count, conns int, request func(ctx context.Context, i int) error) (result, error) {
	before, err := lab.CPUOf(e.pid)
	if err != nil {
		return result{}, err
	}
	var next atomic.Int64
	failed := make([]error, conns)
	began := time.Now()
	var wg sync.WaitGroup
	for w := range conns {
		wg.Go(func() {
			for failed[w] == nil {
				i := int(next.Add(1)) - 1
				if i >= count {
					return
				}
				failed[w] = request(ctx, i)
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	after, err := lab.CPUOf(e.pid)
	return result{cpu: (after - before) / time.Duration(count), rate: float64(count) / took.Seconds()}, errors.Join(errors.Join(failed...), err)
}

// do sends a signed request and reads the answer.
func (e *endpoint) do(ctx context.Context, method, path, body string) (int64, error) {
	r, err := http.NewRequestWithContext(ctx, method, e.url+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	if e.secret != "" {
		sum := sha256.Sum256([]byte(body))
		signer := sigv4.Signer{AccessKeyID: e.id, Secret: e.secret, Region: "us-east-1", Service: "s3", S3: true}
		if err := signer.SignHTTP(r, hex.EncodeToString(sum[:]), time.Now()); err != nil {
			return 0, err
		}
	}
	answer, err := e.http.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	n, err := io.Copy(io.Discard, answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s", method, path, answer.Status)
	}
	return n, err
}

func (e *endpoint) makeBucket(ctx context.Context) error {
	_, err := e.do(ctx, http.MethodPut, "/bench", "")
	return err
}

func (e *endpoint) put(ctx context.Context, key, body string) error {
	_, err := e.do(ctx, http.MethodPut, "/bench/"+key, body)
	return err
}

func (e *endpoint) get(ctx context.Context, key string, size int64) error {
	n, err := e.do(ctx, http.MethodGet, "/bench/"+key, "")
	if err == nil && n != size {
		err = fmt.Errorf("%s: %d bytes of %d", key, n, size)
	}
	return err
}

func (e *endpoint) listAfter(ctx context.Context, key string) error {
	_, err := e.do(ctx, http.MethodGet, "/bench?list-type=2&prefix=listed%2F&start-after="+strings.ReplaceAll(key, "/", "%2F"), "")
	return err
}

// listFolders lists the common prefixes of the bucket that is listed.
func (e *endpoint) listFolders(ctx context.Context) error {
	_, err := e.do(ctx, http.MethodGet, "/bench?delimiter=%2F&list-type=2&prefix=listed%2F", "")
	return err
}

// start runs a server of another project until it listens.
func start(ctx context.Context, addr string, name string, args ...string) (*exec.Cmd, func() error, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+peerID, "MINIO_ROOT_PASSWORD="+peerSecret, "MINIO_BROWSER=off")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", name, err)
	}
	stop := func() error {
		err := cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // how it ends does not matter
		return err
	}
	for range 100 {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return cmd, stop, c.Close()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil, nil, errors.Join(fmt.Errorf("%s did not start", name), stop())
}

// startNginx starts one nginx process that serves one file.
func (b *bench) startNginx(ctx context.Context, name, body string) (*endpoint, func() error, error) {
	addr, err := lab.FreeAddress()
	if err != nil {
		return nil, nil, err
	}
	prefix := filepath.Join(b.dir, "nginx")
	conf := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 256; }
http {
  access_log off; keepalive_requests 1000000; sendfile on; tcp_nopush on;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  server { listen %[2]s; root %[1]s/files; }
}
`, prefix, addr)
	file := filepath.Join(prefix, "nginx.conf")
	err = errors.Join(os.MkdirAll(filepath.Join(prefix, "files", "bench"), 0o700), os.WriteFile(file, []byte(conf), 0o600),
		os.WriteFile(filepath.Join(prefix, "files", "bench", name), []byte(body), 0o600))
	if err != nil {
		return nil, nil, err
	}
	cmd, stop, err := start(ctx, addr, b.nginx, "-p", prefix, "-c", file)
	if err != nil {
		return nil, nil, err
	}
	return &endpoint{url: "http://" + addr, pid: cmd.Process.Pid, http: b.platform.http}, stop, nil
}

// peer is a server of another project that speaks S3.
type peer struct {
	// what it is, and how many times its rate is the target.
	what, program string
	target        float64
	// args are the arguments of its program, for an address and a folder.
	args func(addr, root string) []string
}

// peerID and peerSecret are the key of each peer.
const peerID, peerSecret = "bench", "benchbench"

// peers returns the servers that the command was given.
func (b *bench) peers() []peer {
	return slices.DeleteFunc([]peer{
		{"versitygw, which does not sync", b.versitygw, 2, func(addr, root string) []string {
			return []string{"--access", peerID, "--secret", peerSecret, "--port", addr, "--keep-alive", "--quiet", "posix", root}
		}},
		{"MinIO", b.minio, 8, func(addr, root string) []string { return []string{"server", "--quiet", "--address", addr, root} }},
	}, func(p peer) bool { return p.program == "" })
}

// startPeer starts a peer on a folder, with kept connections.
func (b *bench) startPeer(ctx context.Context, p peer) (*endpoint, func() error, error) {
	addr, err := lab.FreeAddress()
	if err != nil {
		return nil, nil, err
	}
	root := filepath.Join(b.dir, filepath.Base(p.program))
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, nil, err
	}
	cmd, stop, err := start(ctx, addr, p.program, p.args(addr, root)...)
	if err != nil {
		return nil, nil, err
	}
	e := &endpoint{url: "http://" + addr, pid: cmd.Process.Pid, id: peerID, secret: peerSecret, http: b.platform.http}
	for range 100 { // MinIO listens before it serves
		if err = e.makeBucket(ctx); err == nil {
			return e, stop, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, nil, errors.Join(err, stop())
}
