package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// photoboard is the example as a program uses it through one scheme.
type photoboard struct {
	API, Endpoint, Uploads, CA, Key, Secret string
	Picture                                 []byte

	scheme, token string
	http          *http.Client
}

// usePhotoboard uses the photo-board over HTTP and TLS, and looks at what it stored.
func usePhotoboard(ctx context.Context, input io.Reader) error {
	var p photoboard
	if err := json.NewDecoder(input).Decode(&p); err != nil {
		return err
	}
	var err error
	if p.http, err = client(p.CA); err != nil {
		return err
	}
	for _, p.scheme = range []string{"http", "https"} {
		if err := p.use(ctx); err != nil {
			return fmt.Errorf("%s: %w", p.scheme, err)
		}
	}
	return nil
}

func (p *photoboard) use(ctx context.Context) error {
	p.token = ""
	var user struct{ Token string }
	if err := p.call(ctx, "POST", "/signup", map[string]string{"name": "go-" + p.scheme, "password": "correct horse"}, http.StatusCreated, &user); err != nil {
		return err
	}
	p.token = user.Token
	var board struct{ ID string }
	if err := p.call(ctx, "POST", "/boards", map[string]string{"title": "Lakes"}, http.StatusCreated, &board); err != nil {
		return err
	}
	if err := p.upload(ctx, board.ID); err != nil {
		return err
	}
	if err := p.appears(ctx, board.ID); err != nil {
		return err
	}
	return p.stored(ctx, board.ID)
}

// upload asks for a URL and puts the picture there: cut short, as it is, and once more.
func (p *photoboard) upload(ctx context.Context, board string) error {
	var upload struct {
		URL, Method string
		Headers     map[string]string
	}
	file := map[string]any{"name": "lake ä.jpg", "type": "image/jpeg", "size": len(p.Picture)}
	if err := p.call(ctx, "POST", "/boards/"+board+"/uploads", file, http.StatusCreated, &upload); err != nil {
		return err
	}
	for _, try := range []struct{ length, want int }{{len(p.Picture) - 1, http.StatusForbidden}, {len(p.Picture), http.StatusOK}, {len(p.Picture), http.StatusPreconditionFailed}} {
		if status, text, err := p.send(ctx, upload.Method, upload.URL, upload.Headers, p.Picture[:try.length]); err != nil || status != try.want {
			return fmt.Errorf("upload of %d bytes: %d, want %d: %s, %w", try.length, status, try.want, text, err)
		}
	}
	return nil
}

// appears waits for the picture's copy on the board.
func (p *photoboard) appears(ctx context.Context, board string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		var shown struct {
			Pictures []struct {
				Name, Thumb string
				Width       int
			}
		}
		if err := p.call(ctx, "GET", "/boards/"+board, nil, http.StatusOK, &shown); err != nil {
			return err
		}
		if len(shown.Pictures) == 0 {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		picture := shown.Pictures[0]
		if picture.Name != "lake ä.jpg" || picture.Width != 720 {
			return fmt.Errorf("on the board is %+v", picture)
		}
		if status, text, err := p.send(ctx, "GET", picture.Thumb, nil, nil); err != nil || status != http.StatusOK || !strings.HasPrefix(text, "\xff\xd8\xff") {
			return fmt.Errorf("its copy: %d, %w", status, err)
		}
		return nil
	}
}

// stored compares what is in the bucket.
func (p *photoboard) stored(ctx context.Context, board string) error {
	b := s3.New(s3.Options{
		BaseEndpoint: aws.String(p.at(p.Endpoint)), Region: "us-east-1", UsePathStyle: true, HTTPClient: p.http,
		Credentials: credentials.NewStaticCredentialsProvider(p.Key, p.Secret, ""),
	})
	page, err := b.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &p.Uploads, Prefix: aws.String(board + "/")})
	if err != nil {
		return err
	}
	if len(page.Contents) != 1 {
		return fmt.Errorf("%d objects of the board", len(page.Contents))
	}
	got, err := b.GetObject(ctx, &s3.GetObjectInput{Bucket: &p.Uploads, Key: page.Contents[0].Key})
	if err != nil {
		return err
	}
	defer got.Body.Close()
	if body, err := io.ReadAll(got.Body); err != nil || !bytes.Equal(body, p.Picture) {
		return fmt.Errorf("the object is another one: %d bytes, %w", len(body), err)
	}
	return nil
}

func (p *photoboard) at(url string) string { return strings.Replace(url, "http:", p.scheme+":", 1) }

// call calls the application and decodes its answer.
func (p *photoboard) call(ctx context.Context, method, path string, in any, want int, out any) error {
	header := map[string]string{"Content-Type": "application/json"}
	if p.token != "" {
		header["Authorization"] = "Bearer " + p.token
	}
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	status, text, err := p.send(ctx, method, p.API+path, header, body)
	if err != nil {
		return err
	}
	if status != want {
		return fmt.Errorf("%s: %d: %s", path, status, text)
	}
	return json.Unmarshal([]byte(text), out)
}

func (p *photoboard) send(ctx context.Context, method, url string, header map[string]string, body []byte) (int, string, error) {
	fields := http.Header{}
	for name, value := range header {
		fields.Set(name, value)
	}
	return send(ctx, p.http, method, p.at(url), fields, bytes.NewReader(body))
}
