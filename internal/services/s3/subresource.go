package s3

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"unicode"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// The kinds of rows under "conf": the sub-resources of a bucket.
const (
	policyConf       = "policy"
	corsConf         = "cors"
	websiteConf      = "website"
	notificationConf = "notification"
	tagsConf         = "tags"

	replicationConf = "replication"
	lifecycleConf   = "lifecycle"

	bucketOwnerEnforced  = "BucketOwnerEnforced"
	bucketOwnerPreferred = "BucketOwnerPreferred"
	objectWriter         = "ObjectWriter"
)

// getConf returns a sub-resource of a bucket, or missing when it has none.
func getConf[T any](ctx context.Context, s *Service, name string, owner *string, kind string, missing *service.Error) (T, error) {
	var v T
	err := s.view(ctx, name, owner, func(r store.Reader, b *bucket) error {
		var ok bool
		var err error
		v, ok, err = record.Get[T](r, b.confKey(kind))
		if err == nil && !ok && missing != nil {
			return missing
		}
		return err
	})
	return v, err
}

// setConf writes a sub-resource of a bucket.
func setConf[T any](ctx context.Context, s *Service, name string, owner *string, kind string, v T) error {
	return s.update(ctx, name, owner, func(tx store.Txn, b *bucket) error {
		return record.Set(tx, b.confKey(kind), v)
	})
}

// deleteConf removes a sub-resource of a bucket; a missing one is no error.
func (s *Service) deleteConf(ctx context.Context, name string, owner *string, kind string) error {
	return s.update(ctx, name, owner, func(tx store.Txn, b *bucket) error {
		tx.Delete(b.confKey(kind))
		return nil
	})
}

// changeBucket changes the record of a bucket.
func (s *Service) changeBucket(ctx context.Context, name string, owner *string, change func(b *bucket)) error {
	return s.update(ctx, name, owner, func(tx store.Txn, b *bucket) error {
		change(b)
		return record.Set(tx, nameKey(b.Name), *b)
	})
}

func (s *Service) putPublicAccessBlock(ctx context.Context, in *api.PutPublicAccessBlockInput) (*api.PutPublicAccessBlockOutput, error) {
	c := in.PublicAccessBlockConfiguration
	if c == nil {
		return nil, malformedXML()
	}
	err := s.changeBucket(ctx, in.Bucket, in.ExpectedBucketOwner, func(b *bucket) {
		b.Block = &publicAccessBlock{deref(c.BlockPublicAcls), deref(c.IgnorePublicAcls), deref(c.BlockPublicPolicy), deref(c.RestrictPublicBuckets)}
	})
	return answerOf(&api.PutPublicAccessBlockOutput{}, err)
}

func (s *Service) getPublicAccessBlock(ctx context.Context, in *api.GetPublicAccessBlockInput) (*api.GetPublicAccessBlockOutput, error) {
	out := &api.GetPublicAccessBlockOutput{}
	err := s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ store.Reader, b *bucket) error {
		if b.Block == nil {
			return fail("NoSuchPublicAccessBlockConfiguration", http.StatusNotFound, "The public access block configuration was not found")
		}
		out.PublicAccessBlockConfiguration = &api.PublicAccessBlockConfiguration{
			BlockPublicAcls: &b.Block.BlockPublicACLs, IgnorePublicAcls: &b.Block.IgnorePublicACLs,
			BlockPublicPolicy: &b.Block.BlockPublicPolicy, RestrictPublicBuckets: &b.Block.RestrictPublicBuckets,
		}
		return nil
	})
	return answerOf(out, err)
}

func (s *Service) deletePublicAccessBlock(ctx context.Context, in *api.DeletePublicAccessBlockInput) (*api.DeletePublicAccessBlockOutput, error) {
	err := s.changeBucket(ctx, in.Bucket, in.ExpectedBucketOwner, func(b *bucket) { b.Block = nil })
	return answerOf(&api.DeletePublicAccessBlockOutput{}, err)
}

func (s *Service) putBucketOwnershipControls(ctx context.Context, in *api.PutBucketOwnershipControlsInput) (*api.PutBucketOwnershipControlsOutput, error) {
	if in.OwnershipControls == nil || len(in.OwnershipControls.Rules) != 1 {
		return nil, malformedXML()
	}
	o := in.OwnershipControls.Rules[0].ObjectOwnership
	if o != bucketOwnerEnforced && o != bucketOwnerPreferred && o != objectWriter {
		return nil, malformedXML()
	}
	err := s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		if o == bucketOwnerEnforced && slices.ContainsFunc(b.grants(), func(g grant) bool { return g.ID != canonicalID(b.Account) }) {
			return aclWithOwnership()
		}
		b.Ownership, b.OwnershipDeleted = o, false
		return record.Set(tx, nameKey(b.Name), *b)
	})
	return answerOf(&api.PutBucketOwnershipControlsOutput{}, err)
}

