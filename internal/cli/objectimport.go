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

	"lambent.dev/lambent/internal/s3client"
)

// maxSinglePut is the largest object that one PutObject stores, in bytes.
const maxSinglePut = 5 << 30

// origin says where the objects of an import lie.
type origin struct {
	endpoint, region string
	pathStyle        bool
}

// objectImport copies objects from another store into a bucket of this Lambent.
type objectImport struct {
	from   *s3client.Client
	to     *importTarget
	source string // bucket
	folder string // of temporary files
	count  importCount
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
	t, err := newImportTarget(ctx, to, into)
	if err != nil {
		return err
	}
	i := &objectImport{from: from, to: t, source: bucket, folder: folder}
	if err := i.all(ctx, prefix, under); err != nil {
		return fmt.Errorf("import stopped after %d objects; the next one goes on there: %w", i.count.stored+i.count.there, err)
	}
	a.Term.Print("%s, in s3://%s/%s", i.count.text("object"), into, under)
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

// all copies the objects below prefix, page by page.
func (i *objectImport) all(ctx context.Context, prefix, under string) error {
	after := ""
	for {
		page, more, err := i.from.List(ctx, i.source, prefix, after)
		if err != nil {
			return err
		}
		for _, o := range page {
			if err := i.one(ctx, o, below(under, strings.TrimPrefix(o.Key, prefix))); err != nil {
				return fmt.Errorf("s3://%s/%s: %w", i.source, o.Key, err)
			}
			after = o.Key
		}
		if !more || len(page) == 0 {
			return nil
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

// one copies an object with its metadata and tags, unless it is there with the same content. An object that was made of parts is made of the same parts again, so that
// it has the same ETag.
func (i *objectImport) one(ctx context.Context, o s3client.Object, key string) error {
	if there, err := i.to.has(ctx, key, o.Size, o.ETag); there || err != nil {
		if there {
			i.count.add(false, o.Size)
		}
		return err
	}
	head, err := i.from.Head(ctx, i.source, o.Key)
	if err != nil {
		return err
	}
	header := ownHeader(head)
	if head.Get("X-Amz-Tagging-Count") != "" {
		tags, err := i.from.Tags(ctx, i.source, o.Key)
		if err != nil {
			return err
		}
		header.Set("X-Amz-Tagging", tags)
	}
	if o.Size > maxSinglePut || strings.Contains(o.ETag, "-") {
		err = i.inParts(ctx, o, key, header)
	} else {
		err = i.whole(ctx, o, key, header)
	}
	if err == nil {
		i.count.add(true, o.Size)
	}
	return err
}

// whole copies an object by one PutObject.
func (i *objectImport) whole(ctx context.Context, o s3client.Object, key string, header http.Header) error {
	body, done, err := i.fetch(ctx, o.Key, 0, -1)
	if err != nil {
		return err
	}
	defer done()
	_, err = i.to.c.Put(ctx, i.to.bucket, key, header, body)
	return err
}

// inParts copies an object in parts, each by itself.
func (i *objectImport) inParts(ctx context.Context, o s3client.Object, key string, header http.Header) error {
	part, err := i.from.PartSize(ctx, i.source, o.Key)
	if err != nil {
		return err
	}
	if part <= 0 || part >= o.Size && o.Size > maxSinglePut {
		part = importPart
	}
	for o.Size > part*maxParts {
		part *= 2
	}
	done := func() {}
	defer func() { done() }()
	return i.to.upload(ctx, key, header, func(number int) (body s3client.Body, err error) {
		done()
		done = func() {}
		from := int64(number-1) * part
		if from >= o.Size && number > 1 {
			return body, io.EOF
		}
		var remove func()
		if body, remove, err = i.fetch(ctx, o.Key, from, min(part, o.Size-from)); err == nil {
			done = remove
		}
		return body, err
	})
}

// fetch receives a part of an object, or all of it when length is negative, into a file that done removes.
func (i *objectImport) fetch(ctx context.Context, key string, offset, length int64) (body s3client.Body, done func(), err error) {
	answer, err := i.from.Get(ctx, i.source, key, offset, length)
	if err != nil {
		return body, nil, err
	}
	name, sum, err := i.receive(answer)
	if err != nil {
		return body, nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return body, nil, err
	}
	done = func() {
		_ = f.Close()
		_ = os.Remove(name) // the folder is removed in the end
	}
	info, err := f.Stat()
	if err != nil {
		done()
		return body, nil, err
	}
	return s3client.Body{Open: func() io.Reader { return io.NewSectionReader(f, 0, info.Size()) }, Size: info.Size(), SHA256: sum}, done, nil
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
