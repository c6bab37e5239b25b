package s3

import (
	"context"
	"net/http"

	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// or returns the block that has what either has.
func (p publicAccessBlock) or(q publicAccessBlock) publicAccessBlock {
	return publicAccessBlock{
		BlockPublicACLs: p.BlockPublicACLs || q.BlockPublicACLs, IgnorePublicACLs: p.IgnorePublicACLs || q.IgnorePublicACLs,
		BlockPublicPolicy: p.BlockPublicPolicy || q.BlockPublicPolicy, RestrictPublicBuckets: p.RestrictPublicBuckets || q.RestrictPublicBuckets,
	}
}

// own returns the bucket's own block.
func (b *bucket) own() publicAccessBlock {
	if b.Block == nil {
		return publicAccessBlock{}
	}
	return *b.Block
}

// accountBlock returns the block of an account.
func (s *Service) accountBlock(ctx context.Context, account string) (publicAccessBlock, error) {
	p, err := s.caches.blocks.Get(ctx, account, struct{}{}, func(r store.Reader) (publicAccessBlock, error) { return readAccountBlock(r, account) })
	return p, fromStore(err)
}

func readAccountBlock(r store.Reader, account string) (publicAccessBlock, error) {
	p, _, err := record.Get[publicAccessBlock](r, accountBlockKey(account))
	return p, wrap("read public access block", err)
}

// blockOf returns what counts for a bucket: its own block and that of its account. Inside a transaction it is blockIn.
func (s *Service) blockOf(ctx context.Context, b *bucket) (publicAccessBlock, error) {
	p, err := s.accountBlock(ctx, b.Account)
	return p.or(b.own()), err
}

func blockIn(r store.Reader, b *bucket) (publicAccessBlock, error) {
	p, err := readAccountBlock(r, b.Account)
	return p.or(b.own()), err
}

func (s *Service) putAccountBlock(ctx context.Context, in *control.PutPublicAccessBlockInput) (*control.PutPublicAccessBlockOutput, error) {
	if err := checkAccount(ctx, in.AccountId); err != nil {
		return nil, err
	}
	c := in.PublicAccessBlockConfiguration
	if c == nil {
		return nil, malformedXML()
	}
	err := s.store.Update(ctx, func(tx store.Txn) error {
		return record.Set(tx, accountBlockKey(in.AccountId), publicAccessBlock{deref(c.BlockPublicAcls), deref(c.IgnorePublicAcls), deref(c.BlockPublicPolicy), deref(c.RestrictPublicBuckets)})
	})
	return answerOf(&control.PutPublicAccessBlockOutput{}, fromStore(wrap("put public access block", err)))
}

func (s *Service) getAccountBlock(ctx context.Context, in *control.GetPublicAccessBlockInput) (*control.GetPublicAccessBlockOutput, error) {
	if err := checkAccount(ctx, in.AccountId); err != nil {
		return nil, err
	}
	out := &control.GetPublicAccessBlockOutput{}
	err := s.store.View(ctx, func(r store.Reader) error {
		p, ok, err := record.Get[publicAccessBlock](r, accountBlockKey(in.AccountId))
		if err == nil && !ok {
			return fail("NoSuchPublicAccessBlockConfiguration", http.StatusNotFound, "The public access block configuration was not found")
		}
		out.PublicAccessBlockConfiguration = &control.PublicAccessBlockConfiguration{
			BlockPublicAcls: &p.BlockPublicACLs, IgnorePublicAcls: &p.IgnorePublicACLs, BlockPublicPolicy: &p.BlockPublicPolicy, RestrictPublicBuckets: &p.RestrictPublicBuckets,
		}
		return err
	})
	return answerOf(out, fromStore(err))
}

func (s *Service) deleteAccountBlock(ctx context.Context, in *control.DeletePublicAccessBlockInput) (*control.DeletePublicAccessBlockOutput, error) {
	if err := checkAccount(ctx, in.AccountId); err != nil {
		return nil, err
	}
	err := s.store.Update(ctx, func(tx store.Txn) error {
		tx.Delete(accountBlockKey(in.AccountId))
		return nil
	})
	return answerOf(&control.DeletePublicAccessBlockOutput{}, fromStore(wrap("delete public access block", err)))
}
