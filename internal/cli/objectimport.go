package cli

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"lambent.dev/lambent/internal/cli/client"
	"lambent.dev/lambent/internal/s3client"
)

// maxObjectImport is the largest object that is imported from elsewhere, in bytes: it is stored by one PutObject, which takes no more.
const maxObjectImport = 5 << 30

// origin says where the objects of an import lie.
type origin struct {
	endpoint, region string
	pathStyle        bool
}

// objectImport copies objects from another store into a bucket of this Lambent.
type objectImport struct {
	from   *s3client.Client
	to     *client.Client
	source string // bucket
	target string // bucket
	folder string // of temporary files
}

// importObjects copies what lies below source, s3://BUCKET[/PREFIX], to the target BUCKET[/PREFIX].
func (a *app) importObjects(ctx context.Context, o origin, source, target string) error {
	from, err := a.originClient(o)
	if err != nil {
		return err
	}
	to, err := a.client()
	if err != nil {
		return err
	}
	bucket, prefix, _ := strings.Cut(strings.TrimPrefix(source, "s3://"), "/")
	into, under, _ := strings.Cut(strings.TrimPrefix(target, "s3://"), "/")
	if bucket == "" || into == "" {
		return usage{errors.New("name both buckets: lambent s3 import s3://BUCKET[/PREFIX] BUCKET[/PREFIX]")}
	}
	folder, err := os.MkdirTemp("", "lambent-import-")
	if err != nil {
		return fmt.Errorf("make a folder for what is on its way: %w", err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if err := to.EnsureBucket(ctx, into); err != nil {
		return err
	}
	i := &objectImport{from, to, bucket, into, folder}
	n, total, err := i.all(ctx, prefix, under)
	if err != nil {
		return fmt.Errorf("import stopped after %d objects: %w", n, err)
	}
	a.Term.Print("%d objects, %s, in s3://%s/%s", n, size(total), into, under)
	return nil
}

// originClient returns a client of the store that o names, with the keys of the environment.
func (a *app) originClient(o origin) (*s3client.Client, error) {
	if o.endpoint == "" {
		o.endpoint = "https://s3." + o.region + ".amazonaws.com"
	}
	u, err := url.Parse(o.endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, usage{fmt.Errorf("--from-endpoint: %q is not of the form https://host:port", o.endpoint)}
	}
	return &s3client.Client{
		Endpoint: u, Region: o.region, PathStyle: o.pathStyle, HTTP: &http.Client{Transport: s3client.NewTransport()}, Clock: a.Clock, Random: rand.Reader,
		Credentials: s3client.Credentials{AccessKeyID: a.getenv("AWS_ACCESS_KEY_ID"), Secret: a.getenv("AWS_SECRET_ACCESS_KEY"), Token: a.getenv("AWS_SESSION_TOKEN")},
	}, nil
}

// all copies the objects below prefix, page by page, and returns their number and bytes.
func (i *objectImport) all(ctx context.Context, prefix, under string) (n int, total int64, err error) {
	after := ""
	for {
		page, more, err := i.from.List(ctx, i.source, prefix, after)
		if err != nil {
			return n, total, err
		}
		for _, o := range page {
			if err := i.one(ctx, o, below(under, strings.TrimPrefix(o.Key, prefix))); err != nil {
				return n, total, fmt.Errorf("s3://%s/%s: %w", i.source, o.Key, err)
			}
			n++
			total += o.Size
			after = o.Key
		}
		if !more || len(page) == 0 {
			return n, total, nil
		}
	}
}

// below returns the key of what is called rest below prefix.
func below(prefix, rest string) string {
	if prefix == "" || strings.HasSuffix(prefix, "/") {
		return prefix + strings.TrimPrefix(rest, "/")
	}
	return prefix + "/" + strings.TrimPrefix(rest, "/")
}

// one copies an object with its metadata and tags.
func (i *objectImport) one(ctx context.Context, o s3client.Object, key string) error {
	if o.Size > maxObjectImport {
		return fmt.Errorf("it has %s, and objects of up to %s are imported; copy it with `aws s3 cp`", size(o.Size), size(maxObjectImport))
	}
	answer, err := i.from.Get(ctx, i.source, o.Key, 0, -1)
	if err != nil {
		return err
	}
	file, sum, err := i.receive(answer)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file) }()
	header := ownHeader(answer.Header)
	if answer.Header.Get("X-Amz-Tagging-Count") != "" {
		tags, err := i.from.Tags(ctx, i.source, o.Key)
		if err != nil {
			return err
		}
		header.Set("X-Amz-Tagging", tags)
	}
	return i.to.PutFile(ctx, i.target, key, header, file, sum)
}

// receive writes the body of an answer to a file and returns its SHA-256 sum in hexadecimal. It closes the body.
func (i *objectImport) receive(answer *http.Response) (name, sum string, err error) {
	defer func() { _ = answer.Body.Close() }()
	f, err := os.CreateTemp(i.folder, "object-")
	if err != nil {
		return "", "", err
	}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, hash), answer.Body)
	if err == nil && answer.ContentLength >= 0 && n != answer.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return "", "", errors.Join(fmt.Errorf("receive the body: %w", err), os.Remove(f.Name()))
	}
	return f.Name(), hex.EncodeToString(hash.Sum(nil)), nil
}

// ownHeader returns those of an object's headers that it keeps in another store.
func ownHeader(from http.Header) http.Header {
	out := http.Header{}
	for name, values := range from {
		switch name {
		case "Content-Type", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires", "X-Amz-Website-Redirect-Location":
			out[name] = values
		default:
			if strings.HasPrefix(name, "X-Amz-Meta-") {
				out[name] = values
			}
		}
	}
	return out
}
