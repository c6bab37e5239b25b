package s3

import (
	"strings"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/store"
)

func TestScrubFindsDamageAndRefusesIt(t *testing.T) {
	f := newFixture(t)
	f.put("whole", pattern(100_000))
	f.put("small", []byte("hello"))
	f.put("lost", pattern(100_000))
	if _, err := f.putObject(f.ctx(), &api.PutObjectInput{Bucket: "pictures", Key: "sealed", Body: strings.NewReader("x"), ServerSideEncryption: sseS3}); err != nil {
		t.Fatal(err)
	}
	scrub := func() (found []string) {
		t.Helper()
		total, err := f.Scrub(t.Context(), func(d Finding) error {
			found = append(found, d.Key+": "+d.Problem)
			return nil
		})
		if err != nil || total.Versions != 4 || total.Damaged != int64(len(found)) {
			t.Errorf("total %+v, %v", total, err)
		}
		return found
	}
	if found := scrub(); found != nil {
		t.Errorf("found %v in a whole store", found)
	}
	change := func(object string, to func(v *version)) {
		t.Helper()
		v, err := f.current(object)
		if err != nil {
			t.Fatal(err)
		}
		to(v)
		if err := f.store.Update(t.Context(), func(tx store.Txn) error {
			b, err := findBucket(tx, "pictures", nil)
			if err != nil {
				return err
			}
			return putRow(tx, b, object, v)
		}); err != nil {
			t.Fatal(err)
		}
	}
	change("small", func(v *version) { v.inline = []byte("hallo") })
	change("sealed", func(v *version) { v.inline = append([]byte{v.inline[0] ^ 1}, v.inline[1:]...) })
	lost, err := f.current("lost")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.blobs.Delete(t.Context(), lost.Blob); err != nil {
		t.Fatal(err)
	}
	if found := strings.Join(scrub(), "\n"); strings.Count(found, "\n") != 2 || !strings.Contains(found, "lost: its body is missing") || !strings.Contains(found, "small: its CRC64NVME is not") {
		t.Errorf("found %s", found)
	}
	for _, object := range []string{"small", "sealed", "lost"} {
		_, _, err := f.get(&api.GetObjectInput{Key: object})
		code(t, err, "InternalError")
	}
	f.wantBody("whole", pattern(100_000))
	change("small", func(v *version) { v.inline = []byte("hello") })
	scrub()
	f.wantBody("small", []byte("hello"))
}

func TestUsageCountsVersionsAndParts(t *testing.T) {
	f := newFixture(t)
	f.versioning(versioningEnabled)
	f.put("a", pattern(10))
	f.put("a", pattern(20))
	f.put("b", pattern(5))
	f.remove("b", nil)
	up, err := f.createMultipartUpload(f.ctx(), &api.CreateMultipartUploadInput{Bucket: "pictures", Key: "u"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.uploadPart(f.ctx(), &api.UploadPartInput{Bucket: "pictures", Key: "u", UploadId: *up.UploadId, PartNumber: 1, Body: strings.NewReader("1234567")}); err != nil {
		t.Fatal(err)
	}
	var all []Usage
	if err := f.Usage(t.Context(), func(u Usage) error { all = append(all, u); return nil }); err != nil {
		t.Fatal(err)
	}
	want := Usage{Bucket: "pictures", Objects: 1, Versions: 3, Markers: 1, Uploads: 1, Bytes: 20, AllBytes: 35, PartBytes: 7}
	if len(all) != 1 || all[0] != want {
		t.Errorf("usage is %+v, want %+v", all, want)
	}
}
