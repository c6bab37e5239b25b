package lambda

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"lambent.dev/lambent/internal/front"
)

// listen puts the service's planes behind a front door and returns its address.
func (f *fixture) listen(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := front.Serve(l, front.Options{
		Routes: f.svc.Routes, API: http.NotFoundHandler(), Health: http.NotFoundHandler(), Loopback: true, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Shutdown(context.Background()) })
	return l.Addr().String()
}
