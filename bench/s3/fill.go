package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"

	api "lambent.dev/lambent/internal/awsapi/s3"
	blobmem "lambent.dev/lambent/internal/blob/mem"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/s3"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/pebble"
)

// fillBatch is how many keys one transaction of fill writes.
const fillBatch = 2000

// listedKey is the nth key of the bucket that is listed: a thousand keys in each folder.
func listedKey(n int) string { return fmt.Sprintf("listed/%05d/%08d", n/1000, n) }

// fill puts n empty objects into the bucket of a platform that is not running. It runs the object store's own PutObject, many of them in one
// transaction, so that the rows are those that requests would have written.
func fill(ctx context.Context, dataDir string, n int) (err error) {
	kv, err := pebble.Open(filepath.Join(dataDir, "store"), pebble.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kv.Close()) }()
	many := &gathered{Store: kv}
	contents := s3.New(service.Deps{
		Store: many, Blobs: blobmem.New(), Door: openDoor{}, Clock: clock.System{}, Random: rand.Reader, Log: slog.New(slog.DiscardHandler),
	}, s3.Options{}).Service()
	defer func() { err = errors.Join(err, contents.Close(ctx)) }()
	put, err := operation(contents, "PutObject")
	if err != nil {
		return err
	}
	const account = "000000000000"
	ctx = service.WithRequest(ctx, &service.Request{API: "s3", Account: account, Region: "us-east-1", Principal: service.Principal{
		Kind: service.Root, Account: account, ARN: "arn:aws:iam::" + account + ":root", UserID: account,
	}})
	for from := 0; from < n; from += fillBatch {
		err := many.together(ctx, func() error {
			for i := from; i < min(from+fillBatch, n); i++ {
				if _, err := put(ctx, &api.PutObjectInput{Bucket: "bench", Key: listedKey(i), Body: eof{}}); err != nil {
					return fmt.Errorf("put %s: %w", listedKey(i), err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func operation(s service.Service, name string) (func(ctx context.Context, in any) (any, error), error) {
	for _, b := range s.Operations {
		if b.Name == name {
			return b.Call, nil
		}
	}
	return nil, fmt.Errorf("the object store has no operation %s", name)
}

// eof is an empty body.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// openDoor lets everything through; nothing of what fill does goes to another service.
type openDoor struct{}

func (openDoor) Call(context.Context, string, string, any) (any, error) {
	return nil, errors.New("the filler calls no services")
}
func (openDoor) Allow(context.Context, service.Target) error { return nil }

// gathered is a store whose updates are one transaction while together runs. It is used by one goroutine.
type gathered struct {
	store.Store
	tx store.Txn
}

func (g *gathered) together(ctx context.Context, fn func() error) error {
	return g.Store.Update(ctx, func(tx store.Txn) error {
		g.tx = tx
		defer func() { g.tx = nil }()
		return fn()
	})
}

// Update implements store.Store.
func (g *gathered) Update(_ context.Context, fn func(tx store.Txn) error) error { return fn(g.tx) }

// View implements store.Store.
func (g *gathered) View(_ context.Context, fn func(r store.Reader) error) error { return fn(g.tx) }
