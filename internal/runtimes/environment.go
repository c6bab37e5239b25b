package runtimes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/runtimes/rapi"
	"lambent.dev/lambent/internal/runtimes/telemetry"
	"lambent.dev/lambent/internal/sandbox"
)

// runtimeAPI is the address of the Runtime API inside a cell.
const runtimeAPI = "127.0.0.1:9001"

// authorityFile is where functions see [Options.Authority]. It is the name that AWS's runtimes have for the certificates of databases.
const authorityFile = "/var/runtime/ca-cert.pem"

// runtimeFD is the variable that tells Lambent's own clients the descriptor of the Runtime API; they take it out of the environment.
const runtimeFD = "LAMBENT_RUNTIME_FD"

// Spec describes an execution environment.
type Spec struct {
	// Name appears in logs.
	Name string
	// Runtime is what runs the code.
	Runtime *Runtime
	// Code is the folder of the function's unpacked code.
	Code string
	// Layers is the folder of the function's layers, laid over each other; empty for none.
	Layers string
	// Env are the function's variables and those of its configuration, as KEY=value. They come after, and win over, those of the runtime.
	Env []string
	// Account is the id of the function's account, which extensions may ask for.
	Account string
	// Limits of the cell.
	Limits sandbox.Limits
	// Listen are the addresses of the platform inside of the cell.
	Listen []sandbox.Listen
	// Egress is the way to the internet; nil for none.
	Egress *sandbox.Egress
	// Fresh has the environment start in a sandbox of its own, though one may be parked for it.
	Fresh bool
	// Debugger reaches the process; nil for none. The environment is started in a sandbox of its own then.
	Debugger *Debugger
	// Output takes everything that the function writes to its standard streams. ExtensionOutput, when set together with Telemetry, takes what programs in
	// layers write that run beside it; else Output does.
	Output, ExtensionOutput io.Writer
	// Telemetry takes the subscriptions of extensions; nil for none.
	Telemetry *telemetry.Hub
	// Snapshot tells that the environment is initialised as one that is to be restored later, see [Environment.WaitSnapshot].
	Snapshot bool
	// Concurrency is how many invocations the environment takes at a time; 0 for one, and then without workers.
	Concurrency int
	// WorkerIdle is told, with a concurrency, each time that another invocation can be taken; nil for nobody. It must not block.
	WorkerIdle func()
	// Credentials is asked for the credentials of the function's role, as a document, by programs that show a token; nil for none. Its answer is nil for another token.
	Credentials func(token string) []byte
}

// CredentialsURI is where programs in a sandbox ask for credentials.
const CredentialsURI = "http://" + runtimeAPI + "/2021-04-23/credentials"

// Environment is a running execution environment.
type Environment struct {
	cell    *sandbox.Cell
	session *rapi.Session
	clock   clock.Clock
	parked  bool
	// telemetry is told when the extensions are ready; nil for none.
	telemetry *telemetry.Hub
	announced sync.Once
	// concurrent tells that the environment takes several invocations at a time. Extensions do not hear of them.
	concurrent bool
}

// ExitError says that the process of an environment ended.
type ExitError struct{ Exit sandbox.Exit }

// Error describes the end.
func (e *ExitError) Error() string {
	if e.Exit.Err == nil && e.Exit.Signal == 0 && e.Exit.Code == 0 {
		return "Runtime exited without providing a reason"
	}
	return "Runtime exited with error: " + e.Exit.String()
}

// Unwrap returns why the process could not be started, if that is the case.
func (e *ExitError) Unwrap() error { return e.Exit.Err }

// BadWorkingDir tells whether the process could not be started because its working folder is not there.
func (e *ExitError) BadWorkingDir() bool {
	var failed *sandbox.StartError
	return errors.As(e.Exit.Err, &failed) && strings.HasPrefix(failed.Step, sandbox.StepWorkingDir)
}

// startFresh starts an environment in a sandbox of its own making.
func (l *Launcher) startFresh(ctx context.Context, s Spec) (*Environment, error) {
	spec := s.sandboxSpec()
	spec.Mounts = append(spec.Mounts, s.functionMounts()...)
	if s.Debugger != nil {
		s.Debugger.equip(&spec)
	}
	e, err := l.start(ctx, s.Runtime, spec)
	if err != nil {
		return nil, err
	}
	if s.Debugger != nil {
		s.Debugger.attach(e)
	}
	e.serve(&s)
	return e, nil
}

