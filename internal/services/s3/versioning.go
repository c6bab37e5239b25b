package s3

import (
	"context"
	"net/http"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// The states of a bucket's versioning; the empty one is that of a bucket that never had any.
const (
	versioningEnabled   = "Enabled"
	versioningSuspended = "Suspended"

	// nullID is the id of the version without an id.
	nullID = "null"
)

// crockford is the alphabet of version ids: 13 characters of the sequence number, and 13 by which an id that S3 gave is told from others.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// mix spreads the bits of a sequence number (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// id returns the version id of v.
func (v *version) id() string {
	if !v.Versioned {
		return nullID
	}
	return idOf(v.Seq)
}

// newID returns the version id that the answer to a write shows: only the ids of its own that a version got.
func (v *version) newID() *string {
	if !v.Versioned {
		return nil
	}
	return ptr(v.id())
}

// shownID returns the version id for the answers about v: nil where the bucket never had versioning.
func (v *version) shownID(b *bucket) *string {
	if b.Versioning == "" {
		return nil
	}
	return ptr(v.id())
}

func idOf(seq uint64) string {
	var out [26]byte
	for i, n := range [2]uint64{seq, mix(seq)} {
		for j := 12; j >= 0; j-- {
			out[13*i+j] = crockford[n&31]
			n >>= 5
		}
	}
	return string(out[:])
}

// seqOf returns the sequence number of an id that was made by idOf.
func seqOf(id string) (uint64, bool) {
	if !wellFormedID(id) || id == nullID {
		return 0, false
	}
	var seq uint64
	for i := range 13 {
		seq = seq<<5 | uint64(strings.IndexByte(crockford, id[i]))
	}
	return seq, idOf(seq) == id
}

func wellFormedID(id string) bool {
	if id == nullID {
		return true
	}
	return len(id) == 26 && strings.Trim(id, crockford) == ""
}

// InvalidArgument is what S3 tells of an argument beside the error's message.
type InvalidArgument struct {
	ArgumentName  string
	ArgumentValue string
}

func invalidValue(name, value, message string) *service.Error {
	return invalidArgument("%s", message).WithDetail(&InvalidArgument{ArgumentName: name, ArgumentValue: value})
}

// checkVersionID refuses ids that no version can have; nil and the empty one name the current version.
func checkVersionID(id *string) error {
	if id == nil || *id == "" {
		return nil
	}
	if !wellFormedID(*id) {
		return invalidValue("versionId", *id, "Invalid version id specified")
	}
	return nil
}

// VersionError is the detail of an error about a version or a delete marker: what the answer's head and body tell of it.
type VersionError struct {
	Key       string
	VersionId string //nolint:revive // the name of the element in S3's answer.
	// Method and ResourceType are told when a delete marker was asked for by its id.
	Method, ResourceType string

	marker, allow, modified string
}

// ResponseHeader returns the fields that S3 sends with the error.
func (e *VersionError) ResponseHeader() http.Header {
	h := http.Header{}
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	set("X-Amz-Delete-Marker", e.marker)
	set("Allow", e.allow)
	set("Last-Modified", e.modified)
	if e.marker != "" {
		set("X-Amz-Version-Id", e.VersionId)
	}
	return h
}

func noSuchVersion(object, id string) error {
	return fail("NoSuchVersion", http.StatusNotFound, "The specified version does not exist.").WithDetail(&VersionError{Key: object, VersionId: id})
}

// deleted is the error of a read of an object whose newest version is the delete marker v.
func deleted(object string, v *version) error {
	return noSuchKey(object).WithDetail(&VersionError{Key: object, VersionId: v.id(), marker: "true"})
}

// isMarker is the error of an operation on the delete marker v, asked for by its id.
func isMarker(object string, v *version) error {
	return methodNotAllowed().WithDetail(&VersionError{Key: object, VersionId: v.id(), marker: "true", allow: "DELETE", modified: httpTime(v.Modified)})
}

// pick returns the version that a request is about: that with the id, or the current one. Delete markers are refused.
func pick(r store.Reader, b *bucket, object string, id *string) (*version, error) {
	if id != nil && *id != "" {
		v, err := findByID(r, b, object, *id)
		switch {
		case err != nil:
			return nil, err
		case v == nil:
			return nil, noSuchVersion(object, *id)
		case v.Marker:
			return nil, isMarker(object, v)
		}
		return v, nil
	}
	v, ok, err := findVersion(r, b, object)
	if err != nil || ok {
		return v, err
	}
	if b.Versioning != "" {
		v, err := latestVersion(r, b, object)
		if err != nil {
			return nil, err
		}
		if v != nil {
			return nil, deleted(object, v)
		}
	}
	return nil, noSuchKey(object)
}

// refused turns the error of an object whose newest version is a delete marker into that of a refused method. Operations on tags and lists
// answer so where reads say that there is no such key.
func refused(err error) error {
	e, ok := asError(err)
	if !ok || e.Code != "NoSuchKey" {
		return err
	}
	told, ok := e.Detail.(*VersionError)
	if !ok || told.marker == "" {
		return err
	}
	return methodNotAllowed().WithDetail(told)
}

func (s *Service) putBucketVersioning(ctx context.Context, in *api.PutBucketVersioningInput) (*api.PutBucketVersioningOutput, error) {
	c := in.VersioningConfiguration
	if c == nil {
		return nil, malformedXML()
	}
	if in.MFA != nil || c.MFADelete == "Enabled" {
		return nil, unsupported("PutBucketVersioning", "MFADelete")
	}
	if c.Status == "" {
		return nil, fail("IllegalVersioningConfigurationException", http.StatusBadRequest, "The Versioning element must be specified")
	}
	if c.Status != versioningEnabled && c.Status != versioningSuspended {
		return nil, malformedXML()
	}
	err := s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		if b.Lock != nil && c.Status != versioningEnabled {
			return fail("InvalidBucketState", http.StatusConflict, "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.")
		}
		if c.Status == versioningSuspended {
			if replicated, err := record.Has(tx, b.confKey(replicationConf)); err != nil || replicated {
				if err != nil {
					return err
				}
				return fail("InvalidBucketState", http.StatusConflict, "A replication configuration is present on this bucket, so the versioning state cannot be changed.")
			}
		}
		b.Versioning = c.Status
		return record.Set(tx, nameKey(b.Name), *b)
	})
	return answerOf(&api.PutBucketVersioningOutput{}, err)
}

func (s *Service) getBucketVersioning(ctx context.Context, in *api.GetBucketVersioningInput) (*api.GetBucketVersioningOutput, error) {
	out := &api.GetBucketVersioningOutput{}
	err := s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ store.Reader, b *bucket) error {
		out.Status = b.Versioning
		return nil
	})
	return answerOf(out, err)
}
