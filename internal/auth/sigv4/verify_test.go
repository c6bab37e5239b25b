package sigv4_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/clock"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func signer() *sigv4.Signer {
	return &sigv4.Signer{AccessKeyID: exampleKey, Secret: exampleSecret, Region: "us-east-1", Service: "s3", S3: true}
}

func clone(r *sigv4.Request) *sigv4.Request {
	c := *r
	c.Fields = slices.Clone(r.Fields)
	return &c
}

// TestEveryByteOfASignedPartIsProtected changes, one by one, every byte of the method, the
// target, the host, the signed fields, the Authorization value and the body. A change that
// leaves the meaning as it was (another spelling of a percent-encoding, white space around a
// value) is no change.
func TestEveryByteOfASignedPartIsProtected(t *testing.T) {
	body := []byte("the body of the request")
	for _, v4a := range []bool{false, true} {
		for _, presigned := range []bool{false, true} {
			t.Run(fmt.Sprintf("v4a=%v presigned=%v", v4a, presigned), func(t *testing.T) {
				s := signer()
				s.V4a = v4a
				r := &sigv4.Request{
					Method: "PUT", Target: "/pics/a%20b/%2F/c?partNumber=3&uploadId=u%2Fx", Host: "localhost:4566",
					Fields: []sigv4.Field{{Name: "Content-Type", Value: "image/png"}, {Name: "x-amz-meta-owner", Value: "me & you"}},
				}
				var err error
				if presigned {
					r.Target, err = s.Presign(r, now, time.Hour)
				} else {
					err = s.Sign(r, sigv4.Hash(body), now)
				}
				if err != nil {
					t.Fatal(err)
				}
				v := sigv4.NewVerifier(clock.NewFake(now))
				opt := sigv4.Options{S3: true}
				if err := check(v, r, exampleSecret, opt, body); err != nil {
					t.Fatalf("the request itself: %v", err)
				}
				refused := func(part string, m *sigv4.Request, b []byte) {
					t.Helper()
					if err := check(v, m, exampleSecret, opt, b); err == nil {
						t.Errorf("%s: accepted", part)
					}
				}
				mutate(r.Method, func(i int, m string) { c := clone(r); c.Method = m; refused(fmt.Sprint("method ", i), c, body) })
				mutate(r.Host, func(i int, m string) {
					if strings.TrimSpace(m) == m {
						c := clone(r)
						c.Host = m
						refused(fmt.Sprint("host ", i), c, body)
					}
				})
				mutate(r.Target, func(i int, m string) {
					if !sameTarget(m, r.Target) {
						c := clone(r)
						c.Target = m
						refused(fmt.Sprintf("target %d %q", i, m), c, body)
					}
				})
				for f := range r.Fields {
					mutate(r.Fields[f].Value, func(i int, m string) {
						if strings.Join(strings.Fields(m), " ") == strings.Join(strings.Fields(r.Fields[f].Value), " ") {
							return
						}
						if r.Fields[f].Name == "Authorization" && strings.ReplaceAll(m, " ", "") == strings.ReplaceAll(r.Fields[f].Value, " ", "") {
							return
						}
						c := clone(r)
						c.Fields[f].Value = m
						refused(fmt.Sprintf("field %s %d %q", r.Fields[f].Name, i, m), c, body)
					})
				}
				if !presigned {
					mutate(string(body), func(i int, m string) { refused(fmt.Sprint("body ", i), r, []byte(m)) })
				}
			})
		}
	}
}

// mutate calls fn with copies of s that differ in one byte.
func mutate(s string, fn func(i int, m string)) {
	for i := range len(s) {
		for _, x := range []byte{1, 2, 0x20} {
			b := []byte(s)
			b[i] ^= x
			fn(i, string(b))
		}
	}
}

// sameTarget reports whether both mean the same path and parameters, other than by spelling.
func sameTarget(a, b string) bool {
	ap, aq, _ := strings.Cut(a, "?")
	bp, bq, _ := strings.Cut(b, "?")
	au, err1 := url.PathUnescape(ap)
	bu, err2 := url.PathUnescape(bp)
	if err1 != nil || err2 != nil || au != bu || strings.Count(ap, "/") != strings.Count(bp, "/") {
		return false
	}
	av, err1 := url.ParseQuery(aq)
	bv, err2 := url.ParseQuery(bq)
	return err1 == nil && err2 == nil && av.Encode() == bv.Encode()
}

