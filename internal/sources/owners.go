package sources

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/store"
)

// Owners owns the workers of a kind of records: it follows the records and has each brought to what it says. There is one goroutine for each record, which does one
// thing after the other. Its fields are set before Start.
type Owners[ID comparable] struct {
	Store store.Store
	Clock clock.Clock
	Log   *slog.Logger
	// Prefix is where the records of all accounts and regions lie.
	Prefix []byte
	// List tells the revision of every record: it is new with every change that the worker must know of.
	List func(rd store.Reader, tell func(id ID, revision string)) error
	// Apply makes the worker of a record what the record says, and writes the state that is reached. gone tells that there is no such record any more. changed receives a
	// value when something else is wanted meanwhile, and must have it then for the next call.
	Apply func(ctx context.Context, id ID, worker **Worker, changed chan struct{}) (gone bool, err error)

	ctx  context.Context //nolint:containedctx // the lifetime of the goroutines
	stop context.CancelFunc
	work sync.WaitGroup

	mu     sync.Mutex // guards the field below
	owners map[ID]*owner[ID]
}

// owner runs the worker of one record.
type owner[ID comparable] struct {
	id       ID
	changed  chan struct{}
	revision string // that the owner was told of last; only the loop of Start uses it
}

// Start brings every record to what it says, and follows changes from then on, until Close.
func (o *Owners[ID]) Start(ctx context.Context) {
	o.ctx, o.stop = context.WithCancel(context.WithoutCancel(ctx))
	o.owners = map[ID]*owner[ID]{}
	w := o.Store.Watch(o.Prefix)
	o.work.Go(func() {
		defer w.Close()
		for o.ctx.Err() == nil {
			err := o.Store.View(o.ctx, func(rd store.Reader) error { return o.List(rd, o.tell) })
			if err != nil && o.ctx.Err() == nil {
				o.Log.ErrorContext(o.ctx, "cannot read what to read from queues and streams", slog.Any("error", err))
				if clock.Sleep(o.ctx, o.Clock, time.Second) != nil {
					return
				}
				continue
			}
			select {
			case <-w.C():
			case <-o.ctx.Done():
			}
		}
	})
}

// Close stops all workers; what they have begun is left after stopTime.
func (o *Owners[ID]) Close() {
	if o.stop != nil {
		o.stop()
	}
	o.work.Wait()
}

// Context returns the context of the owners' work, which ends with Close.
func (o *Owners[ID]) Context() context.Context { return o.ctx }

func (o *Owners[ID]) tell(id ID, revision string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	x := o.owners[id]
	if x == nil {
		x = &owner[ID]{id: id, changed: make(chan struct{}, 1)}
		o.owners[id] = x
		o.work.Go(func() {
			o.own(x)
			o.mu.Lock()
			defer o.mu.Unlock()
			delete(o.owners, x.id)
		})
	}
	if x.revision != revision {
		x.revision = revision
		select {
		case x.changed <- struct{}{}:
		default:
		}
	}
}

// stopTime is how long a worker may go on with what it has begun when the platform stops.
const stopTime = 2 * time.Second

// own runs a record until it is deleted or the owners stop.
func (o *Owners[ID]) own(x *owner[ID]) {
	var worker *Worker
	defer func() {
		if worker != nil {
			ctx, cancel := context.WithCancel(context.WithoutCancel(o.ctx))
			t := o.Clock.NewTimer(stopTime)
			end := make(chan struct{})
			go func() {
				select {
				case <-t.C():
				case <-end:
				}
				cancel()
			}()
			worker.Stop(ctx)
			close(end)
			t.Stop()
		}
	}()
	for {
		select {
		case <-x.changed:
		case <-o.ctx.Done():
			return
		}
		for failures := 1; ; failures++ {
			gone, err := o.Apply(o.ctx, x.id, &worker, x.changed)
			if gone {
				return
			}
			if err == nil {
				break
			}
			o.Log.ErrorContext(o.ctx, "cannot read a queue or stream", slog.Any("for", x.id), slog.Any("error", err))
			if clock.Sleep(o.ctx, o.Clock, min(time.Second<<min(failures-1, 6), time.Minute)) != nil {
				return
			}
		}
	}
}

// Await waits until a worker has found its place in its source, and reports whether it has. It has not when the work ends, or when something else is wanted before the
// source could be read: changed has its value then.
func (w *Worker) Await(ctx context.Context, changed chan struct{}) bool {
	select {
	case <-w.Ready():
		return true
	case <-ctx.Done():
	case <-changed:
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	return false
}
