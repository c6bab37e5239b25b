package s3

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/lib/integrity"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

func TestPutThenGetReturnsTheSameBytes(t *testing.T) {
	f := newFixture(t)
	for _, size := range []int{0, 1, blob.InlineLimit, blob.InlineLimit + 1, 3*copyBuffer + 7} {
		body := pattern(size)
		object := fmt.Sprintf("size/%d", size)
		out := f.put(object, body)
		sum := md5.Sum(body)
		if want := `"` + hex.EncodeToString(sum[:]) + `"`; *out.ETag != want {
			t.Errorf("ETag of %d bytes is %s, want %s", size, *out.ETag, want)
		}
		f.wantBody(object, body)
	}
}

func TestKeysAreTakenAsTheyAre(t *testing.T) {
	f := newFixture(t)
	keys := []string{"a//b", "../up", "./x", "nul\x00in", "nul\x00", "ünï/ç/日本", "a b+c%20d", "/lead", strings.Repeat("k", 1024)}
	for _, k := range keys {
		f.put(k, []byte(k))
	}
	for _, k := range keys {
		f.wantBody(k, []byte(k))
	}
	_, err := f.putObject(f.ctx(), &api.PutObjectInput{Bucket: "pictures", Key: strings.Repeat("k", 1025)})
	code(t, err, "KeyTooLongError")
}

