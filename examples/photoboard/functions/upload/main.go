// Command upload is the upload-token function. It checks that the caller owns the board, and answers with a URL to
// which the browser may PUT one picture, once.
//
// What the caller may do with the URL is fixed by what is signed: the key (with a nonce of its own), the size, the
// content type, the file's name, and If-None-Match: *, so that a URL used twice never overwrites.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"photoboard/internal/api"
	"photoboard/internal/pictures"
	"photoboard/internal/session"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const lifetime = 2 * time.Minute

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	megabytes, err := strconv.ParseInt(os.Getenv("MAX_UPLOAD_MEGABYTES"), 10, 64)
	if err != nil {
		log.Fatalf("MAX_UPLOAD_MEGABYTES: %v", err)
	}
	db := dynamodb.NewFromConfig(cfg)
	objects := s3.NewFromConfig(cfg, func(o *s3.Options) {
		// The browser sends the body, so the function cannot sign a checksum of it.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	})
	u := &uploads{
		db: db, sessions: session.New(db), presign: s3.NewPresignClient(objects),
		bucket: os.Getenv("UPLOADS_BUCKET"), maxBytes: megabytes << 20,
	}
	api.Serve(map[string]api.Handler{"POST /boards/{board}/uploads": u.create})
}

type uploads struct {
	db       *dynamodb.Client
	sessions *session.Sessions
	presign  *s3.PresignClient
	bucket   string
	maxBytes int64
}

var accepted = map[string]bool{"image/jpeg": true, "image/png": true, "image/gif": true, "image/webp": true}

func (u *uploads) create(ctx context.Context, r api.Request) (api.Response, error) {
	user, err := u.sessions.User(ctx, r)
	if err != nil {
		return api.Response{}, err
	}
	var file struct {
		Name string `json:"name"`
		Type string `json:"type"`
		Size int64  `json:"size"`
	}
	if err := api.Decode(r, &file); err != nil {
		return api.Response{}, err
	}
	switch {
	case !accepted[file.Type]:
		return api.Response{}, api.Errorf(http.StatusBadRequest, "pictures are JPEG, PNG, GIF or WebP, not %q", file.Type)
	case file.Size <= 0 || file.Size > u.maxBytes:
		return api.Response{}, api.Errorf(http.StatusBadRequest, "a picture has at most %d MB", u.maxBytes>>20)
	case file.Name == "" || len(file.Name) > 200 || !utf8.ValidString(file.Name):
		return api.Response{}, api.Errorf(http.StatusBadRequest, "a picture has a name of at most 200 bytes")
	}
	board := r.PathParameters["board"]
	if _, err := pictures.OwnBoard(ctx, u.db, user, board); err != nil {
		return api.Response{}, err
	}

	id := pictures.NewID()
	signed, err := u.presign.PresignPutObject(ctx, &s3.PutObjectInput{
		Bucket:        &u.bucket,
		Key:           aws.String(pictures.UploadKey(board, id)),
		ContentType:   &file.Type,
		ContentLength: &file.Size,
		IfNoneMatch:   aws.String("*"),
		Metadata:      map[string]string{"name": url.PathEscape(file.Name)}, // header values are ASCII
	}, s3.WithPresignExpires(lifetime))
	if err != nil {
		return api.Response{}, fmt.Errorf("sign upload: %w", err)
	}
	headers := map[string]string{}
	for name, values := range signed.SignedHeader {
		switch name {
		case "Host", "Content-Length": // the browser's own
		default:
			headers[name] = values[0]
		}
	}
	return api.JSON(http.StatusCreated, map[string]any{
		"id": id, "url": signed.URL, "method": signed.Method, "headers": headers, "seconds": int(lifetime.Seconds()),
	})
}
