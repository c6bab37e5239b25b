package hostile

import (
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth/sigv4"
)

func TestBodiesAreBounded(t *testing.T) {
	p := start(t)
	const size = 100 << 20
	for name, framing := range map[string]string{"announced": "Content-Length: " + strconv.Itoa(size), "chunked": "Transfer-Encoding: chunked"} {
		t.Run(name, func(t *testing.T) {
			p := p.with(t)
			r := p.request("POST", "/", "Content-Type", "application/x-amz-json-1.0", "X-Amz-Target", "DynamoDB_20120810.PutItem")
			if err := p.as("dynamodb").Sign(r, sigv4.Hash(nil), time.Now()); err != nil {
				t.Fatal(err)
			}
			field, value, _ := strings.Cut(framing, ": ")
			r.Fields = append(r.Fields, sigv4.Field{Name: field, Value: value})
			body := []io.Reader{head(r)}
			if name == "chunked" {
				body = append(body, strings.NewReader(fmt.Sprintf("%x\r\n", size)))
			}
			before := allocated()
			a := p.talk(false, append(body, io.LimitReader(endless(' '), size))...)
			p.want(a, 413, "__type")
			if grown := allocated() - before; grown > 150<<20 {
				t.Errorf("%d MiB were allocated for it", grown>>20)
			}
		})
	}
	p.want(p.dynamodb("ListTables", "{}"), 200, `"TableNames":[]`)
}

// TestLargeBodiesAreForArchives announces for an event what only an archive may be: it is refused before anything is read.
func TestLargeBodiesAreForArchives(t *testing.T) {
	p := start(t)
	caller := p.as("lambda")
	r := p.request("POST", "/2015-03-31/functions/f/invocations")
	if err := caller.Sign(r, sigv4.Hash(nil), time.Now()); err != nil {
		t.Fatal(err)
	}
	r.Fields = append(r.Fields, sigv4.Field{Name: "Content-Length", Value: strconv.Itoa(60 << 20)})
	p.want(p.talk(false, head(r)), 413, "RequestEntityTooLargeException")
}

// allocated returns the bytes that were allocated since the process began. A buffer that grows to 16 MiB, the limit of a body, takes about 100 MiB
// on its way; one that grows to 100 MiB would take some 500.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func TestDeepNestingIsRefused(t *testing.T) {
	p := start(t)
	p.must(p.s3("PUT", "/drop", nil))
	p.must(p.dynamodb("CreateTable", `{"TableName":"deep","BillingMode":"PAY_PER_REQUEST","KeySchema":[{"AttributeName":"k","KeyType":"HASH"}],
		"AttributeDefinitions":[{"AttributeName":"k","AttributeType":"S"}]}`))
	const depth = 200_000
	value := strings.Repeat(`{"L":[`, depth) + `{"S":"x"}` + strings.Repeat(`]}`, depth)
	p.want(p.dynamodb("PutItem", `{"TableName":"deep","Item":{"k":{"S":"1"},"v":`+value+`}}`), 400, "__type", "Exception")
	p.want(p.dynamodb("ListTables", `{"Unknown":`+strings.Repeat("[", depth)+strings.Repeat("]", depth)+`}`), 400, "SerializationException")
	p.want(p.dynamodb("ListTables", strings.Repeat(`{"a":`, depth)), 400, "SerializationException")
	xml := strings.Repeat("<Tagging>", depth) + strings.Repeat("</Tagging>", depth)
	p.want(p.s3("PUT", "/drop?tagging", []byte(xml)), 400, "<Code>MalformedXML</Code>")
	bomb := `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><Tagging><TagSet><Tag><Key>&b;</Key><Value>&b;</Value></Tag></TagSet></Tagging>`
	p.want(p.s3("PUT", "/drop?tagging", []byte(bomb)), 400, "<Code>MalformedXML</Code>")
	p.want(p.s3("GET", "/drop?tagging", nil), 404, "<Code>NoSuchTagSet</Code>")
	p.want(p.dynamodb("Scan", `{"TableName":"deep"}`), 200, `"Count":0`)
}

