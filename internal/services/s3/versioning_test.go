package s3

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/lib/integrity"
	"lambent.dev/lambent/internal/lib/seal"
)

func (f *fixture) versioning(status string) {
	f.t.Helper()
	_, err := f.putBucketVersioning(f.ctx(), &api.PutBucketVersioningInput{Bucket: "pictures", VersioningConfiguration: &api.VersioningConfiguration{Status: status}})
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) remove(object string, id *string) *api.DeleteObjectOutput {
	f.t.Helper()
	out, err := f.deleteObject(f.ctx(), &api.DeleteObjectInput{Bucket: "pictures", Key: object, VersionId: id})
	if err != nil {
		f.t.Fatalf("delete %q %v: %v", object, deref(id), err)
	}
	return out
}

// history lists the versions of the bucket: "key id latest marker", pages of limit entries.
func (f *fixture) history(limit int32) (lines []string) {
	f.t.Helper()
	in := &api.ListObjectVersionsInput{Bucket: "pictures", MaxKeys: &limit}
	for {
		out, err := f.listObjectVersions(f.ctx(), in)
		if err != nil {
			f.t.Fatal(err)
		}
		var page []string
		for _, v := range out.Versions {
			page = append(page, fmt.Sprint(*v.Key, " ", *v.VersionId, " ", *v.IsLatest, " false"))
		}
		for _, m := range out.DeleteMarkers {
			page = append(page, fmt.Sprint(*m.Key, " ", *m.VersionId, " ", *m.IsLatest, " true"))
		}
		lines = append(lines, page...)
		if in.KeyMarker, in.VersionIdMarker = out.NextKeyMarker, out.NextVersionIdMarker; !*out.IsTruncated {
			slices.Sort(lines)
			return lines
		}
	}
}

func TestVersionsAreKeptAndRemovedOneByOne(t *testing.T) {
	f := newFixture(t)
	f.put("k", []byte("null"))
	f.versioning(versioningEnabled)
	one := f.put("k", []byte("one"))
	two := f.put("k", []byte("two"))
	marker := f.remove("k", nil)
	if !*marker.DeleteMarker || *marker.VersionId == *two.VersionId {
		t.Errorf("the marker is %+v", marker)
	}
	_, _, err := f.get(&api.GetObjectInput{Key: "k"})
	code(t, err, "NoSuchKey")
	_, _, err = f.get(&api.GetObjectInput{Key: "k", VersionId: marker.VersionId})
	code(t, err, "MethodNotAllowed")
	for id, want := range map[string]string{"null": "null", *one.VersionId: "one", *two.VersionId: "two"} {
		out, body, err := f.get(&api.GetObjectInput{Key: "k", VersionId: &id})
		if err != nil || string(body) != want || *out.VersionId != id {
			t.Errorf("version %s is %q, %v; want %q", id, body, err, want)
		}
	}
	f.remove("k", marker.VersionId)
	f.wantBody("k", []byte("two"))
	f.remove("k", two.VersionId)
	f.wantBody("k", []byte("one"))
	f.remove("k", one.VersionId)
	f.wantBody("k", []byte("null"))
	_, err = f.deleteBucket(f.ctx(), &api.DeleteBucketInput{Bucket: "pictures"})
	code(t, err, "BucketNotEmpty")
	f.remove("k", ptr("null"))
	if left := f.history(1000); left != nil {
		t.Errorf("left are %v", left)
	}
	_, err = f.deleteBucket(f.ctx(), &api.DeleteBucketInput{Bucket: "pictures"})
	code(t, err, "")
}

func TestVersionIDsThatWereNeverGiven(t *testing.T) {
	f := newFixture(t)
	f.versioning(versioningEnabled)
	f.put("k", nil)
	for id, want := range map[string]string{"": "InvalidArgument", "x": "InvalidArgument", "01G65Z755AFWAKHE12NY0CQ9FH": "NoSuchVersion", idOf(7): "NoSuchVersion", "null": "NoSuchVersion"} {
		_, _, err := f.get(&api.GetObjectInput{Key: "k", VersionId: &id})
		code(t, err, want)
	}
	_, err := f.deleteObject(f.ctx(), &api.DeleteObjectInput{Bucket: "pictures", Key: "k", VersionId: ptr(idOf(7))})
	code(t, err, "")
}

