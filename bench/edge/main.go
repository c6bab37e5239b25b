// Command edge measures the front doors: processor time per request of the platform, from a client's request through API Gateway and back, with nginx's
// proxy_pass in front of the same backend as the measure, in rounds that alternate: the function's handler as an HTTP server where the platform has a function, a Go server otherwise. Access log, throttles
// and authorisation are on; nginx keeps no log.
//
//	go run ./bench/edge [-lambent bin/lambent] [-rounds 20] [-only rest,restgo,http,httpgo,template,templatego,proxy,cache,latency,sockets,tokens,render]
//
// It prints the rows of bench/README.md. Everything runs on loopback, in temporary folders.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/bench/lab"
)

// connections are how many load a target at once.
const connections = 8

// row is one line of the table: the processor time of a target as a multiple of nginx's.
type row struct {
	name, what string
	target     float64
	// peer is the path at nginx of the same backend.
	peer string
	load func(g *gates) *lab.Target
}

func rows() []row {
	return []row{
		{"rest", "REST API, Lambda proxy → warm Python function", 3.5, "/python", func(g *gates) *lab.Target { return g.rest("POST", "/python") }},
		{"restgo", "REST API, Lambda proxy → warm Go function", 3.5, "/compiled", func(g *gates) *lab.Target { return g.rest("POST", "/fn") }},
		{"http", "HTTP API → warm Python function", 3, "/python", func(g *gates) *lab.Target { return g.http("/python") }},
		{"httpgo", "HTTP API → warm Go function", 3, "/compiled", func(g *gates) *lab.Target { return g.http("/answer") }},
		{"template", "REST API, a 5 KB mapping template both ways → warm Python function", 4.5, "/python", func(g *gates) *lab.Target { return g.rest("POST", "/template") }},
		{"templatego", "REST API, a 5 KB mapping template both ways → warm Go function", 4.5, "/compiled", func(g *gates) *lab.Target { return g.rest("POST", "/template-go") }},
		{"proxy", "REST API, HTTP_PROXY to a backend", 2, "/answer", func(g *gates) *lab.Target { return g.rest("POST", "/backend") }},
		{"cache", "REST API, response cache hit", 1.5, "/answer", func(g *gates) *lab.Target { return g.rest("GET", "/cached") }},
	}
}

func main() {
	b := &bench{}
	only := flag.String("only", "rest,restgo,http,httpgo,template,templatego,proxy,cache,latency,sockets,tokens,render", "what to measure, separated by commas")
	flag.StringVar(&b.binary, "lambent", "", "the binary to measure; by default one is built")
	flag.IntVar(&b.rounds, "rounds", 20, "rounds of each kind")
	flag.StringVar(&b.python, "python", "python3", "the Python of nginx's backend")
	flag.StringVar(&b.nginx, "nginx", "/usr/sbin/nginx", "the nginx to compare with")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var err error
	if flag.Arg(0) == serving {
		err = serve(ctx, flag.Arg(1))
	} else {
		err = b.run(ctx, strings.Split(*only, ","))
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench edge:", err)
		os.Exit(1)
	}
}

// bench is one run of the command.
type bench struct {
	binary, dir, nginx, python string
	rounds                     int
}

func (b *bench) run(ctx context.Context, only []string) (err error) {
	if b.dir, err = os.MkdirTemp("", "lambent-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.binary == "" {
		b.binary = filepath.Join(b.dir, "lambent")
		if err := lab.Build(ctx, b.binary, nil); err != nil {
			return err
		}
	}
	behind, err := openBackends(ctx, b.python)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, behind.Close()) }()
	theirs, stop, err := lab.Nginx(ctx, b.nginx, b.dir, map[string][]string{"python": behind.python, "compiled": behind.compiled})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	p, err := lab.Up(ctx, lab.Options{Binary: b.binary, Dir: b.dir, DataDir: filepath.Join(b.dir, "app"), App: "bench/platform/app", Args: []string{"--api-rate", "1000000"}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	g, err := openGates(ctx, p, theirs.Backend)
	if err != nil {
		return err
	}
	fmt.Println("| what | target | measured | |\n|---|---|---|---|")
	for _, r := range rows() {
		if slices.Contains(only, r.name) {
			if err := b.ratio(ctx, &r, r.load(g), theirs); err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
		}
	}
	if slices.Contains(only, "latency") {
		if err := b.latency(ctx, g); err != nil {
			return err
		}
	}
	if slices.Contains(only, "tokens") {
		if err := b.tokens(ctx, g, theirs.Backend); err != nil {
			return err
		}
	}
	if slices.Contains(only, "render") {
		if err := b.render(); err != nil {
			return err
		}
	}
	if slices.Contains(only, "sockets") {
		return b.sockets(ctx, g)
	}
	return nil
}

// ratio prints the row of a target.
func (b *bench) ratio(ctx context.Context, r *row, ours, theirs *lab.Target) error {
	if _, err := ours.Load(ctx, connections); err != nil { // starts the functions
		return err
	}
	peer := *theirs
	peer.Path = r.peer
	var us, them []time.Duration
	for range b.rounds {
		o, err := ours.Load(ctx, connections)
		if err != nil {
			return err
		}
		t, err := peer.Load(ctx, connections)
		if err != nil {
			return err
		}
		us, them = append(us, o.CPU), append(them, t.CPU)
	}
	u, t := lab.Median(us), lab.Median(them)
	got := float64(u) / float64(t)
	lab.Row(r.what+", CPU of the platform per request", fmt.Sprintf("≤ %v × nginx `proxy_pass`", r.target), fmt.Sprintf("%.1f × (%d µs against %d µs)", got, u.Microseconds(), t.Microseconds()), got <= r.target)
	return nil
}

// latency prints what the way through a REST API adds to a direct Invoke, at one connection.
func (b *bench) latency(ctx context.Context, g *gates) error {
	direct, err := g.invoke(ctx)
	if err != nil {
		return err
	}
	var added []time.Duration
	for range b.rounds {
		through, err := g.rest("POST", "/fn").Load(ctx, 1)
		if err != nil {
			return err
		}
		straight, err := direct.Load(ctx, 1)
		if err != nil {
			return err
		}
		added = append(added, through.P50-straight.P50)
	}
	a := lab.Median(added)
	lab.Row("REST API, p50 at one connection over a direct Invoke", "≤ +0.25 ms", lab.Ms(a), a <= 250*time.Microsecond)
	return nil
}

// address is the host and the path of a URL.
func address(text string) (host, path string, err error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", "", err
	}
	return u.Host, strings.TrimRight(u.Path, "/"), nil
}
