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
	if err := checkTags(ctx, in.Tagging.TagSet, maxObjectTags); err != nil {
		return nil, err
	}
	tags := make([]tag, 0, len(in.Tagging.TagSet))
	for _, t := range in.Tagging.TagSet {
		tags = append(tags, tag{t.Key, t.Value})
	}
	id, err := s.retag(ctx, in.Bucket, in.Key, in.ExpectedBucketOwner, in.VersionId, tags, "ObjectTagging:Put")
	return answerOf(&api.PutObjectTaggingOutput{VersionId: id}, err)
}

func (s *Service) deleteObjectTagging(ctx context.Context, in *api.DeleteObjectTaggingInput) (*api.DeleteObjectTaggingOutput, error) {
	id, err := s.retag(ctx, in.Bucket, in.Key, in.ExpectedBucketOwner, in.VersionId, nil, "ObjectTagging:Delete")
	return answerOf(&api.DeleteObjectTaggingOutput{VersionId: id}, err)
}

// retag changes the tags of a version in its row, and returns the version's id.
func (s *Service) retag(ctx context.Context, bucketName, object string, owner, id *string, tags []tag, event string) (shown *string, err error) {
	if err := checkVersionID(id); err != nil {
		return nil, err
	}
	err = s.update(ctx, bucketName, owner, func(tx store.Txn, b *bucket) error {
		v, err := pick(tx, b, object, id)
		if err != nil {
			return refused(err)
		}
		v.Tags, shown = tags, v.shownID(b)
		if err := putRow(tx, b, object, v); err != nil {
			return err
		}
		return s.notify(ctx, tx, b, change{event: event, key: object, version: v})
	})
	return shown, err
}

func (s *Service) getObjectTagging(ctx context.Context, in *api.GetObjectTaggingInput) (*api.GetObjectTaggingOutput, error) {
	o, err := s.read(ctx, source{bucket: in.Bucket, key: in.Key, owner: in.ExpectedBucketOwner, id: in.VersionId, head: true})
	if err != nil {
		return nil, about(ctx, in.Bucket, refused(err))
	}
	out := &api.GetObjectTaggingOutput{TagSet: []api.Tag{}, VersionId: o.shownID(o.bucket)}
	for _, t := range o.Tags {
		out.TagSet = append(out.TagSet, api.Tag{Key: t.Key, Value: t.Value})
	}
	return out, nil
}
