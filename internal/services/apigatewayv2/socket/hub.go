package socket

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"lambent.dev/lambent/internal/clock"
)

// The limits of a connection.
const (
	// MaxMessage and MaxFrame are in bytes.
	MaxMessage = 128 << 10
	MaxFrame   = 32 << 10
	// IdleTimeout is how long a connection may be without a message or a ping, Lifetime how long it may last.
	IdleTimeout = 10 * time.Minute
	Lifetime    = 2 * time.Hour
)

const (
	// maxRunning is how many messages of one connection are handled at once.
	maxRunning = 8
	// sendTimeout bounds how long a slow client may hold up who sends to it.
	sendTimeout = 10 * time.Second
)

// ErrGone tells that a connection is closed.
var ErrGone = errors.New("the connection is closed")

// Handler is told what happens on a connection. Its methods are called from goroutines of their own.
type Handler interface {
	// Message handles a message. It is called for up to maxRunning messages at once.
	Message(c *Conn, data []byte)
	// Closed is called once, after the last Message has returned, with the close code and its reason.
	Closed(c *Conn, code int, reason string)
}

// Hub holds connections. Make one with [NewHub].
type Hub struct {
	clock clock.Clock

	mu      sync.Mutex // guards the fields below
	conns   map[string]*Conn
	closing bool

	wg sync.WaitGroup
}

// NewHub returns a hub without connections.
func NewHub(c clock.Clock) *Hub { return &Hub{clock: c, conns: map[string]*Conn{}} }

// Conn is one open connection.
type Conn struct {
	ID string
	// Opened is when the handshake began.
	Opened time.Time

	hub     *Hub
	ready   chan struct{} // closed when the handshake has ended; ws is nil then if it failed
	ws      *websocket.Conn
	net     *measured
	handler Handler
	running chan struct{} // made with the first message; a token for each that is handled
	active  atomic.Int64  // Unix nanoseconds of the last message or ping
	ending  atomic.Pointer[ending]
	wg      sync.WaitGroup

	mu    sync.Mutex  // guards the fields below
	stop  func() bool // of the timer
	ended bool
}

// ending is why this side closed a connection.
type ending struct {
	code   websocket.StatusCode
	reason string
}

// Accept answers a handshake and holds the connection until it ends. header is added to the answer; protocol is the subprotocol, empty for none. The error
// tells that there is no connection; the client has its answer then.
func (h *Hub) Accept(w http.ResponseWriter, r *http.Request, id, protocol string, handler Handler) (*Conn, error) {
	c := &Conn{ID: id, Opened: h.clock.Now(), hub: h, handler: handler, ready: make(chan struct{})}
	c.active.Store(c.Opened.UnixNano())
	defer close(c.ready)
	if !h.enter(c) { // before the client knows that it is connected, so that it can be found from then on
		http.Error(w, "The server is going away.", http.StatusServiceUnavailable)
		return nil, ErrGone
	}
	o := &websocket.AcceptOptions{InsecureSkipVerify: true, OnPingReceived: func(context.Context, []byte) bool { // any origin may connect; authorizers decide
		c.active.Store(h.clock.Now().UnixNano())
		return true
	}}
	if protocol != "" {
		o.Subprotocols = []string{protocol}
	}
	c.arm(IdleTimeout)
	taken := &hijacked{ResponseWriter: w}
	ws, err := websocket.Accept(taken, r, o)
	if err != nil {
		h.forget(c)
		c.disarm()
		h.wg.Done()
		return nil, err
	}
	ws.SetReadLimit(MaxMessage)
	c.ws, c.net = ws, taken.conn
	go c.read()
	return c, nil
}

// enter counts a connection in; false means that the hub closes.
func (h *Hub) enter(c *Conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return false
	}
	h.conns[c.ID] = c
	h.wg.Add(1)
	return true
}

// forget has a connection not be found any more.
func (h *Hub) forget(c *Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c.ID)
}

// Find returns an open connection, or nil.
func (h *Hub) Find(id string) *Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.conns[id]
}

