package dispatch_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/front"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// post sends body to addr, signed, and returns the status and the answer.
func post(t *testing.T, addr, body string, s sigv4.Signer) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if err := s.SignHTTP(r, sigv4.Hash([]byte(body)), start); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

func TestFunctionDoesNotBecomeRootWithTheConventionalPair(t *testing.T) {
	p := newPlatform(t)
	outside, inside := listen(t), listen(t)
	s, err := front.Serve(outside, front.Options{API: p.plane, Health: http.NotFoundHandler(), Loopback: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ServeSandbox(inside)
	}()
	t.Cleanup(func() {
		if err := s.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		<-done
	})

	if status, answer := post(t, outside.Addr().String(), keyInfo(), local); status != http.StatusOK {
		t.Errorf("a program of this machine was refused: %d %s", status, answer)
	}
	ran := len(p.calls())
	if status, answer := post(t, inside.Addr().String(), keyInfo(), local); status != http.StatusForbidden || !strings.Contains(answer, "InvalidClientTokenId") {
		t.Errorf("from a sandbox: %d %s", status, answer)
	}
	if len(p.calls()) != ran {
		t.Error("the handler ran for a function with the conventional pair")
	}
	if status, answer := post(t, inside.Addr().String(), form("GetCallerIdentity"), alice); status != http.StatusOK || !strings.Contains(answer, "user/alice") {
		t.Errorf("real credentials were refused in a sandbox: %d %s", status, answer)
	}
}