func TestRefusals(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(r *sigv4.Request)
		opt    sigv4.Options
		at     time.Duration
		family sigv4.Family
		code   string
		text   string
	}{
		{name: "too old", at: 16 * time.Minute, code: "SignatureDoesNotMatch", text: "Signature expired: 20261125T120000Z is now earlier than 20261125T120100Z (20261125T121600Z - 15 min.)"},
		{name: "too old for S3", at: 16 * time.Minute, family: sigv4.FamilyS3, code: "RequestTimeTooSkewed"},
		{name: "from the future", at: -16 * time.Minute, family: sigv4.FamilyJSON, code: "InvalidSignatureException", text: "still later than"},
		{name: "another region", opt: sigv4.Options{Region: "eu-west-1"}, family: sigv4.FamilyS3, code: "AuthorizationHeaderMalformed", text: "the region 'us-east-1' is wrong; expecting 'eu-west-1'"},
		{name: "another service", opt: sigv4.Options{Services: []string{"sts"}}, code: "SignatureDoesNotMatch", text: "Credential should be scoped to correct service: 'sts'."},
		{name: "an unsigned x-amz- field", change: func(r *sigv4.Request) {
			r.Fields = append(r.Fields, sigv4.Field{Name: "X-Amz-Acl", Value: "public-read"})
		}, family: sigv4.FamilyS3, code: "AccessDenied", text: "not signed"},
		{name: "header and query", change: func(r *sigv4.Request) { r.Target += "&X-Amz-Algorithm=AWS4-HMAC-SHA256" }, family: sigv4.FamilyS3, code: "InvalidArgument", text: "Only one auth mechanism"},
		{name: "version 2 header", change: func(r *sigv4.Request) { r.Fields[len(r.Fields)-1].Value = "AWS AKID:c2ln" }, family: sigv4.FamilyS3, code: "InvalidRequest", text: "Please use AWS4-HMAC-SHA256"},
		{name: "unsorted signed headers", change: func(r *sigv4.Request) {
			f := &r.Fields[len(r.Fields)-1]
			f.Value = strings.Replace(f.Value, "host;x-amz-content-sha256", "x-amz-content-sha256;host", 1)
		}, code: "IncompleteSignature", text: "SignedHeaders"},
		{name: "host not signed", change: func(r *sigv4.Request) {
			f := &r.Fields[len(r.Fields)-1]
			f.Value = strings.Replace(f.Value, "host;", "", 1)
		}, code: "IncompleteSignature", text: "'Host' or ':authority' must be a 'SignedHeader'"},
		{name: "no signature part", change: func(r *sigv4.Request) {
			r.Fields[len(r.Fields)-1].Value = "AWS4-HMAC-SHA256 Credential=a/20261125/us-east-1/s3/aws4_request"
		}, family: sigv4.FamilyREST, code: "IncompleteSignatureException", text: "requires 'Signature' parameter"},
		{name: "short credential", change: func(r *sigv4.Request) {
			f := &r.Fields[len(r.Fields)-1]
			f.Value = strings.Replace(f.Value, "/us-east-1/", "/", 1)
		}, code: "IncompleteSignature", text: "exactly 5 slash-delimited elements"},
		{name: "scope of another day", change: func(r *sigv4.Request) {
			f := &r.Fields[len(r.Fields)-1]
			f.Value = strings.Replace(f.Value, "/20261125/", "/20261124/", 1)
		}, code: "SignatureDoesNotMatch", text: "Date in Credential scope does not match"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &sigv4.Request{Method: "GET", Target: "/b?x=1", Host: "localhost"}
			if err := signer().Sign(r, sigv4.EmptyHash, now); err != nil {
				t.Fatal(err)
			}
			if tc.change != nil {
				tc.change(r)
			}
			tc.opt.S3 = true
			err := check(sigv4.NewVerifier(clock.NewFake(now.Add(tc.at))), r, exampleSecret, tc.opt, nil)
			var e *sigv4.Error
			if !errors.As(err, &e) {
				t.Fatalf("error = %v", err)
			}
			code, status, msg := e.Wire(tc.family)
			if code != tc.code || status < 400 || !strings.Contains(msg, tc.text) {
				t.Errorf("answer = %s %d %q, want %s and %q", code, status, msg, tc.code, tc.text)
			}
		})
	}
}

