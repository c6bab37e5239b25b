package sock

import (
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// pair returns the two ends of a connection.
func pair(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = c.Close(), s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// await waits for a call.
func await(t *testing.T, called <-chan string, want string) {
	t.Helper()
	select {
	case got := <-called:
		if got != want {
			t.Errorf("%q hung up, want %q", got, want)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("nobody was told that %s hung up", want)
	}
}

func TestHangupsAreToldOfThoseThatAreWatched(t *testing.T) {
	h := &Hangups{}
	called := make(chan string, 16)
	watch := func(name string) (client *net.TCPConn, stop func()) {
		client, server := pair(t)
		stop, ok := h.Watch(server, func() { called <- name })
		if !ok {
			t.Fatal("not watched")
		}
		return client, stop
	}
	closed, stopClosed := watch("closed")
	half, stopHalf := watch("half")
	stopped, stopStopped := watch("stopped")
	talking, stopTalking := watch("talking")
	_, stopQuiet := watch("quiet")
	stopStopped()
	for _, err := range []error{stopped.Close(), second(talking.Write([]byte("GET"))), talking.Close(), closed.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	await(t, called, "closed")
	if err := half.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	await(t, called, "half")
	for _, stop := range []func(){stopClosed, stopHalf, stopTalking, stopQuiet, stopQuiet} {
		stop()
	}
	if h.set != nil || h.watched != nil {
		t.Error("the set is there although nothing is watched")
	}
	// It begins anew, also with a peer that went away before.
	client, server := pair(t)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	stop, ok := h.Watch(server, func() { called <- "late" })
	if !ok {
		t.Fatal("not watched")
	}
	await(t, called, "late")
	stop()
	if len(called) > 0 {
		t.Errorf("%q was told too", <-called)
	}
	one, _ := net.Pipe()
	if _, ok := h.Watch(one, func() {}); ok {
		t.Error("a pipe is watched")
	}
}

func TestHangupsOfManyConnectionsAreToldOnce(t *testing.T) {
	h := &Hangups{}
	var told atomic.Int32
	all := make(chan struct{}, 200)
	for range 200 {
		client, server := pair(t)
		stop, ok := h.Watch(server, func() {
			told.Add(1)
			all <- struct{}{}
		})
		if !ok {
			t.Fatal("not watched")
		}
		t.Cleanup(stop)
		go func() { _ = client.Close() }()
	}
	for range 200 {
		select {
		case <-all:
		case <-time.After(30 * time.Second):
			t.Fatalf("%d were told", told.Load())
		}
	}
	if n := told.Load(); n != 200 {
		t.Errorf("%d calls, want 200", n)
	}
}

func second[T any](_ T, err error) error { return err }
