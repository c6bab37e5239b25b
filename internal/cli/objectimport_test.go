package cli

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
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
	if code, out, talk := run(t, keys, "s3", "import", "--from-endpoint", endpoint, "--from-path-style", "s3://source/in/", "copies/2026"); code != 0 || !strings.Contains(out, "2 were there already") {
		t.Errorf("the second import = %d %s%s", code, out, talk)
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
	i := &objectImport{from: c, source: "source", folder: t.TempDir()}
	if _, _, err := i.fetch(t.Context(), "a", 0, -1); err == nil || !strings.Contains(err.Error(), "receive the body") {
		t.Errorf("import of half a body = %v", err)
	}
}

// TestImportOfPartsKeepsThem makes an object of parts: its copy has the same ETag, by which the next import finds it.
func TestImportOfPartsKeepsThem(t *testing.T) {
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
	from := importTarget{c, "source"}
	texts := []string{strings.Repeat("a", 5<<20), strings.Repeat("b", 5<<20), "c"}
	err = from.upload(t.Context(), "large", http.Header{"X-Amz-Meta-Author": {"ada"}}, func(number int) (s3client.Body, error) {
		if number > len(texts) {
			return s3client.Body{}, io.EOF
		}
		return s3client.TextBody(texts[number-1]), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1 object", "were there already"} {
		if code, out, talk := run(t, keys, "s3", "import", "--from-endpoint", endpoint, "--from-path-style", "s3://source", "copies"); code != 0 || !strings.Contains(out, want) {
			t.Fatalf("import = %d %s%s, want %q", code, out, talk, want)
		}
	}
	one, err := c.Head(t.Context(), "source", "large")
	if err != nil {
		t.Fatal(err)
	}
	copied, err := c.Head(t.Context(), "copies", "large")
	if err != nil || one.Get("ETag") != copied.Get("ETag") || copied.Get("X-Amz-Meta-Author") != "ada" || copied.Get("Content-Length") != strconv.Itoa(10<<20+1) {
		t.Errorf("the copy is %v, %v; want the ETag %s", copied, err, one.Get("ETag"))
	}
}

// TestImportOfAFolderGoesOn imports a folder, changes it, and imports it again.
func TestImportOfAFolderGoesOn(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	up(t, dir)
	if err := os.MkdirAll("site/deep", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"site/index.html": "home", "site/deep/empty": "", "site/deep/b": "b"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code, out, talk := run(t, nil, "s3", "import", "site", "copies/2026"); code != 0 || !strings.Contains(out, "3 files, 5 B, in s3://copies/2026") {
		t.Fatalf("import = %d %s%s", code, out, talk)
	}
	if err := os.WriteFile("site/deep/b", []byte("B"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, talk := run(t, nil, "s3", "import", "site", "copies/2026"); code != 0 || !strings.Contains(out, "3 files, 5 B (2 were there already)") {
		t.Fatalf("import = %d %s%s", code, out, talk)
	}
}

// TestFilesAreStoredInParts gives a file in parts as it gives a small one whole, with the ETag that S3 will name it by.
func TestFilesAreStoredInParts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("abcdefgh"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for part, want := range map[int64]struct {
		etag  string
		parts int
	}{
		8: {"e8dc4081b13434b45189a720b77b6818", 1}, 3: {"aeeee0d2676cb87233c9a93915c7631a-3", 3},
	} {
		c, err := readContent(f, 8, part)
		if err != nil || len(c.bodies) != want.parts {
			t.Fatalf("parts of %d bytes: %+v, %v", part, c, err)
		}
		var all strings.Builder
		for _, b := range c.bodies {
			raw, err := io.ReadAll(b.Open())
			if err != nil || s3client.TextBody(string(raw)).SHA256 != b.SHA256 {
				t.Errorf("part %q, %v: its sum is %s", raw, err, b.SHA256)
			}
			all.Write(raw)
		}
		if all.String() != "abcdefgh" {
			t.Errorf("the parts are %q", all.String())
		}
		if c.etag != want.etag {
			t.Errorf("ETag of parts of %d bytes is %s, want %s", part, c.etag, want.etag)
		}
	}
	if _, err := readContent(f, 9, 8); err == nil {
		t.Error("a file that is shorter than it was is taken")
	}
}
