package scenario

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"sync"
)

// request is a call that a driver makes.
type request struct {
	Service   string          `json:"service"`
	Operation string          `json:"operation"`
	Input     json.RawMessage `json:"input"`
	Endpoint  string          `json:"endpoint"`
	Key       string          `json:"key"`
	Secret    string          `json:"secret"`
	Token     string          `json:"token,omitempty"`
	// Presign asks for a URL that is good for so many seconds, for a request of the HTTP method Method.
	Presign int    `json:"presign,omitempty"`
	Method  string `json:"method,omitempty"`
}

// answer is what a client made of an answer.
type answer struct {
	Output  any    `json:"output"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// driver is a resident process that makes calls through one client.
type driver struct {
	cmd *exec.Cmd

	pipeMu sync.Mutex // guards the fields below: one call at a time
	in     io.WriteCloser
	out    *bufio.Reader
}

func startDriver(command ...string) (*driver, error) {
	d := &driver{cmd: exec.Command(command[0], command[1:]...)}
	var err error
	if d.in, err = d.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	d.out = bufio.NewReader(out)
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %v: %w", command, err)
	}
	return d, nil
}

func (d *driver) call(r request) (answer, error) {
	d.pipeMu.Lock()
	defer d.pipeMu.Unlock()
	var a answer
	line, err := json.Marshal(r)
	if err != nil {
		return a, err
	}
	if _, err := d.in.Write(append(line, '\n')); err != nil {
		return a, fmt.Errorf("ask the driver: %w", err)
	}
	reply, err := d.out.ReadBytes('\n')
	if err != nil {
		return a, fmt.Errorf("the driver ended: %w", err)
	}
	return a, json.Unmarshal(reply, &a)
}

func (d *driver) close() {
	d.in.Close()
	_ = d.cmd.Wait()
}