func (s *Service) getBucketOwnershipControls(ctx context.Context, in *api.GetBucketOwnershipControlsInput) (*api.GetBucketOwnershipControlsOutput, error) {
	out := &api.GetBucketOwnershipControlsOutput{}
	err := s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ store.Reader, b *bucket) error {
		if b.OwnershipDeleted {
			return fail("OwnershipControlsNotFoundError", http.StatusNotFound, "The bucket ownership controls were not found")
		}
		out.OwnershipControls = &api.OwnershipControls{Rules: []api.OwnershipControlsRule{{ObjectOwnership: b.ownership()}}}
		return nil
	})
	return answerOf(out, err)
}

func (s *Service) deleteBucketOwnershipControls(ctx context.Context, in *api.DeleteBucketOwnershipControlsInput) (*api.DeleteBucketOwnershipControlsOutput, error) {
	err := s.changeBucket(ctx, in.Bucket, in.ExpectedBucketOwner, func(b *bucket) { b.OwnershipDeleted = true })
	return answerOf(&api.DeleteBucketOwnershipControlsOutput{}, err)
}

func (s *Service) putBucketTagging(ctx context.Context, in *api.PutBucketTaggingInput) (*api.PutBucketTaggingOutput, error) {
	if in.Tagging == nil {
		return nil, malformedXML()
	}
	if err := checkTags(ctx, in.Tagging.TagSet, maxBucketTags); err != nil {
		return nil, err
	}
	err := s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		if err := b.tagsByControl(); err != nil {
			return err
		}
		return record.Set(tx, b.confKey(tagsConf), in.Tagging.TagSet)
	})
	return answerOf(&api.PutBucketTaggingOutput{}, err)
}

func (s *Service) getBucketTagging(ctx context.Context, in *api.GetBucketTaggingInput) (*api.GetBucketTaggingOutput, error) {
	tags, err := getConf[[]api.Tag](ctx, s, in.Bucket, in.ExpectedBucketOwner, tagsConf, fail("NoSuchTagSet", http.StatusNotFound, "The TagSet does not exist"))
	return answerOf(&api.GetBucketTaggingOutput{TagSet: tags}, err)
}

func (s *Service) deleteBucketTagging(ctx context.Context, in *api.DeleteBucketTaggingInput) (*api.DeleteBucketTaggingOutput, error) {
	err := s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		tx.Delete(b.confKey(tagsConf))
		return b.tagsByControl()
	})
	return answerOf(&api.DeleteBucketTaggingOutput{}, err)
}

// RefusedTag is what S3 tells of a tag beside the error's message.
type RefusedTag struct{ TagKey, TagValue string }

func invalidTag(message string, t RefusedTag) error {
	return fail("InvalidTag", http.StatusBadRequest, "%s", message).WithDetail(&t)
}

// checkTags applies https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html: keys of 1 to 128 and values of up to
// 256 characters, no key twice, none of AWS's own. The latter are for services of the platform, such as stacks that tag their buckets.
func checkTags(ctx context.Context, tags []api.Tag, most int) error {
	own := make([]tag, 0, len(tags))
	for _, t := range tags {
		if strings.HasPrefix(t.Key, "aws:") && (most != maxBucketTags || service.RequestFrom(ctx).HTTP != nil) {
			return invalidTag("System tags cannot be added/updated by requester", RefusedTag{})
		}
		own = append(own, tag{t.Key, t.Value})
	}
	return checkTagSet(own, most)
}

func checkObjectTags(tags []tag) error { return checkTagSet(tags, maxObjectTags) }

func checkTagSet(tags []tag, most int) error {
	if len(tags) > most {
		if most == maxBucketTags {
			return fail("BadRequest", http.StatusBadRequest, "Bucket tag count cannot be greater than %d", most)
		}
		return fail("BadRequest", http.StatusBadRequest, "Object tags cannot be greater than %d", most)
	}
	for i, t := range tags {
		switch {
		case t.Key == "" || len([]rune(t.Key)) > 128 || !tagText(t.Key):
			return invalidTag("The TagKey you have provided is invalid", RefusedTag{TagKey: t.Key})
		case len([]rune(t.Value)) > 256 || !tagText(t.Value):
			return invalidTag("The TagValue you have provided is invalid", RefusedTag{TagKey: t.Key, TagValue: t.Value})
		case slices.ContainsFunc(tags[:i], func(o tag) bool { return o.Key == t.Key }):
			return invalidTag("Cannot provide multiple Tags with the same key", RefusedTag{TagKey: t.Key})
		}
	}
	return nil
}

// answerOf returns out, or nothing when there is an error.
func answerOf[T any](out *T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return out, nil
}

// tagText tells whether a tag's key or value has only letters, numbers, spaces and + - = . _ : / @.
func tagText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsSpace(r) && !strings.ContainsRune("+-=._:/@", r)
	})
}
