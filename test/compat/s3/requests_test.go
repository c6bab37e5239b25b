package s3

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/server"
)

// TestRequestsAreAnsweredAsByAWS sends the requests of testdata/requests, each file to a platform of its own; see the comment of the package.
func TestRequestsAreAnsweredAsByAWS(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "requests", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no requests: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := newPeer(t)
			for _, f := range archive.Files {
				t.Run(f.Name, func(t *testing.T) { p.play(t, string(f.Data)) })
			}
		})
	}
}

// peer sends requests byte by byte to a platform.
type peer struct {
	server *server.Server
	host   string
	// saved are the values that cases noted, for later ones of the file.
	saved map[string]string
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	cfg := config.Default()
	cfg.DataDir, cfg.Ephemeral, cfg.Listen, cfg.Sandbox = t.TempDir(), true, "127.0.0.1:0", config.SandboxOff
	s, err := server.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return &peer{server: s, host: strings.TrimPrefix(s.URL(), "http://"), saved: map[string]string{}}
}

// play sends the requests of a case and compares the answers.
func (p *peer) play(t *testing.T, text string) {
	t.Helper()
	var r *request
	var a *answer
	for n, line := range strings.Split(text, "\n") {
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("line %d, %q: %s\n%s", n+1, line, fmt.Sprintf(format, args...), a)
		}
		if line == "" || line[0] == '#' {
			continue
		}
		line, err := p.expand(line)
		if err != nil {
			fail("%v", err)
		}
		switch line[0] {
		case '=', '~', '!', '>':
			if r == nil {
				fail("no request")
			}
			if a == nil {
				if a, err = p.send(r); err != nil {
					fail("send: %v", err)
				}
			}
			if err := p.compare(a, line); err != nil {
				fail("%v", err)
			}
		default:
			if r == nil || a != nil {
				r, a = newRequest(), nil
			}
			if err := r.add(line); err != nil {
				fail("%v", err)
			}
		}
	}
	if r != nil && a == nil {
		t.Fatal("the last request has no answer: add a line that begins with =")
	}
}

// answer is what came back.
type answer struct {
	status  int
	header  http.Header
	body    []byte
	code    string
	message string
}

// String shows an answer in the output of a failed test.
func (a *answer) String() string {
	if a == nil {
		return ""
	}
	return fmt.Sprintf("answered: %d\n%v\n%s", a.status, a.header, a.body)
}

// patience is how long an answer may take.
const patience = 30 * time.Second

// send writes the request as it is, on a connection of its own, says that nothing follows, and reads the answer.
func (p *peer) send(r *request) (*answer, error) {
	head, body, err := p.build(r)
	if err != nil {
		return nil, err
	}
	c, err := net.Dial("tcp", p.host)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	// A refusal may come before all of the body was read; what matters then is the answer, which is read below.
	_, sendErr := c.Write(append([]byte(head), body...))
	if r.half {
		sendErr = errors.Join(sendErr, c.(*net.TCPConn).CloseWrite())
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: r.method})
	if err != nil {
		return nil, errors.Join(err, sendErr)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	a := &answer{status: resp.StatusCode, header: resp.Header, body: got}
	var doc struct{ Code, Message string }
	if bytes.Contains(got, []byte("<Error>")) && xml.Unmarshal(got, &doc) == nil {
		a.code, a.message = doc.Code, doc.Message
	}
	return a, nil
}

// compare holds an answer against a line of the case.
func (p *peer) compare(a *answer, line string) error {
	rest := strings.TrimSpace(line[1:])
	switch line[0] {
	case '=':
		status, text, _ := strings.Cut(rest, " ")
		code, message, hasMessage := strings.Cut(text, ": ")
		if strconv.Itoa(a.status) != status || a.code != code || hasMessage && a.message != message {
			return fmt.Errorf("got %d %s: %s", a.status, a.code, a.message)
		}
	case '~', '!':
		var head bytes.Buffer
		if err := a.header.Write(&head); err != nil {
			return err
		}
		found := strings.Contains(head.String()+"\r\n"+string(a.body), rest)
		if found != (line[0] == '~') {
			return errors.New("the answer is another one")
		}
	case '>':
		name, element, _ := strings.Cut(rest, " ")
		_, after, ok := strings.Cut(string(a.body), "<"+element+">")
		value, _, ended := strings.Cut(after, "</"+element+">")
		if !ok || !ended {
			return fmt.Errorf("no element %s", element)
		}
		p.saved[name] = value
	}
	return nil
}
