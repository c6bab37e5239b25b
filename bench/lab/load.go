package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// roundTime is the length of one round against one target.
const roundTime = 500 * time.Millisecond

// Target is a server under load.
type Target struct {
	Addr, Host, Path string
	// PID is the process whose processor time counts.
	PID int
	// Backend is the address of what a proxy has behind it.
	Backend string
	// Method and Body are of the request: POST and a small document where Method is empty. Header has further lines, each with its end.
	Method, Header, Body string
}

// Result is what the requests of one round cost: processor time each, and the median latency; and how many of them there were in a second.
type Result struct {
	CPU, P50 time.Duration
	Rate     float64
}

// Load sends requests on kept connections for one round.
func (t *Target) Load(ctx context.Context, conns int) (Result, error) {
	before, err := CPUOf(t.PID)
	if err != nil {
		return Result{}, err
	}
	times := make([][]time.Duration, conns)
	failed := make([]error, conns)
	end := time.Now().Add(roundTime)
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() { times[i], failed[i] = t.loop(ctx, end) })
	}
	wg.Wait()
	after, err := CPUOf(t.PID)
	if err := errors.Join(errors.Join(failed...), err); err != nil {
		return Result{}, err
	}
	var all []time.Duration
	for _, some := range times {
		all = append(all, some...)
	}
	if len(all) == 0 {
		return Result{}, fmt.Errorf("%s answered nothing in %s", t.Addr, roundTime)
	}
	return Result{CPU: (after - before) / time.Duration(len(all)), P50: Median(all), Rate: float64(len(all)) / roundTime.Seconds()}, nil
}

// loop sends requests one after another on one connection.
func (t *Target) loop(ctx context.Context, end time.Time) (times []time.Duration, err error) {
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "tcp", t.Addr)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	method, body := t.Method, t.Body
	if method == "" {
		method, body = http.MethodPost, `{"name":"ann"}`
	}
	request := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", method, t.Path, t.Host, t.Header, len(body), body)
	r := bufio.NewReader(c)
	for time.Now().Before(end) {
		began := time.Now()
		if _, err := c.Write(request); err != nil {
			return nil, err
		}
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			return nil, err
		}
		if answer.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s%s: %s: %s", t.Host, t.Path, answer.Status, body)
		}
		times = append(times, time.Since(began))
	}
	return times, nil
}
