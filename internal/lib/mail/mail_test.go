package mail_test

import (
	"bufio"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/lib/mail"
)

// server takes one connection, answers each command by the first of answers whose key begins it, and returns its address and what it was sent.
func server(t *testing.T, answers map[string]string) (addr string, got <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	sent := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		var all strings.Builder
		defer func() { _ = c.Close(); sent <- all.String() }()
		_, _ = io.WriteString(c, "220 ready\r\n")
		data := false
		for lines := bufio.NewScanner(c); lines.Scan(); {
			line := lines.Text()
			all.WriteString(line + "\n")
			switch {
			case data && line != ".":
				continue
			case data:
				line = "END"
			}
			verb, _, _ := strings.Cut(line, ":")
			verb, _, _ = strings.Cut(verb, " ")
			answer := answers[verb]
			if answer == "" {
				answer = map[string]string{"DATA": "354 go on"}[verb]
			}
			if answer == "" {
				answer = "250 ok"
			}
			data = strings.HasPrefix(answer, "354")
			_, _ = io.WriteString(c, answer+"\r\n")
		}
	}()
	return l.Addr().String(), sent
}

func message() mail.Message {
	return mail.Message{To: "ann@example.com", Subject: "Grüße\r\nBcc: eve@example.com", Body: "Token=1&x=ü\n.\nend", ID: "id-1", Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

func TestMailArrivesAsItWasWritten(t *testing.T) {
	addr, got := server(t, nil)
	s, err := mail.Parse("smtp://"+addr, "Lambent <app@example.com>", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(<-got, "DATA\n")
	text, _, _ = strings.Cut(text, "\n.\n")
	m, err := netmail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != message().Subject {
		t.Errorf("subject %q, %v", subject, err)
	}
	if m.Header.Get("Bcc") != "" {
		t.Error("a subject has made a header of its own")
	}
	for name, want := range map[string]string{"To": "<ann@example.com>", "From": `"Lambent" <app@example.com>`, "Message-Id": "<id-1@127.0.0.1>", "Date": "Sun, 01 Mar 2026 12:00:00 +0000"} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if want := "Token=1&x=ü\n..\nend"; err != nil || strings.TrimSpace(strings.ReplaceAll(string(body), "\r\n", "\n")) != want { // a point alone is doubled on the way
		t.Errorf("body %q, %v, want %q", body, err, want)
	}
}

func TestRefusalsForGoodAreToldFromOthers(t *testing.T) {
	for name, test := range map[string]struct {
		answers map[string]string
		refused bool
	}{
		"no such user":    {map[string]string{"RCPT": "550 no such user"}, true},
		"message refused": {map[string]string{"END": "554 no"}, true},
		"greylisted":      {map[string]string{"RCPT": "451 later"}, false},
		"full":            {map[string]string{"END": "452 full"}, false},
		"wrong password":  {map[string]string{"EHLO": "250 AUTH PLAIN", "AUTH": "535 wrong"}, false},
		"sender refused":  {map[string]string{"MAIL": "550 not you"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			addr, got := server(t, test.answers)
			user := ""
			if test.answers["AUTH"] != "" {
				user = "ann@"
			}
			s, err := mail.Parse("smtp://"+user+addr, "app@example.com", "secret")
			if err != nil {
				t.Fatal(err)
			}
			err = s.Send(t.Context(), message())
			if err == nil || mail.Refused(err) != test.refused {
				t.Errorf("Send = %v, refused for good %t, want %t", err, mail.Refused(err), test.refused)
			}
			<-got
		})
	}
}

func TestServersThatAreNotThereAreTriedAgain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := mail.Parse("smtps://"+addr, "app@example.com", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), message()); err == nil || mail.Refused(err) {
		t.Errorf("Send = %v", err)
	}
	m := message()
	m.To = "no address"
	if err := s.Send(t.Context(), m); !mail.Refused(err) {
		t.Errorf("a mail to nobody: %v", err)
	}
}

func TestAddressesOfServersAreChecked(t *testing.T) {
	for _, bad := range [][2]string{
		{"mail.example.com:587", "a@example.com"},
		{"http://mail.example.com:587", "a@example.com"},
		{"smtp://mail.example.com", "a@example.com"},
		{"smtp://ann:secret@mail.example.com:587", "a@example.com"},
		{"smtp://mail.example.com:587/x", "a@example.com"},
		{"smtp://mail.example.com:587", "nobody"},
	} {
		if _, err := mail.Parse(bad[0], bad[1], ""); err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
}
