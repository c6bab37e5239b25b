package runtimes

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"lambent.dev/lambent/internal/runtimes/rapi"
	"lambent.dev/lambent/internal/sandbox"
)

// kind names the functions that a parked cell can serve: everything that is settled when a process starts.
type kind struct {
	// runtime is AWS's identifier; empty for programs that functions bring, which any held cell can run. root is that of the runtime.
	runtime, root string
	// memory is that of the function, in MiB, where the heap is sized by it; else 0.
	memory int
	// held tells that the cell waits before it runs a program: what the function sets is read when its runtime boots.
	held bool
	// own names the one function that the cell is for, where that sets variables with which its runtime has to boot; see Spec.ownBoot.
	own    string
	listen string
	egress *sandbox.Egress
	// subscribers is how many connections telemetry needs into the cell.
	subscribers int
}

// kindOf returns the kind of a function; false if no parked cell can serve it.
func kindOf(s *Spec) (kind, bool) {
	var listen strings.Builder
	for _, l := range s.Listen {
		fmt.Fprintf(&listen, "%s %s\n", l.Name, l.Addr)
	}
	k := kind{runtime: s.Runtime.ID, root: s.Runtime.root, listen: listen.String(), egress: s.Egress, subscribers: s.subscribers()}
	switch {
	case s.Limits.MemoryMB > maxFunctionMemory:
		return k, false // a cell's limits can only be lowered
	case s.Runtime.Family == FamilyProvided || s.Runtime.Family == FamilyImage:
		k.held = true
		if k.root == "" {
			k.runtime = ""
		}
	case !s.Runtime.ours() || s.Concurrency > 0 || s.hasExtensions() || s.variable(WrapperVariable) != "":
		k.held = true
	case s.bootVariables():
		if k.own = s.ownBoot(); k.own == "" {
			k.held = true
			break
		}
		k.memory = s.Runtime.heapClass(s.Limits.MemoryMB)
	default:
		k.memory = s.Runtime.heapClass(s.Limits.MemoryMB)
	}
	return k, true
}

// bootPrefixes begin the names of variables that programs, loaders and libraries read once, when they start.
var bootPrefixes = [...]string{"NODE_", "UV_", "PYTHON", "JAVA_", "_JAVA_", "JDK_", "RUBY", "GEM_", "LD_", "MALLOC_", "GLIBC_", "OPENSSL_", "SSL_CERT_", "LC_", "LANG", "TZ"}

// general is the kind of the cells that a function can use while there are none of its own.
func (k kind) general() kind {
	k.own, k.memory, k.held = "", 0, true
	return k
}

// codePrefixes begin the words in variables that have a runtime run a file when it boots, and the variables that do so by themselves.
var codePrefixes = [...]string{"-r", "--require", "--import", "--loader", "--experimental-loader", "-javaagent", "-agentpath", "-agentlib", "@", "-cp", "-classpath", "LD_PRELOAD=", "LD_AUDIT=", "PYTHONSTARTUP=", "PYTHONHOME=", "RUBYOPT="}

// ownBoot names the function among those with variables with which their runtime has to boot; empty for one whose runtime would run files of the
// function's when it boots: those have to see the function's whole environment, with the credentials that it has when it is started.
func (s *Spec) ownBoot() string {
	if !s.Runtime.language.hasRoom(s.Env) {
		return ""
	}
	own := sha256.New()
	for _, v := range s.Env {
		if !utf8.ValidString(v) {
			return ""
		}
	}
	for _, v := range s.bootEnviron() {
		_, value, _ := strings.Cut(v, "=")
		for _, prefix := range codePrefixes {
			if strings.HasPrefix(v, prefix) || slices.ContainsFunc(strings.Fields(value), func(word string) bool { return strings.HasPrefix(word, prefix) }) {
				return ""
			}
		}
		fmt.Fprintf(own, "%q\n", v)
	}
	for _, v := range []string{s.Account, s.Name, s.variable("AWS_REGION"), s.variable("AWS_LAMBDA_FUNCTION_VERSION"), s.Code, s.Layers} {
		fmt.Fprintf(own, "%q\n", v)
	}
	return string(own.Sum(nil))
}

// bootEnviron are the variables of the function with which its runtime has to boot.
func (s *Spec) bootEnviron() (out []string) {
	base := s.Runtime.environ(nil)
	for _, v := range s.Env {
		for _, prefix := range bootPrefixes {
			if strings.HasPrefix(v, prefix) && !slices.Contains(base, v) {
				out = append(out, v)
				break
			}
		}
	}
	return out
}

// bootVariables tells whether the function sets a variable that would come too late for a runtime that has booted already, to another value
// than it has booted with.
func (s *Spec) bootVariables() bool {
	for _, v := range s.Env {
		if !utf8.ValidString(v) {
			return true // the assignment is JSON
		}
	}
	return len(s.bootEnviron()) > 0 || !s.Runtime.language.hasRoom(s.Env)
}

// parkedSpec is what the parked cells for functions like s are started with: nothing that is the function's own, unless they are for it alone. Those
// have its code where it will be, and the variables with which its runtime boots.
func parkedSpec(k kind, s *Spec) Spec {
	name := "parked-" + k.runtime
	if k.held {
		name = "held-" + k.runtime
	}
	out := Spec{Name: name, Runtime: s.Runtime, Listen: s.Listen, Egress: s.Egress, Limits: sandbox.Limits{MemoryMB: k.memory}}
	if k.own != "" {
		out.Code, out.Layers, out.Env = s.Code, s.Layers, s.bootEnviron()
	}
	return out
}

