package cli

import (
	"context"
	"crypto/md5" //nolint:gosec // it is what S3 names contents by; nothing is proven with it.
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/cli/client"
	"lambent.dev/lambent/internal/s3client"
)

const (
	// importPart is the size from which on files are stored in parts, and that of the parts, in bytes. Of larger files than fit into maxParts of these the parts are larger.
	importPart = 64 << 20
	maxParts   = 10_000
)

// importTarget is a bucket of this Lambent into which objects are imported.
type importTarget struct {
	c      *s3client.Client
	bucket string
}

// newImportTarget returns the bucket, which is made when there is none.
func newImportTarget(ctx context.Context, cl *client.Client, bucket string) (*importTarget, error) {
	if err := cl.EnsureBucket(ctx, bucket); err != nil {
		return nil, err
	}
	u, err := url.Parse(cl.Endpoint)
	if err != nil {
		return nil, usage{fmt.Errorf("the endpoint %q is not a URL", cl.Endpoint)}
	}
	return &importTarget{bucket: bucket, c: &s3client.Client{
		Endpoint: u, Region: cl.Region, PathStyle: true, HTTP: cl.HTTP, Clock: cl.Clock, Random: rand.Reader,
		Credentials: s3client.Credentials{AccessKeyID: cl.AccessKeyID, Secret: cl.Secret, Token: cl.Token},
	}}, nil
}

// has tells whether an object is there with a size and an ETag, which stands for its content.
func (t *importTarget) has(ctx context.Context, key string, size int64, etag string) (bool, error) {
	h, err := t.c.Head(ctx, t.bucket, key)
	if s3client.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return strings.Trim(h.Get("ETag"), `"`) == etag && h.Get("Content-Length") == strconv.FormatInt(size, 10), nil
}

// upload stores an object in parts, as many as next returns bodies of; what fails leaves nothing.
func (t *importTarget) upload(ctx context.Context, key string, header http.Header, next func(number int) (s3client.Body, error)) (err error) {
	id, err := t.c.CreateUpload(ctx, t.bucket, key, header)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.c.AbortUpload(context.WithoutCancel(ctx), t.bucket, key, id))
		}
	}()
	var parts []s3client.Part
	for {
		body, err := next(len(parts) + 1)
		if errors.Is(err, io.EOF) {
			return t.c.CompleteUpload(ctx, t.bucket, key, id, parts)
		}
		if err != nil {
			return err
		}
		p, err := t.c.UploadPart(ctx, t.bucket, key, id, len(parts)+1, body)
		if err != nil {
			return err
		}
		parts = append(parts, p)
	}
}

// content is a file as it is stored: the bodies of its parts, or its one body, and the ETag that comes of them.
type content struct {
	file   *os.File
	bodies []s3client.Body
	etag   string
}

// readContent reads a file of a size once, for the sums of its parts. A file that changes afterwards is not stored, since its bodies no longer have their sums.
func readContent(f *os.File, size, part int64) (*content, error) {
	for size > part*maxParts {
		part *= 2
	}
	c := &content{file: f}
	var sums []byte
	for from := int64(0); from == 0 || from < size; from += part {
		n := min(part, size-from)
		sum, digest := sha256.New(), md5.New()
		if got, err := io.Copy(io.MultiWriter(sum, digest), io.NewSectionReader(f, from, n)); err != nil || got != n {
			return nil, errors.Join(fmt.Errorf("read %s: %d bytes of %d", f.Name(), got, n), err)
		}
		sums = digest.Sum(sums)
		c.bodies = append(c.bodies, s3client.Body{
			Open: func() io.Reader { return io.NewSectionReader(f, from, n) }, Size: n, SHA256: hex.EncodeToString(sum.Sum(nil)),
		})
	}
	c.etag = hex.EncodeToString(sums)
	if size > part {
		of := md5.Sum(sums)
		c.etag = hex.EncodeToString(of[:]) + "-" + strconv.Itoa(len(c.bodies))
	}
	return c, nil
}

// store stores a content under a key, unless it is there.
func (t *importTarget) store(ctx context.Context, key string, header http.Header, size int64, c *content) (stored bool, err error) {
	if there, err := t.has(ctx, key, size, c.etag); there || err != nil {
		return false, err
	}
	if len(c.bodies) == 1 {
		_, err := t.c.Put(ctx, t.bucket, key, header, c.bodies[0])
		return true, err
	}
	return true, t.upload(ctx, key, header, func(number int) (s3client.Body, error) {
		if number > len(c.bodies) {
			return s3client.Body{}, io.EOF
		}
		return c.bodies[number-1], nil
	})
}

// importCount counts what an import did.
type importCount struct {
	stored, there int
	bytes         int64
}

func (n *importCount) add(stored bool, size int64) {
	n.bytes += size
	if stored {
		n.stored++
	} else {
		n.there++
	}
}

// text says it for people; what is the word for one of them.
func (n *importCount) text(what string) string {
	text := fmt.Sprintf("%d %ss, %s", n.stored+n.there, what, size(n.bytes))
	if n.there > 0 {
		text += fmt.Sprintf(" (%d were there already)", n.there)
	}
	return text
}
