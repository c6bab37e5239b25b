package dispatch

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"testing"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service"
)

// deadlines is a connection that keeps the deadlines that it is given.
type deadlines struct {
	httptest.ResponseRecorder

	set []time.Time
}

// SetReadDeadline is for http.ResponseController.
func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.set = append(d.set, t)
	return nil
}

// pieces is a body that comes in pieces, each after a time.
type pieces struct {
	clock *clock.Fake
	waits []time.Duration
	end   error
}

func (p *pieces) Read([]byte) (int, error) {
	if len(p.waits) == 0 {
		return 0, p.end
	}
	p.clock.Advance(p.waits[0])
	p.waits = p.waits[1:]
	return 1, nil
}

func TestBodyIsReadAsLongAsItMoves(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	for _, c := range []struct {
		name  string
		waits []time.Duration
		end   error
		want  error
		set   []time.Duration // after the start; the last one is that there is none
	}{
		{"a quick body", []time.Duration{time.Second, time.Second}, io.EOF, io.EOF, []time.Duration{35 * time.Second}},
		{"an hour in pieces", slices.Repeat([]time.Duration{20 * time.Minute}, 3), io.EOF, io.EOF, []time.Duration{35 * time.Second, 1235 * time.Second, 2435 * time.Second, 3635 * time.Second}},
		{"a body that stands still", []time.Duration{time.Second}, os.ErrDeadlineExceeded, errIdle, []time.Duration{35 * time.Second}},
		{"a client that goes", nil, io.ErrUnexpectedEOF, io.ErrUnexpectedEOF, []time.Duration{35 * time.Second}},
	} {
		now := clock.NewFake(start)
		conn := &deadlines{}
		p := &patient{body: &pieces{now, c.waits, c.end}, control: http.NewResponseController(conn), clock: now}
		_, err := io.Copy(io.Discard, onlyReader{p})
		if c.want != io.EOF && !errors.Is(err, c.want) || c.want == io.EOF && err != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		want := []time.Time{}
		for _, after := range c.set {
			want = append(want, start.Add(after))
		}
		if want = append(want, time.Time{}); !slices.EqualFunc(conn.set, want, time.Time.Equal) {
			t.Errorf("%s: deadlines %v, want %v", c.name, conn.set, want)
		}
	}
	if errIdle.Status != http.StatusBadRequest || service.Code(errIdle) != "RequestTimeout" {
		t.Errorf("a body that stands still is answered with %v", errIdle)
	}
}

// onlyReader hides what else a reader can do.
type onlyReader struct{ io.Reader }