// sandboxSpec describes the sandbox without the function's code.
func (s *Spec) sandboxSpec() sandbox.Spec {
	addr := netip.MustParseAddrPort(runtimeAPI)
	stderr := s.Output
	if s.subscribers() > 0 && s.ExtensionOutput != nil {
		stderr = s.ExtensionOutput // see startExtensions
	}
	return sandbox.Spec{
		Name: s.Name, Argv: s.command(), Env: s.environ(), Dir: s.Runtime.workingDir(), Root: s.Runtime.root,
		Mounts: s.Runtime.mounts[:len(s.Runtime.mounts):len(s.Runtime.mounts)],
		Listen: append(s.Listen[:len(s.Listen):len(s.Listen)], sandbox.Listen{Name: runtimeAPI, Addr: addr}),
		Limits: s.Limits, Egress: s.Egress, Socket: s.Runtime.ours(), Stdout: s.Output, Stderr: stderr, Inbound: s.subscribers(),
	}
}

// environ is the environment of the process. What the function sets wins.
func (s *Spec) environ() []string {
	env := s.Runtime.environ(s.Env)
	if s.Runtime.dotnet != nil && s.Limits.MemoryMB > 0 {
		env = merge([]string{heapLimit(s.Limits.MemoryMB)}, env)
	}
	return env
}

// functionMounts are the folders of the function.
func (s *Spec) functionMounts() []sandbox.Mount {
	if s.Runtime.Family == FamilyImage {
		return nil
	}
	mounts := []sandbox.Mount{{Source: s.Code, Target: "/var/task"}}
	if s.Layers != "" {
		mounts = append(mounts, sandbox.Mount{Source: s.Layers, Target: "/opt"})
	}
	return mounts
}

// start starts a sandbox, and makes its environment.
func (l *Launcher) start(ctx context.Context, r *Runtime, spec sandbox.Spec) (*Environment, error) {
	release := r.hold()
	cell, err := l.o.Host.Start(ctx, spec)
	if err != nil {
		release()
		return nil, err
	}
	e := &Environment{cell: cell, session: rapi.NewSession(cell.Name()), clock: l.o.Clock}
	if socket := cell.Socket(); socket != nil {
		go e.session.Serve(socket)
	}
	go func() {
		<-cell.Done()
		release()
		e.session.Close(&ExitError{Exit: cell.Exit()})
	}()
	return e, nil
}

// serve opens the Runtime API to the programs of the function.
func (e *Environment) serve(s *Spec) {
	if s.Snapshot {
		e.session.Snapshot()
	}
	if s.Concurrency > 0 {
		e.concurrent = true
		e.session.Concurrent(s.Concurrency, s.Runtime.ours(), s.WorkerIdle)
	}
	if s.Credentials != nil {
		e.session.Credentials(s.Credentials)
	}
	if err := errors.Join(s.Runtime.dotnet.check(s), e.expectExtensions(s)); err != nil {
		e.session.End(err)
	}
	if h := s.Telemetry; h != nil {
		e.telemetry = h
		if s.subscribers() > 0 {
			h.Attach(e.cell.Dial)
		}
		e.session.Extensions().SetTelemetry(h)
		go func() {
			<-e.Done()
			h.Close()
		}()
	}
	if l := e.cell.Listener(runtimeAPI); l != nil {
		go e.session.ServeListener(l)
	}
}

// WaitReady returns when the function and its extensions are initialised. It fails with a [rapi.InitError], an [ExitError], or the cause of ctx.
func (e *Environment) WaitReady(ctx context.Context) error {
	if err := e.session.WaitReady(ctx); err != nil {
		return err
	}
	x := e.session.Extensions()
	if x.Any() {
		if err := x.WaitReady(ctx); err != nil {
			return err
		}
	}
	if e.telemetry != nil {
		e.announced.Do(func() {
			for _, ready := range x.Ready() {
				e.telemetry.Publish(telemetry.Event{Type: "platform.extension", Record: ready})
			}
			e.telemetry.Seal()
		})
	}
	return nil
}

// WaitSnapshot returns when an environment that was started for a snapshot is initialised: the hooks that the function has registered for the time
// before a snapshot have run, and its process waits. It fails as [Environment.WaitReady] does.
func (e *Environment) WaitSnapshot(ctx context.Context) error {
	if err := e.session.WaitSnapshot(ctx); err != nil {
		return err
	}
	if x := e.session.Extensions(); x.Any() {
		return x.WaitReady(ctx)
	}
	return nil
}

// Restore has the function's hooks for the time after a restoration run, and returns when it is ready for its first invocation. It fails with a
// [rapi.RestoreError], and as [Environment.WaitReady] does.
func (e *Environment) Restore(ctx context.Context) error { return e.session.Restore(ctx) }

// Invoke passes an event to the function, see [rapi.Session.Invoke]. When it returns, everything that the function wrote
// before it answered has reached the output. It must not be called by two goroutines at a time, unless the environment was started with a concurrency: then it
// fails with [rapi.ErrBusy] when all workers are, and with [rapi.ErrWorker] when the one that has the invocation ends.
func (e *Environment) Invoke(ctx context.Context, inv *rapi.Invocation) (rapi.Answer, error) {
	x := e.session.Extensions()
	told := !e.concurrent && x.Any()
	if told {
		if err := e.WaitReady(ctx); err != nil {
			return rapi.Answer{}, err
		}
		x.Invoked(inv)
	}
	answer, err := e.session.Invoke(ctx, inv)
	e.cell.Drain()
	if told {
		go e.settle(inv.Deadline)
	}
	return answer, err
}

