//go:build linux

package hostile

import (
	"net"
	"strings"
	"testing"
	"time"
)

// listener is a function whose environment listens, while an invocation of it is under way.
type listener struct {
	*platform

	// request is the id of the invocation.
	request string
	// addresses are those that the environment listens at; ways are others that might lead to it, or to the host.
	addresses, ways []string
}

// listenerName is the function's.
const listenerName = "listener"

// listen starts the listener, and a socket of the host beside it.
func listen(p *platform, role string, archive []byte) *listener {
	p.Helper()
	name := "@lambent-attack-" + strings.ReplaceAll(p.addr, ":", "-")
	host, err := net.Listen("unix", name+"-host")
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = host.Close() })
	go greet(host)
	const port = "24981"
	l := &listener{platform: p, addresses: []string{"0.0.0.0:" + port, name}, ways: []string{
		"127.0.0.1:" + port, "127.0.0.2:" + port, "[::1]:" + port, name, name + "-host",
	}}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		p.Fatal(err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			l.ways = append(l.ways, net.JoinHostPort(n.IP.String(), port), net.JoinHostPort(n.IP.String(), "9001"))
		}
	}
	p.must(p.create(role, listenerName, 900, archive))
	p.must(p.send(p.as("lambda"), p.request("PUT", "/2017-10-31/functions/"+listenerName+"/concurrency"), []byte(`{"ReservedConcurrentExecutions":1}`), time.Now()))
	own := []string{"127.0.0.1:" + port, name}
	if d := p.act(listenerName, "listen", l.addresses...); len(d.lines) != len(l.addresses) {
		p.Fatalf("it listens at %q of %q: %s", d.lines, l.addresses, d.text)
	}
	if d := p.act(listenerName, "connect", own...); len(d.lines) != len(own) {
		p.Fatalf("it reaches itself at %q of %q: %s", d.lines, own, d.text)
	}
	a := p.must(p.send(p.as("lambda"), p.request("POST", invocations(listenerName), "X-Amz-Invocation-Type", "Event"), []byte(`{"Act":"sleep"}`), time.Now()))
	l.request = a.header.Get("X-Amzn-Requestid")
	end := time.After(patience)
	for !l.busy(p) {
		select {
		case <-end:
			p.Fatal("the listener's invocation does not begin")
		case <-time.After(10 * time.Millisecond):
		}
	}
	return l
}

// invocations is where a function is invoked.
func invocations(function string) string {
	return "/2015-03-31/functions/" + function + "/invocations"
}

// busy tells whether the listener's only environment is in its invocation: then nobody else is let in.
func (l *listener) busy(p *platform) bool {
	p.Helper()
	a := p.send(p.as("lambda"), p.request("POST", invocations(listenerName)), []byte(`{"Act":"ok"}`), time.Now())
	return a.status == 429 && strings.Contains(a.body, "ReservedFunctionConcurrentInvocationLimitExceeded")
}

// reachListener tries the sockets of the listener and those of the host, and to end the listener's invocation at the attacker's own Runtime API.
func reachListener(b *battle) {
	b.nothing(b.act(b.greedy, "connect", b.listener.ways...))
	b.nothing(b.act(b.greedy, "forge", b.listener.request, "../"+b.listener.request), "response 400", "error 400", "response 404", "error 404")
	if !b.listener.busy(b.platform) {
		b.Error("the listener's invocation has ended")
	}
}

// TestAttackersReachTheirOwnSocketsAlone has another function listen at the same addresses: they are its own.
func TestAttackersReachTheirOwnSocketsAlone(t *testing.T) {
	t.Parallel()
	p := start(t)
	role := p.role()
	all := attackers()
	archive := all[len(all)-1].archive(t)
	l := listen(p, role, archive)
	p.must(p.create(role, "other", 25, archive))
	if d := p.act("other", "connect", l.ways...); d.failure != "" || len(d.lines) > 0 {
		t.Errorf("it reaches %q %s", d.lines, d.text)
	}
	if d := p.act("other", "listen", l.addresses...); len(d.lines) != len(l.addresses) {
		t.Errorf("it listens at %q of %q, which are its own: %s", d.lines, l.addresses, d.text)
	}
}
