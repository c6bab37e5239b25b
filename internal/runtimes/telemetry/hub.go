package telemetry

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"

	"lambent.dev/lambent/internal/clock"
)

// maxKept bounds the events that are kept for those that subscribe during the initialisation.
const maxKept = 1000

// MaxSubscriptions is how many subscriptions an environment has at most; each has one connection into the sandbox.
const MaxSubscriptions = 8

// Errors of subscribing.
var (
	ErrClosed    = errors.New("subscriptions are taken during the initialisation only")
	ErrTooMany   = errors.New("there are too many subscriptions")
	ErrNoNetwork = errors.New("telemetry is sent to the functions that have a layer with extensions; this one has none")
)

// Hub passes the events of one execution environment on to those that have subscribed. Its methods may be called by any goroutine.
type Hub struct {
	clock clock.Clock

	mu sync.Mutex // guards the fields below
	// dial connects to a port within the sandbox; nil until that exists, and where it takes no connections.
	dial   func(port uint16) (net.Conn, error)
	kept   []Event
	list   []*subscription
	sealed bool // nobody can subscribe any more
	closed bool
	wg     sync.WaitGroup
}

// NewHub returns a hub without subscriptions.
func NewHub(c clock.Clock) *Hub { return &Hub{clock: c} }

// Attach tells how to connect to a port within the sandbox.
func (h *Hub) Attach(dial func(port uint16) (net.Conn, error)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dial = dial
}

// Publish passes an event on. It does not wait.
func (h *Hub) Publish(e Event) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.publishLocked(e)
}

func (h *Hub) publishLocked(e Event) {
	if e.Time.IsZero() {
		e.Time = h.clock.Now()
	}
	if !h.sealed && len(h.kept) < maxKept {
		h.kept = append(h.kept, e)
	}
	for _, s := range h.list {
		s.take(e)
	}
}

// Subscribe begins a subscription, which gets the events since the environment was started. A second one of an extension replaces the first. An error other
// than ErrClosed, ErrTooMany and ErrNoNetwork is a fault of the request.
func (h *Hub) Subscribe(r Request) error {
	if h == nil {
		return ErrNoNetwork
	}
	set, err := parse(r)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if old := slices.IndexFunc(h.list, func(s *subscription) bool { return s.extension == set.extension }); old >= 0 && !h.sealed {
		h.list[old].stop()
		h.list = slices.Delete(h.list, old, old+1)
	}
	switch {
	case h.sealed || h.closed:
		return ErrClosed
	case h.dial == nil:
		return ErrNoNetwork
	case len(h.list) >= MaxSubscriptions:
		return ErrTooMany
	}
	s := newSubscription(set, h.clock, h.dial)
	for _, e := range h.kept {
		s.take(e)
	}
	h.list = append(h.list, s)
	h.wg.Go(s.run)
	h.publishLocked(Event{Type: "platform.telemetrySubscription", Record: map[string]any{"name": set.extension, "state": "Subscribed", "types": set.types}})
	return nil
}

// Seal ends the time in which extensions can subscribe.
func (h *Hub) Seal() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sealed, h.kept = true, nil
}

// Flush sends what is there, and waits until it has been taken or ctx ends.
func (h *Hub) Flush(ctx context.Context) {
	if h == nil {
		return
	}
	h.mu.Lock()
	list := slices.Clone(h.list)
	h.mu.Unlock()
	for _, s := range list {
		s.flush(ctx)
	}
}

// Close ends all subscriptions; what has not been sent is dropped.
func (h *Hub) Close() {
	if h == nil {
		return
	}
	h.mu.Lock()
	h.closed, h.sealed = true, true
	for _, s := range h.list {
		s.stop()
	}
	h.list = nil
	h.mu.Unlock()
	h.wg.Wait()
}
