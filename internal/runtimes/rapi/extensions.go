package rapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/runtimes/telemetry"
)

// Extensions is the Extensions API of one environment, https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html: programs that run beside
// the function, or parts of it, hear of every invocation and of the end.
type Extensions struct {
	session *Session

	mu sync.Mutex // guards the fields below
	// about is what extensions are told of the function.
	about About
	// telemetry takes their subscriptions; nil for none.
	telemetry *telemetry.Hub
	// expected are the names of the programs that have been started as extensions and have not registered yet.
	expected []string
	list     []*extension
	closed   bool          // the initialisation is over: nobody can register any more
	changed  chan struct{} // closed and replaced when something has changed; nil while nobody waits
}

// About is what extensions are told of their function.
type About struct {
	// Name, Version, Handler and Account are those of the function.
	Name, Version, Handler, Account string
}

// extension is one that has registered.
type extension struct {
	name, id         string
	external         bool // a program of its own
	invoke, shutdown bool // the events that it wants
	waiting          *conn
	over             bool // it has been told of the end
}

// The bounds of extensions, those of AWS.
const (
	maxExtensions    = 10
	maxExtensionName = 128
)

// Extensions returns the extensions of the environment.
func (s *Session) Extensions() *Extensions { return s.extensions }

// Expect announces programs that are started as extensions: the environment is ready when they have registered and ask for events.
func (x *Extensions) Expect(about About, names []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.about, x.expected = about, names
}

// SetTelemetry gives the extensions a hub to subscribe to.
func (x *Extensions) SetTelemetry(h *telemetry.Hub) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.telemetry = h
}

// Ready describes the extensions in the form of platform.extension events.
func (x *Extensions) Ready() (list []map[string]any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.list {
		events := []string{}
		if e.invoke {
			events = append(events, "INVOKE")
		}
		if e.shutdown {
			events = append(events, "SHUTDOWN")
		}
		list = append(list, map[string]any{"name": e.name, "state": "Ready", "events": events})
	}
	return list
}

// Any tells whether there are extensions, External whether some are programs of their own.
func (x *Extensions) Any() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.list)+len(x.expected) > 0
}

// External tells whether some of the extensions are programs of their own.
func (x *Extensions) External() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.expected) > 0 || slices.ContainsFunc(x.list, func(e *extension) bool { return e.external })
}

// WaitReady returns when every extension asks for its next event, or when the session is over or ctx ends.
func (x *Extensions) WaitReady(ctx context.Context) error {
	return x.wait(ctx, func() bool {
		ready := len(x.expected) == 0 && !slices.ContainsFunc(x.list, func(e *extension) bool { return e.waiting == nil })
		x.closed = x.closed || ready
		return ready
	})
}

// WaitEnd returns when every extension that was told of the end has gone, or ctx ends.
func (x *Extensions) WaitEnd(ctx context.Context) error {
	return x.wait(ctx, func() bool {
		return !slices.ContainsFunc(x.list, func(e *extension) bool { return e.over && e.external })
	})
}

