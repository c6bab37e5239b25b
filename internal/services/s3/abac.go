package s3

import (
	"context"
	"net/http"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/s3"
	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// putBucketAbac says whether the tags of a bucket have a part in authorisation:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/buckets-tagging-enable-abac.html.
func (s *Service) putBucketAbac(ctx context.Context, in *api.PutBucketAbacInput) (*api.PutBucketAbacOutput, error) {
	if in.AbacStatus == nil || in.AbacStatus.Status != api.BucketAbacStatusEnabled && in.AbacStatus.Status != api.BucketAbacStatusDisabled {
		return nil, malformedXML()
	}
	err := s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		b.Tags, b.ABAC = nil, in.AbacStatus.Status == api.BucketAbacStatusEnabled
		if b.ABAC {
			tags, _, err := record.Get[[]api.Tag](tx, b.confKey(tagsConf))
			if err != nil {
				return err
			}
			b.Tags = plainTags(tags)
		}
		return record.Set(tx, nameKey(b.Name), *b)
	})
	return answerOf(&api.PutBucketAbacOutput{}, err)
}

func (s *Service) getBucketAbac(ctx context.Context, in *api.GetBucketAbacInput) (*api.GetBucketAbacOutput, error) {
	out := &api.GetBucketAbacOutput{AbacStatus: &api.AbacStatus{Status: api.BucketAbacStatusDisabled}}
	err := s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ store.Reader, b *bucket) error {
		if b.ABAC {
			out.AbacStatus.Status = api.BucketAbacStatusEnabled
		}
		return nil
	})
	return answerOf(out, err)
}

func plainTags(tags []api.Tag) []tag {
	own := make([]tag, 0, len(tags))
	for _, t := range tags {
		own = append(own, tag{t.Key, t.Value})
	}
	return own
}

// tagsByControl refuses the older way to tag a bucket whose tags are part of authorisation.
func (b *bucket) tagsByControl() error {
	if !b.ABAC {
		return nil
	}
	return fail("InvalidRequest", http.StatusBadRequest, "Attribute-based access control is enabled for the bucket %s, so its tags are changed with TagResource and UntagResource of S3 Control.", b.Name)
}

// setTags writes the tags of a bucket; none removes them.
func (b *bucket) setTags(tx store.Txn, tags []tag) error {
	if len(tags) == 0 {
		tx.Delete(b.confKey(tagsConf))
	} else {
		shown := make([]api.Tag, 0, len(tags))
		for _, t := range tags {
			shown = append(shown, api.Tag{Key: t.Key, Value: t.Value})
		}
		if err := record.Set(tx, b.confKey(tagsConf), shown); err != nil {
			return err
		}
	}
	if !b.ABAC {
		return nil
	}
	b.Tags = tags
	return record.Set(tx, nameKey(b.Name), *b)
}

// conditions returns the condition keys that hold for every call about the bucket: those of the access point through which it was named, and its tags when they
// are part of authorisation.
func (b *bucket) conditions() map[string][]string {
	all := b.through()
	for _, t := range b.Tags {
		all = with(all, "aws:ResourceTag/"+t.Key, t.Value)
		all = with(all, "s3:BucketTag/"+t.Key, t.Value)
	}
	return all
}

// conditionsOf returns the condition keys of a call about a bucket as they are for the access point that it came through: with that one's tags in
// the place of the bucket's.
func (p *accessPoint) conditionsOf(bucket map[string][]string) map[string][]string {
	all := map[string][]string{}
	for k, v := range bucket {
		if !strings.HasPrefix(k, "aws:ResourceTag/") {
			all[k] = v
		}
	}
	return p.tagConditions(all)
}

// tagConditions adds the condition keys of the access point's tags.
func (p *accessPoint) tagConditions(all map[string][]string) map[string][]string {
	for _, t := range p.Tags {
		all = with(all, "aws:ResourceTag/"+t.Key, t.Value)
		all = with(all, "s3:AccessPointTag/"+t.Key, t.Value)
	}
	return all
}

// taggable is what TagResource and its kin work on: a bucket, an access point, a Storage Lens group of a place, or what resource of an access grants instance names.
type taggable struct {
	bucket   *bucket
	point    *accessPoint
	lens     lensPlace
	group    *lensGroup
	grants   grantsPlace
	resource string
}

// tagged finds what an ARN of a tagging call names.
func (s *Service) tagged(r store.Reader, text string) (t taggable, err error) {
	if name, ok := strings.CutPrefix(text, "arn:aws:s3:::"); ok && !strings.ContainsAny(name, "/:") {
		t.bucket, err = findBucket(r, name, nil)
		return t, err
	}
	if p, ok := parsePointARN(text); ok {
		found, ok, err := record.Get[accessPoint](r, p.key())
		if err == nil && !ok {
			err = noSuchPoint()
		}
		t.point = &found
		return t, err
	}
	if p, resource, ok := parseGrantsARN(text); ok {
		t.grants, t.resource = p, resource
		return t, findGrantsResource(r, p, resource)
	}
	if p, name, ok := parseLensGroupARN(text); ok {
		g, err := findLensGroup(r, p, name)
		if service.Code(err) == "NoSuchConfiguration" {
			err = fail("NoSuchResource", http.StatusNotFound, "The specified resource doesn't exist.")
		}
		t.lens, t.group = p, &g
		return t, err
	}
	return t, fail("InvalidRequest", http.StatusBadRequest, "Tags of %s are not supported: the ARN is not one of a bucket, an access point, a Storage Lens group, or an access grants instance, location or grant.", text)
}

