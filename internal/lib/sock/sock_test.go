package sock

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"
)

// connect returns the two ends of a TCP connection.
func connect(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	if ours, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ours.Close() })
	if theirs, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = theirs.Close() })
	return ours, theirs
}

func TestEverythingArrivesHoweverSmallTheSocketBuffersAre(t *testing.T) {
	tcp, theirs := connect(t)
	inside, outside := net.Pipe()
	for name, ends := range map[string][2]net.Conn{"TCP": {tcp, theirs}, "no socket": {inside, outside}} {
		want := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
		got := make(chan []byte, 1)
		go func() {
			all, _ := io.ReadAll(ends[1])
			got <- all
		}()
		w := NewWriter(ends[0])
		for _, part := range [][]byte{want[:1], nil, want[1:]} {
			if n, err := w.Write(part); n != len(part) || err != nil {
				t.Fatalf("%s: wrote %d of %d bytes: %v", name, n, len(part), err)
			}
		}
		_ = ends[0].Close()
		if all := <-got; !bytes.Equal(all, want) {
			t.Errorf("%s: %d bytes arrived, want %d", name, len(all), len(want))
		}
	}
}

func TestDeadlineAndCloseEndAWriteThatWaits(t *testing.T) {
	ours, _ := connect(t)
	w := NewWriter(ours)
	if err := ours.SetWriteDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if n, err := w.Write([]byte("x")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %d, %v", n, err)
	}
	if err := ours.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil { // nobody reads
				ended <- err
				return
			}
		}
	}()
	_ = ours.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v, want net.ErrClosed", err)
	}
}

func TestErrorOfTheSocketIsReported(t *testing.T) {
	ours, _ := connect(t)
	w := NewWriter(ours)
	if err := ours.(*net.TCPConn).CloseWrite(); err != nil { //nolint:forcetypeassert // connect makes TCP connections
		t.Fatal(err)
	}
	var op *net.OpError
	if n, err := w.Write([]byte("x")); n != 0 || !errors.As(err, &op) {
		t.Errorf("after CloseWrite: %d, %v, want a net.OpError", n, err)
	}
}

func TestReaderWaitsAndEndsAsTheConnectionDoes(t *testing.T) {
	tcp, theirs := connect(t)
	inside, outside := net.Pipe()
	for name, ends := range map[string][2]net.Conn{"TCP": {tcp, theirs}, "no socket": {inside, outside}} {
		r := NewReader(ends[0])
		if err := ends[0].SetReadDeadline(time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		if n, err := r.Read(make([]byte, 8)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: after the deadline: %d, %v", name, n, err)
		}
		if err := ends[0].SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = ends[1].Write([]byte("hello "))
			_, _ = ends[1].Write([]byte("you"))
			_ = ends[1].Close()
		}()
		if all, err := io.ReadAll(r); string(all) != "hello you" || err != nil {
			t.Errorf("%s: read %q, %v", name, all, err)
		}
		_ = ends[0].Close()
		if name == "TCP" {
			if _, err := r.Read(make([]byte, 8)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("after Close: %v, want net.ErrClosed", err)
			}
		}
	}
}

func TestQuietTellsAnIdleConnectionFromOneThatSpeaksOrEnded(t *testing.T) {
	if !supported {
		t.Skip("only Linux can tell")
	}
	for name, stir := range map[string]func(c net.Conn) error{
		"speaks": func(c net.Conn) error { _, err := c.Write([]byte("x")); return err },
		"ended":  func(c net.Conn) error { return c.Close() },
	} {
		ours, theirs := connect(t)
		q := NewQuiet(ours)
		if !q.Is() {
			t.Errorf("%s: an idle connection is not quiet", name)
		}
		if err := stir(theirs); err != nil {
			t.Fatal(err)
		}
		quiet := true
		for range 1000 { // the other end's bytes come at once on loopback, but for a switch of the kernel's
			if quiet = q.Is(); !quiet {
				break
			}
			runtime.Gosched()
		}
		if quiet {
			t.Errorf("%s: the connection is quiet", name)
		}
	}
}
