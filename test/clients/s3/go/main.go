// Command go uses objects through the AWS SDK for Go v2, its transfer manager and its presigned requests, or, as `go-client photoboard`, the photo-board. Prints ok.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	tmtypes "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// job is what the program reads from its input.
type job struct {
	Doors []struct {
		URL, Style string
	}
	CA, Key, Secret string
	Keys            []string
}

// bucket is one that is used through one of the doors.
type bucket struct {
	*s3.Client
	name *string
	keys []string
	http *http.Client
}

func main() {
	use := useObjects
	if len(os.Args) > 1 && os.Args[1] == "photoboard" {
		use = usePhotoboard
	}
	if err := use(context.Background(), os.Stdin); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ok")
}

// useObjects uses objects through every door that it is given.
func useObjects(ctx context.Context, input io.Reader) error {
	var given job
	if err := json.NewDecoder(input).Decode(&given); err != nil {
		return err
	}
	hc, err := client(given.CA)
	if err != nil {
		return err
	}
	for n, door := range given.Doors {
		b := &bucket{name: aws.String(fmt.Sprintf("go-%d", n)), keys: given.Keys, http: hc}
		b.Client = s3.New(s3.Options{
			BaseEndpoint: &door.URL, Region: "us-east-1", UsePathStyle: door.Style == "path", HTTPClient: hc, RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider(given.Key, given.Secret, ""),
		})
		if _, err := b.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: b.name}); err != nil {
			return err
		}
		for _, check := range []struct {
			name string
			run  func(context.Context) error
		}{{"objects", b.objects}, {"parts", b.parts}, {"presigned", b.presigned}, {"form", b.form}, {"clean", b.clean}} {
			if err := check.run(ctx); err != nil {
				return fmt.Errorf("%s %s: %s: %w", door.URL, door.Style, check.name, err)
			}
		}
	}
	return nil
}

// client returns an HTTP client that trusts the certificate, and resolves the names of buckets as DNS would.
func client(ca string) (*http.Client, error) {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, ".localhost") {
			address = "127.0.0.1:" + port
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: roots}}}, nil
}

func (b *bucket) get(ctx context.Context, key string, span *string) (string, error) {
	got, err := b.GetObject(ctx, &s3.GetObjectInput{Bucket: b.name, Key: &key, Range: span})
	if err != nil {
		return "", err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	return string(body), err
}

func (b *bucket) objects(ctx context.Context) error {
	for _, key := range b.keys {
		if err := b.object(ctx, key); err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
	}
	var listed []string
	pages := s3.NewListObjectsV2Paginator(b, &s3.ListObjectsV2Input{Bucket: b.name, MaxKeys: aws.Int32(4)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			if !strings.HasPrefix(*o.Key, "copies/") {
				listed = append(listed, *o.Key)
			}
		}
	}
	if want := slices.Sorted(slices.Values(b.keys)); !slices.Equal(listed, want) {
		return fmt.Errorf("listed %q, want %q", listed, want)
	}
	return nil
}

func (b *bucket) object(ctx context.Context, key string) error {
	meta := map[string]string{"of-key": "value"}
	if _, err := b.PutObject(ctx, &s3.PutObjectInput{Bucket: b.name, Key: &key, Body: strings.NewReader(key), Metadata: meta}); err != nil {
		return err
	}
	for span, want := range map[string]string{"": key, "bytes=0-0": key[:1]} {
		var asked *string
		if span != "" {
			asked = &span
		}
		if got, err := b.get(ctx, key, asked); err != nil || got != want {
			return fmt.Errorf("get %s: %q, %w", span, got, err)
		}
	}
	source, to := url.PathEscape(*b.name+"/"+key), "copies/"+key[:min(len(key), 1000)]
	if _, err := b.CopyObject(ctx, &s3.CopyObjectInput{Bucket: b.name, Key: &to, CopySource: &source}); err != nil {
		return err
	}
	head, err := b.HeadObject(ctx, &s3.HeadObjectInput{Bucket: b.name, Key: &to})
	if err == nil && (*head.ContentLength != int64(len(key)) || head.Metadata["of-key"] != "value") {
		err = fmt.Errorf("head of the copy: %d, %v", *head.ContentLength, head.Metadata)
	}
	return err
}

func (b *bucket) parts(ctx context.Context) error {
	large := make([]byte, 12<<20)
	rand.Read(large)
	manager := transfermanager.New(b, func(o *transfermanager.Options) { o.PartSizeBytes = 5 << 20 })
	key := "large/🦉"
	for _, algorithm := range []tmtypes.ChecksumAlgorithm{"", tmtypes.ChecksumAlgorithmSha256, tmtypes.ChecksumAlgorithm("CRC64NVME")} {
		in := &transfermanager.UploadObjectInput{Bucket: b.name, Key: &key, Body: bytes.NewReader(large), ChecksumAlgorithm: algorithm}
		if _, err := manager.UploadObject(ctx, in); err != nil {
			return fmt.Errorf("upload %s: %w", algorithm, err)
		}
		got, err := manager.GetObject(ctx, &transfermanager.GetObjectInput{Bucket: b.name, Key: &key})
		if err != nil {
			return err
		}
		back, err := io.ReadAll(got.Body)
		if err != nil || !bytes.Equal(back, large) {
			return fmt.Errorf("download %s: %d bytes, %w", algorithm, len(back), err)
		}
	}
	return nil
}

// send sends a request that no SDK signs now, and returns its status and body.
func send(ctx context.Context, hc *http.Client, method, target string, header http.Header, body io.Reader) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return 0, "", err
	}
	r.Header = header
	answer, err := hc.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

func (b *bucket) presigned(ctx context.Context) error {
	signer := s3.NewPresignClient(b.Client)
	for _, key := range b.keys {
		if len(key) == 1024 {
			continue
		}
		key = "url/" + key
		put, err := signer.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: b.name, Key: &key, ContentType: aws.String("image/png"), IfNoneMatch: aws.String("*")})
		if err != nil {
			return err
		}
		header := http.Header{"Content-Type": {"image/png"}, "If-None-Match": {"*"}}
		for _, want := range []int{http.StatusOK, http.StatusPreconditionFailed} {
			if status, text, err := send(ctx, b.http, put.Method, put.URL, header, strings.NewReader(key)); err != nil || status != want {
				return fmt.Errorf("put %q: %d, want %d: %s, %w", key, status, want, text, err)
			}
		}
		get, err := signer.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: b.name, Key: &key})
		if err != nil {
			return err
		}
		if status, text, err := send(ctx, b.http, get.Method, get.URL, http.Header{}, http.NoBody); err != nil || status != http.StatusOK || text != key {
			return fmt.Errorf("get %q: %d: %s, %w", key, status, text, err)
		}
	}
	return nil
}

func (b *bucket) clean(ctx context.Context) error {
	pages := s3.NewListObjectsV2Paginator(b, &s3.ListObjectsV2Input{Bucket: b.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		var gone []types.ObjectIdentifier
		for _, o := range page.Contents {
			gone = append(gone, types.ObjectIdentifier{Key: o.Key})
		}
		out, err := b.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: b.name, Delete: &types.Delete{Objects: gone}})
		if err != nil || len(out.Errors) > 0 {
			return fmt.Errorf("delete: %v, %w", out, err)
		}
	}
	if _, err := b.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: b.name}); err != nil {
		return err
	}
	_, err := b.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: b.name})
	var missing *types.NotFound
	if !errors.As(err, &missing) {
		return fmt.Errorf("head of a deleted bucket: %w", err)
	}
	return nil
}
