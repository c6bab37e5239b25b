package integration

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
)

const (
	// maxIdle bounds the connections of a transport that are kept, maxIdlePlace those to one place.
	maxIdle      = 512
	maxIdlePlace = 64
	// idleLife is how long a connection is kept without use, shorter than most servers keep it.
	idleLife = 50 * time.Second
)

// place is where a connection goes to.
type place struct {
	address string // host and port
	secure  bool
}

// placeOf returns where a request goes to.
func placeOf(r *http.Request) (place, error) {
	if r.URL == nil || r.URL.Host == "" {
		return place{}, errors.New("the request has no host")
	}
	p := place{address: r.URL.Host}
	port := "80"
	switch r.URL.Scheme {
	case "https":
		p.secure, port = true, "443"
	case "http":
	default:
		return place{}, fmt.Errorf("the scheme %q is not http or https", r.URL.Scheme)
	}
	if r.URL.Port() == "" {
		p.address = net.JoinHostPort(strings.Trim(r.URL.Hostname(), "[]"), port)
	}
	return p, nil
}

// idle are the connections that wait for a request, the one used last first.
type idle struct {
	mu       sync.Mutex // guards the fields below
	places   map[place][]*conn
	total    int
	sweeping bool
}

// now is the time of the machine: sockets know no other.
func (*idle) now() time.Time { return clock.System{}.Now() }

// take returns a connection to a place on which nothing has happened since it was put back, or nil.
func (i *idle) take(at place) *conn {
	for {
		c := i.pop(at)
		if c == nil || i.now().Sub(c.idleAt) < idleLife && c.quiet.Is() {
			return c
		}
		_ = c.Close()
	}
}

func (i *idle) pop(at place) *conn {
	i.mu.Lock()
	defer i.mu.Unlock()
	list := i.places[at]
	if len(list) == 0 {
		return nil
	}
	c := list[len(list)-1]
	list[len(list)-1] = nil
	i.places[at] = list[:len(list)-1]
	i.total--
	return c
}

// put keeps a connection, or closes it when there are enough.
func (i *idle) put(c *conn) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.total >= maxIdle || len(i.places[c.place]) >= maxIdlePlace {
		_ = c.Close()
		return
	}
	if i.places == nil {
		i.places = map[place][]*conn{}
	}
	i.places[c.place] = append(i.places[c.place], c)
	i.total++
	if !i.sweeping {
		i.sweeping = true
		clock.AfterFunc(clock.System{}, idleLife, i.sweep)
	}
}

// sweep closes what has been idle for too long, and comes again while there is something.
func (i *idle) sweep() {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.now()
	for at, list := range i.places {
		kept := list[:0]
		for _, c := range list {
			if now.Sub(c.idleAt) < idleLife {
				kept = append(kept, c)
				continue
			}
			_ = c.Close()
			i.total--
		}
		clear(list[len(kept):])
		if i.places[at] = kept; len(kept) == 0 {
			delete(i.places, at)
		}
	}
	if i.sweeping = i.total > 0; i.sweeping {
		clock.AfterFunc(clock.System{}, idleLife, i.sweep)
	}
}

// close closes all of them.
func (i *idle) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, list := range i.places {
		for _, c := range list {
			_ = c.Close()
		}
	}
	i.places, i.total = nil, 0
}
