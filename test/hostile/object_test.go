package hostile

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth/sigv4"
)

// large is a body that is kept in a file of its own.
var large = bytes.Repeat([]byte("0123456789abcdef"), 1<<17) // 2 MiB

// bucket makes a bucket and returns the platform and a check that nothing is in it.
func bucket(t *testing.T) (*platform, func(p *platform)) {
	t.Helper()
	p := start(t)
	p.must(p.s3("PUT", "/drop", nil))
	before := p.files("blobs")
	return p, func(p *platform) {
		p.Helper()
		if list := p.must(p.s3("GET", "/drop?list-type=2", nil)); !strings.Contains(list.body, "<KeyCount>0</KeyCount>") {
			p.Errorf("the bucket is not empty: %s", list.body)
		}
		if n := p.files("blobs"); n != before {
			p.Errorf("%d files of bodies, want %d", n, before)
		}
	}
}

func TestBadSignaturesKeepNothing(t *testing.T) {
	p, empty := bucket(t)
	now := time.Now()
	wrong := p.as("s3")
	wrong.Secret = "wrong"
	unknown := p.as("s3")
	unknown.AccessKeyID = "AKIAIOSFODNN7EXAMPLE"
	for name, c := range map[string]struct {
		signer *sigv4.Signer
		at     time.Time
		code   string
	}{
		"expired":      {p.as("s3"), now.Add(-16 * time.Minute), "RequestTimeTooSkewed"},
		"future":       {p.as("s3"), now.Add(16 * time.Minute), "RequestTimeTooSkewed"},
		"wrong secret": {wrong, now, "SignatureDoesNotMatch"},
		"unknown key":  {unknown, now, "InvalidAccessKeyId"},
	} {
		t.Run(name, func(t *testing.T) {
			p := p.with(t)
			p.want(p.send(c.signer, p.request("PUT", "/drop/key"), large, c.at), 403, "<Code>"+c.code+"</Code>")
			empty(p)
		})
	}
	t.Run("another body", func(t *testing.T) {
		p := p.with(t)
		r := p.request("PUT", "/drop/key")
		if err := p.as("s3").Sign(r, sigv4.Hash([]byte("what was meant")), now); err != nil {
			t.Fatal(err)
		}
		p.want(p.whole(r, large), 400, "<Code>XAmzContentSHA256Mismatch</Code>")
		empty(p)
	})
}

// A signature that somebody has seen is good for the request that it was made for, while that is young, and for nothing else.
func TestReplayedSignaturesAreGoodForNothingElse(t *testing.T) {
	p, empty := bucket(t)
	seen := func(at time.Time) *sigv4.Request {
		r := p.request("PUT", "/drop/other")
		if err := p.as("s3").Sign(r, sigv4.Hash(large), at); err != nil {
			t.Fatal(err)
		}
		return r
	}
	for name, change := range map[string]func(r *sigv4.Request){
		"for another key":    func(r *sigv4.Request) { r.Target = "/drop/key" },
		"for another method": func(r *sigv4.Request) { r.Method = "DELETE" },
		"with a query":       func(r *sigv4.Request) { r.Target += "?acl" },
		"too late":           func(r *sigv4.Request) { *r = *seen(time.Now().Add(-16 * time.Minute)) },
	} {
		t.Run(name, func(t *testing.T) {
			p := p.with(t)
			r := seen(time.Now())
			change(r)
			if a := p.whole(r, large); a.status != 403 {
				t.Errorf("the replayed request got %v", a)
			}
			empty(p)
		})
	}
}

