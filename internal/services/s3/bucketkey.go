package s3

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"lambent.dev/lambent/internal/auth/keycheck"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/lib/lru"
	"lambent.dev/lambent/internal/lib/seal"
	"lambent.dev/lambent/internal/service/port"
)

const (
	// bucketKeyLife is for how long a bucket key is used before the key service is asked again. AWS says only that it is limited.
	bucketKeyLife = 5 * time.Minute
	// heldBucketKeys is how many of them are held.
	heldBucketKeys = 10_000

	objectKeySalt    = 16
	objectKeyPurpose = "lambent s3 object key 1"
)

// bucketKeys are data keys of the key service that are used for many objects (S3 Bucket Keys): each object has a key that follows from its bucket's and a salt, so
// that the key service is asked once in [bucketKeyLife] and not for each object. Every caller has bucket keys of their own, and so the right to use the key of the key
// service is asked of each; who loses it can go on for that long, as on AWS. A key that is switched off is not used any more. It is safe for concurrent use.
type bucketKeys struct {
	keys  port.Keys
	clock clock.Clock
	held  *lru.Cache[bucketKeyUse, bucketKey]
}

// bucketKeyUse is what a bucket key may be used for: new objects when wrapped is empty, otherwise those whose data key is wrapped so.
type bucketKeyUse struct {
	keycheck.Question
	wrapped string
}

type bucketKey struct {
	port.DataKey
	until time.Time
}

func newBucketKeys(keys port.Keys, c clock.Clock) *bucketKeys {
	return &bucketKeys{keys, c, lru.New[bucketKeyUse, bucketKey](heldBucketKeys)}
}

// generate returns the key for new objects of a bucket. Errors are those of [port.Keys].
func (k *bucketKeys) generate(ctx context.Context, use port.KeyUse) (port.DataKey, error) {
	return k.get(ctx, use, bucketKeyUse{Question: keycheck.QuestionOf(ctx, keycheck.Write, use)}, func() (port.DataKey, error) {
		return k.keys.GenerateDataKey(ctx, use)
	})
}

// open returns the key that generate returned with wrapped. Errors are those of [port.Keys].
func (k *bucketKeys) open(ctx context.Context, use port.KeyUse, wrapped []byte) ([]byte, error) {
	ask := func() (port.DataKey, error) {
		plain, err := k.keys.Decrypt(ctx, use, wrapped)
		return port.DataKey{Key: use.Key, Plain: plain}, err
	}
	if use.Granted { // nobody's right was asked
		made, err := ask()
		return made.Plain, err
	}
	made, err := k.get(ctx, use, bucketKeyUse{keycheck.QuestionOf(ctx, keycheck.Read, use), string(wrapped)}, ask)
	return made.Plain, err
}

// get returns the key that is held for what, or asks for one. A key of the key service that was switched off, or an alias that names another one now, counts at once.
func (k *bucketKeys) get(ctx context.Context, use port.KeyUse, what bucketKeyUse, ask func() (port.DataKey, error)) (port.DataKey, error) {
	now := k.clock.Now()
	if held, ok := k.held.Get(what); ok && now.Before(held.until) {
		name, err := k.keys.CheckKey(ctx, use)
		if err != nil {
			return port.DataKey{}, err
		}
		if name == held.Key {
			return held.DataKey, nil
		}
	}
	made, err := ask()
	if err == nil {
		k.held.Put(what, bucketKey{made, now.Add(bucketKeyLife)})
	}
	return made, err
}

// dataKey makes the data key of e, and notes in e how it is found again.
func (s *Service) dataKey(ctx context.Context, e *encryption, use port.KeyUse) (*sealing, error) {
	generate := s.keys.GenerateDataKey
	if e.BucketKey {
		generate = s.bucketKeys.generate
		e.Salt = make([]byte, objectKeySalt)
		if _, err := io.ReadFull(s.random, e.Salt); err != nil {
			return nil, fmt.Errorf("make a data key: %w", err)
		}
	}
	made, err := generate(ctx, use)
	if err != nil {
		return nil, err
	}
	e.Key, e.Wrapped = made.Key, made.Wrapped
	return e.with(made.Plain)
}

// with returns e with its data key, which is plain or follows from it.
func (e *encryption) with(plain []byte) (*sealing, error) {
	if len(e.Salt) == 0 {
		return &sealing{e, plain}, nil
	}
	own, err := hkdf.Key(sha256.New, plain, e.Salt, objectKeyPurpose, seal.KeySize)
	if err != nil {
		return nil, fmt.Errorf("make a data key: %w", err)
	}
	return &sealing{e, own}, nil
}
