package cloudformation

import (
	"context"
	"math"
	"sync"
	"time"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Why an operation ends early, as the beginning of the stack's reason.
const (
	endCancelled = "User Initiated"
	endTimeout   = "Stack creation time exceeded the specified timeout. "
)

// ending is the early end of one operation.
type ending struct {
	once    sync.Once
	reached chan struct{}
	why     string // set before reached is closed
}

func (e *ending) reason() string { return e.why }

// reach ends the operation; the first reason counts.
func (e *ending) reach(why string) {
	e.once.Do(func() {
		e.why = why
		close(e.reached)
	})
}

// cancelNow ends an operation of this process whose cancellation is durable.
func (s *Service) cancelNow(operation string) { s.endNow(operation, endCancelled) }

// endNow ends an operation of this process for a reason that is durable.
func (s *Service) endNow(operation, why string) {
	if e, ok := s.endings.Load(operation); ok {
		e.(*ending).reach(why)
	}
}

// watchEnd returns the early end of an operation, which is reached at its deadline, when somebody cancels it or an alarm goes off: now or before a restart. stop ends the watch.
func (s *Service) watchEnd(ctx context.Context, p place, op operationRecord) (e *ending, stop func(), err error) {
	e = &ending{reached: make(chan struct{})}
	s.endings.Store(op.ID, e)
	cancelled, alarmed := false, ""
	err = s.Store.View(ctx, func(r store.Reader) (err error) {
		if cancelled, err = record.Has(r, p.cancel(op.ID)); err == nil {
			alarmed, _, err = record.Get[string](r, p.alarmed(op.ID))
		}
		return err
	})
	if cancelled {
		e.reach(endCancelled)
	}
	if alarmed != "" {
		e.reach(alarmed)
	}
	timer := s.Clock.NewTimer(s.left(op))
	stopped, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-timer.C():
			e.reach(endTimeout)
		case <-stopped:
		}
	}()
	return e, func() {
		s.endings.Delete(op.ID)
		timer.Stop()
		close(stopped)
		<-done
	}, err
}

// left is how much time an operation has.
func (s *Service) left(op operationRecord) time.Duration {
	if op.Deadline.IsZero() {
		return math.MaxInt64
	}
	return op.Deadline.Sub(s.Clock.Now())
}
