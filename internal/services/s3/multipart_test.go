package s3

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/store"
)

// begin starts an upload of "movie" with parts of the given sizes, and returns its id, the parts to complete it and the whole body.
func (f *fixture) begin(in api.CreateMultipartUploadInput, sizes ...int) (id string, parts []api.CompletedPart, whole []byte) {
	f.t.Helper()
	in.Bucket, in.Key = "pictures", "movie"
	up, err := f.createMultipartUpload(f.ctx(), &in)
	if err != nil {
		f.t.Fatal(err)
	}
	for i, size := range sizes {
		body := pattern(size + i)[i:]
		number := int32(2*i + 1)
		in := &api.UploadPartInput{Bucket: "pictures", Key: "movie", UploadId: *up.UploadId, PartNumber: number, Body: bytes.NewReader(body)}
		if up.ChecksumAlgorithm != "" {
			d := newDigest(up.ChecksumAlgorithm)
			d.write(body)
			partInSums(in).set(checksum{Algorithm: up.ChecksumAlgorithm, Value: d.sum(up.ChecksumAlgorithm)})
		}
		out, err := f.uploadPart(f.ctx(), in)
		if err != nil {
			f.t.Fatal(err)
		}
		parts = append(parts, api.CompletedPart{
			ETag: out.ETag, PartNumber: &number, ChecksumCRC32: out.ChecksumCRC32, ChecksumSHA256: out.ChecksumSHA256, ChecksumCRC32C: out.ChecksumCRC32C, ChecksumXXHASH128: out.ChecksumXXHASH128,
		})
		whole = append(whole, body...)
	}
	return *up.UploadId, parts, whole
}

func (f *fixture) complete(id string, parts []api.CompletedPart) (*api.CompleteMultipartUploadOutput, error) {
	return f.completeMultipartUpload(f.ctx(), &api.CompleteMultipartUploadInput{
		Bucket: "pictures", Key: "movie", UploadId: id, MultipartUpload: &api.CompletedMultipartUpload{Parts: parts},
	})
}

func TestMultipartObjectIsItsParts(t *testing.T) {
	for _, c := range []struct {
		in   api.CreateMultipartUploadInput
		kind string
	}{
		{api.CreateMultipartUploadInput{}, fullObject},
		{api.CreateMultipartUploadInput{ChecksumAlgorithm: "CRC32"}, composite},
		{api.CreateMultipartUploadInput{ChecksumAlgorithm: "SHA256"}, composite},
		{api.CreateMultipartUploadInput{ChecksumAlgorithm: "XXHASH128"}, composite},
		{api.CreateMultipartUploadInput{ChecksumAlgorithm: "CRC32", ChecksumType: fullObject}, fullObject},
		{api.CreateMultipartUploadInput{ChecksumAlgorithm: "CRC32C", ChecksumType: fullObject}, fullObject},
		{api.CreateMultipartUploadInput{ChecksumAlgorithm: "CRC64NVME"}, fullObject},
	} {
		t.Run(c.in.ChecksumAlgorithm+c.in.ChecksumType, func(t *testing.T) {
			f := newFixture(t)
			id, parts, whole := f.begin(c.in, minPart, minPart+3, 100)
			out, err := f.complete(id, parts)
			if err != nil {
				t.Fatal(err)
			}
			f.wantBody("movie", whole)
			if want := partsETag(parts); *out.ETag != want {
				t.Errorf("ETag is %s, want %s", *out.ETag, want)
			}
			if out.ChecksumType != c.kind {
				t.Errorf("checksum type is %s, want %s", out.ChecksumType, c.kind)
			}
			v := f.version("movie")
			if d := newDigest(v.Sum.Algorithm); c.kind == fullObject {
				d.write(whole)
				if d.sum(v.Sum.Algorithm) != v.Sum.Value {
					t.Errorf("combined %s is %s, that of the whole is %s", v.Sum.Algorithm, v.Sum.Value, d.sum(v.Sum.Algorithm))
				}
			}
			again, err := f.complete(id, parts)
			if err != nil || *again.ETag != *out.ETag {
				t.Errorf("completing again: %v, %v", again, err)
			}
			f.wantRanges(whole)
		})
	}
}