func TestABodyThatIsNotWhatWasPromisedIsNotStored(t *testing.T) {
	f := newFixture(t)
	body := []byte("hello")
	wrong := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 16))
	for name, c := range map[string]struct {
		in   api.PutObjectInput
		want string
	}{
		"short body":       {api.PutObjectInput{ContentLength: ptr(int64(9))}, "IncompleteBody"},
		"long body":        {api.PutObjectInput{ContentLength: ptr(int64(2))}, "IncompleteBody"},
		"md5":              {api.PutObjectInput{ContentMD5: &wrong}, "BadDigest"},
		"md5 not base64":   {api.PutObjectInput{ContentMD5: ptr("x")}, "InvalidDigest"},
		"crc32":            {api.PutObjectInput{ChecksumCRC32: ptr("AAAAAA==")}, "BadDigest"},
		"crc32 bad length": {api.PutObjectInput{ChecksumCRC32: ptr("AAAA")}, "InvalidRequest"},
		"sha256":           {api.PutObjectInput{ChecksumSHA256: ptr(base64.StdEncoding.EncodeToString(make([]byte, 32)))}, "BadDigest"},
		"two checksums":    {api.PutObjectInput{ChecksumCRC32: ptr("AAAAAA=="), ChecksumCRC32C: ptr("AAAAAA==")}, "InvalidRequest"},
		"other algorithm":  {api.PutObjectInput{ChecksumAlgorithm: "SHA1", ChecksumCRC32: ptr("NhCmhg==")}, "InvalidRequest"},
		"cut off":          {api.PutObjectInput{Body: io.MultiReader(bytes.NewReader(pattern(100_000)), errReader{io.ErrUnexpectedEOF})}, "IncompleteBody"},
		"encryption":       {api.PutObjectInput{ServerSideEncryption: "rot13"}, "InvalidArgument"},
		"storage class":    {api.PutObjectInput{StorageClass: "STONE"}, "InvalidStorageClass"},
		"acl":              {api.PutObjectInput{ACL: "public-read"}, "AccessControlListNotSupported"},
		"metadata":         {api.PutObjectInput{Metadata: map[string]string{"k": strings.Repeat("v", 2048)}}, "MetadataTooLarge"},
		"tags":             {api.PutObjectInput{Tagging: ptr("a=1&a=2")}, "InvalidArgument"},
	} {
		in := c.in
		in.Bucket, in.Key = "pictures", "bad"
		if in.Body == nil {
			in.Body = bytes.NewReader(body)
		}
		_, err := f.putObject(f.ctx(), &in)
		if got := service.Code(err); got != c.want {
			t.Errorf("%s: code is %q, want %q: %v", name, got, c.want, err)
		}
		_, _, err = f.get(&api.GetObjectInput{Key: "bad"})
		code(t, err, "NoSuchKey")
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// trailing is a body with a trailer.
type trailing struct {
	io.Reader
	value string
}

func (b trailing) Trailer(string) string { return b.value }

func TestTrailerChecksumIsVerified(t *testing.T) {
	f := newFixture(t)
	ctx := func() *service.Request {
		r := *service.RequestFrom(f.ctx())
		r.HTTP = &service.HTTPRequest{Header: func(name string) string {
			return map[string]string{"X-Amz-Trailer": "x-amz-checksum-crc32", "X-Amz-Decoded-Content-Length": "5"}[name]
		}}
		return &r
	}
	for value, want := range map[string]string{"NhCmhg==": "", "AAAAAA==": "BadDigest", "": "MalformedTrailerError"} {
		out, err := f.putObject(service.WithRequest(t.Context(), ctx()), &api.PutObjectInput{
			Bucket: "pictures", Key: "trailer", Body: trailing{strings.NewReader("hello"), value}, ContentEncoding: ptr("aws-chunked, gzip"),
		})
		code(t, err, want)
		if err == nil && deref(out.ChecksumCRC32) != value {
			t.Errorf("CRC32 is %v, want %s", out.ChecksumCRC32, value)
		}
	}
	out, _, err := f.get(&api.GetObjectInput{Key: "trailer"})
	if err != nil || deref(out.ContentEncoding) != "gzip" {
		t.Errorf("stored encoding is %q, %v; want gzip without the frame's name", deref(out.ContentEncoding), err)
	}
}

func TestEmptyCRC32InAPresignedURLSaysNothing(t *testing.T) {
	f := newFixture(t)
	r := *service.RequestFrom(f.ctx())
	r.HTTP = &service.HTTPRequest{Presigned: true, Header: func(string) string { return "" }}
	_, err := f.putObject(service.WithRequest(t.Context(), &r), &api.PutObjectInput{
		Bucket: "pictures", Key: "presigned", Body: strings.NewReader("hello"), ContentLength: ptr(int64(5)),
		ChecksumAlgorithm: "CRC32", ChecksumCRC32: ptr("AAAAAA=="),
	})
	if err != nil {
		t.Fatal(err)
	}
	f.wantBody("presigned", []byte("hello"))
}

func TestChecksumsOfKnownValue(t *testing.T) {
	f := newFixture(t)
	// The CRC catalogue's check values are those of "123456789".
	for algorithm, want := range map[string]string{
		integrity.CRC32: "cbf43926", integrity.CRC32C: "e3069283", integrity.CRC64NVME: "ae8b14860a799888",
		integrity.SHA1: "f7c3bc1d808e04732adf679965ccc34ca7ae3441", integrity.MD5: "25f9e794323b453885f5181f1b624d0b",
	} {
		d := newDigest(algorithm)
		d.write([]byte("123456789"))
		raw, err := base64.StdEncoding.DecodeString(d.sum(algorithm))
		if got := hex.EncodeToString(raw); err != nil || got != want {
			t.Errorf("%s is %s, want %s", algorithm, got, want)
		}
	}
	out := f.put("sum", []byte("123456789"))
	if deref(out.ChecksumCRC64NVME) != "rosUhgp5mIg=" || out.ChecksumType != fullObject {
		t.Errorf("checksum without a wish is %v %q, want CRC64NVME of the whole", deref(out.ChecksumCRC64NVME), out.ChecksumType)
	}
	got, _, err := f.get(&api.GetObjectInput{Key: "sum", ChecksumMode: "ENABLED"})
	if err != nil || deref(got.ChecksumCRC64NVME) != "rosUhgp5mIg=" {
		t.Errorf("checksum on read is %v, %v", deref(got.ChecksumCRC64NVME), err)
	}
	got, _, err = f.get(&api.GetObjectInput{Key: "sum", ChecksumMode: "ENABLED", Range: ptr("bytes=0-3")})
	if err != nil || got.ChecksumCRC64NVME != nil {
		t.Errorf("a range shows the checksum of the whole: %v, %v", got.ChecksumCRC64NVME, err)
	}
}

func TestRanges(t *testing.T) {
	f := newFixture(t)
	body := pattern(100_000)
	f.put("small", body[:1000])
	f.put("large", body)
	for _, c := range []struct {
		header   string
		from, to int // -1: whole object
		code     string
	}{
		{"bytes=0-0", 0, 1, ""},
		{"bytes=10-19", 10, 20, ""},
		{"bytes=990-", 990, 1000, ""},
		{"bytes=-5", 995, 1000, ""},
		{"bytes=-5000", 0, 1000, ""},
		{"bytes=500-99999999999999999999", 500, 1000, ""},
		{"bytes=1000-", 0, 0, "InvalidRange"},
		{"bytes=-0", 0, 0, "InvalidRange"},
		{"bytes=5-2", -1, 0, ""},
		{"bytes=0-1,3-4", -1, 0, ""},
		{"lines=0-1", -1, 0, ""},
	} {
		out, got, err := f.get(&api.GetObjectInput{Key: "small", Range: &c.header})
		code(t, err, c.code)
		if err != nil {
			continue
		}
		if c.from < 0 {
			if out.ContentRange != nil || len(got) != 1000 {
				t.Errorf("%s: range %v, %d bytes; want the whole", c.header, out.ContentRange, len(got))
			}
			continue
		}
		if !bytes.Equal(got, body[c.from:c.to]) || deref(out.ContentRange) != fmt.Sprintf("bytes %d-%d/1000", c.from, c.to-1) {
			t.Errorf("%s: %d bytes, Content-Range %q", c.header, len(got), deref(out.ContentRange))
		}
	}
	_, got, err := f.get(&api.GetObjectInput{Key: "large", Range: ptr("bytes=70000-70999")})
	if err != nil || !bytes.Equal(got, body[70000:71000]) {
		t.Errorf("range of a large body: %d bytes, %v", len(got), err)
	}
}

func TestReadConditions(t *testing.T) {
	f := newFixture(t)
	etag := *f.put("k", []byte("v")).ETag
	before, now := ptr(f.clock.Now().Add(-time.Hour)), ptr(f.clock.Now())
	for name, c := range map[string]struct {
		in   api.GetObjectInput
		want string
	}{
		"match":                                {api.GetObjectInput{IfMatch: &etag}, ""},
		"match any":                            {api.GetObjectInput{IfMatch: ptr("*")}, ""},
		"no match":                             {api.GetObjectInput{IfMatch: ptr("x")}, "PreconditionFailed"},
		"none match":                           {api.GetObjectInput{IfNoneMatch: ptr(`"a", ` + etag)}, "NotModified"},
		"none match weak":                      {api.GetObjectInput{IfNoneMatch: ptr("W/" + etag)}, "NotModified"},
		"modified since now":                   {api.GetObjectInput{IfModifiedSince: now}, "NotModified"},
		"modified since before":                {api.GetObjectInput{IfModifiedSince: before}, ""},
		"unmodified since before":              {api.GetObjectInput{IfUnmodifiedSince: before}, "PreconditionFailed"},
		"match decides over unmodified":        {api.GetObjectInput{IfMatch: &etag, IfUnmodifiedSince: before}, ""},
		"none match decides over not modified": {api.GetObjectInput{IfNoneMatch: ptr("x"), IfModifiedSince: now}, ""},
	} {
		in := c.in
		in.Key = "k"
		_, _, err := f.get(&in)
		if got := service.Code(err); got != c.want {
			t.Errorf("%s: code is %q, want %q", name, got, c.want)
		}
	}
}

func TestOnlyOneOfManyCreatorsWins(t *testing.T) {
	f := newFixture(t)
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = f.putObject(f.ctx(), &api.PutObjectInput{Bucket: "pictures", Key: "once", Body: strings.NewReader(strconv.Itoa(i)), IfNoneMatch: ptr("*")})
		})
	}
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch service.Code(err) {
		case "":
			if winner >= 0 {
				t.Errorf("writers %d and %d both created the object", winner, i)
			}
			winner = i
		case "PreconditionFailed", "ConditionalRequestConflict":
		default:
			t.Errorf("writer %d: %v", i, err)
		}
	}
	if winner < 0 {
		t.Fatal("nobody created the object")
	}
	f.wantBody("once", []byte(strconv.Itoa(winner)))
}

