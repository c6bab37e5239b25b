package lambda

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"lambent.dev/lambent/internal/runtimes"
	"lambent.dev/lambent/internal/service"
)

// debuggedFor is how long an invocation under a debugger may take.
const debuggedFor = 24 * time.Hour

// debugKey is a version that is debugged, whatever its revision is.
type debugKey struct{ function, version string }

// debugSessions are the versions that are debugged.
type debugSessions struct {
	open atomic.Int32 // how many there are

	mu       sync.Mutex // guards the field below
	sessions map[debugKey]*debugSession
}

// debugSession has one environment with a debugger, which takes all invocations of a version, one at a time and without limits of time.
type debugSession struct {
	l        *Lambda
	debugger *runtimes.Debugger
	turn     chan struct{}   // held by whoever uses w
	w        *worker         // nil before the first invocation, and after one that ended it
	ended    context.Context //nolint:containedctx // the lifetime of the session
	end      context.CancelFunc
}

// of returns the session of a version; nil for none.
func (d *debugSessions) of(k poolKey) *debugSession {
	if d.open.Load() == 0 {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sessions[debugKey{k.function, k.version}]
}

var errDebugged = errors.New("the version is debugged already")

func (d *debugSessions) add(k debugKey, s *debugSession) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sessions[k] != nil {
		return errDebugged
	}
	if d.sessions == nil {
		d.sessions = map[debugKey]*debugSession{}
	}
	d.sessions[k] = s
	d.open.Add(1)
	return nil
}

func (d *debugSessions) remove(k debugKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sessions, k)
	d.open.Add(-1)
}

// run carries an invocation out under the debugger. It waits for a debugger when the environment is new.
func (s *debugSession) run(ctx context.Context, c *call) (outcome, error) {
	select {
	case s.turn <- struct{}{}:
	case <-s.ended.Done():
		return outcome{}, serviceError("The invocation was not carried out", errDebugEnded)
	}
	defer func() { <-s.turn }()
	if s.w != nil && (s.w.key != c.key || !s.w.usable()) {
		s.l.pools.end(s.w)
		s.w = nil
	}
	if s.w == nil {
		if !s.l.pools.reserve() {
			return outcome{}, throttled(reasonAccount)
		}
		w, err := s.l.startWorker(ctx, c.ref, &c.version, launch{kind: onDemand, debugger: s.debugger})
		if err != nil {
			s.l.pools.free()
			return outcome{}, err
		}
		s.w = w
	}
	w := s.w
	defer context.AfterFunc(s.ended, w.env.Kill)()
	var out outcome
	if err := w.env.WaitReady(s.ended); err != nil {
		w.log.started(c.requestID, c.version.Number, c.traceID)
		out = s.l.failed(w, c, err, 0)
	} else {
		out = s.l.use(ctx, w, c, 0)
	}
	if w.gone {
		s.w = nil
	}
	return out, nil
}

var errDebugEnded = errors.New("debugging has ended")

// close ends the environment, and a running invocation with it.
func (s *debugSession) close() error {
	s.end()
	s.turn <- struct{}{}
	if s.w != nil {
		s.l.pools.end(s.w)
		s.w = nil
	}
	return s.debugger.Close()
}

// serveDebug answers POST /_lambent/debug?function=NAME: it opens the debugger of a version, writes a line of JSON that says how to attach, and keeps it
// open until the request ends, or the platform stops.
func (l *Lambda) serveDebug(w http.ResponseWriter, r *http.Request) {
	ctx := service.WithRequest(r.Context(), &service.Request{Account: l.deps.Account, Region: l.deps.Region})
	s, k, err := l.openDebug(ctx, r.URL.Query().Get("function"))
	if err != nil {
		status := http.StatusInternalServerError
		var known *service.Error
		if errors.As(err, &known) {
			status = known.Status
		} else {
			l.deps.Log.ErrorContext(ctx, "debugger could not be opened", slog.Any("error", err))
		}
		http.Error(w, err.Error(), status)
		return
	}
	defer func() {
		l.debugging.remove(k)
		if err := s.close(); err != nil {
			l.deps.Log.WarnContext(ctx, "debugger was not closed", slog.Any("error", err))
		}
	}()
	l.deps.Log.InfoContext(ctx, "debugger opened", slog.String("function", k.function), slog.String("address", s.debugger.Address()))
	writeJSON(w, map[string]string{"address": s.debugger.Address(), "help": s.debugger.Help()})
	if http.NewResponseController(w).Flush() == nil {
		select {
		case <-ctx.Done():
		case <-l.o.Stopping:
		}
	}
}

// openDebug begins to debug a version.
func (l *Lambda) openDebug(ctx context.Context, function string) (*debugSession, debugKey, error) {
	r, err := parseRef(ctx, function, nil)
	if err != nil {
		return nil, debugKey{}, err
	}
	found, err := l.snapshot(ctx, r)
	if err != nil {
		return nil, debugKey{}, err
	}
	k := debugKey{found.key.function, found.key.version}
	if found.version.Image != nil {
		return nil, k, invalid("%s is a container image, whose program Lambent does not know: a debugger cannot be opened in it.", r.arn())
	}
	rt, err := l.o.Runtimes.Lookup(ctx, found.version.Runtime)
	if err != nil {
		return nil, k, invalid("%v", err)
	}
	o := runtimes.DebuggerOptions{Clock: l.deps.Clock, Runtime: rt, Folder: l.o.Debuggers}
	if o.Code, err = l.ensureCode(ctx, &found.version); err != nil {
		return nil, k, serviceError("The function's code cannot be read", err)
	}
	if o.Layers, err = l.ensureLayers(ctx, &found.version); err != nil {
		return nil, k, serviceError("The function's layers cannot be read", err)
	}
	d, err := runtimes.NewDebugger(ctx, o)
	var none *runtimes.DebugError
	if errors.As(err, &none) {
		return nil, k, invalid("%v", err)
	} else if err != nil {
		return nil, k, err
	}
	s := &debugSession{l: l, debugger: d, turn: make(chan struct{}, 1)}
	s.ended, s.end = context.WithCancel(context.WithoutCancel(ctx))
	if err := l.debugging.add(k, s); err != nil {
		s.end()
		return nil, k, errors.Join(conflict("%s is debugged already; end that first.", r.arn()), d.Close())
	}
	return s, k, nil
}