func partsETag(parts []api.CompletedPart) string {
	var all []byte
	for _, p := range parts {
		raw, _ := hex.DecodeString((*p.ETag)[1:33])
		all = append(all, raw...)
	}
	sum := md5.Sum(all)
	return fmt.Sprintf(`"%x-%d"`, sum, len(parts))
}

// wantRanges reads across the borders of parts.
func (f *fixture) wantRanges(whole []byte) {
	f.t.Helper()
	for _, at := range [][2]int{{0, 0}, {minPart - 1, minPart}, {minPart - 1, 2*minPart + 10}, {len(whole) - 1, len(whole) - 1}, {100, 200}} {
		_, got, err := f.get(&api.GetObjectInput{Key: "movie", Range: ptr(fmt.Sprintf("bytes=%d-%d", at[0], at[1]))})
		if err != nil || !bytes.Equal(got, whole[at[0]:at[1]+1]) {
			f.t.Errorf("range %v: %d bytes, %v", at, len(got), err)
		}
	}
	out, got, err := f.get(&api.GetObjectInput{Key: "movie", PartNumber: ptr(int32(2))})
	if err != nil || !bytes.Equal(got, whole[minPart:2*minPart+3]) || *out.PartsCount != 3 {
		f.t.Errorf("part 2: %d bytes, %v", len(got), err)
	}
	_, _, err = f.get(&api.GetObjectInput{Key: "movie", PartNumber: ptr(int32(4))})
	code(f.t, err, "InvalidPartNumber")
}

func TestCompleteRefusesWhatDoesNotFit(t *testing.T) {
	f := newFixture(t)
	id, parts, _ := f.begin(api.CreateMultipartUploadInput{ChecksumAlgorithm: "CRC32"}, minPart, 10, 20)
	_, err := f.complete(id, parts)
	code(t, err, "EntityTooSmall")
	_, err = f.complete(id, []api.CompletedPart{parts[1], parts[0]})
	code(t, err, "InvalidPartOrder")
	_, err = f.complete(id, nil)
	code(t, err, "MalformedXML")
	wrong := parts[0]
	wrong.ETag = parts[1].ETag
	_, err = f.complete(id, []api.CompletedPart{wrong})
	code(t, err, "InvalidPart")
	bare := parts[0]
	bare.ChecksumCRC32 = nil
	_, err = f.complete(id, []api.CompletedPart{bare})
	code(t, err, "InvalidRequest")
	bare.ChecksumCRC32 = parts[1].ChecksumCRC32
	_, err = f.complete(id, []api.CompletedPart{bare})
	code(t, err, "InvalidPart")
	_, err = f.complete("nope", parts)
	code(t, err, "NoSuchUpload")
	if _, err := f.complete(id, parts[:2]); err != nil {
		t.Errorf("completing with the last part left out: %v", err)
	}
	_, err = f.uploadPart(f.ctx(), &api.UploadPartInput{Bucket: "pictures", Key: "movie", UploadId: id, PartNumber: 1})
	code(t, err, "NoSuchUpload")
	_, err = f.uploadPart(f.ctx(), &api.UploadPartInput{Bucket: "pictures", Key: "movie", UploadId: id, PartNumber: 10001})
	code(t, err, "InvalidArgument")
}

func TestAbortReleasesTheParts(t *testing.T) {
	f := newFixture(t)
	id, _, _ := f.begin(api.CreateMultipartUploadInput{}, 100_000, 10)
	listed, err := f.listParts(f.ctx(), &api.ListPartsInput{Bucket: "pictures", Key: "movie", UploadId: id, MaxParts: ptr(int32(1))})
	if err != nil || len(listed.Parts) != 1 || !*listed.IsTruncated || *listed.NextPartNumberMarker != 1 {
		t.Errorf("first page of parts: %+v, %v", listed, err)
	}
	listed, err = f.listParts(f.ctx(), &api.ListPartsInput{Bucket: "pictures", Key: "movie", UploadId: id, PartNumberMarker: listed.NextPartNumberMarker})
	if err != nil || len(listed.Parts) != 1 || *listed.IsTruncated || *listed.Parts[0].PartNumber != 3 {
		t.Errorf("second page of parts: %+v, %v", listed, err)
	}
	if _, err := f.abortMultipartUpload(f.ctx(), &api.AbortMultipartUploadInput{Bucket: "pictures", Key: "movie", UploadId: id}); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(garbageDelay)
	if jobs := f.garbage(); len(jobs) != 1 {
		t.Errorf("%d garbage jobs, want 1", len(jobs))
	}
	_, err = f.abortMultipartUpload(f.ctx(), &api.AbortMultipartUploadInput{Bucket: "pictures", Key: "movie", UploadId: id})
	code(t, err, "NoSuchUpload")
	if _, err := f.deleteBucket(f.ctx(), &api.DeleteBucketInput{Bucket: "pictures"}); err != nil {
		t.Error(err)
	}
}