func TestReplacedBodiesAreCollected(t *testing.T) {
	f := newFixture(t)
	f.put("k", pattern(100_000))
	first := f.version("k").Blob
	f.put("k", pattern(50_000))
	f.clock.Advance(garbageDelay)
	for _, job := range f.garbage() {
		if err := f.collect(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.blobs.Open(t.Context(), first, blob.Whole()); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("the replaced body is still there: %v", err)
	}
	f.wantBody("k", pattern(50_000))
	if used, err := f.holdsBody(t.Context(), first); used || err != nil {
		t.Errorf("the replaced body counts as used: %v", err)
	}
	if used, err := f.holdsBody(t.Context(), f.version("k").Blob); !used || err != nil {
		t.Errorf("the current body counts as unused: %v", err)
	}
}

func (f *fixture) version(object string) *version {
	f.t.Helper()
	var v *version
	err := f.view(f.t.Context(), "pictures", nil, func(r store.Reader, b *bucket) error {
		var ok bool
		var err error
		v, ok, err = findVersion(r, b, object)
		if !ok && err == nil {
			return noSuchKey("")
		}
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return v
}

func TestDeleteObjectsDecidesForEachKey(t *testing.T) {
	f := newFixture(t)
	f.put("mine", nil)
	f.put("theirs", nil)
	f.door.deny = denyARN("arn:aws:s3:::pictures/theirs")
	out, err := f.deleteObjects(f.ctx(), &api.DeleteObjectsInput{Bucket: "pictures", Delete: &api.Delete{Objects: []api.ObjectIdentifier{
		{Key: "mine"}, {Key: "theirs"}, {Key: "missing"}, {Key: "mine", VersionId: ptr("v1")},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	var deleted, failed []string
	for _, d := range out.Deleted {
		deleted = append(deleted, *d.Key)
	}
	for _, e := range out.Errors {
		failed = append(failed, *e.Key+" "+*e.Code)
	}
	if diff := cmp.Diff([]string{"mine", "missing"}, deleted); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"theirs AccessDenied", "mine NoSuchVersion"}, failed); diff != "" {
		t.Error(diff)
	}
	f.door.deny = nil
	f.wantBody("theirs", nil)
}

func TestAMissingKeyIsDeniedToWhoMayNotList(t *testing.T) {
	f := newFixture(t)
	_, _, err := f.get(&api.GetObjectInput{Key: "missing"})
	code(t, err, "NoSuchKey")
	f.door.deny = denyARN("arn:aws:s3:::pictures")
	_, _, err = f.get(&api.GetObjectInput{Key: "missing"})
	code(t, err, "AccessDenied")
}

func TestCopyObject(t *testing.T) {
	f := newFixture(t)
	for _, size := range []int{10, 100_000} {
		_, err := f.putObject(f.ctx(), &api.PutObjectInput{
			Bucket: "pictures", Key: "from ü", Body: bytes.NewReader(pattern(size)), ContentType: ptr("text/plain"), Metadata: map[string]string{"a": "1"}, Tagging: ptr("t=1"),
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := f.copyObject(f.ctx(), &api.CopyObjectInput{Bucket: "pictures", Key: "to", CopySource: "/pictures/from%20%C3%BC"})
		if err != nil {
			t.Fatal(err)
		}
		got, body, err := f.get(&api.GetObjectInput{Key: "to"})
		if err != nil || !bytes.Equal(body, pattern(size)) || *got.ETag != *out.CopyObjectResult.ETag || got.Metadata["a"] != "1" || deref(got.TagCount) != 1 {
			t.Errorf("copy of %d bytes: %d bytes, %v, %v", size, len(body), got, err)
		}
		_, err = f.copyObject(f.ctx(), &api.CopyObjectInput{
			Bucket: "pictures", Key: "to", CopySource: "pictures/from ü", MetadataDirective: "REPLACE", ContentType: ptr("image/png"), TaggingDirective: "REPLACE",
		})
		if err != nil {
			t.Fatal(err)
		}
		got, _, err = f.get(&api.GetObjectInput{Key: "to"})
		if err != nil || *got.ContentType != "image/png" || len(got.Metadata) != 0 || got.TagCount != nil {
			t.Errorf("replacing copy: %+v, %v", got, err)
		}
	}
	// A shared body lives as long as one of its objects.
	if _, err := f.deleteObject(f.ctx(), &api.DeleteObjectInput{Bucket: "pictures", Key: "from ü"}); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(garbageDelay)
	for _, job := range f.garbage() {
		if err := f.collect(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
	f.wantBody("to", pattern(100_000))

	_, err := f.copyObject(f.ctx(), &api.CopyObjectInput{Bucket: "pictures", Key: "to", CopySource: "pictures/to"})
	code(t, err, "InvalidRequest")
	_, err = f.copyObject(f.ctx(), &api.CopyObjectInput{Bucket: "pictures", Key: "to", CopySource: "pictures/none"})
	code(t, err, "NoSuchKey")
	_, err = f.copyObject(f.ctx(), &api.CopyObjectInput{Bucket: "pictures", Key: "x", CopySource: "pictures/to", CopySourceIfNoneMatch: ptr("*")})
	code(t, err, "PreconditionFailed")
	_, err = f.copyObject(f.ctx(), &api.CopyObjectInput{Bucket: "pictures", Key: "x", CopySource: "pictures"})
	code(t, err, "InvalidArgument")
}