func TestHeadersAreBounded(t *testing.T) {
	p := start(t)
	many := make([]string, 0, 40_000)
	for i := range 20_000 {
		many = append(many, fmt.Sprint("X-H-", i), "v")
	}
	for name, r := range map[string]*sigv4.Request{
		"one long":    p.request("GET", "/", "X-Long", strings.Repeat("a", 1<<20)),
		"many":        p.request("GET", "/", many...),
		"long target": p.request("GET", "/"+strings.Repeat("a", 1<<20)),
	} {
		t.Run(name, func(t *testing.T) {
			p := p.with(t)
			p.want(p.talk(false, head(r)), 431)
		})
	}
	for name, text := range map[string]string{
		"two lengths":       "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		"length and chunks": "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 5\r\nTransfer-Encoding: xchunked\r\n\r\nhello",
		"two hosts":         "GET / HTTP/1.1\r\nHost: %s\r\nHost: evil.example\r\n\r\n",
		"folded":            "GET / HTTP/1.1\r\nHost: %s\r\nX-A : b\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			p := p.with(t)
			if a := p.talk(false, strings.NewReader(fmt.Sprintf(text, p.addr))); a.status < 400 || a.status > 501 {
				t.Errorf("status %d: %.200s", a.status, a.body)
			}
		})
	}
	p.must(p.s3("GET", "/", nil))
}

// TestWebPagesCannotCreateFunctions is what a page in the developer's browser could try with the pair that everybody knows.
func TestWebPagesCannotCreateFunctions(t *testing.T) {
	p := start(t)
	body := []byte(`{"FunctionName":"evil","Runtime":"provided.al2023","Role":"arn:aws:iam::000000000000:role/evil","Handler":"x","Code":{"ZipFile":"UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA=="}}`)
	pair := func() *sigv4.Signer {
		return &sigv4.Signer{AccessKeyID: "test", Secret: "test", Region: "us-east-1", Service: "lambda"}
	}
	for name, change := range map[string]func(r *sigv4.Request){
		"foreign origin": func(r *sigv4.Request) {
			r.Fields = append(r.Fields, sigv4.Field{Name: "Origin", Value: "https://evil.example"})
		},
		"null origin": func(r *sigv4.Request) { r.Fields = append(r.Fields, sigv4.Field{Name: "Origin", Value: "null"}) },
		"cross site": func(r *sigv4.Request) {
			r.Fields = append(r.Fields, sigv4.Field{Name: "Sec-Fetch-Site", Value: "cross-site"})
		},
		"other port": func(r *sigv4.Request) {
			r.Fields = append(r.Fields, sigv4.Field{Name: "Origin", Value: "http://127.0.0.1:1"})
		},
		"rebound name":     func(r *sigv4.Request) { r.Host = "evil.example" },
		"name with a port": func(r *sigv4.Request) { r.Host = "evil.example:4566" },
		"lookalike":        func(r *sigv4.Request) { r.Host = "127.0.0.1.evil.example" },
	} {
		t.Run(name, func(t *testing.T) {
			p := p.with(t)
			r := p.request("POST", "/2015-03-31/functions", "Content-Type", "application/json")
			change(r)
			p.want(p.send(pair(), r, body, time.Now()), 403, "UnrecognizedClientException")
		})
	}
	list := p.must(p.send(pair(), p.request("GET", "/2015-03-31/functions/"), nil, time.Now()))
	if !strings.Contains(list.body, `"Functions":[]`) {
		t.Errorf("functions: %s", list.body)
	}
}

// TestURLSignedWithTheKnownPairIsNoBearer is docs/adr/0084: whoever can read can presign with test/test, a hostile page too.
func TestURLSignedWithTheKnownPairIsNoBearer(t *testing.T) {
	p := start(t)
	pair := &sigv4.Signer{AccessKeyID: "test", Secret: "test", Region: "us-east-1", Service: "s3", S3: true}
	p.must(p.s3("PUT", "/drop", nil))
	for name, c := range map[string]struct {
		signer *sigv4.Signer
		origin string
		status int
	}{
		"program":             {pair, "", 200},
		"page of this origin": {pair, "http://" + p.addr, 200},
		"other page":          {pair, "http://localhost:3000", 403},
		"other page, secret":  {p.as("s3"), "http://localhost:3000", 200},
	} {
		t.Run(name, func(t *testing.T) {
			p := p.with(t)
			r := p.request("GET", "/drop?list-type=2")
			target, err := c.signer.Presign(r, time.Now(), time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			r = p.request("GET", target)
			if c.origin != "" {
				r.Fields = append(r.Fields, sigv4.Field{Name: "Origin", Value: c.origin})
			}
			a := p.talk(false, head(r))
			if a.status != c.status || a.status == 403 && !strings.Contains(a.body, "lambent env --root") {
				t.Errorf("status %d, want %d: %s", a.status, c.status, a.body)
			}
		})
	}
}
