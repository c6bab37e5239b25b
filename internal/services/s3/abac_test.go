package s3

import (
	"slices"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/s3"
	control "lambent.dev/lambent/internal/awsapi/s3control"
)

// abac enables or disables attribute-based access control of the bucket.
func (f *fixture) abac(status string) {
	f.t.Helper()
	if _, err := f.putBucketAbac(f.ctx(), &api.PutBucketAbacInput{Bucket: "pictures", AbacStatus: &api.AbacStatus{Status: status}}); err != nil {
		f.t.Fatal(err)
	}
	out, err := f.getBucketAbac(f.ctx(), &api.GetBucketAbacInput{Bucket: "pictures"})
	if err != nil || out.AbacStatus.Status != status {
		f.t.Errorf("status is %+v, %v; want %s", out, err, status)
	}
}

// keys are the condition keys of a read of an object.
func (f *fixture) keys(bucket string) map[string][]string {
	f.t.Helper()
	t, err := f.objectTarget(f.ctx(), bucket, "a", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return t.Condition
}

func TestTagsOfABucketAreConditionKeysOnlyWithABAC(t *testing.T) {
	f := newFixture(t)
	tags := []api.Tag{{Key: "team", Value: "red"}}
	put := func() error {
		_, err := f.putBucketTagging(f.ctx(), &api.PutBucketTaggingInput{Bucket: "pictures", Tagging: &api.Tagging{TagSet: tags}})
		return err
	}
	if err := put(); err != nil {
		t.Fatal(err)
	}
	if keys := f.keys("pictures"); len(keys) != 0 {
		t.Errorf("without ABAC there are the keys %v", keys)
	}
	f.abac("Enabled")
	if keys := f.keys("pictures"); !slices.Equal(keys["aws:ResourceTag/team"], []string{"red"}) || !slices.Equal(keys["s3:BucketTag/team"], []string{"red"}) {
		t.Errorf("with ABAC there are the keys %v", keys)
	}
	code(t, put(), "InvalidRequest")
	_, err := f.deleteBucketTagging(f.ctx(), &api.DeleteBucketTaggingInput{Bucket: "pictures"})
	code(t, err, "InvalidRequest")

	const name = "arn:aws:s3:::pictures"
	if _, err := f.tagResource(f.ctx(), &control.TagResourceInput{AccountId: account, ResourceArn: name, Tags: []control.Tag{{Key: "team", Value: "blue"}, {Key: "stage", Value: "prod"}}}); err != nil {
		t.Fatal(err)
	}
	if keys := f.keys("pictures"); !slices.Equal(keys["aws:ResourceTag/team"], []string{"blue"}) || !slices.Equal(keys["s3:BucketTag/stage"], []string{"prod"}) {
		t.Errorf("after TagResource there are the keys %v", keys)
	}
	if _, err := f.untagResource(f.ctx(), &control.UntagResourceInput{AccountId: account, ResourceArn: name, TagKeys: []string{"team", "other"}}); err != nil {
		t.Fatal(err)
	}
	out, err := f.listTagsForResource(f.ctx(), &control.ListTagsForResourceInput{AccountId: account, ResourceArn: name})
	if err != nil || len(out.Tags) != 1 || out.Tags[0].Key != "stage" {
		t.Errorf("tags are %+v, %v", out, err)
	}
	f.abac("Disabled")
	if keys := f.keys("pictures"); len(keys) != 0 {
		t.Errorf("after ABAC was disabled there are the keys %v", keys)
	}
	if err := put(); err != nil {
		t.Error(err)
	}
}

func TestAccessPointsHaveTheirOwnTags(t *testing.T) {
	f := newFixture(t)
	alias := newPoint(f)
	const name = "arn:aws:s3:us-east-1:" + account + ":accesspoint/site"
	if _, err := f.tagResource(f.ctx(), &control.TagResourceInput{AccountId: account, ResourceArn: name, Tags: []control.Tag{{Key: "team", Value: "blue"}}}); err != nil {
		t.Fatal(err)
	}
	f.abac("Enabled")
	if _, err := f.tagResource(f.ctx(), &control.TagResourceInput{AccountId: account, ResourceArn: "arn:aws:s3:::pictures", Tags: []control.Tag{{Key: "team", Value: "red"}}}); err != nil {
		t.Fatal(err)
	}
	target, err := f.objectTarget(f.ctx(), alias, "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	both, err := f.withPoint(f.ctx(), target)
	if err != nil || len(both) != 2 {
		t.Fatal(both, err)
	}
	if k := both[0].Condition; !slices.Equal(k["aws:ResourceTag/team"], []string{"blue"}) || !slices.Equal(k["s3:AccessPointTag/team"], []string{"blue"}) || len(k["s3:DataAccessPointArn"]) != 1 {
		t.Errorf("the access point is decided about with %v", k)
	}
	if k := both[1].Condition; !slices.Equal(k["aws:ResourceTag/team"], []string{"red"}) {
		t.Errorf("the bucket is decided about with %v", k)
	}
}

func TestTagsOfRequestsAreConditionKeys(t *testing.T) {
	f := newFixture(t)
	targets, err := f.tagTargets(f.ctx(), "arn:aws:s3:::pictures", nil, []control.Tag{{Key: "team", Value: "blue"}})
	if err != nil || len(targets) != 1 || !slices.Equal(targets[0].Condition["aws:RequestTag/team"], []string{"blue"}) || !slices.Equal(targets[0].Condition["aws:TagKeys"], []string{"team"}) {
		t.Errorf("TagResource needs %+v, %v", targets, err)
	}
	made := createTargets(t.Context(), &api.CreateBucketInput{Bucket: "b", CreateBucketConfiguration: &api.CreateBucketConfiguration{Tags: []api.Tag{{Key: "team", Value: "blue"}}}})
	if !slices.Equal(made[0].Condition["aws:RequestTag/team"], []string{"blue"}) || !slices.Equal(made[0].Condition["aws:TagKeys"], []string{"team"}) {
		t.Errorf("CreateBucket needs %+v", made)
	}
}

func TestTagsThatCannotBeAreRefused(t *testing.T) {
	f := newFixture(t)
	for name, c := range map[string]struct {
		arn, key, want string
	}{
		"aws's own":     {"arn:aws:s3:::pictures", "aws:x", "InvalidTag"},
		"no bucket":     {"arn:aws:s3:::missing", "a", "NoSuchBucket"},
		"no point":      {"arn:aws:s3:us-east-1:" + account + ":accesspoint/missing", "a", "NoSuchAccessPoint"},
		"an object":     {"arn:aws:s3:::pictures/key", "a", "InvalidRequest"},
		"no group":      {"arn:aws:s3:us-east-1:" + account + ":storage-lens-group/x", "a", "NoSuchResource"},
		"a lens":        {"arn:aws:s3:us-east-1:" + account + ":storage-lens/x", "a", "InvalidRequest"},
		"a strange key": {"arn:aws:s3:::pictures", "?", "InvalidTag"},
	} {
		_, err := f.tagResource(f.ctx(), &control.TagResourceInput{AccountId: account, ResourceArn: c.arn, Tags: []control.Tag{{Key: c.key}}})
		t.Run(name, func(t *testing.T) { code(t, err, c.want) })
	}
}
