package s3

import (
	"bytes"
	"context"
	"strconv"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// countedKeys count what a key service is asked, and refuse while refused is set.
type countedKeys struct {
	port.Keys

	made, opened int
	contexts     []string
	refused      error
	disabled     error
}

func (k *countedKeys) CheckKey(ctx context.Context, use port.KeyUse) (string, error) {
	if k.disabled != nil {
		return "", k.disabled
	}
	return k.Keys.CheckKey(ctx, use)
}

func (k *countedKeys) GenerateDataKey(ctx context.Context, use port.KeyUse) (port.DataKey, error) {
	k.made++
	k.contexts = append(k.contexts, use.Context["aws:s3:arn"])
	if k.refused != nil {
		return port.DataKey{}, k.refused
	}
	return k.Keys.GenerateDataKey(ctx, use)
}

func (k *countedKeys) Decrypt(ctx context.Context, use port.KeyUse, wrapped []byte) ([]byte, error) {
	k.opened++
	if k.refused != nil {
		return nil, k.refused
	}
	return k.Keys.Decrypt(ctx, use, wrapped)
}

// withCountedKeys returns a fixture whose bucket encrypts under the key service, with bucket keys.
func withCountedKeys(t *testing.T) (*fixture, *countedKeys) {
	t.Helper()
	f := newFixture(t)
	keys := &countedKeys{Keys: f.Service.keys}
	f.Service.keys, f.bucketKeys = keys, newBucketKeys(keys, f.clock)
	_, err := f.putBucketEncryption(f.ctx(), &api.PutBucketEncryptionInput{Bucket: "pictures", ServerSideEncryptionConfiguration: &api.ServerSideEncryptionConfiguration{
		Rules: []api.ServerSideEncryptionRule{{BucketKeyEnabled: ptr(true), ApplyServerSideEncryptionByDefault: &api.ServerSideEncryptionByDefault{SSEAlgorithm: sseKMS}}},
	}})
	code(t, err, "")
	return f, keys
}

// by is a call by a user.
func (f *fixture) by(name string) context.Context {
	r := *service.RequestFrom(f.ctx())
	r.Principal.Kind, r.Principal.ARN, r.Principal.UserID = service.User, "arn:aws:iam::"+account+":user/"+name, name
	return service.WithRequest(f.t.Context(), &r)
}

func (f *fixture) putBy(ctx context.Context, key string, body []byte) (*api.PutObjectOutput, error) {
	return f.putObject(ctx, &api.PutObjectInput{Bucket: "pictures", Key: key, Body: bytes.NewReader(body)})
}

func TestABucketKeyServesManyObjects(t *testing.T) {
	f, keys := withCountedKeys(t)
	etags := map[string]bool{}
	for i := range 20 {
		out, err := f.putBy(f.ctx(), strconv.Itoa(i), []byte("the same body"))
		if err != nil || !deref(out.BucketKeyEnabled) || out.ServerSideEncryption != sseKMS {
			t.Fatalf("%+v, %v", out, err)
		}
		etags[*out.ETag] = true
	}
	for i := range 20 {
		f.wantBody(strconv.Itoa(i), []byte("the same body"))
	}
	if keys.made != 1 || keys.opened != 1 {
		t.Errorf("20 objects were written with %d keys and read with %d, not one each", keys.made, keys.opened)
	}
	if keys.contexts[0] != "arn:aws:s3:::pictures" {
		t.Errorf("the bucket key is bound to %s", keys.contexts[0])
	}
	if len(etags) != 20 {
		t.Errorf("20 equal bodies have %d entity tags: they tell which objects are equal", len(etags))
	}
	f.clock.Advance(bucketKeyLife)
	f.put("later", []byte("x"))
	f.wantBody("0", []byte("the same body"))
	if keys.made != 2 || keys.opened != 2 {
		t.Errorf("after its life, the key service had made %d keys and opened %d, not 2 each", keys.made, keys.opened)
	}
}

func TestABucketKeyIsOfOneCaller(t *testing.T) {
	f, keys := withCountedKeys(t)
	for _, name := range []string{"ann", "ben", "ann"} {
		_, err := f.putBy(f.by(name), "k", []byte("body"))
		code(t, err, "")
	}
	if keys.made != 2 {
		t.Errorf("two callers had %d keys", keys.made)
	}
	keys.refused = accessDenied("no")
	_, err := f.putBy(f.by("cid"), "k", []byte("body"))
	code(t, err, "AccessDenied")
	_, err = f.getObject(f.by("cid"), &api.GetObjectInput{Bucket: "pictures", Key: "k"})
	code(t, err, "AccessDenied")
	_, err = f.getObject(f.by("ann"), &api.GetObjectInput{Bucket: "pictures", Key: "k"}) // who may write, may not therefore read
	code(t, err, "AccessDenied")
	_, err = f.putBy(f.by("ann"), "k", []byte("body"))
	code(t, err, "")
	f.clock.Advance(bucketKeyLife)
	_, err = f.putBy(f.by("ann"), "k", []byte("body"))
	code(t, err, "AccessDenied")
}

func TestADisabledKeyCountsAtOnce(t *testing.T) {
	f, keys := withCountedKeys(t)
	f.put("k", []byte("body"))
	f.wantBody("k", []byte("body"))
	keys.disabled = accessDenied("disabled")
	_, err := f.putBy(f.ctx(), "more", []byte("body"))
	code(t, err, "AccessDenied")
	_, err = f.getObject(f.ctx(), &api.GetObjectInput{Bucket: "pictures", Key: "k"})
	code(t, err, "AccessDenied")
	keys.disabled = nil
	f.wantBody("k", []byte("body"))
	if keys.made != 1 || keys.opened != 1 {
		t.Errorf("%d keys made, %d opened", keys.made, keys.opened)
	}
}

func TestWithoutABucketKeyEachObjectAsks(t *testing.T) {
	f, keys := withCountedKeys(t)
	for i := range 3 {
		_, err := f.putObject(f.ctx(), &api.PutObjectInput{Bucket: "pictures", Key: strconv.Itoa(i), Body: bytes.NewReader([]byte("b")), BucketKeyEnabled: ptr(false)})
		code(t, err, "")
		f.wantBody(strconv.Itoa(i), []byte("b"))
	}
	if keys.made != 3 || keys.opened != 3 || keys.contexts[2] != "arn:aws:s3:::pictures/2" {
		t.Errorf("%d keys for %v, %d opened", keys.made, keys.contexts, keys.opened)
	}
	// An upload that names the algorithm and not the kind of key has the bucket's kind.
	out, err := f.putObject(f.ctx(), &api.PutObjectInput{Bucket: "pictures", Key: "named", Body: bytes.NewReader([]byte("b")), ServerSideEncryption: sseKMS})
	if err != nil || !deref(out.BucketKeyEnabled) {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestPartsShareABucketKey(t *testing.T) {
	f, keys := withCountedKeys(t)
	body := pattern(2*minPart + 1000)
	up, err := f.createMultipartUpload(f.ctx(), &api.CreateMultipartUploadInput{Bucket: "pictures", Key: "k"})
	if err != nil || !deref(up.BucketKeyEnabled) {
		t.Fatalf("%+v, %v", up, err)
	}
	done := &api.CompletedMultipartUpload{}
	for i := range 3 {
		p, err := f.uploadPart(f.ctx(), &api.UploadPartInput{
			Bucket: "pictures", Key: "k", UploadId: *up.UploadId, PartNumber: int32(i + 1), Body: bytes.NewReader(body[i*minPart : min((i+1)*minPart, len(body))]),
		})
		code(t, err, "")
		done.Parts = append(done.Parts, api.CompletedPart{PartNumber: ptr(int32(i + 1)), ETag: p.ETag})
	}
	_, err = f.completeMultipartUpload(f.ctx(), &api.CompleteMultipartUploadInput{Bucket: "pictures", Key: "k", UploadId: *up.UploadId, MultipartUpload: done})
	code(t, err, "")
	f.wantGet(&api.GetObjectInput{Bucket: "pictures", Key: "k"}, body)
	f.clock.Advance(time.Hour)
	f.wantGet(&api.GetObjectInput{Bucket: "pictures", Key: "k", Range: ptr("bytes=100-199")}, body[100:200])
	if keys.made != 1 || keys.opened != 2 {
		t.Errorf("%d keys made, %d opened", keys.made, keys.opened)
	}
}
