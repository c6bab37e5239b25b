package s3

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/store"
)

func (s *Service) putObjectTagging(ctx context.Context, in *api.PutObjectTaggingInput) (*api.PutObjectTaggingOutput, error) {
	if in.Tagging == nil {
		return nil, malformedXML()
	}
	if err := checkTags(in.Tagging.TagSet, maxObjectTags); err != nil {
		return nil, err
	}
	tags := make([]tag, 0, len(in.Tagging.TagSet))
	for _, t := range in.Tagging.TagSet {
		tags = append(tags, tag{t.Key, t.Value})
	}
	err := s.retag(ctx, in.Bucket, in.Key, in.ExpectedBucketOwner, in.VersionId, tags, "ObjectTagging:Put")
	return answerOf(&api.PutObjectTaggingOutput{}, err)
}

func (s *Service) deleteObjectTagging(ctx context.Context, in *api.DeleteObjectTaggingInput) (*api.DeleteObjectTaggingOutput, error) {
	err := s.retag(ctx, in.Bucket, in.Key, in.ExpectedBucketOwner, in.VersionId, nil, "ObjectTagging:Delete")
	return answerOf(&api.DeleteObjectTaggingOutput{}, err)
}

// retag changes the tags of an object in its row.
func (s *Service) retag(ctx context.Context, bucketName, object string, owner, id *string, tags []tag, event string) error {
	if err := checkVersionID("object tagging", id); err != nil {
		return err
	}
	return s.update(ctx, bucketName, owner, func(tx store.Txn, b *bucket) error {
		v, ok, err := findVersion(tx, b, object)
		if err != nil {
			return err
		}
		if !ok {
			return noSuchKey()
		}
		v.Tags = tags
		row, err := encodeRow(v, v.inline)
		if err != nil {
			return err
		}
		tx.Set(b.versionKey(object, v.Seq), row)
		return s.notify(ctx, tx, b, change{event: event, key: object, version: v})
	})
}

func (s *Service) getObjectTagging(ctx context.Context, in *api.GetObjectTaggingInput) (*api.GetObjectTaggingOutput, error) {
	if err := checkVersionID("GetObjectTagging", in.VersionId); err != nil {
		return nil, err
	}
	o, err := s.read(ctx, in.Bucket, in.Key, in.ExpectedBucketOwner)
	if err != nil {
		return nil, err
	}
	out := &api.GetObjectTaggingOutput{TagSet: []api.Tag{}}
	for _, t := range o.Tags {
		out.TagSet = append(out.TagSet, api.Tag{Key: t.Key, Value: t.Value})
	}
	return out, nil
}
