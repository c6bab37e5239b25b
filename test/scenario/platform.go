package scenario

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
)

// nextPort spreads the platforms of parallel scripts below the system's own range of ports.
var nextPort atomic.Int32

// platform is a running binary.
type platform struct {
	binary, dir string
	port        int
	cmd         *exec.Cmd
	talk        bytes.Buffer
}

func freePort() (int, error) {
	for range 200 {
		port := 21000 + int(nextPort.Add(1))%9000 + os.Getpid()%500
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port")
}

func (p *platform) url() string { return fmt.Sprintf("http://127.0.0.1:%d", p.port) }

// start starts the binary and returns when it is ready.
func (p *platform) start() error {
	p.talk.Reset()
	p.cmd = exec.Command(p.binary, "up", "--listen", fmt.Sprintf("127.0.0.1:%d", p.port), "--log-level", "warn", "--test-clock")
	p.cmd.Dir, p.cmd.Stderr = p.dir, &p.talk
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if strings.HasPrefix(line, "lambent ready ") {
			go func() { _, _ = io.Copy(io.Discard, lines) }()
			return nil
		}
		if err != nil {
			_ = p.cmd.Wait()
			return fmt.Errorf("the platform did not start: %s", p.talk.String())
		}
	}
}

// kill ends the process as a crash would.
func (p *platform) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// stop ends the process as Ctrl-C would.
func (p *platform) stop() error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("the platform ended badly: %w: %s", err, p.talk.String())
	}
	return nil
}