// findGrantsResource refuses a resource of an access grants instance that is not there.
func findGrantsResource(r store.Reader, p grantsPlace, resource string) error {
	var err error
	if id, ok := strings.CutPrefix(resource, locationResource("")); ok {
		_, err = findLocation(r, p, id)
	} else if id, ok := strings.CutPrefix(resource, grantResource("")); ok {
		_, err = findGrant(r, p, id)
	} else {
		_, err = findInstance(r, p)
	}
	return err
}

// tags returns the tags of a resource.
func (t taggable) tags(r store.Reader) ([]tag, error) {
	if t.point != nil {
		return t.point.Tags, nil
	}
	if t.group != nil {
		return t.group.Tags, nil
	}
	if t.resource != "" {
		tags, _, err := record.Get[[]tag](r, t.grants.tagsKey(t.resource))
		return tags, err
	}
	shown, _, err := record.Get[[]api.Tag](r, t.bucket.confKey(tagsConf))
	return plainTags(shown), err
}

func (t taggable) setTags(tx store.Txn, tags []tag) error {
	if err := checkTagSet(tags, maxBucketTags); err != nil {
		return err
	}
	if t.point != nil {
		t.point.Tags = tags
		return record.Set(tx, t.point.key(), *t.point)
	}
	if t.group != nil {
		t.group.Tags = tags
		return record.Set(tx, t.lens.groupKey(t.group.Name), *t.group)
	}
	if t.resource != "" {
		return setGrantsTags(tx, t.grants, t.resource, tags)
	}
	return t.bucket.setTags(tx, tags)
}

// tagTargets is what a tagging call needs permission for: the resource with its policy and tags, and the tags of the request.
func (s *Service) tagTargets(ctx context.Context, text string, keys []string, values []control.Tag) ([]service.Target, error) {
	var t service.Target
	var found taggable
	err := fromStore(s.store.View(ctx, func(r store.Reader) (err error) {
		found, err = s.tagged(r, text)
		return err
	}))
	switch {
	case err != nil:
		return nil, err
	case found.resource != "":
		targets, err := s.grantsTargets(ctx, found.grants, found.resource, nil)
		if err != nil {
			return nil, err
		}
		t = targets[0]
	case found.bucket != nil:
		if t, err = s.bucketTarget(ctx, found.bucket.Name); err != nil {
			return nil, err
		}
	case found.group != nil:
		if t, err = s.lensTarget(ctx, found.lens, found.group.Name, true, nil); err != nil {
			return nil, err
		}
	default:
		t = service.Target{ARN: found.point.arn(), Owner: found.point.Account, Condition: found.point.tagConditions(nil)}
	}
	return []service.Target{requesting(t, keys, values)}, nil
}

// changeTags changes the tags of what an ARN names.
func (s *Service) changeTags(ctx context.Context, account, text string, change func(tags []tag) []tag) error {
	if err := checkAccount(ctx, account); err != nil {
		return err
	}
	return fromStore(s.store.Update(ctx, func(tx store.Txn) error {
		t, err := s.tagged(tx, text)
		if err != nil {
			return err
		}
		tags, err := t.tags(tx)
		if err != nil {
			return err
		}
		return t.setTags(tx, change(slices.Clone(tags)))
	}))
}

func (s *Service) tagResource(ctx context.Context, in *control.TagResourceInput) (*control.TagResourceOutput, error) {
	own := make([]tag, 0, len(in.Tags))
	for _, t := range in.Tags {
		if strings.HasPrefix(t.Key, "aws:") {
			return nil, invalidTag("System tags cannot be added/updated by requester", RefusedTag{})
		}
		own = append(own, tag{t.Key, t.Value})
	}
	if err := checkTagSet(own, maxBucketTags); err != nil {
		return nil, err
	}
	err := s.changeTags(ctx, in.AccountId, in.ResourceArn, func(tags []tag) []tag {
		for _, t := range own {
			tags = slices.DeleteFunc(tags, func(o tag) bool { return o.Key == t.Key })
		}
		return append(tags, own...)
	})
	return answerOf(&control.TagResourceOutput{}, err)
}

func (s *Service) untagResource(ctx context.Context, in *control.UntagResourceInput) (*control.UntagResourceOutput, error) {
	err := s.changeTags(ctx, in.AccountId, in.ResourceArn, func(tags []tag) []tag {
		return slices.DeleteFunc(tags, func(t tag) bool { return slices.Contains(in.TagKeys, t.Key) })
	})
	return answerOf(&control.UntagResourceOutput{}, err)
}

func (s *Service) listTagsForResource(ctx context.Context, in *control.ListTagsForResourceInput) (*control.ListTagsForResourceOutput, error) {
	if err := checkAccount(ctx, in.AccountId); err != nil {
		return nil, err
	}
	out := &control.ListTagsForResourceOutput{Tags: []control.Tag{}}
	err := s.store.View(ctx, func(r store.Reader) error {
		t, err := s.tagged(r, in.ResourceArn)
		if err != nil {
			return err
		}
		tags, err := t.tags(r)
		for _, t := range tags {
			out.Tags = append(out.Tags, control.Tag{Key: t.Key, Value: t.Value})
		}
		return err
	})
	return answerOf(out, fromStore(err))
}