// Len returns how many connections are open.
func (h *Hub) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// Close closes all connections, and waits until their handlers have been told or ctx ends. It is idempotent.
func (h *Hub) Close(ctx context.Context) error {
	h.mu.Lock()
	h.closing = true
	all := make([]*Conn, 0, len(h.conns))
	for _, c := range h.conns {
		all = append(all, c)
	}
	h.mu.Unlock()
	for _, c := range all {
		go c.Close(int(websocket.StatusGoingAway), "Going away")
	}
	done := make(chan struct{})
	go func() {
		h.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	for _, c := range all {
		if <-c.ready; c.ws != nil {
			_ = c.ws.CloseNow()
		}
	}
	<-done
	return ctx.Err()
}

// Active returns when the connection had its last message or ping.
func (c *Conn) Active() time.Time { return time.Unix(0, c.active.Load()) }

// Send sends a text message. The error is ErrGone when the connection is closed, or the client takes too long.
func (c *Conn) Send(ctx context.Context, data []byte) error {
	if <-c.ready; c.ws == nil {
		return ErrGone
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout) // a write that is cut short ends the connection
	defer cancel()
	if err := c.ws.Write(ctx, websocket.MessageText, data); err != nil {
		return errors.Join(ErrGone, err)
	}
	return nil
}

// Close closes the connection with a code and a reason. It returns when the client has answered, or does not in five seconds.
func (c *Conn) Close(code int, reason string) {
	if <-c.ready; c.ws == nil {
		return
	}
	c.ending.CompareAndSwap(nil, &ending{websocket.StatusCode(code), reason})
	_ = c.ws.Close(websocket.StatusCode(code), reason)
}

// arm has the connection looked at after d.
func (c *Conn) arm(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.stop = clock.AfterFunc(c.hub.clock, d, c.look)
	}
}

// disarm ends the looking.
func (c *Conn) disarm() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.stop()
}

// look closes the connection when its time is up, and otherwise comes back when it may be.
func (c *Conn) look() {
	now := c.hub.clock.Now()
	idle, whole := c.Active().Add(IdleTimeout).Sub(now), c.Opened.Add(Lifetime).Sub(now)
	switch {
	case whole <= 0:
		go c.Close(int(websocket.StatusGoingAway), "Connection duration exceeded 2 hours")
	case idle <= 0:
		go c.Close(int(websocket.StatusGoingAway), "Going away")
	default:
		c.arm(min(idle, whole))
	}
}

// read reads messages until the connection ends.
func (c *Conn) read() {
	code, reason := c.messages()
	c.hub.forget(c)
	c.disarm()
	c.wg.Wait()
	c.handler.Closed(c, code, reason)
	c.hub.wg.Done()
}

// messages hands messages on, and returns the close code and the reason.
func (c *Conn) messages() (code int, reason string) {
	for {
		kind, data, err := c.ws.Read(context.Background())
		if err != nil {
			return c.why(err)
		}
		c.active.Store(c.hub.clock.Now().UnixNano())
		if kind == websocket.MessageBinary {
			c.Close(int(websocket.StatusUnsupportedData), "Unsupported Data")
			return int(websocket.StatusUnsupportedData), "Unsupported Data"
		}
		if c.running == nil {
			c.running = make(chan struct{}, maxRunning)
		}
		c.running <- struct{}{}
		c.wg.Go(func() {
			defer func() { <-c.running }()
			c.handler.Message(c, data)
		})
	}
}

// why says how the connection ended.
func (c *Conn) why(err error) (code int, reason string) {
	if e := c.ending.Load(); e != nil {
		return int(e.code), e.reason
	}
	var closed websocket.CloseError
	switch {
	case errors.As(err, &closed):
		return int(closed.Code), closed.Reason
	case errors.Is(err, errLargeFrame), errors.Is(err, websocket.ErrMessageTooBig):
		c.net.linger.Store(true)
		c.Close(int(websocket.StatusMessageTooBig), "Message too big")
		return int(websocket.StatusMessageTooBig), "Message too big"
	}
	_ = c.ws.CloseNow()
	return int(websocket.StatusAbnormalClosure), "Connection Closed Abnormally"
}
