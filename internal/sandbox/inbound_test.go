//go:build linux

package sandbox

import (
	"errors"
	"io"
	"net"
	"testing"
)

func TestDaemonReachesAPortInsideOfACell(t *testing.T) {
	h := isolatedHost(t)
	var out syncBuffer
	spec := payloadSpec(helper(t), "listen", &out)
	spec.Inbound = 2
	c, err := h.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Kill()
	waitFor(t, &out, "listen done")
	echo := func(conn net.Conn, text string) {
		t.Helper()
		buf := make([]byte, len(text))
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != text {
			t.Fatalf("%q came back, %v", buf, err)
		}
	}
	dial := func() net.Conn {
		t.Helper()
		conn, err := c.Dial(7000)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	if _, err := c.Dial(7001); err == nil {
		t.Error("a port on which nobody listens was reached")
	}
	first, second := dial(), dial()
	echo(first, "one")
	echo(second, "two")
	if _, err := c.Dial(7000); !errors.Is(err, errInboundBusy) {
		t.Errorf("a third connection: %v", err)
	}
	for range 5 {
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		first = dial()
		echo(first, "again")
	}
	echo(second, "two, still")
	c.Kill()
	<-c.Done()
	if _, err := second.Read(make([]byte, 1)); err == nil {
		t.Error("a connection outlived its cell")
	}
	_ = first.Close()
	_ = second.Close()
}