// The request is one of the JavaScript client of Kinesis, which speaks HTTP/2.
func TestHostMayBeSignedAsAuthority(t *testing.T) {
	r := &sigv4.Request{Method: "POST", Target: "/", Host: "127.0.0.1:24610", Fields: []sigv4.Field{
		{Name: "content-type", Value: "application/x-amz-json-1.1"},
		{Name: "x-amz-target", Value: "Kinesis_20131202.ListStreams"},
		{Name: "content-length", Value: "2"},
		{Name: "x-amz-user-agent", Value: "aws-sdk-js/3.1142.0"},
		{Name: "amz-sdk-invocation-id", Value: "56b1c813-3f80-4e69-b43c-51ea328985eb"},
		{Name: "amz-sdk-request", Value: "attempt=1; max=1"},
		{Name: "x-amz-date", Value: "20261130T003849Z"},
		{Name: "x-amz-content-sha256", Value: "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},
		{Name: "authorization", Value: "AWS4-HMAC-SHA256 Credential=test/20261130/us-east-1/kinesis/aws4_request, SignedHeaders=:authority;amz-sdk-invocation-id;amz-sdk-request;" +
			"content-length;content-type;x-amz-content-sha256;x-amz-date;x-amz-target;x-amz-user-agent, Signature=8e4022cc7bbf10ad1d4c681cb48fbb0f6fbd34e30abfc53afbcff649c36b91f6"},
	}}
	v := sigv4.NewVerifier(clock.NewFake(time.Date(2026, 11, 30, 0, 38, 50, 0, time.UTC)))
	if err := check(v, r, "test", sigv4.Options{}, []byte("{}")); err != nil {
		t.Error(err)
	}
	r.Host = "127.0.0.2:24610"
	if err := check(v, r, "test", sigv4.Options{}, []byte("{}")); err == nil {
		t.Error("another host was accepted")
	}
}

func TestMismatchShowsWhatWasComputed(t *testing.T) {
	r := &sigv4.Request{Method: "GET", Target: "/b", Host: "localhost"}
	if err := signer().Sign(r, sigv4.EmptyHash, now); err != nil {
		t.Fatal(err)
	}
	err := check(sigv4.NewVerifier(clock.NewFake(now)), r, "another", sigv4.Options{S3: true}, nil)
	var e *sigv4.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range e.Detail() {
		got[f.Name] = f.Value
	}
	if !strings.HasPrefix(got["StringToSign"], "AWS4-HMAC-SHA256\n20261125T120000Z\n") || !strings.HasPrefix(got["CanonicalRequest"], "GET\n/b\n") ||
		got["AWSAccessKeyId"] != exampleKey || got["StringToSignBytes"][:5] != "41 57" {
		t.Errorf("detail = %v", got)
	}
}

// chunkedExample is the example of AWS's documentation, as aws-c-auth's tests carry it.
func chunkedExample() (*sigv4.Request, []byte) {
	r := &sigv4.Request{Method: "PUT", Target: "/examplebucket/chunkObject.txt", Host: "s3.amazonaws.com", Fields: []sigv4.Field{
		{Name: "x-amz-storage-class", Value: "REDUCED_REDUNDANCY"},
		{Name: "Content-Encoding", Value: "aws-chunked"},
		{Name: "x-amz-decoded-content-length", Value: "66560"},
		{Name: "Content-Length", Value: "66824"},
		{Name: "x-amz-date", Value: "20130524T000000Z"},
		{Name: "x-amz-content-sha256", Value: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
		{Name: "Authorization", Value: "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, " +
			"SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class, " +
			"Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"},
	}}
	var b bytes.Buffer
	fmt.Fprintf(&b, "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n%s\r\n", strings.Repeat("a", 65536))
	fmt.Fprintf(&b, "400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n%s\r\n", strings.Repeat("a", 1024))
	b.WriteString("0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n")
	return r, b.Bytes()
}

const chunkedSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

func TestChunkedBodyOfTheDocumentation(t *testing.T) {
	v := sigv4.NewVerifier(clock.NewFake(time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)))
	r, body := chunkedExample()
	opt := sigv4.Options{S3: true}
	if err := check(v, r, chunkedSecret, opt, body); err != nil {
		t.Fatal(err)
	}
	for i := range body {
		if 100 < i && i < 65500 || 65700 < i && i < 66600 {
			continue // One byte of a chunk's data is as good as another.
		}
		m := bytes.Clone(body)
		m[i] ^= 1
		if err := check(v, r, chunkedSecret, opt, m); err == nil {
			t.Errorf("byte %d changed: accepted", i)
		}
	}
	for _, cut := range []int{0, 1, 50, 1000, len(body) - 2, len(body) - 1} {
		var e *sigv4.Error
		if err := check(v, r, chunkedSecret, opt, body[:cut]); !errors.As(err, &e) || e.Kind != sigv4.Truncated {
			t.Errorf("cut at %d: %v, want Truncated", cut, err)
		}
	}
	if err := check(v, r, chunkedSecret, opt, append(bytes.Clone(body), 'x')); err == nil {
		t.Error("accepted with data behind the end")
	}
}

// hello is the least that a chunk before the last one may hold.
var hello = "hello " + strings.Repeat("-", 8186)

func TestSmallChunksBeforeTheLastAreRefused(t *testing.T) {
	for sizes, refused := range map[[3]int]string{{8192, 8192, 1}: "", {1, 0, 0}: "", {8192, 8191, 1}: "BadChunkSize 8191 in chunk 3", {10, 8192, 10}: "BadChunkSize 10 in chunk 2"} {
		r := &sigv4.Request{Method: "PUT", Target: "/b/k", Host: "h", Fields: []sigv4.Field{
			{Name: "X-Amz-Decoded-Content-Length", Value: strconv.Itoa(sizes[0] + sizes[1] + sizes[2])},
		}}
		if err := signer().Sign(r, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", now); err != nil {
			t.Fatal(err)
		}
		sig, err := sigv4.Parse(r, sigv4.Options{S3: true})
		if err != nil {
			t.Fatal(err)
		}
		p, err := sigv4.NewVerifier(clock.NewFake(now)).Verify(r, sig, exampleSecret, sigv4.Options{S3: true})
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, n := range append(sizes[:], 0) {
			if n > 0 || b.Len() > 0 && !strings.HasSuffix(b.String(), "0\r\n") {
				fmt.Fprintf(&b, "%x\r\n%s", n, strings.Repeat("a", n))
				if n > 0 {
					b.WriteString("\r\n")
				}
			}
		}
		b.WriteString("\r\n")
		_, err = io.ReadAll(p.Reader(strings.NewReader(b.String())))
		var e *sigv4.Error
		switch {
		case refused == "" && err != nil:
			t.Errorf("%v: %v", sizes, err)
		case refused == "":
		case !errors.As(err, &e) || e.Kind != sigv4.ChunkSize:
			t.Errorf("%v: %v, want a refusal", sizes, err)
		default:
			if got := "BadChunkSize " + e.Extra[1].Value + " in chunk " + e.Extra[0].Value; got != refused {
				t.Errorf("%v: %s, want %s", sizes, got, refused)
			}
		}
	}
}

func TestChunkedTrailers(t *testing.T) {
	for _, v4a := range []bool{false, true} {
		for _, signed := range []bool{false, true} {
			t.Run(fmt.Sprintf("v4a=%v signed=%v", v4a, signed), func(t *testing.T) {
				s := signer()
				s.V4a = v4a
				hash := "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
				if signed {
					hash = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
					if v4a {
						hash = "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER"
					}
				}
				r := &sigv4.Request{Method: "PUT", Target: "/b/k", Host: "h", Fields: []sigv4.Field{
					{Name: "X-Amz-Decoded-Content-Length", Value: strconv.Itoa(len(hello) + len("world"))}, {Name: "X-Amz-Trailer", Value: "x-amz-checksum-crc32"},
				}}
				if err := s.Sign(r, hash, now); err != nil {
					t.Fatal(err)
				}
				body := chunkedBody(t, s, r, signed, []string{hello, "world"}, "x-amz-checksum-crc32:DUoRhQ==")
				v := sigv4.NewVerifier(clock.NewFake(now))
				sig, err := sigv4.Parse(r, sigv4.Options{S3: true})
				if err != nil {
					t.Fatal(err)
				}
				p, err := v.Verify(r, sig, exampleSecret, sigv4.Options{S3: true})
				if err != nil {
					t.Fatal(err)
				}
				reader := p.Reader(iotest1{strings.NewReader(body)})
				got, err := io.ReadAll(reader)
				if err != nil || string(got) != hello+"world" || reader.Trailer("X-Amz-Checksum-Crc32") != "DUoRhQ==" {
					t.Fatalf("body of %d bytes, trailer %q, %v", len(got), reader.Trailer("x-amz-checksum-crc32"), err)
				}
				for old, changed := range map[string]string{
					"x-amz-checksum-crc32:":  "x-amz-checksum-sha1:",
					"x-amz-checksum-crc32:D": "X",
					"world":                  "worldworld",
				} {
					m := strings.Replace(body, old, changed, 1)
					if _, err := io.ReadAll(p.Reader(strings.NewReader(m))); err == nil {
						t.Errorf("%q for %q: accepted", changed, old)
					}
				}
				if signed {
					m := strings.Replace(body, "DUoRhQ==", "DUoRhQ=A", 1)
					if _, err := io.ReadAll(p.Reader(strings.NewReader(m))); err == nil {
						t.Error("another trailer value: accepted")
					}
				}
			})
		}
	}
}

// iotest1 reads one byte at a time.
type iotest1 struct{ r io.Reader }

func (o iotest1) Read(b []byte) (int, error) { return o.r.Read(b[:min(1, len(b))]) }

// chunkedBody frames a body as a client does.
func chunkedBody(t testing.TB, s *sigv4.Signer, r *sigv4.Request, signed bool, parts []string, trailer string) string {
	t.Helper()
	c, err := s.Chunks(r)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, p := range append(parts, "") {
		fmt.Fprintf(&b, "%x", len(p))
		if signed {
			sig, err := c.Chunk([]byte(p))
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(";chunk-signature=" + sig)
		}
		b.WriteString("\r\n")
		if p != "" {
			b.WriteString(p + "\r\n")
		}
	}
	b.WriteString(trailer + "\r\n")
	if signed {
		sig, err := c.Trailer([]byte(trailer + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("x-amz-trailer-signature:" + sig + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// TestNoReaderOfTheAnnouncedLengthGetsUnprovenBytes is about callers that stop at the length.
func TestNoReaderOfTheAnnouncedLengthGetsUnprovenBytes(t *testing.T) {
	payload := func(fields []sigv4.Field, hash string) (*sigv4.Payload, *sigv4.Request) {
		r := &sigv4.Request{Method: "PUT", Target: "/b/k", Host: "h", Fields: fields}
		if err := signer().Sign(r, hash, now); err != nil {
			t.Fatal(err)
		}
		sig, err := sigv4.Parse(r, sigv4.Options{S3: true})
		if err != nil {
			t.Fatal(err)
		}
		p, err := sigv4.NewVerifier(clock.NewFake(now)).Verify(r, sig, exampleSecret, sigv4.Options{S3: true})
		if err != nil {
			t.Fatal(err)
		}
		return p, r
	}
	buf := make([]byte, 11)
	whole := make([]byte, len(hello)+len("world"))
	p, _ := payload([]sigv4.Field{{Name: "Content-Length", Value: "11"}}, sigv4.Hash([]byte("hello world")))
	if _, err := io.ReadFull(p.Reader(strings.NewReader("hello worlD")), buf); err == nil {
		t.Error("plain: accepted")
	}
	if n, err := io.ReadFull(p.Reader(strings.NewReader("hello world")), buf); err != nil || n != 11 {
		t.Errorf("plain: %d, %v", n, err)
	}
	p, r := payload([]sigv4.Field{{Name: "X-Amz-Decoded-Content-Length", Value: strconv.Itoa(len(whole))}, {Name: "X-Amz-Trailer", Value: "x-amz-checksum-crc32"}}, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
	body := chunkedBody(t, signer(), r, true, []string{hello, "world"}, "x-amz-checksum-crc32:DUoRhQ==")
	if n, err := io.ReadFull(p.Reader(strings.NewReader(body)), whole); err != nil || n != len(whole) {
		t.Errorf("chunked: %d, %v", n, err)
	}
	for _, change := range []string{"world", "DUoRhQ=="} {
		m := strings.Replace(body, change, strings.ToUpper(change[:1])+strings.ToLower(change[1:]), 1)
		if m == body {
			m = strings.Replace(body, change, "E"+change[1:], 1)
		}
		if _, err := io.ReadFull(p.Reader(strings.NewReader(m)), whole); err == nil {
			t.Errorf("chunked with another %q: accepted", change)
		}
	}
	r = &sigv4.Request{Method: "PUT", Target: "/b/k", Host: "h", Fields: []sigv4.Field{{Name: "Content-Length", Value: "0"}}}
	s := signer()
	s.S3 = false
	if err := s.Sign(r, sigv4.Hash([]byte("x")), now); err != nil {
		t.Fatal(err)
	}
	if err := check(sigv4.NewVerifier(clock.NewFake(now)), r, exampleSecret, sigv4.Options{}, nil); err == nil {
		t.Error("a body that was taken away: accepted")
	}
}

func TestAnonymousBodiesAreWhatTheirHeadSays(t *testing.T) {
	hash := sha256.Sum256([]byte("hello"))
	for name, c := range map[string]struct{ hash, body, want, fails string }{
		"no hash":        {"", "hello", "hello", ""},
		"hash":           {hex.EncodeToString(hash[:]), "hello", "hello", ""},
		"other hash":     {hex.EncodeToString(hash[:]), "hallo", "", "XAmzContentSHA256Mismatch"},
		"chunks":         {"STREAMING-UNSIGNED-PAYLOAD-TRAILER", "5\r\nhello\r\n0\r\n\r\n", "hello", ""},
		"signed chunks":  {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "", "", "InvalidRequest"},
		"no such scheme": {"STREAMING-NOTHING", "", "", "InvalidRequest"},
	} {
		r := &sigv4.Request{Method: "PUT", Target: "/b/k", Host: "h", Fields: []sigv4.Field{{Name: "X-Amz-Decoded-Content-Length", Value: "5"}}}
		if c.hash != "" {
			r.Fields = append(r.Fields, sigv4.Field{Name: "X-Amz-Content-Sha256", Value: c.hash})
		}
		p, err := sigv4.AnonymousPayload(r)
		var got []byte
		if err == nil {
			got, err = io.ReadAll(p.Reader(strings.NewReader(c.body)))
		}
		code := ""
		var e *sigv4.Error
		if errors.As(err, &e) {
			code, _, _ = e.Wire(sigv4.FamilyS3)
		}
		if code != c.fails || err == nil && string(got) != c.want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestEncodedSlashMayBeSignedAsSlash holds for S3 alone: the SDK for Java writes the second of two slashes so.
func TestEncodedSlashMayBeSignedAsSlash(t *testing.T) {
	at := time.Date(2026, 11, 30, 0, 38, 50, 0, time.UTC)
	r, err := http.NewRequest(http.MethodGet, "http://127.0.0.1/bucket/a//b", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	signer := sigv4.Signer{AccessKeyID: "test", Secret: "test", Region: "us-east-1", Service: "s3", S3: true}
	if err := signer.SignHTTP(r, sigv4.EmptyHash, at); err != nil {
		t.Fatal(err)
	}
	sent := sigv4.FromHTTP(r)
	for target, want := range map[string]bool{"/bucket/a//b": true, "/bucket/a/%2Fb": true, "/bucket/a/%2fb": true, "/bucket/a/%252Fb": false, "/bucket/a/b": false} {
		sent.Target = target
		err := check(sigv4.NewVerifier(clock.NewFake(at)), sent, "test", sigv4.Options{S3: true}, nil)
		if (err == nil) != want {
			t.Errorf("%s: %v", target, err)
		}
	}
}
