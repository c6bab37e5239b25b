package hostile

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // S3 asks for it
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/internal/server"
)

func TestMain(m *testing.M) {
	sandbox.MaybeChild()
	os.Exit(m.Run())
}

// patience bounds every exchange, so that a platform that never answers fails the test and does not hold it.
const patience = 30 * time.Second

// platform is a running Lambent and its root user.
type platform struct {
	*testing.T

	dir, addr string
	root      sigv4.Signer
}

func start(t *testing.T) *platform {
	t.Helper()
	c := config.Default()
	c.DataDir, c.Listen = t.TempDir(), "127.0.0.1:0"
	s, err := server.Start(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	key := s.RootKey()
	return &platform{
		T: t, dir: c.DataDir, addr: strings.TrimPrefix(s.URL(), "http://"),
		root: sigv4.Signer{AccessKeyID: key.AccessKeyID, Secret: key.Secret, Region: "us-east-1"},
	}
}

// with returns the platform for a subtest.
func (p *platform) with(t *testing.T) *platform {
	q := *p
	q.T = t
	return &q
}

// as returns the signer of the root user for an API.
func (p *platform) as(service string) *sigv4.Signer {
	s := p.root
	s.Service, s.S3 = service, service == "s3"
	return &s
}

// answer is an HTTP answer whose body was read.
type answer struct {
	status int
	header http.Header
	body   string
}

// talk sends bytes on a connection of its own and reads one answer. A write that fails because the platform has answered and closed is fine. cut
// closes the sending side after the bytes.
func (p *platform) talk(cut bool, parts ...io.Reader) answer {
	p.Helper()
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		p.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		p.Fatal(err)
	}
	go func() {
		_, err := io.Copy(c, io.MultiReader(parts...))
		if tcp, ok := c.(*net.TCPConn); ok && cut && err == nil {
			_ = tcp.CloseWrite()
		}
	}()
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return answer{body: err.Error()}
	}
	defer func() { _ = r.Body.Close() }()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		body = append(body, err.Error()...)
	}
	return answer{r.StatusCode, r.Header, string(body)}
}

// head returns the head of r as it goes over the wire.
func head(r *sigv4.Request) *strings.Reader {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, r.Target, r.Host)
	for _, f := range r.Fields {
		fmt.Fprintf(&b, "%s: %s\r\n", f.Name, f.Value)
	}
	return strings.NewReader(b.String() + "\r\n")
}

// request returns an unsigned request; fields are names and values.
func (p *platform) request(method, target string, fields ...string) *sigv4.Request {
	r := &sigv4.Request{Method: method, Target: target, Host: p.addr}
	for i := 0; i+1 < len(fields); i += 2 {
		r.Fields = append(r.Fields, sigv4.Field{Name: fields[i], Value: fields[i+1]})
	}
	return r
}

// send signs a whole request with s as of now and returns the answer.
func (p *platform) send(s *sigv4.Signer, r *sigv4.Request, body []byte, now time.Time) answer {
	p.Helper()
	if err := s.Sign(r, sigv4.Hash(body), now); err != nil {
		p.Fatal(err)
	}
	return p.whole(r, body)
}

// whole sends a request with its length.
func (p *platform) whole(r *sigv4.Request, body []byte) answer {
	p.Helper()
	r.Fields = append(r.Fields, sigv4.Field{Name: "Content-Length", Value: strconv.Itoa(len(body))})
	return p.talk(false, head(r), bytes.NewReader(body))
}

// s3 makes a good call of S3.
func (p *platform) s3(method, target string, body []byte) answer {
	p.Helper()
	sum := md5.Sum(body) //nolint:gosec // S3 asks for it
	return p.send(p.as("s3"), p.request(method, target, "Content-Md5", base64.StdEncoding.EncodeToString(sum[:])), body, time.Now())
}

// dynamodb makes a call of DynamoDB.
func (p *platform) dynamodb(operation, body string) answer {
	p.Helper()
	return p.send(p.as("dynamodb"), p.request("POST", "/", "Content-Type", "application/x-amz-json-1.0", "X-Amz-Target", "DynamoDB_20120810."+operation),
		[]byte(body), time.Now())
}

// want checks the status of an answer, and that its error type or its body holds all of the texts.
func (p *platform) want(a answer, status int, texts ...string) {
	p.Helper()
	if a.status != status {
		p.Errorf("status %d, want %d: %.400s", a.status, status, a.body)
		return
	}
	for _, text := range texts {
		if !strings.Contains(a.header.Get("X-Amzn-Errortype")+a.body, text) {
			p.Errorf("answer %.400q does not tell %q", a.body, text)
		}
	}
}

// must checks that a call that prepares a test went well.
func (p *platform) must(a answer) answer {
	p.Helper()
	if a.status/100 != 2 {
		p.Fatalf("status %d: %.400s", a.status, a.body)
	}
	return a
}

// files returns how many files are below folders of the data folder, apart from the counter of the bodies.
func (p *platform) files(folders ...string) int {
	p.Helper()
	n := 0
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(p.dir, folder), func(_ string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && d.Name() != "NEXT" {
				n++
			}
			return nil
		})
		if err != nil {
			p.Fatal(err)
		}
	}
	return n
}

// jsonOf returns v as JSON.
func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
