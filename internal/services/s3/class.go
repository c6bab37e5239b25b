package s3

import (
	"context"
	"net/http"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/store"
)

// classOf returns the storage class that listings show.
func classOf(class string) string {
	if class == "" {
		return standardClass
	}
	return class
}

const standardClass = "STANDARD"

// checkClass refuses names that are no storage class of a general purpose bucket
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html). Every class is stored alike and told as it was asked for.
func checkClass(class string) (string, error) {
	switch class {
	case "", standardClass:
		return "", nil
	case "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR":
		return class, nil
	}
	return "", fail("InvalidStorageClass", http.StatusBadRequest, "The storage class you specified is not valid").
		WithDetail(&StorageClassRequested{class})
}

// StorageClassRequested is what S3 tells of a storage class that it does not have.
type StorageClassRequested struct{ StorageClassRequested string }

// archived tells whether a version must be restored before it can be read.
func (v *version) archived(now time.Time) bool {
	return (v.Class == "GLACIER" || v.Class == "DEEP_ARCHIVE") && !v.Restored.After(now)
}

// restored returns the x-amz-restore header of a version.
func (v *version) restored(now time.Time) *string {
	if !v.Restored.After(now) {
		return nil
	}
	return ptr(`ongoing-request="false", expiry-date="` + httpTime(v.Restored) + `"`)
}

// ArchivedObject is the detail of a read of an archived object.
type ArchivedObject struct{ StorageClass string }

func invalidState(class string) error {
	return fail("InvalidObjectState", http.StatusForbidden, "The operation is not valid for the object's storage class").WithDetail(&ArchivedObject{class})
}

// restoreObject makes an archived object readable for some days, at once: nothing lies on tape here.
func (s *Service) restoreObject(ctx context.Context, in *api.RestoreObjectInput) (*api.RestoreObjectOutput, error) {
	if err := checkVersionID(in.VersionId); err != nil {
		return nil, err
	}
	r := in.RestoreRequest
	switch {
	case r == nil:
		return nil, malformedXML()
	case r.Type != "" || r.SelectParameters != nil || r.OutputLocation != nil:
		return nil, unsupported("RestoreObject", "Type (S3 Select)")
	case r.Days == nil || *r.Days < 1:
		return nil, malformedXML()
	}
	err := s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		v, err := pick(tx, b, in.Key, in.VersionId)
		if err != nil {
			return err
		}
		if v.Class != "GLACIER" && v.Class != "DEEP_ARCHIVE" {
			return fail("InvalidObjectState", http.StatusForbidden, "Restore is not allowed for the object's current storage class").WithDetail(&ArchivedObject{classOf(v.Class)})
		}
		// S3 rounds the end up to the next midnight, UTC.
		v.Restored = s.now().AddDate(0, 0, int(*r.Days)+1).Truncate(24 * time.Hour)
		if err := putRow(tx, b, in.Key, v); err != nil {
			return err
		}
		for _, event := range []string{"ObjectRestore:Post", "ObjectRestore:Completed"} {
			if err := s.notify(ctx, tx, b, change{event: event, key: in.Key, version: v}); err != nil {
				return err
			}
		}
		return nil
	})
	return answerOf(&api.RestoreObjectOutput{}, err)
}
