package s3

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/s3"
)

// naive is the listing rule of https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-prefixes.html, written without any care for cost.
func naive(keys []string, prefix, delimiter string) []string {
	var out []string
	for _, k := range keys {
		if !strings.HasPrefix(k, prefix) {
			continue
		}
		if delimiter != "" {
			if i := strings.Index(k[len(prefix):], delimiter); i >= 0 {
				k = k[:len(prefix)+i+len(delimiter)] + "\xff(prefix)"
			}
		}
		if len(out) == 0 || out[len(out)-1] != k {
			out = append(out, k)
		}
	}
	return out
}

func TestListingsAgreeWithTheRule(t *testing.T) {
	f := newFixture(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	letters := []string{"a", "b", "/", "//", "\x00", "z", "é", "-"}
	seen := map[string]bool{}
	for range 150 {
		var k strings.Builder
		for range 1 + rnd.IntN(6) {
			k.WriteString(letters[rnd.IntN(len(letters))])
		}
		seen[k.String()] = true
		f.put(k.String(), nil)
	}
	var keys []string
	for k := range seen {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, prefix := range []string{"", "a", "a/", "b/", "/", "z", "\x00", "nothing"} {
		for _, delimiter := range []string{"", "/", "//", "b", "\x00"} {
			for _, size := range []int32{1, 3, 1000} {
				got := f.listAll(prefix, delimiter, size)
				if diff := cmp.Diff(naive(keys, prefix, delimiter), got); diff != "" {
					t.Fatalf("v2 prefix %q delimiter %q page %d:\n%s", prefix, delimiter, size, diff)
				}
				got = f.listAllV1(prefix, delimiter, size)
				if diff := cmp.Diff(naive(keys, prefix, delimiter), got); diff != "" {
					t.Fatalf("v1 prefix %q delimiter %q page %d:\n%s", prefix, delimiter, size, diff)
				}
			}
		}
	}
}

func merged(objects []api.Object, prefixes []api.CommonPrefix) []string {
	var names []string
	for _, o := range objects {
		names = append(names, *o.Key)
	}
	for _, p := range prefixes {
		names = append(names, *p.Prefix+"\xff(prefix)")
	}
	slices.Sort(names)
	return names
}

func (f *fixture) listAll(prefix, delimiter string, size int32) []string {
	f.t.Helper()
	var all []string
	in := &api.ListObjectsV2Input{Bucket: "pictures", Prefix: &prefix, Delimiter: &delimiter, MaxKeys: &size}
	for {
		out, err := f.listObjectsV2(f.ctx(), in)
		if err != nil {
			f.t.Fatal(err)
		}
		page := merged(out.Contents, out.CommonPrefixes)
		if int(*out.KeyCount) != len(page) || len(page) > int(size) {
			f.t.Fatalf("KeyCount is %d of a page of %d, at most %d", *out.KeyCount, len(page), size)
		}
		all = append(all, page...)
		if !*out.IsTruncated {
			break
		}
		in.ContinuationToken = out.NextContinuationToken
	}
	slices.Sort(all)
	return all
}

func (f *fixture) listAllV1(prefix, delimiter string, size int32) []string {
	f.t.Helper()
	var all []string
	in := &api.ListObjectsInput{Bucket: "pictures", Prefix: &prefix, Delimiter: &delimiter, MaxKeys: &size}
	for {
		out, err := f.listObjects(f.ctx(), in)
		if err != nil {
			f.t.Fatal(err)
		}
		all = append(all, merged(out.Contents, out.CommonPrefixes)...)
		if !*out.IsTruncated {
			break
		}
		in.Marker = out.NextMarker
		if in.Marker == nil {
			in.Marker = out.Contents[len(out.Contents)-1].Key
		}
	}
	slices.Sort(all)
	return all
}

func TestListingShowsWhatHeadShows(t *testing.T) {
	f := newFixture(t)
	etag := *f.put("dir/ü +", pattern(5)).ETag
	out, err := f.listObjectsV2(f.ctx(), &api.ListObjectsV2Input{Bucket: "pictures", EncodingType: "url", FetchOwner: ptr(true), Prefix: ptr("dir/ü")})
	if err != nil {
		t.Fatal(err)
	}
	o := out.Contents[0]
	if *o.Key != "dir/%C3%BC%20%2B" || *out.Prefix != "dir/%C3%BC" || *o.ETag != etag || *o.Size != 5 || o.StorageClass != "STANDARD" || *o.Owner.ID == "" {
		t.Errorf("listed %+v of %q", o, *out.Prefix)
	}
	head, err := f.headObject(f.ctx(), &api.HeadObjectInput{Bucket: "pictures", Key: "dir/ü +"})
	if err != nil || !head.LastModified.Equal(*o.LastModified) {
		t.Errorf("head says %v, the listing %v: %v", head.LastModified, o.LastModified, err)
	}
	_, err = f.listObjectsV2(f.ctx(), &api.ListObjectsV2Input{Bucket: "pictures", ContinuationToken: ptr("?")})
	code(t, err, "InvalidArgument")
	_, err = f.listObjectsV2(f.ctx(), &api.ListObjectsV2Input{Bucket: "pictures", EncodingType: "x"})
	code(t, err, "InvalidArgument")
	_, err = f.listObjectsV2(f.ctx(), &api.ListObjectsV2Input{Bucket: "pictures", MaxKeys: ptr(int32(-1))})
	code(t, err, "InvalidArgument")
}
