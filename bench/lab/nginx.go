package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Nginx starts one nginx process with an upstream that is a Go server in this process, both with kept connections. Further upstreams are of several servers each, by the name
// that is their path. Its folder is made in dir; the function that is returned ends both.
func Nginx(ctx context.Context, binary, dir string, further map[string][]string) (*Target, func() error, error) {
	backend, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "ok")
	})}
	go func() { _ = server.Serve(backend) }()
	addr, err := FreeAddress()
	if err != nil {
		return nil, nil, errors.Join(err, server.Close())
	}
	prefix := filepath.Join(dir, "nginx")
	file := filepath.Join(prefix, "nginx.conf")
	conf := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 256; }
http {
  access_log off; keepalive_requests 1000000;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
%[2]s}
`, prefix, sites(addr, backend.Addr().String(), further))
	if err := errors.Join(os.MkdirAll(prefix, 0o700), os.WriteFile(file, []byte(conf), 0o600)); err != nil {
		return nil, nil, errors.Join(err, server.Close())
	}
	cmd := exec.CommandContext(ctx, binary, "-p", prefix, "-c", file)
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
			return &Target{Addr: addr, Host: addr, Path: "/answer", PID: cmd.Process.Pid, Backend: backend.Addr().String()}, stop, c.Close()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil, nil, errors.Join(errors.New("nginx did not start"), stop())
}

// sites is the part of nginx's configuration that says which path leads where.
func sites(addr, backend string, further map[string][]string) string {
	var upstreams, locations strings.Builder
	add := func(name, path string, servers []string) {
		fmt.Fprintf(&upstreams, "  upstream %s { least_conn; server %s; keepalive 64; }\n", name, strings.Join(servers, "; server "))
		fmt.Fprintf(&locations, "    location /%s { proxy_pass http://%s; proxy_http_version 1.1; proxy_set_header Connection \"\"; }\n", path, name)
	}
	add("backend", "", []string{backend})
	for name, servers := range further {
		add(name, name, servers)
	}
	return fmt.Sprintf("%s  server {\n    listen %s;\n%s  }\n", &upstreams, addr, &locations)
}
