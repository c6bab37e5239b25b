package integration

import "sync"

// maxTransports bounds the transports of a [Transports].
const maxTransports = 256

// Transports keeps a [Transport] for each way of connecting, such as a client certificate or a server's name, which K tells apart. The zero value has none.
// It is safe for concurrent use.
type Transports[K comparable] struct {
	mu         sync.Mutex // guards the field below
	transports map[K]*Transport
}

// Get returns the transport for k. The first time, and after there were too many, options says how it connects; its error is handed on.
func (t *Transports[K]) Get(k K, options func() (TransportOptions, error)) (*Transport, error) {
	if found := t.find(k); found != nil {
		return found, nil
	}
	o, err := options()
	if err != nil {
		return nil, err
	}
	return t.keep(k, NewTransport(o)), nil
}

func (t *Transports[K]) find(k K) *Transport {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.transports[k]
}

// keep keeps a transport, unless there is one already.
func (t *Transports[K]) keep(k K, made *Transport) *Transport {
	t.mu.Lock()
	defer t.mu.Unlock()
	if other := t.transports[k]; other != nil {
		return other
	}
	if t.transports == nil || len(t.transports) >= maxTransports {
		t.closeLocked()
		t.transports = map[K]*Transport{}
	}
	t.transports[k] = made
	return made
}

// Close closes the connections that are not in use.
func (t *Transports[K]) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closeLocked()
}

func (t *Transports[K]) closeLocked() {
	for _, made := range t.transports {
		made.Close()
	}
}