// TestVersionsAgreeWithAModel runs random puts, deletions and changes of the bucket's state on a few keys, and compares the versions with a list.
func TestVersionsAgreeWithAModel(t *testing.T) {
	type entry struct {
		id     string
		marker bool
		body   string
	}
	for seed := range uint64(30) {
		f := newFixture(t)
		r := rand.New(rand.NewPCG(seed, 1))
		model := map[string][]entry{} // the newest first
		state := ""
		add := func(k string, e entry) {
			if e.id == "" || state != versioningEnabled {
				e.id = nullID
				model[k] = slices.DeleteFunc(model[k], func(o entry) bool { return o.id == nullID })
			}
			model[k] = append([]entry{e}, model[k]...)
		}
		for i := range 60 {
			k := string(rune('a' + r.IntN(3)))
			switch n := r.IntN(10); {
			case n < 4:
				body := strings.Repeat("x", r.IntN(9)) + strconv.Itoa(i)
				add(k, entry{deref(f.put(k, []byte(body)).VersionId), false, body})
			case n < 6:
				out := f.remove(k, nil)
				if state == "" {
					delete(model, k)
				} else {
					add(k, entry{deref(out.VersionId), true, ""})
				}
			case n < 8 && len(model[k]) > 0:
				at := r.IntN(len(model[k]))
				f.remove(k, &model[k][at].id)
				model[k] = slices.Delete(model[k], at, at+1)
			case n == 8:
				state = []string{versioningEnabled, versioningSuspended}[r.IntN(2)]
				f.versioning(state)
			}
			var want []string
			for name, entries := range model {
				for at, e := range entries {
					want = append(want, fmt.Sprint(name, " ", e.id, " ", at == 0, " ", e.marker))
				}
				if len(entries) > 0 && !entries[0].marker {
					f.wantBody(name, []byte(entries[0].body))
				} else {
					_, _, err := f.get(&api.GetObjectInput{Key: name})
					code(t, err, "NoSuchKey")
				}
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, f.history(int32(1+r.IntN(5)))); diff != "" {
				t.Fatalf("seed %d, step %d: %s", seed, i, diff)
			}
		}
	}
}

func TestLocksKeepVersions(t *testing.T) {
	f := newFixture(t)
	if _, err := f.createBucket(f.ctx(), &api.CreateBucketInput{Bucket: "vault", ObjectLockEnabledForBucket: ptr(true)}); err != nil {
		t.Fatal(err)
	}
	put := func(mode string, hold string) *string {
		t.Helper()
		in := &api.PutObjectInput{Bucket: "vault", Key: "k", Body: strings.NewReader("x"), ObjectLockMode: mode, ObjectLockLegalHoldStatus: hold, ChecksumCRC32: ptr(crcOf("x"))}
		if mode != "" {
			in.ObjectLockRetainUntilDate = ptr(f.clock.Now().Add(time.Hour))
		}
		out, err := f.putObject(f.ctx(), in)
		if err != nil {
			t.Fatal(err)
		}
		return out.VersionId
	}
	del := func(id *string, bypass bool) error {
		_, err := f.deleteObject(f.ctx(), &api.DeleteObjectInput{Bucket: "vault", Key: "k", VersionId: id, BypassGovernanceRetention: &bypass})
		return err
	}
	held, soft, hard := put("", "ON"), put(governance, ""), put(compliance, "")
	for _, id := range []*string{held, soft, hard} {
		code(t, del(id, false), "AccessDenied")
	}
	code(t, del(hard, true), "AccessDenied")
	code(t, del(held, true), "AccessDenied")
	code(t, del(soft, true), "")
	_, err := f.putObjectRetention(f.ctx(), &api.PutObjectRetentionInput{
		Bucket: "vault", Key: "k", VersionId: hard, BypassGovernanceRetention: ptr(true),
		Retention: &api.ObjectLockRetention{Mode: compliance, RetainUntilDate: ptr(f.clock.Now().Add(time.Minute))},
	})
	code(t, err, "AccessDenied")
	f.clock.Advance(2 * time.Hour)
	code(t, del(hard, false), "")
	_, err = f.putObjectLegalHold(f.ctx(), &api.PutObjectLegalHoldInput{Bucket: "vault", Key: "k", VersionId: held, LegalHold: &api.ObjectLockLegalHold{Status: "OFF"}})
	code(t, err, "")
	code(t, del(held, false), "")

	_, err = f.putBucketVersioning(f.ctx(), &api.PutBucketVersioningInput{Bucket: "vault", VersioningConfiguration: &api.VersioningConfiguration{Status: versioningSuspended}})
	code(t, err, "InvalidBucketState")
	_, err = f.putObjectLockConfiguration(f.ctx(), &api.PutObjectLockConfigurationInput{Bucket: "vault", ObjectLockConfiguration: &api.ObjectLockConfiguration{
		ObjectLockEnabled: "Enabled", Rule: &api.ObjectLockRule{DefaultRetention: &api.DefaultRetention{Mode: compliance, Days: ptr(int32(1))}},
	}})
	code(t, err, "")
	byDefault := put("", "")
	code(t, del(byDefault, true), "AccessDenied")
	f.clock.Advance(25 * time.Hour)
	code(t, del(byDefault, false), "")
}

