package crash

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth/sigv4"
)

// sweepLimit is how long the platform may take to find what a crash left.
const sweepLimit = 20 * time.Second

func TestBodiesOfBrokenUploadsAreGoneAfterTheRestart(t *testing.T) {
	dir := t.TempDir()
	p := newPlatform(t, dir)
	c := newClient(p.address)
	if err := c.prepare(t); err != nil {
		t.Fatal(err)
	}
	kept := bytes.Repeat([]byte("kept"), 1<<18)
	if err := c.putObject(t.Context(), "kept", kept); err != nil {
		t.Fatal(err)
	}
	before := bodies(t, dir)
	body, feed := io.Pipe()
	sent := make(chan error, 1)
	go func() { sent <- c.putStream(t, "broken", body, 8<<20) }()
	if _, err := feed.Write(kept); err != nil {
		t.Fatal(err)
	}
	waitForBodies(t, dir, before+1)
	p.kill()
	_ = feed.CloseWithError(io.ErrClosedPipe)
	if err := <-sent; err == nil {
		t.Fatal("an upload that was cut off was acknowledged")
	}

	p.start(t)
	waitForBodies(t, dir, before)
	if got, err := c.getObject(t.Context(), "kept"); err != nil || !bytes.Equal(got, kept) {
		t.Errorf("the object that was kept reads as %d bytes, %v", len(got), err)
	}
	if _, err := c.getObject(t.Context(), "broken"); err == nil {
		t.Error("the object of the broken upload is there")
	}
}

// putStream puts an object whose body comes from a reader.
func (c *client) putStream(t *testing.T, key string, body io.Reader, size int64) error {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, c.endpoint+"/"+bucket+"/"+key, body)
	if err != nil {
		return err
	}
	r.ContentLength = size
	signer := sigv4.Signer{AccessKeyID: "test", Secret: "test", Region: "us-east-1", Service: "s3", S3: true}
	if err := signer.SignHTTP(r, "UNSIGNED-PAYLOAD", time.Now()); err != nil {
		return err
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// bodies counts the files of bodies in a data folder.
func bodies(t *testing.T, dataDir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dataDir, "blobs"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && len(d.Name()) == 16 {
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func waitForBodies(t *testing.T, dataDir string, want int) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for end := time.After(sweepLimit); ; {
		got := bodies(t, dataDir)
		if got == want {
			return
		}
		select {
		case <-again.C:
		case <-end:
			t.Fatalf("%d bodies after %v, want %d", got, sweepLimit, want)
		}
	}
}