func TestPresignedUploadIsGoodOnceAndUntilItsEnd(t *testing.T) {
	p, empty := bucket(t)
	put := func(at time.Time, body string) answer {
		r := p.request("PUT", "/drop/key", "If-None-Match", "*")
		target, err := p.as("s3").Presign(r, at, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return p.whole(p.request("PUT", target, "If-None-Match", "*"), []byte(body))
	}
	p.want(put(time.Now().Add(-2*time.Minute), "late"), 403, "<Code>AccessDenied</Code>", "Request has expired")
	empty(p)
	p.want(put(time.Now(), "first"), 200)
	p.want(put(time.Now(), "again"), 412, "<Code>PreconditionFailed</Code>")
	if got := p.s3("GET", "/drop/key", nil); got.body != "first" {
		t.Errorf("the object holds %q", got.body)
	}
}

func TestBodyThatIsCutKeepsNothing(t *testing.T) {
	p, empty := bucket(t)
	for _, hash := range []string{sigv4.Hash(large), sigv4.Unsigned256} {
		for _, sent := range []int{0, 1, 1 << 20, len(large) - 1} {
			t.Run(fmt.Sprintf("%.8s after %d", hash, sent), func(t *testing.T) {
				p := p.with(t)
				r := p.request("PUT", "/drop/key", "Content-Length", strconv.Itoa(len(large)))
				if err := p.as("s3").Sign(r, hash, time.Now()); err != nil {
					t.Fatal(err)
				}
				if a := p.talk(true, head(r), bytes.NewReader(large[:sent])); a.status == 200 {
					t.Errorf("accepted: %v", a)
				}
				empty(p)
			})
		}
	}
}

// TestBytesBehindTheBodyAreNotTheObject sends more than the announced length: what is behind it is another request, and a bad one.
func TestBytesBehindTheBodyAreNotTheObject(t *testing.T) {
	p, _ := bucket(t)
	r := p.request("PUT", "/drop/key", "Content-Length", "5")
	if err := p.as("s3").Sign(r, sigv4.Hash([]byte("hello")), time.Now()); err != nil {
		t.Fatal(err)
	}
	p.want(p.talk(false, head(r), strings.NewReader("hello and more")), 200)
	if got := p.s3("GET", "/drop/key", nil); got.body != "hello" {
		t.Errorf("the object holds %q", got.body)
	}
}

// chunked returns a signed upload in two chunks with a checksum behind them.
func chunked(t *testing.T, p *platform, sum []byte) (*sigv4.Request, string) {
	t.Helper()
	s := p.as("s3")
	r := p.request("PUT", "/drop/key", "Content-Encoding", "aws-chunked", "X-Amz-Decoded-Content-Length", strconv.Itoa(len(large)),
		"X-Amz-Trailer", "x-amz-checksum-sha256")
	if err := s.Sign(r, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", time.Now()); err != nil {
		t.Fatal(err)
	}
	signatures, err := s.Chunks(r)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, part := range [][]byte{large[:1<<20], large[1<<20:], nil} {
		signature, err := signatures.Chunk(part)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%x;chunk-signature=%s\r\n%s", len(part), signature, part)
		if len(part) > 0 {
			b.WriteString("\r\n")
		}
	}
	line := "x-amz-checksum-sha256:" + base64.StdEncoding.EncodeToString(sum)
	signature, err := signatures.Trailer([]byte(line + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "%s\r\nx-amz-trailer-signature:%s\r\n\r\n", line, signature)
	return r, b.String()
}

func TestChunkedUploadsThatLieKeepNothing(t *testing.T) {
	p, empty := bucket(t)
	sum := sha256.Sum256(large)
	swap := func(old, changed string) func(string) string {
		return func(body string) string {
			i := strings.LastIndex(body, old)
			return body[:i] + changed + body[i+len(old):]
		}
	}
	flip := func(body string) string {
		i := strings.LastIndex(body, ";chunk-signature=") + len(";chunk-signature=")
		other := "0"
		if body[i] == '0' {
			other = "1"
		}
		return body[:i] + other + body[i+1:]
	}
	for name, c := range map[string]struct {
		sum    []byte
		change func(body string) string
		status int
		code   string
	}{
		"chunk signature":   {sum[:], flip, 403, "SignatureDoesNotMatch"},
		"long signature":    {sum[:], swap(";chunk-signature=", ";chunk-signature=0"), 400, "IncompleteBody"},
		"chunk content":     {sum[:], swap("abcdef\r\n0;", "abcdeF\r\n0;"), 403, "SignatureDoesNotMatch"},
		"trailer checksum":  {make([]byte, len(sum)), func(body string) string { return body }, 400, "BadDigest"},
		"trailer signature": {sum[:], swap("x-amz-trailer-signature:", "x-amz-trailer-signature:0"), 403, "SignatureDoesNotMatch"},
		"no last chunk":     {sum[:], func(body string) string { return body[:strings.LastIndex(body, "\r\n0;")+2] }, 400, "IncompleteBody"},
		"cut in a chunk":    {sum[:], func(body string) string { return body[:1<<20+500] }, 400, "IncompleteBody"},
		"endless size":      {sum[:], func(body string) string { return strings.Repeat("0", 1<<16) + body }, 400, "Code"},
	} {
		t.Run(name, func(t *testing.T) {
			p := p.with(t)
			r, body := chunked(t, p, c.sum)
			p.want(p.whole(r, []byte(c.change(body))), c.status, c.code)
			empty(p)
		})
	}
	r, body := chunked(t, p, sum[:])
	p.want(p.whole(r, []byte(body)), 200)
}

func TestKeysAreNamesAndNoPaths(t *testing.T) {
	p, _ := bucket(t)
	kept := map[string]string{}
	for _, key := range []string{
		"..", "../../escape", "a/b", "a//b", "a/./b", "a/../a/b", "%2F", "x", "%2e%2e%2fx", "a%00b", "%5C..%5Cx", "/etc/passwd", "a%0D%0AX-Evil:%201",
	} {
		target := "/drop/" + key
		put := p.s3("PUT", target, []byte("content of "+key))
		if put.status == 200 {
			kept[target] = "content of " + key
			continue
		}
		p.want(put, 400, "<Code>")
	}
	if len(kept) < 5 {
		t.Errorf("only %d keys were accepted", len(kept))
	}
	for target, content := range kept {
		if got := p.s3("GET", target, nil); got.body != content {
			t.Errorf("%s: read %q, wrote %q", target, got.body, content)
		}
	}
	for _, target := range []string{"/..%2f..%2fetc/passwd", "/drop/../other/key", "/%00/key", "/_aws/../drop/key", "/_aws/execute-api/..%2f..%2f/x", "/_lambent/decisions/..%2f..%2fkeys"} {
		if a := p.s3("GET", target, nil); a.status/100 != 4 {
			t.Errorf("%s: status %d: %.200s", target, a.status, a.body)
		}
	}
}

func TestMetadataCannotAddHeaders(t *testing.T) {
	p, _ := bucket(t)
	for name, value := range map[string]string{
		"line end": "a\r\nX-Evil: 1", "bare newline": "a\nX-Evil: 1", "nul": "a\x00b", "encoded": "=?UTF-8?Q?a=0D=0AX-Evil:_1?=", "percent": "a%0D%0AX-Evil: 1",
	} {
		t.Run(name, func(t *testing.T) {
			p := p.with(t)
			p.send(p.as("s3"), p.request("PUT", "/drop/"+strings.ReplaceAll(name, " ", "-"), "X-Amz-Meta-Note", value), []byte("x"), time.Now())
			for _, target := range []string{"/drop/" + strings.ReplaceAll(name, " ", "-"), "/drop/plain?response-content-type=a%0D%0AX-Evil:%201"} {
				if got := p.s3("GET", target, nil); got.header.Get("X-Evil") != "" {
					t.Errorf("the answer has the attacker's header: %v", got.header)
				}
			}
		})
	}
	p.must(p.s3("PUT", "/drop/plain", []byte("x")))
	if got := p.s3("GET", "/drop/plain?response-content-disposition=a%0D%0AX-Evil:%201", nil); got.header.Get("X-Evil") != "" {
		t.Errorf("the answer has the attacker's header: %v", got.header)
	}
}

// endless is a body without an end.
type endless byte

func (e endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(e)
	}
	return len(b), nil
}
