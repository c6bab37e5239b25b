package s3

import (
	"bytes"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
)

func TestListingsTellWhatWasRestoredOnDemand(t *testing.T) {
	f := newFixture(t)
	for _, class := range []string{"STANDARD", "GLACIER", "DEEP_ARCHIVE"} {
		if _, err := f.putObject(f.ctx(), &api.PutObjectInput{Bucket: "pictures", Key: "in/" + class, StorageClass: class}); err != nil {
			t.Fatal(err)
		}
	}
	f.put("a/b", nil) // a common prefix stands before the objects
	if _, err := f.restoreObject(f.ctx(), &api.RestoreObjectInput{Bucket: "pictures", Key: "in/GLACIER", RestoreRequest: &api.RestoreRequest{Days: ptr(int32(1))}}); err != nil {
		t.Fatal(err)
	}
	want := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	told := func(name string, key *string, s *api.RestoreStatus) {
		t.Helper()
		if restored := *key == "in/GLACIER"; restored != (s != nil) || restored && (*s.IsRestoreInProgress || !s.RestoreExpiryDate.Equal(want)) {
			t.Errorf("%s tells of %s %+v", name, *key, s)
		}
	}
	asked := []string{restoreStatus}
	v2, err := f.listObjectsV2(f.ctx(), &api.ListObjectsV2Input{Bucket: "pictures", Delimiter: ptr("b"), OptionalObjectAttributes: asked})
	if err != nil || len(v2.Contents) != 3 {
		t.Fatal(v2, err)
	}
	for _, o := range v2.Contents {
		told("ListObjectsV2", o.Key, o.RestoreStatus)
	}
	v1, err := f.listObjects(f.ctx(), &api.ListObjectsInput{Bucket: "pictures", Prefix: ptr("in/"), OptionalObjectAttributes: asked})
	if err != nil || len(v1.Contents) != 3 {
		t.Fatal(v1, err)
	}
	for _, o := range v1.Contents {
		told("ListObjects", o.Key, o.RestoreStatus)
	}
	versions, err := f.listObjectVersions(f.ctx(), &api.ListObjectVersionsInput{Bucket: "pictures", Prefix: ptr("in/"), OptionalObjectAttributes: asked})
	if err != nil || len(versions.Versions) != 3 {
		t.Fatal(versions, err)
	}
	for _, o := range versions.Versions {
		told("ListObjectVersions", o.Key, o.RestoreStatus)
	}
	plain, err := f.listObjectsV2(f.ctx(), &api.ListObjectsV2Input{Bucket: "pictures", Prefix: ptr("in/GLACIER")})
	if err != nil || plain.Contents[0].RestoreStatus != nil {
		t.Errorf("without being asked the listing tells %+v, %v", plain.Contents, err)
	}
	_, err = f.listObjectsV2(f.ctx(), &api.ListObjectsV2Input{Bucket: "pictures", OptionalObjectAttributes: []string{"Color"}})
	code(t, err, "InvalidArgument")
}

func TestCallsAboutAnUploadMustKnowItsKey(t *testing.T) {
	f := newFixture(t)
	own, other := customerHeaders(bytes.Repeat([]byte{1}, 32)), customerHeaders(bytes.Repeat([]byte{2}, 32))
	up, err := f.createMultipartUpload(f.secure(), &api.CreateMultipartUploadInput{
		Bucket: "pictures", Key: "k", SSECustomerAlgorithm: own.algorithm, SSECustomerKey: own.key, SSECustomerKeyMD5: own.md5,
	})
	if err != nil {
		t.Fatal(err)
	}
	part, err := f.uploadPart(f.secure(), &api.UploadPartInput{
		Bucket: "pictures", Key: "k", UploadId: *up.UploadId, PartNumber: 1, Body: bytes.NewReader([]byte("x")),
		SSECustomerAlgorithm: own.algorithm, SSECustomerKey: own.key, SSECustomerKeyMD5: own.md5,
	})
	if err != nil {
		t.Fatal(err)
	}
	list := func(k customerKey) error {
		_, err := f.listParts(f.secure(), &api.ListPartsInput{Bucket: "pictures", Key: "k", UploadId: *up.UploadId, SSECustomerAlgorithm: k.algorithm, SSECustomerKey: k.key, SSECustomerKeyMD5: k.md5})
		return err
	}
	complete := func(k customerKey) error {
		_, err := f.completeMultipartUpload(f.secure(), &api.CompleteMultipartUploadInput{
			Bucket: "pictures", Key: "k", UploadId: *up.UploadId, SSECustomerAlgorithm: k.algorithm, SSECustomerKey: k.key, SSECustomerKeyMD5: k.md5,
			MultipartUpload: &api.CompletedMultipartUpload{Parts: []api.CompletedPart{{PartNumber: ptr(int32(1)), ETag: part.ETag}}},
		})
		return err
	}
	code(t, list(other), "InvalidRequest")
	code(t, complete(other), "InvalidRequest")
	code(t, list(own), "")
	code(t, list(customerKey{}), "")
	code(t, complete(own), "")
}

func TestTokensOfSupportAreRefusedByName(t *testing.T) {
	f := newFixture(t)
	_, err := f.putObjectLockConfiguration(f.ctx(), &api.PutObjectLockConfigurationInput{Bucket: "pictures", ObjectLockConfiguration: &api.ObjectLockConfiguration{}, Token: ptr("t")})
	code(t, err, "NotImplemented")
	_, err = f.putBucketReplication(f.ctx(), &api.PutBucketReplicationInput{Bucket: "pictures", Token: ptr("t")})
	code(t, err, "NotImplemented")
}
