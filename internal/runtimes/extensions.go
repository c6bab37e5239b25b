package runtimes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/runtimes/rapi"
	"lambent.dev/lambent/internal/runtimes/telemetry"
)

// The times that programs have to end, https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html. Of shutdownTime the runtime
// gets a part, and then the extensions what is left.
const (
	shutdownTime         = 2 * time.Second
	internalShutdownTime = 500 * time.Millisecond
	runtimeShare         = 600 * time.Millisecond
)

// WrapperVariable is the variable that names a program of the function's that starts the runtime, unless that is the function's own.
const WrapperVariable = "AWS_LAMBDA_EXEC_WRAPPER"

// extensionFolder is where layers bring extensions that are programs of their own.
const extensionFolder = "extensions"

// startExtensions is a shell program: it starts every extension as a process that the sandbox's init looks after, without the function's descriptor of the
// Runtime API, and becomes the runtime. What extensions write goes to the error stream, what the function writes to the other one, so that they can be told apart.
const startExtensions = `for e in /opt/extensions/*; do [ -f "$e" ] && ( cd / && "$e" 1>&2 3>&- & ); done; exec "$@" 2>&1`

// command is what the environment's process runs.
func (s *Spec) command() []string {
	argv := s.Runtime.command(s.Limits.MemoryMB)
	if s.Debugger != nil && s.Runtime.Family != FamilyProvided {
		argv = s.Debugger.command(argv)
	}
	if s.Runtime.dotnet != nil {
		argv = append(argv, s.Runtime.dotnet.arguments(s)...)
	}
	if s.Runtime.Family == FamilyProvided && s.Layers != "" && !exists(filepath.Join(s.Code, "bootstrap")) {
		argv = []string{"/opt/bootstrap"}
	}
	if s.Debugger != nil && s.Runtime.Family == FamilyProvided {
		argv = s.Debugger.command(argv)
	}
	if wrapper := s.variable(WrapperVariable); wrapper != "" && s.Runtime.Family != FamilyProvided && s.Runtime.Family != FamilyImage {
		argv = append([]string{wrapper}, argv...)
	}
	if s.hasExtensions() {
		argv = append([]string{"/bin/sh", "-c", startExtensions, "sh"}, argv...)
	}
	return argv
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// variable is the value of a variable of the function; empty if it has none.
func (s *Spec) variable(name string) string {
	for _, v := range s.Env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// extensionFiles is the folder of this machine in which the function's extensions lie; empty if it has none.
func (s *Spec) extensionFiles() string {
	if s.Runtime.Family == FamilyImage {
		return s.Runtime.extensions
	}
	if dir := filepath.Join(s.Layers, extensionFolder); s.Layers != "" && exists(dir) {
		return dir
	}
	return ""
}

func (s *Spec) hasExtensions() bool { return s.extensionFiles() != "" }

// subscribers is how many connections telemetry needs into the sandbox.
func (s *Spec) subscribers() int {
	if s.Telemetry == nil || !s.hasExtensions() {
		return 0
	}
	return telemetry.MaxSubscriptions
}

// flushTime bounds the wait for the subscribers of telemetry before the extensions are told of the end.
const flushTime = 200 * time.Millisecond

// expectExtensions announces the extensions that the process starts. One that cannot be started fails the initialisation.
func (e *Environment) expectExtensions(s *Spec) error {
	dir := s.extensionFiles()
	if dir == "" {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look for extensions: %w", err)
	}
	var names []string
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if info.Mode()&0o001 == 0 {
			const kind = "Extension.LaunchError"
			return rapi.NewInitError(kind, fmt.Sprintf("Error: fork/exec %s: permission denied", path.Join("/opt", extensionFolder, entry.Name())))
		}
		names = append(names, entry.Name())
	}
	about := rapi.About{Name: s.variable("AWS_LAMBDA_FUNCTION_NAME"), Version: s.variable("AWS_LAMBDA_FUNCTION_VERSION"), Handler: s.variable("_HANDLER"), Account: s.Account}
	e.session.Extensions().Expect(about, names)
	return nil
}

// errExtensions ends an environment whose extensions are not done with an invocation in its time.
var errExtensions = errors.New("extensions did not ask for their next event in time")

// settle sees to it that extensions end an invocation before its deadline.
func (e *Environment) settle(deadline time.Time) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stop := clock.AfterFunc(e.clock, deadline.Sub(e.clock.Now()), func() { cancel(errExtensions) })
	defer stop()
	if errors.Is(e.session.Extensions().WaitReady(ctx), errExtensions) {
		e.session.End(errExtensions)
		e.Kill()
	}
}

// Shutdown ends the environment: at once without extensions, else after they have been told the reason, "spindown", "timeout" or "failure", and have
// had their time. It waits until every process is gone. The runtime is asked to end after the extensions: with it the sandbox ends.
func (e *Environment) Shutdown(reason string) {
	_ = e.Thaw() // one that cannot go on is killed
	x := e.session.Extensions()
	if x.Any() && e.alive() {
		e.within(flushTime, e.telemetry.Flush)
		left := internalShutdownTime
		if x.External() {
			left = runtimeShare
			x.Shutdown(reason, e.clock.Now().Add(shutdownTime-left))
			e.within(shutdownTime-left, func(ctx context.Context) { _ = x.WaitEnd(ctx) })
		}
		e.cell.Signal(syscall.SIGTERM)
		e.within(left, func(ctx context.Context) {
			select {
			case <-e.Done():
			case <-ctx.Done():
			}
		})
	}
	e.Kill()
	<-e.Done()
}

// within runs fn with a context that ends after d.
func (e *Environment) within(d time.Duration, fn func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer clock.AfterFunc(e.clock, d, cancel)()
	fn(ctx)
}

func (e *Environment) alive() bool {
	select {
	case <-e.Done():
		return false
	default:
		return true
	}
}
