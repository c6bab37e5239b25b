package debuggers

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"testing"
	"time"
)

// patience bounds what a debugger may take.
const patience = 60 * time.Second

// adapter is a connection to a debugger that speaks the Debug Adapter Protocol, https://microsoft.github.io/debug-adapter-protocol.
type adapter struct {
	*testing.T

	conn net.Conn
	in   *bufio.Reader
	seq  int
	// events are those that were read while something else was waited for.
	events []message
}

// message is what a debugger sends.
type message struct {
	Type, Command, Event, Message string
	Success                       bool
	Body                          map[string]any
}

func attach(t *testing.T, address string) *adapter {
	t.Helper()
	conn, err := net.Dial("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &adapter{T: t, conn: conn, in: bufio.NewReader(conn)}
}

// send sends a request without waiting for its answer.
func (a *adapter) send(command string, arguments map[string]any) {
	a.Helper()
	a.seq++
	b, err := json.Marshal(map[string]any{"seq": a.seq, "type": "request", "command": command, "arguments": arguments})
	if err != nil {
		a.Fatal(err)
	}
	if _, err := fmt.Fprintf(a.conn, "Content-Length: %d\r\n\r\n%s", len(b), b); err != nil {
		a.Fatalf("%s: %v", command, err)
	}
}

// call sends a request and returns the body of its answer.
func (a *adapter) call(command string, arguments map[string]any) map[string]any {
	a.Helper()
	a.send(command, arguments)
	for {
		m := a.read()
		switch {
		case m.Type == "event":
			a.events = append(a.events, m)
		case m.Command != command:
		case !m.Success:
			a.Fatalf("%s: %s %v", command, m.Message, m.Body)
		default:
			return m.Body
		}
	}
}

// wait returns the body of the next event of a kind.
func (a *adapter) wait(event string) map[string]any {
	a.Helper()
	for {
		var m message
		if len(a.events) > 0 {
			m, a.events = a.events[0], a.events[1:]
		} else {
			m = a.read()
		}
		if m.Event == event {
			return m.Body
		}
	}
}

func (a *adapter) read() (m message) {
	a.Helper()
	head, err := textproto.NewReader(a.in).ReadMIMEHeader()
	if err != nil {
		a.Fatalf("read from the debugger: %v", err)
	}
	size, err := strconv.Atoi(head.Get("Content-Length"))
	if err != nil {
		a.Fatal(err)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(a.in, b); err != nil {
		a.Fatal(err)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		a.Fatalf("%v in %s", err, b)
	}
	return m
}

// stopAt has the program go on until it stops at a line of a file, and returns the thread that does.
func (a *adapter) stopAt(file string, line int, how map[string]any) (thread any) {
	a.Helper()
	a.call("initialize", map[string]any{"adapterID": "lambent", "linesStartAt1": true, "columnsStartAt1": true, "pathFormat": "path"})
	a.send("attach", how) // some answer it before they are set up, and some after
	a.wait("initialized")
	a.call("setBreakpoints", map[string]any{"source": map[string]any{"path": file}, "breakpoints": []any{map[string]any{"line": line}}})
	a.call("configurationDone", nil)
	for {
		stopped := a.wait("stopped")
		thread = stopped["threadId"]
		if stopped["reason"] == "breakpoint" {
			return thread
		}
		a.call("continue", map[string]any{"threadId": thread}) // held before it runs anything
	}
}

// evaluate returns what an expression is in the function that a thread is in.
func (a *adapter) evaluate(thread any, expression string) any {
	a.Helper()
	frames, ok := a.call("stackTrace", map[string]any{"threadId": thread})["stackFrames"].([]any)
	if !ok || len(frames) == 0 {
		a.Fatalf("the stack is %v", frames)
	}
	top, ok := frames[0].(map[string]any)
	if !ok {
		a.Fatalf("the frame is %v", frames[0])
	}
	return a.call("evaluate", map[string]any{"expression": expression, "frameId": top["id"], "context": "repl"})["result"]
}
