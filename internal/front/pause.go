package front

import (
	"errors"
	"io"
	"net/http"
	"time"

	"lambent.dev/lambent/internal/clock"
)

// bodyPause is for how long a client may send nothing of a body that it has begun. Reading on then fails with [os.ErrDeadlineExceeded].
const bodyPause = 30 * time.Second

// pause is the limit of the options.
func (o *Options) pause() time.Duration {
	if o.BodyPause > 0 {
		return o.BodyPause
	}
	return bodyPause
}

// pausing is the body of a request that net/http reads.
type pausing struct {
	io.ReadCloser

	control *http.ResponseController
	limit   time.Duration
	until   time.Time
}

// Read moves the deadline seldom: a client may be silent for twice the limit at most.
func (p *pausing) Read(b []byte) (int, error) {
	if now := (clock.System{}).Now(); p.until.Sub(now) < p.limit {
		p.until = now.Add(2 * p.limit)
		// A connection without deadlines is read without them.
		_ = p.control.SetReadDeadline(p.until)
	}
	n, err := p.ReadCloser.Read(b)
	if errors.Is(err, io.EOF) {
		_ = p.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// paced gives the body of a request that is not served directly its limit.
func (h *handler) paced(w http.ResponseWriter, r *http.Request) {
	if _, direct := w.(*response); direct || r.Body == nil || r.Body == http.NoBody {
		return
	}
	r.Body = &pausing{ReadCloser: r.Body, control: http.NewResponseController(w), limit: h.options.pause()}
}
