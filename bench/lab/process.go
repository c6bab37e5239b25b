// Package lab holds what the benchmarks share: the released binary as a process of its own, its processor time and memory, and the rows that are printed.
package lab

import (
	"bufio"
	"bytes"
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
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/cli/client"
	"lambent.dev/lambent/internal/clock"
)

// startLimit is how long a platform may take until it has deployed; the first time it builds the functions.
const startLimit = 10 * time.Minute

// Platform is a running `lambent up`.
type Platform struct {
	*client.Client
	cmd *exec.Cmd
	// Ready and Deployed are the times from the process's start to the lines that say so.
	Ready, Deployed time.Duration
	// Used is the processor time until ready.
	Used time.Duration
}

// PID is the platform's process id.
func (p *Platform) PID() int { return p.cmd.Process.Pid }

// Options say what to start.
type Options struct {
	// Binary is the program, Dir its working folder.
	Binary, Dir string
	// DataDir is the platform's data folder, App the application to deploy; empty for none.
	DataDir, App string
	// Dev has the sources of the application watched, as `lambent dev` does.
	Dev bool
	// Args are further arguments.
	Args []string
}

// Up starts the platform, and returns when it says that it is ready, or has deployed.
func Up(ctx context.Context, o Options) (*Platform, error) {
	addr, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	command := "up"
	if o.Dev {
		command = "dev"
	}
	args := append([]string{command, "--data-dir", o.DataDir, "--listen", addr, "--log-level", "error"}, o.Args...)
	if o.App != "" {
		abs, err := filepath.Abs(o.App)
		if err != nil {
			return nil, err
		}
		args = append(args, abs)
	}
	binary, err := filepath.Abs(o.Binary)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = o.Dir
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Platform{cmd: cmd}
	timer := time.AfterFunc(startLimit, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	lines := bufio.NewReader(out)
	for p.Ready == 0 || o.App != "" && p.Deployed == 0 {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("the platform did not start: %w: %s", errors.Join(err, cmd.Wait()), problems.Bytes())
		}
		switch f := strings.Fields(line); {
		case strings.HasPrefix(line, "lambent ready "):
			p.Ready = time.Since(began)
			if p.Used, err = CPUOf(cmd.Process.Pid); err != nil {
				return nil, err
			}
			p.Client = &client.Client{Endpoint: f[2], Region: "us-east-1", AccessKeyID: "test", Secret: "test", HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}, Clock: clock.System{}}
		case strings.HasPrefix(line, "deployed "):
			p.Deployed = time.Since(began)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return p, nil
}

// FreeAddress returns a loopback address with a port that nothing listens on, below those that connections take by themselves.
func FreeAddress() (string, error) {
	addrs, err := FreeAddresses(1)
	if err != nil {
		return "", err
	}
	return addrs[0], nil
}

// FreeAddresses returns several addresses as FreeAddress does, all different.
func FreeAddresses(n int) (addrs []string, err error) {
	for port := 21_000; port < 21_200; port++ {
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return nil, err
		}
		if addrs = append(addrs, addr); len(addrs) == n {
			return addrs, nil
		}
	}
	return nil, fmt.Errorf("fewer than %d free ports from 21000 to 21199", n)
}

// Stop ends the platform cleanly.
func (p *Platform) Stop() error {
	return errors.Join(p.cmd.Process.Signal(syscall.SIGTERM), p.cmd.Wait())
}

// DynamoDB makes one signed call.
func (p *Platform) DynamoDB(ctx context.Context, operation, body string) error {
	return p.JSON(ctx, "dynamodb", "DynamoDB_20120810."+operation, body)
}

// JSON makes a signed call of a service whose protocol is JSON.
func (p *Platform) JSON(ctx context.Context, service, target, body string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Endpoint+"/", strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", target)
	sum := sha256.Sum256([]byte(body))
	signer := sigv4.Signer{AccessKeyID: p.AccessKeyID, Secret: p.Secret, Region: p.Region, Service: service}
	if err := signer.SignHTTP(r, hex.EncodeToString(sum[:]), time.Now()); err != nil {
		return err
	}
	return Exchange(p.HTTP, r)
}

// Exchange sends a request and wants a good answer.
func Exchange(c *http.Client, r *http.Request) error {
	answer, err := c.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", r.Method, r.URL.Path, answer.Status, text)
	}
	return err
}

// CPUOf returns the processor time that a process has used, apart from its children: that of its clock (clock_getcpuclockid), which counts nanoseconds.
func CPUOf(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED: the time of all threads of the process
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &used); err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return time.Duration(used.Nano()), nil
}

// ResidentOf returns the resident memory of a process, in bytes.
func ResidentOf(pid int) (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(raw), "VmRSS:")
	f := strings.Fields(rest)
	if len(f) == 0 {
		return 0, fmt.Errorf("process %d tells no resident memory", pid)
	}
	kb, err := strconv.ParseInt(f[0], 10, 64)
	return kb << 10, err
}

// ChildrenCPU returns the processor time of all children that were waited for.
func ChildrenCPU() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}
