package s3

import (
	"context"
	"net/url"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// renameSource reads the x-amz-rename-source header: a key of the same bucket, percent-encoded, with the bucket in front or not.
func renameSource(bucketName, header string) (string, error) {
	key, err := url.PathUnescape(strings.TrimPrefix(header, "/"))
	if err != nil {
		return "", invalidValue("x-amz-rename-source", header, "Invalid rename source encoding")
	}
	key = strings.TrimPrefix(key, bucketName+"/")
	return key, checkKey(key)
}

// renameObject moves an object to another key of its bucket, in one transaction and without its body. Buckets with versioning are refused: their
// versions have their key for good.
func (s *Service) renameObject(ctx context.Context, in *api.RenameObjectInput) (*api.RenameObjectOutput, error) {
	from, err := renameSource(in.Bucket, in.RenameSource)
	if err != nil {
		return nil, err
	}
	if err := checkKey(in.Key); err != nil {
		return nil, err
	}
	if from == in.Key {
		return nil, invalidRequest("The source and the destination of a rename are the same object.")
	}
	target := readConditions{in.DestinationIfMatch, in.DestinationIfNoneMatch, in.DestinationIfModifiedSince, in.DestinationIfUnmodifiedSince}
	source := readConditions{in.SourceIfMatch, in.SourceIfNoneMatch, in.SourceIfModifiedSince, in.SourceIfUnmodifiedSince}
	err = s.update(ctx, in.Bucket, nil, func(tx store.Txn, b *bucket) error {
		if b.Versioning != "" {
			return invalidRequest("RenameObject is not supported for buckets with versioning.")
		}
		prev, exists, err := findVersion(tx, b, in.Key)
		if err != nil || exists && prev.Renamed != "" && prev.Renamed == deref(in.ClientToken) {
			return err // the same call was made before
		}
		v, err := pick(tx, b, from, nil)
		if err != nil {
			return err
		}
		if err := source.checkCopy(v, s.now()); err != nil {
			return err
		}
		switch {
		case exists:
			err = target.checkCopy(prev, s.now())
		case in.DestinationIfMatch != nil:
			err = noSuchKey(in.Key)
		}
		if err != nil {
			return err
		}
		return s.moveVersion(ctx, tx, b, from, in.Key, deref(in.ClientToken), v, prev)
	})
	return answerOf(&api.RenameObjectOutput{}, err)
}

// moveVersion gives the rows of a version another key, for a call with a client token. Its bodies and their references stay.
func (s *Service) moveVersion(ctx context.Context, tx store.Txn, b *bucket, from, to, token string, v, prev *version) error {
	tx.Delete(b.versionKey(from, v.Seq))
	tx.Delete(b.currentKey(from))
	gone := &version{Seq: s.nextSeq(v)}
	moved := *v
	moved.Seq, moved.Renamed = s.nextSeq(prev), token
	if err := s.setVersion(tx, b, to, &moved, prev); err != nil {
		return err
	}
	if err := s.notify(ctx, tx, b, change{event: "ObjectCreated:Copy", key: to, version: &moved}); err != nil {
		return err
	}
	return s.notify(ctx, tx, b, change{event: "ObjectRemoved:Delete", key: from, version: gone})
}

// renameAccess is what a rename needs: to read and delete the source, and to write the target.
func (s *Service) renameAccess(ctx context.Context, in *api.RenameObjectInput) ([]service.Target, error) {
	from, err := renameSource(in.Bucket, in.RenameSource)
	if err != nil {
		return nil, err
	}
	to, err := s.objectTarget(ctx, in.Bucket, in.Key, nil)
	if err != nil {
		return nil, err
	}
	source, err := s.objectTarget(ctx, in.Bucket, from, nil)
	if err != nil {
		return nil, err
	}
	read, remove := source, source
	read.Action, remove.Action = "s3:GetObject", "s3:DeleteObject"
	return []service.Target{to, read, remove}, nil
}