func TestABucketTakesItsUploadsWithIt(t *testing.T) {
	f := newFixture(t)
	f.begin(api.CreateMultipartUploadInput{}, 100_000, 10)
	var b *bucket
	if err := f.view(t.Context(), "pictures", nil, func(_ store.Reader, found *bucket) error { b = found; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := f.deleteBucket(f.ctx(), &api.DeleteBucketInput{Bucket: "pictures"}); err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(bucket{ID: b.ID, Account: b.Account, Region: b.Region})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.purge(t.Context(), events.Job{Payload: payload}); err != nil {
		t.Fatal(err)
	}
	err = f.store.View(t.Context(), func(r store.Reader) error {
		for _, sort := range []string{"up", "part"} {
			if left, err := hasAny(r, b.row(sort).Span()); left || err != nil {
				t.Errorf("rows of %q are left: %v", sort, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	f.clock.Advance(garbageDelay)
	if jobs := f.garbage(); len(jobs) != 1 {
		t.Errorf("%d garbage jobs, want 1", len(jobs))
	}
}

func TestUploadPartCopyTakesARange(t *testing.T) {
	f := newFixture(t)
	f.put("from", pattern(2*minPart))
	id, _, _ := f.begin(api.CreateMultipartUploadInput{})
	out, err := f.uploadPartCopy(f.ctx(), &api.UploadPartCopyInput{
		Bucket: "pictures", Key: "movie", UploadId: id, PartNumber: 1, CopySource: "pictures/from", CopySourceRange: ptr(fmt.Sprintf("bytes=5-%d", minPart+4)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.complete(id, []api.CompletedPart{{PartNumber: ptr(int32(1)), ETag: out.CopyPartResult.ETag}}); err != nil {
		t.Fatal(err)
	}
	f.wantBody("movie", pattern(2 * minPart)[5:minPart+5])
	// A copy of a multipart object is a whole one.
	copied, err := f.copyObject(f.ctx(), &api.CopyObjectInput{Bucket: "pictures", Key: "copy", CopySource: "pictures/movie"})
	if err != nil {
		t.Fatal(err)
	}
	sum := md5.Sum(pattern(2 * minPart)[5 : minPart+5])
	if want := fmt.Sprintf(`"%x"`, sum); *copied.CopyObjectResult.ETag != want {
		t.Errorf("ETag of the copy is %s, want %s", *copied.CopyObjectResult.ETag, want)
	}
	for header, want := range map[string]string{"bytes=0-": "InvalidArgument", "bytes=5-1": "InvalidArgument", "bytes=0-99999999": "InvalidArgument", "0-1": "InvalidArgument"} {
		_, err := copyRange(&header, 100)
		code(t, err, want)
	}
}

func TestListMultipartUploadsPages(t *testing.T) {
	f := newFixture(t)
	for _, k := range []string{"a/1", "a/2", "b", "b", "c/1"} {
		if _, err := f.createMultipartUpload(f.ctx(), &api.CreateMultipartUploadInput{Bucket: "pictures", Key: k}); err != nil {
			t.Fatal(err)
		}
	}
	in := &api.ListMultipartUploadsInput{Bucket: "pictures", Delimiter: ptr("/"), MaxUploads: ptr(int32(1))}
	var got []string
	for range 10 {
		out, err := f.listMultipartUploads(f.ctx(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range out.Uploads {
			got = append(got, *u.Key)
		}
		for _, p := range out.CommonPrefixes {
			got = append(got, *p.Prefix)
		}
		if !*out.IsTruncated {
			break
		}
		in.KeyMarker, in.UploadIdMarker = out.NextKeyMarker, out.NextUploadIdMarker
	}
	if fmt.Sprint(got) != "[a/ b b c/]" {
		t.Errorf("pages show %v", got)
	}
}
