package sigv4_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/clock"
)

func FuzzHeader(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261125/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00", "20261125T120000Z", "/a?b=c")
	f.Add("AWS4-ECDSA-P256-SHA256 Credential=A/20261125/s3/aws4_request, SignedHeaders=host, Signature=00", "Wed, 25 Nov 2026 12:00:00 GMT", "//%2F+%")
	v := sigv4.NewVerifier(clock.NewFake(now))
	f.Fuzz(func(t *testing.T, auth, date, target string) {
		r := &sigv4.Request{Method: "GET", Target: target, Host: "h", Fields: []sigv4.Field{
			{Name: "Authorization", Value: auth}, {Name: "X-Amz-Date", Value: date}, {Name: "X-Amz-Content-Sha256", Value: sigv4.EmptyHash},
		}}
		for _, s3 := range []bool{false, true} {
			if err := check(v, r, exampleSecret, sigv4.Options{S3: s3}, nil); err == nil && auth != "" {
				t.Errorf("accepted %q", auth)
			}
		}
	})
}

func FuzzQuery(f *testing.F) {
	f.Add("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20261125%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20261125T120000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00")
	f.Add("AWSAccessKeyId=A&Signature=b&Expires=1795608000")
	v := sigv4.NewVerifier(clock.NewFake(now))
	f.Fuzz(func(t *testing.T, query string) {
		r := &sigv4.Request{Method: "GET", Target: "/b/k?" + query, Host: "h"}
		sig, err := sigv4.Parse(r, sigv4.Options{S3: true})
		if err != nil || sig.Version == sigv4.Anonymous {
			return
		}
		if _, err := v.Verify(r, sig, exampleSecret, sigv4.Options{S3: true}); err == nil {
			t.Errorf("accepted %q", query)
		}
	})
}

func FuzzChunkedBody(f *testing.F) {
	r, body := chunkedExample()
	v := sigv4.NewVerifier(clock.NewFake(time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)))
	sig, err := sigv4.Parse(r, sigv4.Options{S3: true})
	if err != nil {
		f.Fatal(err)
	}
	p, err := v.Verify(r, sig, chunkedSecret, sigv4.Options{S3: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\n"))
	f.Add([]byte("0;chunk-signature=00\r\n\r\n"))
	f.Add(body[:200])
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := io.Copy(io.Discard, p.Reader(bytes.NewReader(data))); err == nil && !bytes.Equal(data, body) {
			t.Errorf("accepted %q", data)
		}
	})
}

func BenchmarkVerifyWarm(b *testing.B) {
	r := &sigv4.Request{Method: "POST", Target: "/", Host: "127.0.0.1:4566", Fields: []sigv4.Field{
		{Name: "Content-Type", Value: "application/x-amz-json-1.0"},
		{Name: "X-Amz-Target", Value: "DynamoDB_20120810.PutItem"},
		{Name: "User-Agent", Value: strings.Repeat("Boto3/1.43 ", 10)},
		{Name: "amz-sdk-invocation-id", Value: "0d7e6ef8-3f7a-4e1d-a1a3-0a3a8b6a7d11"},
		{Name: "Content-Length", Value: "1024"},
	}}
	s := signer()
	s.Service, s.S3 = "dynamodb", false
	if err := s.Sign(r, sigv4.Hash(make([]byte, 1024)), now); err != nil {
		b.Fatal(err)
	}
	v := sigv4.NewVerifier(clock.NewFake(now))
	opt := sigv4.Options{Services: []string{"dynamodb"}}
	for b.Loop() {
		sig, err := sigv4.Parse(r, opt)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := v.Verify(r, sig, exampleSecret, opt); err != nil {
			b.Fatal(err)
		}
	}
}
