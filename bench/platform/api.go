package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"lambent.dev/lambent/bench/lab"
)

// connections are how many load a target at once.
const connections = 8

// api compares the processor time per request of the platform, from the HTTP API to a warm function and back, with nginx's in front of a Go
// backend: the same load, in rounds that alternate.
func (b *bench) api(ctx context.Context) (err error) {
	p, outputs, err := b.application(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	platformAddr := strings.TrimPrefix(p.Endpoint, "http://")
	at, err := url.Parse(outputs["ApiURL"])
	if err != nil {
		return err
	}
	ours := &lab.Target{Addr: platformAddr, Host: at.Host, Path: strings.TrimRight(at.Path, "/") + "/answer", PID: p.PID()}
	if _, err := ours.Load(ctx, 1); err != nil { // starts the first function
		return err
	}
	theirs, stop, err := lab.Nginx(ctx, b.nginx, b.dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if _, err := ours.Load(ctx, connections); err != nil { // starts the functions
		return err
	}
	var us, them, single []time.Duration
	for range b.rounds {
		o, err := ours.Load(ctx, connections)
		if err != nil {
			return err
		}
		t, err := theirs.Load(ctx, connections)
		if err != nil {
			return err
		}
		one, err := ours.Load(ctx, 1)
		if err != nil {
			return err
		}
		us, them, single = append(us, o.CPU), append(them, t.CPU), append(single, one.P50)
	}
	u, t, s := lab.Median(us), lab.Median(them), lab.Median(single)
	ratio := float64(u) / float64(t)
	lab.Row("HTTP API → warm Go function → answer, CPU of the platform per request", "≤ 4 × nginx `proxy_pass`",
		fmt.Sprintf("%.1f × (%d µs against %d µs)", ratio, u.Microseconds(), t.Microseconds()), ratio <= 4)
	lab.Row("POST at one connection, p50: no delayed-ACK stall", "< 2 ms", lab.Ms(s), s < 2*time.Millisecond)
	return nil
}