// parkedCell is a sandbox that waits for an assignment.
type parkedCell struct {
	kind kind
	env  *Environment
	out  *outlet
	// extensions is the output of extensions: out, unless they are told apart.
	extensions *outlet
	bytes      int64 // of memory that it takes
}

// What is done in a parked cell before it counts as ready.
const (
	// bootLimit bounds the boot of a runtime and its warming.
	bootLimit = 30 * time.Second
	// maxFunctionMemory is the most memory that a function can have that runs on demand, in MiB. A parked cell starts with it because limits can only be lowered.
	maxFunctionMemory = 10240
)

// park starts a cell without a function.
func (l *Launcher) park(ctx context.Context, k kind, s Spec) (*parkedCell, error) {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	out := &outlet{}
	extensions := out
	if k.subscribers > 0 {
		extensions = &outlet{}
	}
	spec := s.sandboxSpec()
	spec.Inbound = k.subscribers
	spec.Parked, spec.Held = true, k.held
	spec.Limits = sandbox.Limits{MemoryMB: maxFunctionMemory, MilliCPU: 1}
	spec.Stdout, spec.Stderr = out, extensions
	if k.own != "" {
		spec.Mounts = append(spec.Mounts, s.functionMounts()...)
	}
	if !k.held {
		spec.Env = append(append(spec.Env, "LAMBENT_PARKED=1"), s.Runtime.language.roomVariables()...)
		spec.Dir = "/"
	}
	env, err := l.start(ctx, s.Runtime, spec)
	if err != nil {
		return nil, err
	}
	env.parked = true
	c := &parkedCell{kind: k, env: env, out: out, extensions: extensions}
	if !k.held {
		if err := c.warm(ctx, s.Runtime.language.warmings); err != nil {
			c.kill()
			return nil, fmt.Errorf("%w: %s", err, out.last())
		}
	}
	c.bytes = env.PeakBytes()
	return c, nil
}

// warm has the runtime answer so many events, as it will for its function.
func (c *parkedCell) warm(ctx context.Context, events int) error {
	for i := range events {
		inv := &rapi.Invocation{
			RequestID: "parked-" + strconv.Itoa(i), FunctionARN: "arn:aws:lambda:us-east-1:000000000000:function:parked",
			TraceID: "Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0", Deadline: time.Unix(1<<33, 0),
			Payload: []byte(`{"version":"2.0","routeKey":"GET /","rawPath":"/","headers":{"accept":"*/*","host":"localhost"},"isBase64Encoded":false}`),
		}
		answer, err := c.env.session.Invoke(ctx, inv)
		if err == nil && answer.Failed {
			err = fmt.Errorf("the runtime's own event failed: %s", answer.Body)
		}
		if err != nil {
			return fmt.Errorf("warm the runtime: %w", err)
		}
	}
	return c.env.session.WaitReady(ctx)
}

func (c *parkedCell) alive() bool {
	return c.env.alive()
}

func (c *parkedCell) kill() { c.env.Kill() }

// assign makes the cell the function's. After an error it is of no more use, and has been killed.
func (c *parkedCell) assign(ctx context.Context, s *Spec) (*Environment, error) {
	spec := s.sandboxSpec()
	a := sandbox.Assignment{Limits: s.Limits}
	if c.kind.own == "" {
		a.Mounts = s.functionMounts()
	}
	c.env.cell.Drain()
	c.out.set(spec.Stdout)
	if c.extensions != c.out {
		c.extensions.set(spec.Stderr)
	}
	c.env.serve(s)
	if c.kind.held {
		a.Argv, a.Env, a.Dir = spec.Argv, spec.Env, spec.Dir
		return c.env, c.env.cell.Assign(ctx, a)
	}
	document, err := assignment(slices.DeleteFunc(spec.Env, func(v string) bool { return strings.HasPrefix(v, runtimeFD+"=") }))
	if err == nil {
		err = c.env.cell.Assign(ctx, a)
	}
	if err == nil {
		err = c.env.session.Assign(ctx, document)
	}
	if err != nil {
		c.kill()
		return nil, err
	}
	return c.env, nil
}

// outlet is the output of a cell, whose receiver comes with its function. What a parked runtime writes is kept to explain a failure.
type outlet struct {
	mu   sync.Mutex // guards the fields below
	to   io.Writer
	tail []byte
}

// maxOutletTail bounds what is kept, in bytes.
const maxOutletTail = 4 << 10

// Write passes on what the cell has written.
func (o *outlet) Write(p []byte) (int, error) {
	o.mu.Lock()
	to := o.to
	if to == nil {
		o.tail = append(o.tail, p...)
		o.tail = o.tail[max(0, len(o.tail)-maxOutletTail):]
	}
	o.mu.Unlock()
	if to == nil {
		return len(p), nil
	}
	return to.Write(p)
}

func (o *outlet) set(to io.Writer) {
	if to == nil {
		to = io.Discard
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.to, o.tail = to, nil
}

func (o *outlet) last() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.tail)
}
