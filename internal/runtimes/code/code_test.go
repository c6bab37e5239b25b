package code

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

type entry struct {
	name, content string
	mode          fs.FileMode
}

func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		h.SetMode(e.mode)
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func open(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPutKeepsFilesModesAndLinks(t *testing.T) {
	s := open(t)
	h, err := s.Put(t.Context(), archive(t,
		entry{"bin/run", "#!/bin/sh", 0o700}, entry{"app.py", "x = 1", 0o600}, entry{"lib/", "", fs.ModeDir | 0o755}, entry{"lib/a.so.1", "so", 0o644},
		entry{"lib/a.so", "a.so.1", fs.ModeSymlink | 0o777}, entry{"up", "lib/../app.py", fs.ModeSymlink | 0o777}, entry{"./dot", "d", 0o644}))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		content string
		mode    fs.FileMode
	}{"bin/run": {"#!/bin/sh", 0o755}, "app.py": {"x = 1", 0o644}, "lib/a.so": {"so", 0o644}, "up": {"x = 1", 0o644}, "dot": {"d", 0o644}} {
		file := filepath.Join(s.Path(h), name)
		b, err := os.ReadFile(file)
		if err != nil || string(b) != want.content {
			t.Errorf("%s: %q, %v", name, b, err)
			continue
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != want.mode {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
	}
	back, err := ParseHash(h.Base64())
	if err != nil || back != h {
		t.Errorf("hash %v, %v", back, err)
	}
}

func TestHostileArchivesAreRefused(t *testing.T) {
	link := fs.ModeSymlink | 0o777
	for name, data := range map[string][]byte{
		"no zip":             []byte("PK not really"),
		"climbing":           archive(t, entry{"../x", "", 0o644}),
		"climbing inside":    archive(t, entry{"a/../../x", "", 0o644}),
		"absolute":           archive(t, entry{"/etc/x", "", 0o644}),
		"backslashes":        archive(t, entry{`..\x`, "", 0o644}),
		"link out":           archive(t, entry{"l", "../../etc/passwd", link}),
		"absolute link":      archive(t, entry{"l", "/etc/passwd", link}),
		"write through link": archive(t, entry{"l", ".", link}, entry{"l/x", "", 0o644}),
		"links that add up":  archive(t, entry{"a/b/c", "x", 0o644}, entry{"d", "a/b", link}, entry{"e", "d/../../..", link}),
		"link to itself":     archive(t, entry{"l", "l", link}),
		"device":             archive(t, entry{"d", "", fs.ModeDevice | 0o644}),
		"pipe":               archive(t, entry{"p", "", fs.ModeNamedPipe | 0o644}),
		"twice":              archive(t, entry{"x", "1", 0o644}, entry{"x", "2", 0o644}),
		"file as folder":     archive(t, entry{"x", "1", 0o644}, entry{"x/y", "2", 0o644}),
		"long name":          archive(t, entry{strings.Repeat("n", 2000), "", 0o644}),
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			var bad *ArchiveError
			if _, err := s.Put(t.Context(), data); !errors.As(err, &bad) {
				t.Fatalf("error %v", err)
			}
			if left, err := os.ReadDir(s.dir); err != nil || len(left) != 0 {
				t.Errorf("left %v, %v", left, err)
			}
		})
	}
}

// zeros is an endless source of zero bytes.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestBombsAreCountedAsTheyUnpack(t *testing.T) {
	const most = 8 << 20
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range []string{"a", "b"} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(w, zeros{}, most/2+1); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t)
	if s.most != MaxUnzipped {
		t.Errorf("at most %d bytes come out of an archive", s.most)
	}
	s.most = most
	var bad *ArchiveError
	if _, err := s.Put(t.Context(), b.Bytes()); !errors.As(err, &bad) || !bad.TooLarge {
		t.Fatalf("error %v of an archive of %d bytes", err, b.Len())
	}
	if left, err := os.ReadDir(s.dir); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestSameCodeIsUnpackedOnce(t *testing.T) {
	s := open(t)
	data := archive(t, entry{"x", "1", 0o644})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := s.Put(t.Context(), data); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if list, err := os.ReadDir(s.dir); err != nil || len(list) != 1 {
		t.Errorf("folders %v, %v", list, err)
	}
	if err := s.Sweep(func(h Hash) bool { return h == HashOf(data) }); err != nil || !s.Has(HashOf(data)) {
		t.Errorf("sweep removed live code, %v", err)
	}
	if err := s.Sweep(func(Hash) bool { return false }); err != nil || s.Has(HashOf(data)) {
		t.Errorf("sweep kept dead code, %v", err)
	}
}

func TestOpenRemovesHalfUnpackedCode(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "new-1", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func FuzzPut(f *testing.F) {
	f.Add(archive(f, entry{"a/b", "x", 0o644}, entry{"l", "a/b", fs.ModeSymlink | 0o777}))
	f.Add(archive(f, entry{"../x", "", 0o644}))
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		s, err := Open(filepath.Join(dir, "store"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = s.Put(t.Context(), data)
		if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
			t.Fatalf("files outside of the store: %v, %v", list, err)
		}
	})
}
