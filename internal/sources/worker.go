package sources

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
)

// Worker reads one source for one function. Make one with [Start].
type Worker struct {
	Config
	Deps

	// soft ends when no new work is to be begun, hard when work that has begun is to be left.
	soft, hard       context.Context //nolint:containedctx // the lifetimes of the worker's goroutines
	endSoft, endHard context.CancelFunc
	ready            chan struct{} // closed when every position is known
	isReady          sync.Once
	done             chan struct{} // closed when nothing runs any more
	work             sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	result string
	told   time.Time // when the result was told last
	later  bool      // a timer that tells it runs
}

// tellEvery is how often a result that keeps changing is told.
const tellEvery = time.Second

// Start starts a worker. It runs until Stop, whatever becomes of ctx.
func Start(ctx context.Context, c Config, d Deps) *Worker {
	w := &Worker{Config: c, Deps: d, ready: make(chan struct{}), done: make(chan struct{}), result: NoResult}
	w.Log = d.Log.With(slog.String("mapping", c.UUID), slog.String("source", c.Source.String()), slog.String("function", c.Function))
	w.hard, w.endHard = context.WithCancel(context.WithoutCancel(ctx))
	w.soft, w.endSoft = context.WithCancel(w.hard)
	go func() {
		defer close(w.done)
		if c.Source.Service == "sqs" {
			w.readQueue()
		} else {
			w.readStream()
		}
		w.work.Wait()
	}()
	return w
}

// Ready is closed when the worker has found its place in the source: what arrives from then on is read.
func (w *Worker) Ready() <-chan struct{} { return w.ready }

// Stop begins nothing new and waits for the work that has begun; when ctx ends it is left, to be done again by the next worker.
func (w *Worker) Stop(ctx context.Context) {
	w.endSoft()
	select {
	case <-w.done:
	case <-ctx.Done():
		w.endHard()
		<-w.done
	}
	w.endHard()
}

func (w *Worker) found() { w.isReady.Do(func() { close(w.ready) }) }

// report tells about a new processing result, at once unless the last one was told just now.
func (w *Worker) report(result string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.result == result {
		return
	}
	w.result = result
	if w.later {
		return
	}
	w.later = true
	wait := max(tellEvery-w.Clock.Now().Sub(w.told), 0)
	w.work.Go(func() {
		if clock.Sleep(w.soft, w.Clock, wait) == nil || w.hard.Err() == nil {
			w.tell()
		}
	})
}

func (w *Worker) tell() {
	w.mu.Lock()
	result := w.result
	w.told, w.later = w.Clock.Now(), false
	w.mu.Unlock()
	w.Result(result)
}

// failed reports an error of the source or of the platform, and logs it when it is new.
func (w *Worker) failed(what string, err error) {
	text := describe(err)
	w.mu.Lock()
	known := w.result == text
	w.mu.Unlock()
	if !known {
		w.Log.WarnContext(w.soft, "event source mapping has a problem", slog.String("doing", what), slog.Any("error", err))
	}
	w.report(text)
}

// pause waits after a number of failures; it reports false when the worker is to stop.
func (w *Worker) pause(failures int) bool {
	return clock.Sleep(w.soft, w.Clock, backoff(failures)) == nil
}

// wait waits for arrivals; it reports false when the worker is to stop, or when it has waited for long.
func (w *Worker) wait(arrived <-chan struct{}) bool {
	t := w.Clock.NewTimer(safetyNet)
	defer t.Stop()
	select {
	case <-arrived:
		return true
	case <-t.C():
	case <-w.soft.Done():
	}
	return false
}

// invoke calls the function; it gives up when the worker is to leave its work.
func (w *Worker) invoke(payload []byte, trace string) (Answer, error) {
	type outcome struct {
		answer Answer
		err    error
	}
	c := make(chan outcome, 1)
	go func() {
		a, err := w.Invoke(w.hard, payload, trace)
		c <- outcome{a, err}
	}()
	select {
	case o := <-c:
		return o.answer, o.err
	case <-w.hard.Done():
		return Answer{}, w.hard.Err()
	}
}
