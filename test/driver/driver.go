// Package driver makes calls through unmodified AWS clients that live as resident processes, because starting one for each call costs a hundred times more.
//
// A driver is a script beside this file that reads a call as a line of JSON and prints what its client made of the answer as another.
package driver

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"sync"
)

// Request is a call that a driver makes.
type Request struct {
	Service   string          `json:"service"`
	Operation string          `json:"operation"`
	Input     json.RawMessage `json:"input"`
	Endpoint  string          `json:"endpoint"`
	Key       string          `json:"key"`
	Secret    string          `json:"secret"`
	Token     string          `json:"token,omitempty"`
	// Region is us-east-1 when it is empty; only boto3 takes another one.
	Region string `json:"region,omitempty"`
	// Raw sends inputs that the client would refuse by its model, with boto3 only.
	Raw bool `json:"raw,omitempty"`
	// Presign asks for a URL that is good for so many seconds, for a request of the HTTP method Method.
	Presign int    `json:"presign,omitempty"`
	Method  string `json:"method,omitempty"`
}

// Answer is what a client made of an answer.
type Answer struct {
	Output  any    `json:"output"`
	Code    string `json:"code"`
	Message string `json:"message"`
	// Status is the HTTP status, and Detail the other members of the error; only boto3 tells them.
	Status int               `json:"status"`
	Detail map[string]string `json:"detail"`
}

// Driver is a resident process that makes calls through one client.
type Driver struct {
	cmd *exec.Cmd

	pipeMu sync.Mutex // guards the fields below: one call at a time
	in     io.WriteCloser
	out    *bufio.Reader
}

// Start starts a driver with a command.
func Start(command ...string) (*Driver, error) {
	d := &Driver{cmd: exec.Command(command[0], command[1:]...)}
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

// Call makes one call and waits for its answer.
func (d *Driver) Call(r Request) (Answer, error) {
	d.pipeMu.Lock()
	defer d.pipeMu.Unlock()
	var a Answer
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

// Close ends the process.
func (d *Driver) Close() {
	d.in.Close()
	_ = d.cmd.Wait()
}