func crcOf(s string) string {
	d := newDigest(integrity.CRC32)
	d.write([]byte(s))
	return d.sum(integrity.CRC32)
}

func TestArchivedObjectsMustBeRestored(t *testing.T) {
	f := newFixture(t)
	_, err := f.putObject(f.ctx(), &api.PutObjectInput{Bucket: "pictures", Key: "k", Body: strings.NewReader("old"), StorageClass: "GLACIER"})
	code(t, err, "")
	_, _, err = f.get(&api.GetObjectInput{Key: "k"})
	code(t, err, "InvalidObjectState")
	_, err = f.restoreObject(f.ctx(), &api.RestoreObjectInput{Bucket: "pictures", Key: "k", RestoreRequest: &api.RestoreRequest{Days: ptr(int32(1))}})
	code(t, err, "")
	out, body, err := f.get(&api.GetObjectInput{Key: "k"})
	if err != nil || string(body) != "old" || out.StorageClass != "GLACIER" || !strings.Contains(deref(out.Restore), `ongoing-request="false"`) {
		t.Errorf("restored: %q, %v", body, err)
	}
	f.clock.Advance(72 * time.Hour)
	_, _, err = f.get(&api.GetObjectInput{Key: "k"})
	code(t, err, "InvalidObjectState")
}

func TestEncryptedBodiesReadBackAndAreNotStoredInTheClear(t *testing.T) {
	f := newFixture(t)
	key := pattern(seal.KeySize)
	customer := customerHeaders(key)
	_, err := f.putBucketEncryption(f.ctx(), &api.PutBucketEncryptionInput{Bucket: "pictures", ServerSideEncryptionConfiguration: &api.ServerSideEncryptionConfiguration{
		Rules: []api.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: &api.ServerSideEncryptionByDefault{SSEAlgorithm: sseS3}}},
	}})
	code(t, err, "")
	for _, size := range []int{0, 10, 5000, 200_000} {
		body := pattern(size)
		for name, in := range map[string]api.PutObjectInput{
			"default": {}, "kms": {ServerSideEncryption: sseKMS},
			"customer": {SSECustomerAlgorithm: customer.algorithm, SSECustomerKey: customer.key, SSECustomerKeyMD5: customer.md5},
		} {
			in.Bucket, in.Key, in.Body = "pictures", name, strings.NewReader(string(body))
			out, err := f.putObject(f.secure(), &in)
			if err != nil {
				t.Fatalf("%s, %d bytes: %v", name, size, err)
			}
			if want := map[string]string{"default": sseS3, "kms": sseKMS}[name]; out.ServerSideEncryption != want {
				t.Errorf("%s: the answer says %q", name, out.ServerSideEncryption)
			}
			get := &api.GetObjectInput{Bucket: "pictures", Key: name, SSECustomerAlgorithm: in.SSECustomerAlgorithm, SSECustomerKey: in.SSECustomerKey, SSECustomerKeyMD5: in.SSECustomerKeyMD5}
			f.wantGet(get, body)
			if size > 100 {
				get.Range = ptr("bytes=50-99")
				f.wantGet(get, body[50:100])
			}
		}
		_, err := f.copyObject(f.secure(), &api.CopyObjectInput{
			Bucket: "pictures", Key: "copy", CopySource: "pictures/customer", CopySourceSSECustomerAlgorithm: customer.algorithm,
			CopySourceSSECustomerKey: customer.key, CopySourceSSECustomerKeyMD5: customer.md5,
		})
		code(t, err, "")
		f.wantGet(&api.GetObjectInput{Bucket: "pictures", Key: "copy"}, body)
	}
	v, err := f.current("default")
	if err != nil || v.Seal == nil {
		t.Fatalf("the object is %+v, %v", v, err)
	}
	raw, err := f.blobs.Open(t.Context(), v.Blob, blob.Whole())
	if err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 1000)
	if _, err := raw.ReadAt(head, 0); err != nil || strings.Contains(string(head), string(pattern(200_000)[:64])) {
		t.Errorf("the body lies in the clear (%v)", err)
	}
}

