package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/bench/lab"
)

// serving names the argument with which this program is a backend: `edge serve ADDRESS`.
const serving = "serve"

// backends are what nginx has behind it where the platform has functions: as many processes as there are connections, each with the same handler, over HTTP.
type backends struct {
	python, compiled []string
	stops            []func() error
}

// openBackends starts them.
func openBackends(ctx context.Context, python string) (b *backends, err error) {
	b = &backends{}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	if b.python, err = lab.FreeAddresses(connections); err != nil {
		return b, err
	}
	var ports []string
	for _, addr := range b.python {
		_, port, _ := strings.Cut(addr, ":")
		ports = append(ports, port)
	}
	if err := b.start(exec.CommandContext(ctx, python, "bench/edge/backend/server.py", "bench/platform/app/python", strings.Join(ports, ","))); err != nil {
		return b, fmt.Errorf("the Python backends (the command is run in the repository's folder): %w", err)
	}
	if b.compiled, err = lab.FreeAddresses(connections); err != nil {
		return b, err
	}
	self, err := os.Executable()
	if err != nil {
		return b, err
	}
	for _, addr := range b.compiled {
		if err := b.start(exec.CommandContext(ctx, self, serving, addr)); err != nil {
			return b, err
		}
	}
	return b, nil
}

// start starts a process that prints a line when it is ready, and ends with its standard input.
func (b *backends) start(cmd *exec.Cmd) error {
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	b.stops = append(b.stops, func() error { return errors.Join(in.Close(), cmd.Wait()) })
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return fmt.Errorf("%s did not start: %w", cmd, err)
	}
	return nil
}

// Close ends them.
func (b *backends) Close() error {
	var errs []error
	for _, stop := range b.stops {
		errs = append(errs, stop())
	}
	return errors.Join(errs...)
}

// serve is the backend of a Go function: it reads the document and answers as bench/platform/app/function does, until the standard input ends.
func serve(ctx context.Context, addr string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var event map[string]any
		if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", strconv.Itoa(len("ok")))
		_, _ = io.WriteString(w, "ok") // the client has gone
	})}
	fmt.Println("ready")
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	_, err = io.Copy(io.Discard, os.Stdin)
	err = errors.Join(err, server.Close())
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}