func (x *Extensions) wait(ctx context.Context, done func() bool) error {
	for {
		x.mu.Lock()
		if done() {
			x.mu.Unlock()
			return nil
		}
		if x.changed == nil {
			x.changed = make(chan struct{})
		}
		changed := x.changed
		x.mu.Unlock()
		select {
		case <-changed:
		case <-x.session.over:
			return x.session.cause()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (x *Extensions) changedLocked() {
	if x.changed != nil {
		close(x.changed)
		x.changed = nil
	}
}

// Invoked tells the extensions of an invocation.
func (x *Extensions) Invoked(inv *Invocation) {
	type tracing struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	}
	body, err := json.Marshal(struct {
		Event    string  `json:"eventType"`
		Deadline int64   `json:"deadlineMs"`
		ID       string  `json:"requestId"`
		ARN      string  `json:"invokedFunctionArn"`
		Tracing  tracing `json:"tracing"`
	}{"INVOKE", inv.Deadline.UnixMilli(), inv.RequestID, inv.FunctionARN, tracing{"X-Amzn-Trace-Id", inv.TraceID}})
	if err == nil {
		x.send(body, func(e *extension) bool { return e.invoke })
	}
}

// Shutdown tells the extensions of the end: "spindown", "timeout" or "failure".
func (x *Extensions) Shutdown(reason string, deadline time.Time) {
	body, err := json.Marshal(struct {
		Event    string `json:"eventType"`
		Reason   string `json:"shutdownReason"`
		Deadline int64  `json:"deadlineMs"`
	}{"SHUTDOWN", reason, deadline.UnixMilli()})
	if err == nil {
		x.send(body, func(e *extension) bool { e.over = e.shutdown; return e.shutdown })
	}
}

// send answers the waiting requests of the extensions that want an event.
func (x *Extensions) send(body []byte, wants func(e *extension) bool) {
	x.mu.Lock()
	var conns []*conn
	for _, e := range x.list {
		if wants(e) && e.waiting != nil {
			conns = append(conns, e.waiting)
			e.waiting = nil
		}
	}
	x.mu.Unlock()
	for _, c := range conns {
		// A connection that has ended meanwhile is found out by its reader.
		_ = c.write(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Extension-Event-Identifier: %s\r\nContent-Length: %d\r\n\r\n%s",
			uuid.Of(string(body)), len(body), body))
	}
}

// left takes note that a connection has ended. An extension that waited on it is gone, which ends the environment, unless it was told to go.
func (x *Extensions) left(c *conn) {
	x.mu.Lock()
	i := slices.IndexFunc(x.list, func(e *extension) bool { return e.waiting == c })
	if i < 0 {
		i = slices.IndexFunc(x.list, func(e *extension) bool { return e.over && c.extension == e.id })
	}
	if i < 0 {
		x.mu.Unlock()
		return
	}
	e := x.list[i]
	x.list = slices.Delete(x.list, i, i+1)
	x.changedLocked()
	x.mu.Unlock()
	if e.external && !e.over {
		x.fail("Extension.Crash", "extension "+e.name+" exited")
	}
}

// fail ends the session because of an extension.
func (x *Extensions) fail(kind, message string) {
	x.session.fail(NewInitError(kind, "Error: "+message))
}

// extensionCall answers one request of the Extensions API.
func (c *conn) extensionCall(q request) error {
	x := c.s.extensions
	call := strings.TrimPrefix(q.path, extensionPrefix)
	body, err := readBody(c.r.body(q), q.length, maxHead)
	if err != nil {
		return err
	}
	if call == "register" && q.method == "POST" {
		return c.registerExtension(q, body)
	}
	e, refused := x.caller(q)
	if refused != nil {
		return c.reply(refused.status, refused.kind, refused.message)
	}
	c.extension = e.id
	switch {
	case call == "event/next" && q.method == "GET":
		if !x.ask(e, c) {
			return c.reply(403, "Extension.InvalidExtensionState", "The extension waits for an event already, or has been shut down")
		}
		return nil // answered by send
	case (call == "init/error" || call == "exit/error") && q.method == "POST":
		kind := map[bool]string{true: "Extension.InitError", false: "Extension.ExitError"}[call == "init/error"]
		err := c.accepted()
		x.fail(kind, fmt.Sprintf("extension %s: %s", e.name, q.extensionError))
		return err
	}
	return c.reply(404, "NotFound", fmt.Sprintf("%s %s is not part of the Extensions API", q.method, q.path))
}

// caller is the extension that a request names.
func (x *Extensions) caller(q request) (*extension, *refusal) {
	x.mu.Lock()
	defer x.mu.Unlock()
	i := slices.IndexFunc(x.list, func(e *extension) bool { return e.id == q.extensionID })
	switch {
	case q.extensionID == "":
		return nil, &refusal{403, "Extension.MissingHeader", "Missing Lambda-Extension-Identifier header"}
	case i < 0:
		return nil, &refusal{403, "Extension.UnknownExtensionIdentifier", "Unknown extension " + q.extensionID}
	}
	return x.list[i], nil
}

// subscribe answers one request of the Telemetry API, or of the Logs API.
func (c *conn) subscribe(q request, logs bool) error {
	api := map[bool]string{false: "Telemetry", true: "Logs"}[logs]
	body, err := readBody(c.r.body(q), q.length, maxHead)
	if err != nil {
		return err
	}
	if q.method != "PUT" {
		return c.reply(404, "NotFound", fmt.Sprintf("%s %s is not part of the %s API", q.method, q.path, api))
	}
	x := c.s.extensions
	e, refused := x.caller(q)
	if refused != nil {
		return c.reply(refused.status, refused.kind, refused.message)
	}
	x.mu.Lock()
	hub := x.telemetry
	x.mu.Unlock()
	switch err := hub.Subscribe(telemetry.Request{Extension: e.name, Logs: logs, Body: body}); {
	case errors.Is(err, telemetry.ErrNoNetwork):
		return c.reply(202, api+".NotSupported", err.Error())
	case errors.Is(err, telemetry.ErrClosed):
		return c.reply(403, api+".SubscriptionClosed", err.Error())
	case err != nil:
		return c.reply(400, "ValidationError", err.Error())
	}
	return c.write([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n\"OK\""))
}

// ask notes that an extension waits for an event on c.
func (x *Extensions) ask(e *extension, c *conn) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e.waiting != nil || e.over {
		return false
	}
	e.waiting = c
	x.changedLocked()
	return true
}