func TestCustomerKeysAreNeededToRead(t *testing.T) {
	f := newFixture(t)
	customer := customerHeaders(pattern(seal.KeySize))
	in := &api.PutObjectInput{Bucket: "pictures", Key: "k", Body: strings.NewReader("secret"), SSECustomerAlgorithm: customer.algorithm, SSECustomerKey: customer.key, SSECustomerKeyMD5: customer.md5}
	_, err := f.putObject(f.ctx(), in)
	code(t, err, "InvalidRequest") // not over TLS
	_, err = f.putObject(f.secure(), in)
	code(t, err, "")
	_, err = f.getObject(f.secure(), &api.GetObjectInput{Bucket: "pictures", Key: "k"})
	code(t, err, "InvalidRequest")
	other := customerHeaders(slices.Repeat([]byte{9}, seal.KeySize))
	_, err = f.getObject(f.secure(), &api.GetObjectInput{Bucket: "pictures", Key: "k", SSECustomerAlgorithm: other.algorithm, SSECustomerKey: other.key, SSECustomerKeyMD5: other.md5})
	code(t, err, "AccessDenied")
}

func TestPartsAreEncryptedUnderTheirUpload(t *testing.T) {
	f := newFixture(t)
	up, err := f.createMultipartUpload(f.ctx(), &api.CreateMultipartUploadInput{Bucket: "pictures", Key: "k", ServerSideEncryption: sseKMS})
	if err != nil || up.ServerSideEncryption != sseKMS {
		t.Fatalf("%+v, %v", up, err)
	}
	body := pattern(minPart + 1000)
	done := &api.CompletedMultipartUpload{}
	for i, b := range [][]byte{body[:minPart], body[minPart:]} {
		p, err := f.uploadPart(f.ctx(), &api.UploadPartInput{Bucket: "pictures", Key: "k", UploadId: *up.UploadId, PartNumber: int32(i + 1), Body: strings.NewReader(string(b))})
		if err != nil {
			t.Fatal(err)
		}
		done.Parts = append(done.Parts, api.CompletedPart{PartNumber: ptr(int32(i + 1)), ETag: p.ETag})
	}
	_, err = f.completeMultipartUpload(f.ctx(), &api.CompleteMultipartUploadInput{Bucket: "pictures", Key: "k", UploadId: *up.UploadId, MultipartUpload: done})
	code(t, err, "")
	f.wantGet(&api.GetObjectInput{Bucket: "pictures", Key: "k"}, body)
	f.wantGet(&api.GetObjectInput{Bucket: "pictures", Key: "k", Range: ptr(fmt.Sprintf("bytes=%d-%d", minPart-10, minPart+9))}, body[minPart-10:minPart+10])
}
