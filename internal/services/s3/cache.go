package s3

import (
	"context"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/memo"
	"lambent.dev/lambent/internal/store/record"
)

// cached is how many buckets, and how many policies of each account and region, are kept decoded.
const cached = 4096

// region is what the policies of buckets are cached by: those of one account and region.
type region struct{ account, name string }

// caches hold what nearly every request needs of its bucket. Their values are shared and never changed.
type caches struct {
	// buckets are the records by name; nil for a name that no bucket has.
	buckets *memo.Cache[struct{}, string, *bucket]
	// policies are the policies by bucket id; the zero one for a bucket without.
	policies *memo.Cache[region, string, bucketPolicy]
	// blocks are the public access blocks of accounts; the zero one for an account without.
	blocks *memo.Cache[string, struct{}, publicAccessBlock]
}

func newCaches(s store.Store) caches {
	return caches{
		buckets: memo.New[struct{}, string, *bucket](s, cached, func(struct{}) [][]byte { return [][]byte{key.New("s3", "", "", "name")} }),
		policies: memo.New[region, string, bucketPolicy](s, cached, func(r region) [][]byte {
			return [][]byte{key.New("s3", r.account, r.name, "conf")}
		}),
		blocks: memo.New[string, struct{}, publicAccessBlock](s, 1, func(account string) [][]byte { return [][]byte{accountBlockKey(account)} }),
	}
}

func (c *caches) close(context.Context) error {
	c.buckets.Close()
	c.policies.Close()
	c.blocks.Close()
	return nil
}

// lookUp returns a bucket, which the caller must not change. owner is the x-amz-expected-bucket-owner header.
func (s *Service) lookUp(ctx context.Context, name string, owner *string) (b *bucket, err error) {
	if !namesPoint(name) {
		b, err = s.lookUpBucket(ctx, name, owner)
		if service.Code(err) != "NoSuchBucket" {
			return b, err
		}
	}
	err = s.store.View(ctx, func(r store.Reader) (err error) {
		b, err = s.find(ctx, r, name, owner)
		return err
	})
	return b, fromStore(err)
}

// lookUpBucket is lookUp for a bucket's own name.
func (s *Service) lookUpBucket(ctx context.Context, name string, owner *string) (*bucket, error) {
	if err := checkOwner(owner); err != nil {
		return nil, err
	}
	b, err := s.caches.buckets.Get(ctx, struct{}{}, name, func(r store.Reader) (*bucket, error) {
		b, err := findBucket(r, name, nil)
		if service.Code(err) == "NoSuchBucket" {
			return nil, nil
		}
		return b, err
	})
	switch {
	case err != nil:
		return nil, fromStore(err)
	case b == nil:
		return nil, noSuchBucket(name)
	}
	return b, b.expect(owner)
}

// policyFor returns the bucket policy as it counts for the caller of ctx. Inside a transaction it is effectivePolicy.
func (s *Service) policyFor(ctx context.Context, b *bucket) (string, error) {
	p, err := s.caches.policies.Get(ctx, region{b.Account, b.Region}, b.ID, func(r store.Reader) (bucketPolicy, error) {
		p, _, err := record.Get[bucketPolicy](r, b.confKey(policyConf))
		return p, err
	})
	if err != nil || !p.Public {
		return p.Document, fromStore(wrap("read bucket policy", err))
	}
	block, err := s.blockOf(ctx, b)
	return p.forCaller(ctx, b.Account, block), err
}
