package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/s3client"
)

// TestObjectsComeFromAnotherStore reads from a Lambent through its S3 protocol, and writes into it.
func TestObjectsComeFromAnotherStore(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	endpoint, _ := up(t, dir)
	keys := []string{"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test"}
	c, err := (&app{Process: Process{Environ: keys, Clock: clock.System{}}}).originClient(origin{endpoint: endpoint, region: "us-east-1", pathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CreateBucket(t.Context(), "source"); err != nil {
		t.Fatal(err)
	}
	header := http.Header{
		"Content-Type": {"text/x-poem"}, "Content-Encoding": {"gzip"}, "X-Amz-Meta-Author": {"ada"}, "X-Amz-Tagging": {"kind=a%20b"},
	}
	for _, key := range []string{"in/a b+ä.txt", "in/deep/empty", "out/other"} {
		text := key
		if key == "in/deep/empty" {
			text = ""
		}
		if _, err := c.Put(t.Context(), "source", key, header.Clone(), s3client.TextBody(text)); err != nil {
			t.Fatal(err)
		}
	}

	code, out, talk := run(t, keys, "s3", "import", "--from-endpoint", endpoint, "--from-path-style", "s3://source/in/", "copies/2026")
	if code != 0 || !strings.Contains(out, "2 objects") {
		t.Fatalf("import = %d %s%s", code, out, talk)
	}
	page, _, err := c.List(t.Context(), "copies", "", "")
	if err != nil || len(page) != 2 || page[0].Key != "2026/a b+ä.txt" || page[1].Key != "2026/deep/empty" {
		t.Fatalf("the copies are %+v, %v", page, err)
	}
	got, err := c.Head(t.Context(), "copies", "2026/a b+ä.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Content-Type", "Content-Encoding", "X-Amz-Meta-Author"} {
		if got.Get(name) != header.Get(name) {
			t.Errorf("%s is %q, want %q", name, got.Get(name), header.Get(name))
		}
	}
	if tags, err := c.Tags(t.Context(), "copies", "2026/a b+ä.txt"); err != nil || tags != "kind=a%20b" {
		t.Errorf("tags = %q, %v", tags, err)
	}
	if page[0].Size != int64(len("in/a b+ä.txt")) {
		t.Errorf("the copy has %d bytes", page[0].Size)
	}

	if code, _, talk := run(t, keys, "s3", "import", "--from-endpoint", endpoint, "--from-path-style", "s3://nowhere", "copies"); code != ExitFailed || !strings.Contains(talk, "NoSuchBucket") {
		t.Errorf("import of a missing bucket = %d %s", code, talk)
	}
	if code, _, talk := run(t, keys, "s3", "import", "--from-endpoint", "nonsense", "s3://source", "copies"); code == 0 || !strings.Contains(talk, "https://host:port") {
		t.Errorf("import from no URL = %d %s", code, talk)
	}
}

// TestImportRefusesABodyThatIsCutOff answers with less than was announced: nothing is stored.
func TestImportRefusesABodyThatIsCutOff(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("half"))
	}))
	defer s.Close()
	c, err := (&app{Process: Process{Clock: clock.System{}}}).originClient(origin{endpoint: s.URL, region: "us-east-1", pathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	i := &objectImport{from: c, source: "source", target: "copies", folder: t.TempDir()}
	if err := i.one(t.Context(), s3client.Object{Key: "a", Size: 100}, "a"); err == nil || !strings.Contains(err.Error(), "receive the body") {
		t.Errorf("import of half a body = %v", err)
	}
}