// End makes a running Invoke fail with cause; the environment must not be used again then.
func (e *Environment) End(cause error) { e.session.End(cause) }

// Drain passes on what the function has written so far.
func (e *Environment) Drain() { e.cell.Drain() }

// IdleWorkers is how many invocations an environment with a concurrency can take now.
func (e *Environment) IdleWorkers() int { return e.session.IdleWorkers() }

// Gathering tells whether an environment with a concurrency has workers that are not initialised yet.
func (e *Environment) Gathering() bool { return e.session.Gathering() }

// Idle tells whether the function waits for an event.
func (e *Environment) Idle() bool { return e.session.Idle() }

// CanFreeze tells whether the environment can be frozen on this machine.
func (e *Environment) CanFreeze() bool { return e.cell.CanFreeze() }

// Freeze stops all processes of the environment until Thaw: what they have left for later does not happen meanwhile, as on AWS. It does nothing where
// that is not possible.
func (e *Environment) Freeze() error { return e.cell.Freeze() }

// Frozen tells whether the environment is frozen.
func (e *Environment) Frozen() bool { return e.cell.Frozen() }

// Thaw has the processes of a frozen environment go on.
func (e *Environment) Thaw() error { return e.cell.Thaw() }

// Kill ends the environment at once.
func (e *Environment) Kill() { e.cell.Kill() }

// Done is closed when every process of the environment is gone.
func (e *Environment) Done() <-chan struct{} { return e.cell.Done() }

// PeakBytes is the most memory that the environment has used at one time so far; 0 when it is not known.
func (e *Environment) PeakBytes() int64 { return e.cell.PeakBytes() }

// PID is the process id of the sandbox's init on the host.
func (e *Environment) PID() int { return e.cell.PID() }

// WasParked tells whether the environment was made from a parked cell.
func (e *Environment) WasParked() bool { return e.parked }

// Listener is the listener of that name; nil where the cell shares the host's network.
func (e *Environment) Listener(name string) net.Listener { return e.cell.Listener(name) }

// ours tells whether the runtime is a client of this package, which is given the Runtime API as a descriptor.
func (r *Runtime) ours() bool { return r.language.client != "" }

func (r *Runtime) workingDir() string {
	if r.dir != "" {
		return r.dir
	}
	return "/var/task"
}

// programPath is where AWS's runtimes look for programs, as it was recorded from them.
const programPath = "PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin"

// environ is the environment of the process: what AWS sets for the runtime, then what is given. See
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html.
func (r *Runtime) environ(given []string) []string {
	if r.Family == FamilyImage {
		return merge(append(slices.Clip(r.env), "AWS_LAMBDA_RUNTIME_API="+runtimeAPI), given)
	}
	env := []string{
		"LANG=en_US.UTF-8", "TZ=:UTC",
		"LAMBDA_TASK_ROOT=/var/task", "LAMBDA_RUNTIME_DIR=/var/runtime",
		"AWS_LAMBDA_RUNTIME_API=" + runtimeAPI,
		"LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
	}
	switch r.Family {
	case FamilyDotnet:
		env = append(env, programPath, "AWS_EXECUTION_ENV=AWS_Lambda_"+r.ID)
		env = append(env, r.dotnet.environ()...)
	case FamilyNode:
		major, _, _ := strings.Cut(r.Version, ".")
		env = append(env, programPath, "AWS_EXECUTION_ENV=AWS_Lambda_"+r.ID, runtimeFD+"=3",
			fmt.Sprintf("NODE_PATH=/opt/nodejs/node%s/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task", major))
		if r.authority {
			env = append(env, "NODE_EXTRA_CA_CERTS="+authorityFile)
		}
	case FamilyPython:
		env = append(env, programPath, "AWS_EXECUTION_ENV=AWS_Lambda_"+r.ID, runtimeFD+"=3",
			"PYTHONPATH=/var/runtime", "PYTHONDONTWRITEBYTECODE=1")
	case FamilyJava:
		env = append(env, programPath, "AWS_EXECUTION_ENV=AWS_Lambda_"+r.ID, runtimeFD+"=3")
	case FamilyRuby:
		abi := r.minor() + ".0"
		env = append(env, programPath, "AWS_EXECUTION_ENV=AWS_Lambda_"+r.ID, runtimeFD+"=3",
			"GEM_PATH=/var/task/vendor/bundle/ruby/"+abi+":/opt/ruby/gems/"+abi, "RUBYLIB=/var/task:/var/runtime/lib:/opt/ruby/lib")
	default:
		env = append(env, programPath)
	}
	return merge(env, given)
}
