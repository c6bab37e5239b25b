package main

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// form uploads files as a browser's form does.
func (b *bucket) form(ctx context.Context) error {
	post, err := s3.NewPresignClient(b.Client).PresignPostObject(ctx, &s3.PutObjectInput{Bucket: b.name, Key: aws.String("forms/${filename}")}, func(o *s3.PresignPostOptions) {
		o.Conditions = []any{[]any{"content-length-range", 1, 20}}
	})
	if err != nil {
		return err
	}
	for file, want := range map[string]int{"picture": http.StatusNoContent, strings.Repeat("p", 21): http.StatusBadRequest} {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		for k, v := range post.Values {
			if err := w.WriteField(k, v); err != nil {
				return err
			}
		}
		part, err := w.CreateFormFile("file", "p.png")
		if err != nil {
			return err
		}
		if _, err := part.Write([]byte(file)); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		if status, text, err := send(ctx, b.http, http.MethodPost, post.URL, http.Header{"Content-Type": {w.FormDataContentType()}}, &body); err != nil || status != want {
			return fmt.Errorf("form: %d, want %d: %s, %w", status, want, text, err)
		}
	}
	if got, err := b.get(ctx, "forms/p.png", nil); err != nil || got != "picture" {
		return fmt.Errorf("what the form uploaded: %q, %w", got, err)
	}
	return nil
}
