package badinput

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

//go:embed table.txt
var table string

// Kinds of APIs.
const (
	REST      = "REST"
	HTTP      = "HTTP"
	WebSocket = "WebSocket"
)

// Gate is an API of one kind behind a listener. It invokes the function f for requests and g for messages, and asks the function auth before for paths that say so.
type Gate struct {
	Kind string
	// Addr is the host and the port of the listener, Host what requests name.
	Addr, Host string
	// Paths are what the table calls {NAME}: f leads to the function, auth does so past the authorizer.
	Paths map[string]string
	// Answer has a function answer so from now on: with a document, late to be given up on, or a document behind ! to fail with it.
	Answer func(function, answer string)
	// Say sends a message on a connection of its own, and returns the reply, or "close " and the code with which it was closed. Only WebSocket APIs have it.
	Say func(t *testing.T, message string) string
}

// entry is a case of the table.
type entry struct {
	name    string
	answers map[string]string // by function
	head    []string
	body    string
	send    string // a message in the place of a request
	half    bool   // the client closes its side after the request
	want    map[string]string
}

// Run runs the cases of a kind.
func Run(t *testing.T, g Gate) {
	t.Helper()
	entries, err := parse(table)
	if err != nil {
		t.Fatal(err)
	}
	run := 0
	for i := range entries {
		want, ok := entries[i].want[g.Kind]
		if !ok {
			continue
		}
		run++
		t.Run(entries[i].name, func(t *testing.T) { g.run(t, &entries[i], want) })
	}
	if run == 0 {
		t.Errorf("the table has no case for %s", g.Kind)
	}
}

func (g *Gate) run(t *testing.T, e *entry, want string) {
	t.Helper()
	for function, answer := range e.answers {
		g.Answer(function, answer)
	}
	answer := g.ask
	if e.send != "" {
		answer = func(t *testing.T, e *entry) string { t.Helper(); return g.Say(t, e.send) }
	}
	if got := answer(t, e); !pattern(want).MatchString(got) {
		t.Errorf("got  %.300s\nwant %s", got, want)
	}
	g.Answer("f", `{"statusCode":200,"body":"ok"}`)
	sound, served := "200 ok", &entry{head: []string{"GET {f} HTTP/1.1"}}
	if g.Kind == WebSocket {
		sound = "101 "
	}
	if got := g.ask(t, served); got != sound {
		t.Errorf("afterwards a sound request is answered with %.300s", got)
	}
}

// pattern is a wanted answer, in which * stands for any text.
func pattern(want string) *regexp.Regexp {
	return regexp.MustCompile("(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(want), `\*`, ".*") + "$")
}

// ask sends a request as it is written, and returns the status, the type of the error if there is one, and the body of the answer.
func (g *Gate) ask(t *testing.T, e *entry) string {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	head := strings.Join(append(e.head, g.fields(e)...), "\r\n")
	for name, path := range g.Paths {
		head = strings.ReplaceAll(head, "{"+name+"}", path)
	}
	sent := make(chan struct{})
	go func() { // an answer may come before all is sent, and what comes then may be refused
		defer close(sent)
		_, _ = io.WriteString(c, head+"\r\n\r\n"+e.body)
		if half, ok := c.(*net.TCPConn); ok && e.half {
			_ = half.CloseWrite()
		}
	}()
	defer func() { _ = c.Close(); <-sent }()
	method, _, _ := strings.Cut(head, " ")
	answer, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%.300s: %v", head, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode == http.StatusSwitchingProtocols {
		return "101 "
	}
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	status := strconv.Itoa(answer.StatusCode) + " "
	if kind := answer.Header.Get("X-Amzn-Errortype"); kind != "" {
		status += kind + " "
	}
	return status + string(b)
}

// fields are those that the case does not write: the host, the length of the body, and those of a handshake.
func (g *Gate) fields(e *entry) []string {
	out := []string{"Host: " + g.Host}
	if written := strings.ToLower(strings.Join(e.head, "\n")); e.body != "" && !strings.Contains(written, "\ncontent-length:") && !strings.Contains(written, "\ntransfer-encoding:") {
		out = append(out, "Content-Length: "+strconv.Itoa(len(e.body)))
	}
	if g.Kind == WebSocket {
		out = append(out, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
	}
	return out
}

var repeated = regexp.MustCompile(`\{(\d+) (.)\}`)

// expand writes out {5 x} as xxxxx, and \0 as the byte.
func expand(text string) string {
	text = strings.ReplaceAll(text, `\0`, "\x00")
	return repeated.ReplaceAllStringFunc(text, func(s string) string {
		m := repeated.FindStringSubmatch(s)
		n, _ := strconv.Atoi(m[1])
		return strings.Repeat(m[2], n)
	})
}

// parse reads the table: its head tells the form.
func parse(text string) (out []entry, err error) {
	var e *entry
	for i, line := range strings.Split(text, "\n") {
		word, rest, _ := strings.Cut(line, " ")
		if word == "" || word == "#" {
			continue
		}
		if word == "case" {
			out = append(out, entry{name: rest, answers: map[string]string{}, want: map[string]string{}})
			e = &out[len(out)-1]
			continue
		}
		if e == nil {
			return nil, fmt.Errorf("line %d stands before the first case", i+1)
		}
		switch word {
		case "f", "g", "auth":
			e.answers[word] = expand(rest)
		case ">":
			e.head = append(e.head, expand(rest))
		case "body":
			e.body = expand(strings.ReplaceAll(rest, `\n`, "\r\n"))
		case "send":
			e.send = expand(rest)
		case "half":
			e.half = true
		case REST, HTTP, WebSocket:
			e.want[word] = rest
		default:
			return nil, fmt.Errorf("line %d begins with %q", i+1, word)
		}
	}
	return out, nil
}
