package s3

import (
	"context"
	"slices"
	"strings"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/s3"
	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/service"
)

// newPoint makes the access point "site" of the bucket "pictures" and returns its alias.
func newPoint(f *fixture) string {
	f.t.Helper()
	out, err := f.createAccessPoint(f.ctx(), &control.CreateAccessPointInput{AccountId: account, Name: "site", Bucket: "pictures"})
	if err != nil {
		f.t.Fatal(err)
	}
	return *out.Alias
}

func TestObjectsAreReachedThroughAnAccessPoint(t *testing.T) {
	f := newFixture(t)
	alias := newPoint(f)
	big := pattern(100_000)
	f.put("a/b", big)
	for _, name := range []string{alias, "site-" + account, "arn:aws:s3:us-east-1:" + account + ":accesspoint/site", "arn:aws:s3:us-east-1:" + account + ":accesspoint:site"} {
		f.wantGet(&api.GetObjectInput{Bucket: name, Key: "a/b"}, big)
		if out, err := f.listObjectsV2(f.ctx(), &api.ListObjectsV2Input{Bucket: name}); err != nil || len(out.Contents) != 1 {
			t.Errorf("the list of %s: %v, %v", name, out, err)
		}
	}
	if _, err := f.copyObject(f.ctx(), &api.CopyObjectInput{Bucket: alias, Key: "copy", CopySource: "arn:aws:s3:us-east-1:" + account + ":accesspoint/site/object/a/b"}); err != nil {
		t.Error(err)
	}
	f.wantBody("copy", big)
	if out, err := f.headBucket(f.ctx(), &api.HeadBucketInput{Bucket: alias}); err != nil || !*out.AccessPointAlias {
		t.Errorf("HeadBucket of an alias: %v, %v", out, err)
	}
	elsewhere := *service.RequestFrom(f.ctx())
	elsewhere.Region = "eu-west-1"
	_, err := f.getObject(service.WithRequest(t.Context(), &elsewhere), &api.GetObjectInput{Bucket: "site-" + account, Key: "a/b"})
	code(t, err, "NoSuchBucket")
	for _, name := range []string{"gone-aaaa-s3alias", "arn:aws:s3:us-east-1:" + account + ":accesspoint/gone"} {
		_, err := f.getObject(f.ctx(), &api.GetObjectInput{Bucket: name, Key: "a/b"})
		code(t, err, "NoSuchAccessPoint")
	}
}

func TestAccessPointsHoldTheirBucket(t *testing.T) {
	f := newFixture(t)
	alias := newPoint(f)
	_, err := f.deleteBucket(f.ctx(), &api.DeleteBucketInput{Bucket: "pictures"})
	code(t, err, "BucketHasAccessPointsAttached")
	if _, err := f.deleteAccessPoint(f.ctx(), &control.DeleteAccessPointInput{AccountId: account, Name: "site"}); err != nil {
		t.Fatal(err)
	}
	_, err = f.headObject(f.ctx(), &api.HeadObjectInput{Bucket: alias, Key: "x"})
	code(t, err, "NoSuchAccessPoint")
	if _, err := f.deleteBucket(f.ctx(), &api.DeleteBucketInput{Bucket: "pictures"}); err != nil {
		t.Error(err)
	}
}

