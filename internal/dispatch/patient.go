package dispatch

import (
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service"
)

const (
	// idleLimit is how long a body may stand still. However long it takes as a whole, it is read while it moves.
	idleLimit = 30 * time.Second
	// idleStep is how exact the limit is kept: deadlines cost a little.
	idleStep = 5 * time.Second
)

var errIdle = &service.Error{
	Code: "RequestTimeout", Status: http.StatusBadRequest,
	Message: "Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed.",
}

// patient reads the body of a request for as long as the client sends it.
type patient struct {
	body    io.Reader
	control *http.ResponseController
	clock   clock.Clock // of the machine
	set     time.Time   // when the deadline was set
}

// patiently returns the body of a request with a limit to the time that it stands still. What has come with the head needs none.
func (p *Plane) patiently(x *exchange) io.Reader {
	if x.http.ContentLength == 0 {
		return x.http.Body
	}
	return &patient{body: x.http.Body, control: http.NewResponseController(x.w), clock: clock.Unmoved(p.Clock)}
}

// Read implements io.Reader.
func (p *patient) Read(b []byte) (int, error) {
	if now := p.clock.Now(); now.Sub(p.set) >= idleStep {
		p.set = now
		p.until(now.Add(idleLimit + idleStep))
	}
	n, err := p.body.Read(b)
	if err == nil {
		return n, nil
	}
	p.until(time.Time{})
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		err = errIdle
	}
	return n, err
}

// until sets the deadline. A connection that cannot have one is not one of a client.
func (p *patient) until(t time.Time) { _ = p.control.SetReadDeadline(t) }
