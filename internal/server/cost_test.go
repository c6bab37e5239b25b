package server

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/config"
)

// wireCall is a signed call as its bytes go over a connection that is kept, so that the client's part costs nothing.
type wireCall struct {
	t      testing.TB
	conn   net.Conn
	text   []byte
	answer []byte
	length int
}

// newCall signs a call of DynamoDB and makes it once.
func newCall(t testing.TB, s *Server, operation, body string) *wireCall {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("User-Agent", "Boto3/1.43.11 md/Botocore#1.43.11 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.12.3")
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
	signer := sigv4.Signer{AccessKeyID: "test", Secret: "test", Region: "us-east-1", Service: "dynamodb"}
	if err := signer.SignHTTP(r, sigv4.Hash([]byte(body)), time.Now()); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := r.Write(&text); err != nil {
		t.Fatal(err)
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := &wireCall{t: t, conn: conn, text: text.Bytes(), answer: make([]byte, 64<<10)}
	if _, err := conn.Write(c.text); err != nil {
		t.Fatal(err)
	}
	if c.length, err = conn.Read(c.answer); err != nil || !bytes.HasPrefix(c.answer, []byte("HTTP/1.1 200 ")) {
		t.Fatalf("%s: %v: %s", operation, err, c.answer[:c.length])
	}
	return c
}

// make makes the call again, whose answer is as long as the first one.
func (c *wireCall) make() {
	if _, err := c.conn.Write(c.text); err != nil {
		c.t.Fatal(err)
	}
	if _, err := io.ReadFull(c.conn, c.answer[:c.length]); err != nil {
		c.t.Fatal(err)
	}
	if c.answer[len("HTTP/1.1 ")] != '2' {
		c.t.Fatalf("%s", c.answer[:c.length])
	}
}

// newTable makes a table with an item of a kilobyte, by calls to s.
func newTable(t testing.TB, s *Server) {
	t.Helper()
	newCall(t, s, "CreateTable", `{"TableName":"cost","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],`+
		`"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}`)
	newCall(t, s, "PutItem", fmt.Sprintf(`{"TableName":"cost","Item":{"id":{"S":"a"},"n":{"N":"1"},"text":{"S":"%s"}}}`, strings.Repeat("x", 900)))
}

// calls are those whose cost is watched, with how many allocations the whole way through the server may make.
var calls = []struct {
	name, operation, body string
	allocations           float64
}{
	{"GetItem", "GetItem", `{"TableName":"cost","Key":{"id":{"S":"a"}}}`, 100},
	{"Query", "Query", `{"TableName":"cost","KeyConditionExpression":"id = :i","ExpressionAttributeValues":{":i":{"S":"a"}}}`, 140},
}

// TestCallsAllocateLittle keeps the price of a request: what is made for each one is collected soon after.
func TestCallsAllocateLittle(t *testing.T) {
	s := run(t, machine{clock: clock.System{}}, func(c *config.Config) { c.Sandbox, c.Ephemeral = config.SandboxOff, true })
	newTable(t, s)
	for _, c := range calls {
		if got := testing.AllocsPerRun(1000, newCall(t, s, c.operation, c.body).make); got > c.allocations {
			t.Errorf("%s allocates %.0f times, want %.0f at most", c.name, got, c.allocations)
		}
	}
}

func BenchmarkCall(b *testing.B) {
	for _, c := range calls {
		b.Run(c.name, func(b *testing.B) {
			s := run(b, machine{clock: clock.System{}}, func(c *config.Config) { c.Sandbox = config.SandboxOff })
			newTable(b, s)
			call := newCall(b, s, c.operation, c.body)
			b.ReportAllocs()
			for b.Loop() {
				call.make()
			}
		})
	}
}