func TestAccessPointAndBucketMustBothAllow(t *testing.T) {
	f := newFixture(t)
	alias := newPoint(f)
	document := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/ann"},"Action":"s3:GetObject","Resource":"arn:aws:s3:us-east-1:000000000000:accesspoint/site/object/a/*"}]}`
	if _, err := f.putAccessPointPolicy(f.ctx(), &control.PutAccessPointPolicyInput{AccountId: account, Name: "site", Policy: document}); err != nil {
		t.Fatal(err)
	}
	targets, err := f.access()["GetObject"].Targets(f.ctx(), &api.GetObjectInput{Bucket: alias, Key: "a/b"})
	if err != nil || len(targets) != 2 {
		t.Fatalf("targets %v, %v", targets, err)
	}
	point, b := targets[0], targets[1]
	if point.ARN != "arn:aws:s3:us-east-1:000000000000:accesspoint/site/object/a/b" || point.Policy != document || b.ARN != "arn:aws:s3:::pictures/a/b" || b.Policy != "" {
		t.Errorf("what must be allowed: %+v, %+v", point, b)
	}
	if got := b.Condition["s3:DataAccessPointArn"]; !slices.Equal(got, []string{"arn:aws:s3:us-east-1:000000000000:accesspoint/site"}) {
		t.Errorf("the bucket's policy sees the access point %v", got)
	}
	_, err = f.access()["PutBucketPolicy"].Targets(f.ctx(), &api.PutBucketPolicyInput{Bucket: alias})
	code(t, err, "MethodNotAllowed")
	f.door.deny = func(_ context.Context, t service.Target) bool { return strings.Contains(t.ARN, "accesspoint") }
	out, err := f.deleteObjects(f.ctx(), &api.DeleteObjectsInput{Bucket: alias, Delete: &api.Delete{Objects: []api.ObjectIdentifier{{Key: "x"}}}})
	if err != nil || len(out.Errors) != 1 {
		t.Errorf("deletes through a point that does not allow them: %+v, %v", out, err)
	}
}

func TestAccessPointRefusals(t *testing.T) {
	f := newFixture(t)
	newPoint(f)
	create := func(in control.CreateAccessPointInput) error {
		if in.AccountId == "" {
			in.AccountId = account
		}
		_, err := f.createAccessPoint(f.ctx(), &in)
		return err
	}
	code(t, create(control.CreateAccessPointInput{Name: "site", Bucket: "pictures"}), "AccessPointAlreadyOwnedByYou")
	code(t, create(control.CreateAccessPointInput{Name: "other", Bucket: "gone"}), "NoSuchBucket")
	code(t, create(control.CreateAccessPointInput{Name: "other", Bucket: "pictures", AccountId: "111111111111"}), "AccessDenied")
	code(t, create(control.CreateAccessPointInput{Name: "other", Bucket: "pictures", VpcConfiguration: &control.VpcConfiguration{VpcId: "vpc-1"}}), "NotImplemented")
	for _, name := range []string{"a", "UPPER", "-a-b", "a.b.c", strings.Repeat("x", 51), "x-s3alias"} {
		code(t, create(control.CreateAccessPointInput{Name: name, Bucket: "pictures"}), "InvalidRequest")
	}
	public := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:us-east-1:000000000000:accesspoint/site/object/*"}]}`
	_, err := f.putAccessPointPolicy(f.ctx(), &control.PutAccessPointPolicyInput{AccountId: account, Name: "site", Policy: public})
	code(t, err, "AccessDenied")
	_, err = f.putAccessPointPolicy(f.ctx(), &control.PutAccessPointPolicyInput{AccountId: account, Name: "site", Policy: strings.ReplaceAll(public, "point/site", "point/other")})
	code(t, err, "MalformedPolicy")
	_, err = f.getAccessPointPolicyStatus(f.ctx(), &control.GetAccessPointPolicyStatusInput{AccountId: account, Name: "site"})
	code(t, err, "NoSuchAccessPointPolicy")
	_, err = f.getAccessPoint(f.ctx(), &control.GetAccessPointInput{AccountId: account, Name: "gone"})
	code(t, err, "NoSuchAccessPoint")
}

func TestAccessPointsAreListedInPages(t *testing.T) {
	f := newFixture(t)
	if _, err := f.createBucket(f.ctx(), &api.CreateBucketInput{Bucket: "others"}); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]string{"aaa": "pictures", "bbb": "others", "ccc": "pictures", "ddd": "pictures"} {
		if _, err := f.createAccessPoint(f.ctx(), &control.CreateAccessPointInput{AccountId: account, Name: name, Bucket: b}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	in := &control.ListAccessPointsInput{AccountId: account, Bucket: ptr("pictures"), MaxResults: ptr(int32(2))}
	for {
		out, err := f.listAccessPoints(f.ctx(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range out.AccessPointList {
			got = append(got, p.Name)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if !slices.Equal(got, []string{"aaa", "ccc", "ddd"}) {
		t.Errorf("listed %v", got)
	}
}