// registerExtension registers the extension that is named by its header.
func (c *conn) registerExtension(q request, body []byte) error {
	var in struct {
		Events []string `json:"events"`
	}
	switch {
	case q.extensionName == "" || len(q.extensionName) > maxExtensionName:
		return c.reply(403, "Extension.InvalidExtensionName", "Invalid or missing Lambda-Extension-Name header")
	case len(body) > 0 && json.Unmarshal(body, &in) != nil:
		return c.reply(400, "InvalidRequestFormat", "The request body is not a JSON object with events")
	}
	e, about, refused := c.s.extensions.register(q.extensionName, in.Events)
	if refused != nil {
		return c.reply(refused.status, refused.kind, refused.message)
	}
	c.extension = e.id
	out := map[string]string{"functionName": about.Name, "functionVersion": about.Version, "handler": about.Handler}
	if strings.Contains(q.acceptFeature, "accountId") {
		out["accountId"] = about.Account
	}
	doc, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return c.write(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Extension-Identifier: %s\r\nContent-Length: %d\r\n\r\n%s", e.id, len(doc), doc))
}

// refusal is why a request is not granted.
type refusal struct {
	status        int
	kind, message string
}

func (x *Extensions) register(name string, events []string) (*extension, About, *refusal) {
	x.mu.Lock()
	defer x.mu.Unlock()
	i := slices.Index(x.expected, name)
	e := &extension{name: name, external: i >= 0, id: uuid.Of(x.session.name, name)}
	for _, event := range events {
		switch {
		case event == "INVOKE":
			e.invoke = true
		case event == "SHUTDOWN" && e.external:
			e.shutdown = true
		case event == "SHUTDOWN":
			return nil, x.about, &refusal{403, "ShutdownEventNotSupportedForInternalExtension", "SHUTDOWN is an event of extensions that are programs of their own"}
		default:
			return nil, x.about, &refusal{400, "Extension.InvalidEventType", "Invalid event type " + event}
		}
	}
	switch {
	case x.closed:
		return nil, x.about, &refusal{403, "Extension.RegistrationClosed", "Extension registration closed already"}
	case slices.ContainsFunc(x.list, func(o *extension) bool { return o.name == name }):
		return nil, x.about, &refusal{403, "Extension.AlreadyRegistered", "Extension with this name already registered"}
	case len(x.list) >= maxExtensions:
		return nil, x.about, &refusal{403, "Extension.TooManyExtensions", "Extension limit (" + strconv.Itoa(maxExtensions) + ") reached"}
	}
	if i >= 0 {
		x.expected = slices.Delete(x.expected, i, i+1)
	}
	x.list = append(x.list, e)
	x.changedLocked()
	return e, x.about, nil
}
