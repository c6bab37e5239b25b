// Command image is the image function. An uploaded picture starts it; it makes the resized copies and then the
// picture's row, so that a picture that is listed can be shown.
//
// An event may arrive more than once: every step writes the same thing to the same place again.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/url"
	"os"
	"photoboard/internal/pictures"
	"strconv"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	megabytes, err := strconv.ParseInt(os.Getenv("MAX_UPLOAD_MEGABYTES"), 10, 64)
	if err != nil {
		log.Fatalf("MAX_UPLOAD_MEGABYTES: %v", err)
	}
	r := &resizer{
		db: dynamodb.NewFromConfig(cfg), objects: s3.NewFromConfig(cfg), maxBytes: megabytes << 20,
		table: os.Getenv("PICTURES_TABLE"), copies: os.Getenv("COPIES_BUCKET"),
	}
	lambda.Start(r.handle)
}

type resizer struct {
	db            *dynamodb.Client
	objects       *s3.Client
	table, copies string
	maxBytes      int64
}

func (r *resizer) handle(ctx context.Context, e events.S3Event) error {
	for _, record := range e.Records {
		// Keys in events are form-encoded.
		key, err := url.QueryUnescape(record.S3.Object.Key)
		if err != nil {
			return fmt.Errorf("object key %q: %w", record.S3.Object.Key, err)
		}
		if err := r.resize(ctx, record.S3.Bucket.Name, key); err != nil {
			return fmt.Errorf("resize %s: %w", key, err)
		}
	}
	return nil
}

func (r *resizer) resize(ctx context.Context, bucket, key string) error {
	board, id, err := pictures.ParseUploadKey(key)
	if err != nil {
		return err
	}
	out, err := r.objects.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return fmt.Errorf("read upload: %w", err)
	}
	defer out.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(out.Body, r.maxBytes+1))
	if err != nil {
		return fmt.Errorf("read upload: %w", err)
	}
	name, err := url.PathUnescape(out.Metadata["name"])
	if err != nil {
		name = id
	}
	row := map[string]types.AttributeValue{
		"id":       &types.AttributeValueMemberS{Value: id},
		"board":    &types.AttributeValueMemberS{Value: board},
		"name":     &types.AttributeValueMemberS{Value: name},
		"uploaded": &types.AttributeValueMemberN{Value: strconv.FormatInt(aws.ToTime(out.LastModified).UnixMilli(), 10)},
	}

	picture, err := decode(raw, r.maxBytes)
	var bad *badPicture
	switch {
	case errors.As(err, &bad):
		// Trying again would not help. The row tells the person who uploaded it.
		slog.WarnContext(ctx, "picture refused", "key", key, "reason", bad.Error())
		row["error"] = &types.AttributeValueMemberS{Value: bad.Error()}
	case err != nil:
		return err
	default:
		size := picture.Bounds().Size()
		row["width"] = &types.AttributeValueMemberN{Value: strconv.Itoa(size.X)}
		row["height"] = &types.AttributeValueMemberN{Value: strconv.Itoa(size.Y)}
		for name, side := range pictures.Sizes {
			if err := r.store(ctx, pictures.CopyKey(id, name), scaled(picture, side)); err != nil {
				return err
			}
		}
	}
	if _, err := r.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: &r.table, Item: row}); err != nil {
		return fmt.Errorf("store row: %w", err)
	}
	return nil
}

func (r *resizer) store(ctx context.Context, key string, jpeg []byte) error {
	_, err := r.objects.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &r.copies, Key: &key, Body: bytes.NewReader(jpeg),
		ContentType: aws.String("image/jpeg"), CacheControl: aws.String("private, max-age=31536000, immutable"),
	})
	if err != nil {
		return fmt.Errorf("store copy: %w", err)
	}
	return nil
}
