package s3

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/wire"
)

// The benchmarks are the cost of the service itself: the store and the bodies are in memory, and no HTTP is spoken.

func BenchmarkPut1KB(b *testing.B)  { benchmarkPut(b, 1<<10) }
func BenchmarkPut64KB(b *testing.B) { benchmarkPut(b, 64<<10) }

func benchmarkPut(b *testing.B, size int) {
	f := newFixture(b)
	body := pattern(size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_, err := f.putObject(f.ctx(), &api.PutObjectInput{Bucket: "pictures", Key: strconv.Itoa(i), Body: bytes.NewReader(body)})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet1KB(b *testing.B) {
	f := newFixture(b)
	f.put("k", pattern(1<<10))
	b.ReportAllocs()
	for b.Loop() {
		out, err := f.getObject(f.ctx(), &api.GetObjectInput{Bucket: "pictures", Key: "k"})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, out.Body); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkListPage is a page of 1,000 common prefixes, each over 20 keys: what it skips must not cost.
func BenchmarkListPage(b *testing.B) {
	f := newFixture(b)
	for i := range 20_000 {
		f.put(fmt.Sprintf("dir-%05d/key-%02d", i/20, i%20), nil)
	}
	b.ReportAllocs()
	for b.Loop() {
		out, err := f.listObjectsV2(f.ctx(), &api.ListObjectsV2Input{Bucket: "pictures", Delimiter: ptr("/")})
		if err != nil || len(out.CommonPrefixes) != 1000 {
			b.Fatalf("%d prefixes, %v", len(out.CommonPrefixes), err)
		}
	}
}

// BenchmarkListThousand is a page of 1,000 keys, from the store to the bytes of the answer.
func BenchmarkListThousand(b *testing.B) {
	f := newFixture(b)
	for i := range 2000 {
		f.put(fmt.Sprintf("listed/%08d", i), nil)
	}
	contents := f.Service.Service()
	op := wire.New(contents.API, contents.Operations).Operation("ListObjectsV2")
	req := &wire.Request{Method: http.MethodGet, RawPath: "/pictures", RawQuery: "list-type=2", Header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		out, err := f.listObjectsV2(f.ctx(), &api.ListObjectsV2Input{Bucket: "pictures"})
		if err != nil || len(out.Contents) != 1000 {
			b.Fatalf("%d keys, %v", len(out.Contents), err)
		}
		if err := op.WriteResponse(b.Context(), discard{http.Header{}}, req, out); err != nil {
			b.Fatal(err)
		}
	}
}

// discard is an answer that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
