package s3

import (
	"context"
	"strings"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/s3"
	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/service"
)

// setBlock puts the public access block of the account.
func (f *fixture) setBlock(c control.PublicAccessBlockConfiguration) {
	f.t.Helper()
	if _, err := f.putAccountBlock(f.ctx(), &control.PutPublicAccessBlockInput{AccountId: account, PublicAccessBlockConfiguration: &c}); err != nil {
		f.t.Fatal(err)
	}
}

// open takes the bucket's own block away and lets it have access control lists.
func (f *fixture) open() {
	f.t.Helper()
	if _, err := f.deletePublicAccessBlock(f.ctx(), &api.DeletePublicAccessBlockInput{Bucket: "pictures"}); err != nil {
		f.t.Fatal(err)
	}
	rules := []api.OwnershipControlsRule{{ObjectOwnership: objectWriter}}
	if _, err := f.putBucketOwnershipControls(f.ctx(), &api.PutBucketOwnershipControlsInput{Bucket: "pictures", OwnershipControls: &api.OwnershipControls{Rules: rules}}); err != nil {
		f.t.Fatal(err)
	}
}

func TestBlockOfTheAccountHoldsForItsBuckets(t *testing.T) {
	f := newFixture(t)
	f.open()
	f.setBlock(control.PublicAccessBlockConfiguration{BlockPublicPolicy: ptr(true), BlockPublicAcls: ptr(true)})
	_, err := f.putBucketPolicy(f.ctx(), &api.PutBucketPolicyInput{Bucket: "pictures", Policy: publicRead})
	code(t, err, "AccessDenied")
	_, err = f.putBucketAcl(f.ctx(), &api.PutBucketAclInput{Bucket: "pictures", ACL: "public-read"})
	code(t, err, "AccessDenied")
	_, err = f.putObject(f.ctx(), &api.PutObjectInput{Bucket: "pictures", Key: "a", ACL: "public-read"})
	code(t, err, "AccessDenied")
	_, err = f.createBucket(f.ctx(), &api.CreateBucketInput{Bucket: "lists", ObjectOwnership: objectWriter, ACL: "public-read"})
	code(t, err, "AccessDenied")

	if _, err := f.deleteAccountBlock(f.ctx(), &control.DeletePublicAccessBlockInput{AccountId: account}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.putBucketPolicy(f.ctx(), &api.PutBucketPolicyInput{Bucket: "pictures", Policy: publicRead}); err != nil {
		t.Error(err)
	}
	if _, err := f.putBucketAcl(f.ctx(), &api.PutBucketAclInput{Bucket: "pictures", ACL: "public-read"}); err != nil {
		t.Error(err)
	}

	visitor := service.WithRequest(t.Context(), &service.Request{Region: "us-east-1"})
	granted := func() string {
		t.Helper()
		target, err := f.objectTarget(visitor, "pictures", "a", nil)
		if err != nil {
			t.Fatal(err)
		}
		return target.Policy
	}
	if p := granted(); !strings.Contains(p, "s3:ListBucket") || !strings.Contains(p, "pictures/*") {
		t.Errorf("without blocks a visitor has %s", p)
	}
	f.setBlock(control.PublicAccessBlockConfiguration{IgnorePublicAcls: ptr(true)})
	if p := granted(); strings.Contains(p, "s3:ListBucket") || !strings.Contains(p, "pictures/*") {
		t.Errorf("with IgnorePublicAcls a visitor has %s", p)
	}
	f.setBlock(control.PublicAccessBlockConfiguration{IgnorePublicAcls: ptr(true), RestrictPublicBuckets: ptr(true)})
	if p := granted(); p != "" {
		t.Errorf("with RestrictPublicBuckets a visitor has %s", p)
	}
}

func TestBlockOfTheAccountHoldsForItsAccessPoints(t *testing.T) {
	f := newFixture(t)
	if _, err := f.createAccessPoint(f.ctx(), &control.CreateAccessPointInput{
		AccountId: account, Name: "site", Bucket: "pictures", PublicAccessBlockConfiguration: &control.PublicAccessBlockConfiguration{},
	}); err != nil {
		t.Fatal(err)
	}
	policy := strings.ReplaceAll(publicRead, "arn:aws:s3:::pictures/*", "arn:aws:s3:us-east-1:"+account+":accesspoint/site/object/*")
	put := func() error {
		_, err := f.putAccessPointPolicy(f.ctx(), &control.PutAccessPointPolicyInput{AccountId: account, Name: "site", Policy: policy})
		return err
	}
	f.setBlock(control.PublicAccessBlockConfiguration{BlockPublicPolicy: ptr(true)})
	code(t, put(), "AccessDenied")
	f.setBlock(control.PublicAccessBlockConfiguration{RestrictPublicBuckets: ptr(true)})
	if err := put(); err != nil {
		t.Fatal(err)
	}
	visitor := service.WithRequest(t.Context(), &service.Request{Region: "us-east-1"})
	target, err := f.objectTarget(visitor, "site-"+account, "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	both, err := f.withPoint(visitor, target)
	if err != nil || len(both) != 2 || both[0].Policy != "" {
		t.Errorf("a visitor is decided about by %+v, %v; want no policy of the access point", both, err)
	}
}

func TestBlockOfTheAccountIsItsOwn(t *testing.T) {
	f := newFixture(t)
	_, err := f.getAccountBlock(f.ctx(), &control.GetPublicAccessBlockInput{AccountId: account})
	code(t, err, "NoSuchPublicAccessBlockConfiguration")
	for _, call := range []func(ctx context.Context, id string) error{
		func(ctx context.Context, id string) error {
			_, err := f.putAccountBlock(ctx, &control.PutPublicAccessBlockInput{AccountId: id, PublicAccessBlockConfiguration: &control.PublicAccessBlockConfiguration{}})
			return err
		},
		func(ctx context.Context, id string) error {
			_, err := f.getAccountBlock(ctx, &control.GetPublicAccessBlockInput{AccountId: id})
			return err
		},
		func(ctx context.Context, id string) error {
			_, err := f.deleteAccountBlock(ctx, &control.DeletePublicAccessBlockInput{AccountId: id})
			return err
		},
	} {
		code(t, call(f.ctx(), "111111111111"), "AccessDenied")
		code(t, call(f.ctx(), account), "")
	}
	_, err = f.putAccountBlock(f.ctx(), &control.PutPublicAccessBlockInput{AccountId: account})
	code(t, err, "MalformedXML")
}
