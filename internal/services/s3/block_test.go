package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/blob"
)

// rotten is a store of blobs in which the byte at flip of each has changed, and which ends at end.
type rotten struct {
	blob.Store

	flip, end int64
}

func (s *rotten) Open(ctx context.Context, id blob.ID, want blob.Span) (blob.ReadSeekCloser, error) {
	f, err := s.Store.Open(ctx, id, blob.Whole())
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	b = bytes.Clone(b)
	if s.flip >= 0 {
		b[s.flip] ^= 1
	}
	r := bytes.NewReader(b[:min(s.end, int64(len(b)))])
	_, err = r.Seek(want.Offset, io.SeekStart)
	return struct {
		*bytes.Reader
		io.Closer
	}{r, io.NopCloser(nil)}, err
}

func (f *fixture) rot(flip, end int64) {
	inner := f.blobs
	if r, ok := inner.(*rotten); ok {
		inner = r.Store
	}
	f.blobs = &rotten{inner, flip, end}
}

func TestNoByteOfADamagedBlockIsServed(t *testing.T) {
	f := newFixture(t)
	body := pattern(3*blockSize + 100)
	f.put("x", body)
	f.rot(5, 1<<30)
	_, _, err := f.get(&api.GetObjectInput{Key: "x"})
	code(t, err, "InternalError")
	_, _, err = f.get(&api.GetObjectInput{Key: "x", Range: ptr("bytes=100-200")})
	code(t, err, "InternalError")
	_, err = f.copyObject(f.ctx(), &api.CopyObjectInput{Bucket: "pictures", Key: "copy", CopySource: "pictures/x", ServerSideEncryption: sseS3})
	code(t, err, "InternalError")

	f.rot(2*blockSize+7, 1<<30)
	_, got, err := f.get(&api.GetObjectInput{Key: "x"})
	if !errors.Is(err, blob.ErrDamaged) || !bytes.Equal(got, body[:2*blockSize]) {
		t.Errorf("a body whose third block is damaged gave %d bytes, %v", len(got), err)
	}
	if _, got, err = f.get(&api.GetObjectInput{Key: "x", Range: ptr("bytes=10-600000")}); !errors.Is(err, blob.ErrDamaged) || !bytes.Equal(got, body[10:2*blockSize]) {
		t.Errorf("a range into the damaged block gave %d bytes, %v", len(got), err)
	}
	for _, at := range []string{"bytes=0-0", "bytes=262143-262145", "bytes=786432-", "bytes=-1"} {
		if _, _, err := f.get(&api.GetObjectInput{Key: "x", Range: &at}); err != nil {
			t.Errorf("the range %s of whole blocks: %v", at, err)
		}
	}

	f.rot(-1, 3*blockSize+50)
	if _, got, err = f.get(&api.GetObjectInput{Key: "x"}); !errors.Is(err, blob.ErrDamaged) || len(got) != 3*blockSize {
		t.Errorf("a body that was cut off gave %d bytes, %v", len(got), err)
	}
	f.rot(-1, 1<<30)
	f.wantBody("x", body)
}

func TestDamagedPartsAreRefused(t *testing.T) {
	f := newFixture(t)
	up, err := f.createMultipartUpload(f.ctx(), &api.CreateMultipartUploadInput{Bucket: "pictures", Key: "m"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.uploadPart(f.ctx(), &api.UploadPartInput{Bucket: "pictures", Key: "m", UploadId: *up.UploadId, PartNumber: 1, Body: bytes.NewReader(pattern(blockSize + 9))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.completeMultipartUpload(f.ctx(), &api.CompleteMultipartUploadInput{
		Bucket: "pictures", Key: "m", UploadId: *up.UploadId, MultipartUpload: &api.CompletedMultipartUpload{Parts: []api.CompletedPart{{PartNumber: ptr(int32(1)), ETag: out.ETag}}},
	}); err != nil {
		t.Fatal(err)
	}
	f.wantBody("m", pattern(blockSize+9))
	f.rot(3, 1<<30)
	_, _, err = f.get(&api.GetObjectInput{Key: "m"})
	code(t, err, "InternalError")
}

// fileLike makes a reader look like a file of the local disk.
type fileLike struct{ blob.ReadSeekCloser }

func (fileLike) Fd() uintptr { return 0 }

// onDisk is a store of blobs whose readers look like files, and that rots when it is told.
type onDisk struct{ *rotten }

func (s onDisk) Open(ctx context.Context, id blob.ID, want blob.Span) (blob.ReadSeekCloser, error) {
	f, err := s.rotten.Open(ctx, id, want)
	return fileLike{f}, err
}

func TestFileIsProvenAgainAfterAMinute(t *testing.T) {
	f := newFixture(t)
	body := pattern(2*blockSize + 5)
	f.put("x", body)
	disk := &rotten{f.blobs, -1, 1 << 30}
	f.blobs = onDisk{disk}
	f.wantBody("x", body) // proves it
	f.wantBody("x", body)
	if _, got, err := f.get(&api.GetObjectInput{Key: "x", Range: ptr("bytes=7-300000")}); err != nil || !bytes.Equal(got, body[7:300001]) {
		t.Errorf("a range of a proven file gave %d bytes, %v", len(got), err)
	}
	disk.flip = 3
	f.clock.Advance(provenFor)
	_, _, err := f.get(&api.GetObjectInput{Key: "x"})
	code(t, err, "InternalError")
}
