// Package mail sends mails through a server that takes them (RFC 6409), as plain text.
//
// TLS is used from the first byte for smtps:// addresses (RFC 8314), and as soon as the server offers it for smtp:// ones. A password is sent over TLS only, save
// to this machine.
package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"net/smtp"
	"net/textproto"
	"net/url"
	"time"
)

// timeout is how long a server may take for one mail (RFC 5321, section 4.5.3.2 allows minutes for single commands, which nobody needs).
const timeout = time.Minute

// Server is where mails are handed in. Make one with [Parse].
type Server struct {
	// host is the name in its certificate, addr its address with the port.
	host, addr     string
	tls            bool
	user, password string
	from           *netmail.Address
	dialer         net.Dialer
	config         *tls.Config
}

// Message is a mail.
type Message struct {
	// To is an address, such as ann@example.com.
	To, Subject, Body string
	// ID is the same for every try to send the mail, so that readers can tell that one came twice.
	ID   string
	Time time.Time
}

// Parse returns the server of an address such as smtp://user@mail.example.com:587 or smtps://mail.example.com:465. from is the sender's address.
func Parse(address, from, password string) (*Server, error) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "smtp" && u.Scheme != "smtps") || u.Hostname() == "" || u.Port() == "" || (u.Path != "" && u.Path != "/") || u.RawQuery != "" {
		return nil, fmt.Errorf("%q is not of the form smtp://user@host:587 or smtps://user@host:465", address)
	}
	if _, has := u.User.Password(); has {
		return nil, errors.New("the password does not belong into the address, which others see; put it into a file")
	}
	sender, err := netmail.ParseAddress(from)
	if err != nil {
		return nil, fmt.Errorf("%q is not the address of a sender, such as app@example.com", from)
	}
	s := &Server{host: u.Hostname(), addr: u.Host, tls: u.Scheme == "smtps", user: u.User.Username(), password: password, from: sender}
	s.config = &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12}
	return s, nil
}

// Send hands in a mail. It has been taken when the error is nil; [Refused] tells whether another try can mend an error.
func (s *Server) Send(ctx context.Context, m Message) (err error) {
	text, err := s.compose(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := s.dialer.DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return fmt.Errorf("reach the mail server: %w", err)
	}
	raw := conn
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() }) // what waits for the server then ends
	defer stop()
	if s.tls {
		conn = tls.Client(conn, s.config)
	}
	c, err := smtp.NewClient(conn, s.host)
	if err != nil {
		return errors.Join(fmt.Errorf("greet the mail server: %w", err), conn.Close())
	}
	defer func() { _ = c.Close() }()
	if err := s.secure(c); err != nil {
		return err
	}
	if err := hand(c, s.from.Address, m.To, text); err != nil {
		return err
	}
	_ = c.Quit() // the mail has been taken, whatever the server says now
	return nil
}

// secure begins TLS when the server offers it, and says who sends.
func (s *Server) secure(c *smtp.Client) error {
	if ok, _ := c.Extension("STARTTLS"); ok && !s.tls {
		if err := c.StartTLS(s.config); err != nil {
			return fmt.Errorf("begin TLS with the mail server: %w", err)
		}
	}
	if s.user == "" {
		return nil
	}
	if err := c.Auth(smtp.PlainAuth("", s.user, s.password, s.host)); err != nil {
		return fmt.Errorf("sign in to the mail server as %s: %w", s.user, err)
	}
	return nil
}

func hand(c *smtp.Client, from, to string, text []byte) error {
	if err := c.Mail(from); err != nil {
		return fmt.Errorf("the mail server does not take mails from %s: %w", from, err)
	}
	if err := c.Rcpt(to); err != nil {
		return fmt.Errorf("the mail server does not take mails to %s: %w", to, final(err))
	}
	w, err := c.Data()
	if err == nil {
		_, err = w.Write(text)
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		return fmt.Errorf("hand in a mail: %w", final(err))
	}
	return nil
}

// compose returns a mail in the form of RFC 5322.
func (s *Server) compose(m Message) ([]byte, error) {
	to, err := netmail.ParseAddress(m.To)
	if err != nil {
		return nil, fmt.Errorf("%q is not the address of a mail: %w", m.To, errNever)
	}
	var b bytes.Buffer
	for _, line := range [][2]string{
		{"From", s.from.String()},
		{"To", to.String()},
		{"Subject", mime.QEncoding.Encode("utf-8", m.Subject)},
		{"Date", m.Time.Format(time.RFC1123Z)},
		{"Message-ID", "<" + m.ID + "@" + s.host + ">"},
		{"Auto-Submitted", "auto-generated"}, // RFC 3834: nobody's absence is to be answered with
		{"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Transfer-Encoding", "quoted-printable"},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", line[0], line[1])
	}
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	_, err = w.Write([]byte(m.Body))
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}

var errNever = errors.New("it will never be sent")

// final marks an answer of a server that is final (RFC 5321, section 4.2.1: 5yz).
func final(err error) error {
	var answer *textproto.Error
	if errors.As(err, &answer) && answer.Code >= 500 {
		return fmt.Errorf("%w: %w", errNever, err)
	}
	return err
}

// Refused tells whether an error of Send is final: the server does not take this mail or its receiver, or the mail is none. What it has against the sender or the
// password is no such error: settings can be mended.
func Refused(err error) bool { return errors.Is(err, errNever) }
