package pebble

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/store"
)

// watchman hears of Pebble's work in the background. A flush that fails is tried again at once and for ever, and a compaction of the newest tables too, until
// writers wait for them without end. On a full disk that is mended by room; any other error stops the store. Pebble leaves alone what a compaction of
// older tables cannot read, for a time.
type watchman struct {
	e   *engine
	log *slog.Logger

	mu sync.Mutex // guards the fields below
	// vital is the last error of a flush or of a compaction of the newest tables.
	vital error
	// told is the last error that was logged.
	told string
}

func newWatchman(e *engine, log *slog.Logger) *watchman { return &watchman{e: e, log: log} }

func (w *watchman) listener() *pebble.EventListener {
	return &pebble.EventListener{
		FlushEnd: func(i pebble.FlushInfo) { w.ended(i.Err) },
		CompactionEnd: func(i pebble.CompactionInfo) {
			if len(i.Input) > 0 && i.Input[0].Level == 0 {
				w.ended(i.Err)
			}
		},
		BackgroundError: w.failed,
	}
}

// ended notes how vital work ended.
func (w *watchman) ended(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.vital = err
}

// failed is called after FlushEnd or CompactionEnd, with the same error, and for other work.
func (w *watchman) failed(err error) {
	if w.stops(err) {
		w.e.fatal(err)
	}
}

// stops notes an error, and tells whether the store can go on after it.
func (w *watchman) stops(err error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if text := err.Error(); text != w.told {
		w.told = text
		w.log.Warn("store engine", slog.String("message", "work in the background failed"), slog.String("error", text))
	}
	return w.vital != nil && errors.Is(err, w.vital) && !(errors.Is(err, syscall.ENOSPC) && w.e.opened.Load())
}

// openDB opens the database, or returns why the disk does not let it; Pebble's Open waits without end for a flush that cannot be done.
func (e *engine) openDB(dir string, o Options, p *pebble.Options) (*pebble.DB, error) {
	p.EventListener = newWatchman(e, o.Log).listener()
	var db *pebble.DB
	done := make(chan error, 1)
	go func() {
		var err error
		db, err = pebble.Open(dir, p)
		done <- err
	}()
	var err error
	select {
	case err = <-done:
	case <-e.broken:
	}
	select {
	case <-e.broken:
		err = e.cause
	default:
		e.opened.Store(err == nil)
	}
	if errors.Is(err, syscall.ENOSPC) {
		err = fmt.Errorf("%w, not even for opening it; free some room, then start again: %w", store.ErrFull, err)
	}
	return db, err
}

// diskFull is called by the goroutine of a write that met a full disk, which is repeated once when it returns. Without a ballast it takes its
// time, in that of the machine: Pebble tries a flush again as soon as it has failed.
func (e *engine) diskFull() {
	if !e.room.diskFull() && e.opened.Load() {
		_ = clock.Sleep(context.Background(), clock.System{}, fullPause)
	}
}

// fullPause is how long a write waits for room on a full disk.
const fullPause = 20 * time.Millisecond
