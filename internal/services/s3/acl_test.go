package s3

import (
	"strings"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
)

func TestAccessControlListsCountWhereOwnershipAllowsThem(t *testing.T) {
	f := newFixture(t)
	put := func(acl string) error {
		_, err := f.putObject(f.ctx(), &api.PutObjectInput{Bucket: "pictures", Key: "k*", Body: strings.NewReader("x"), ACL: acl})
		return err
	}
	visitor := service.WithRequest(t.Context(), &service.Request{ID: "v"})
	code(t, put("public-read"), "AccessControlListNotSupported")
	_, err := f.putBucketOwnershipControls(f.ctx(), &api.PutBucketOwnershipControlsInput{Bucket: "pictures", OwnershipControls: &api.OwnershipControls{
		Rules: []api.OwnershipControlsRule{{ObjectOwnership: objectWriter}},
	}})
	code(t, err, "")
	code(t, put("public-read"), "AccessDenied") // BlockPublicAcls
	_, err = f.deletePublicAccessBlock(f.ctx(), &api.DeletePublicAccessBlockInput{Bucket: "pictures"})
	code(t, err, "")
	code(t, put("public-read"), "")
	target, err := f.objectTarget(visitor, "pictures", "k*", nil)
	if err != nil || !strings.Contains(target.Policy, `"Action":["s3:GetObject","s3:GetObjectVersion"],"Resource":["arn:aws:s3:::pictures/k${*}"]`) {
		t.Errorf("a visitor's policy is %s, %v", target.Policy, err)
	}
	code(t, put("private"), "")
	if target, err = f.objectTarget(visitor, "pictures", "k*", nil); err != nil || target.Policy != "" {
		t.Errorf("a visitor's policy is %s, %v", target.Policy, err)
	}
	code(t, put("nonsense"), "InvalidArgument")

	other := service.WithRequest(t.Context(), &service.Request{ID: "o", Account: "111111111111", Principal: service.Principal{Kind: service.Root, Account: "111111111111"}})
	_, err = f.putObject(other, &api.PutObjectInput{Bucket: "pictures", Key: "theirs", Body: strings.NewReader("x")})
	code(t, err, "")
	acl, err := f.getObjectAcl(f.ctx(), &api.GetObjectAclInput{Bucket: "pictures", Key: "theirs"})
	if err != nil || *acl.Owner.ID != canonicalID("111111111111") {
		t.Errorf("the owner is %+v, %v", acl, err)
	}
	_, err = f.putBucketAcl(f.ctx(), &api.PutBucketAclInput{Bucket: "pictures", GrantWrite: ptr(`id="` + canonicalID("111111111111") + `"`)})
	code(t, err, "")
	if target, err = f.bucketTarget(other, "pictures"); err != nil || !strings.Contains(target.Policy, "s3:PutObject") {
		t.Errorf("the other account's policy is %s, %v", target.Policy, err)
	}
	_, err = f.putBucketOwnershipControls(f.ctx(), &api.PutBucketOwnershipControlsInput{Bucket: "pictures", OwnershipControls: &api.OwnershipControls{
		Rules: []api.OwnershipControlsRule{{ObjectOwnership: bucketOwnerEnforced}},
	}})
	code(t, err, "InvalidBucketAclWithObjectOwnership")
}
