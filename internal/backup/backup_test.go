package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// state is a source in memory. Names below bodies/ are bodies.
type state struct {
	files  map[string]string
	opened []string
	// breaks is the name at which the source is away.
	breaks string
}

var errAway = errors.New("the source is away")

func (s *state) Files(_ context.Context, each func(File) error) error {
	names := slices.SortedFunc(maps.Keys(s.files), func(x, y string) int { return strings.Compare(path.Base(x), path.Base(y)) })
	for _, bodies := range []bool{false, true} {
		for _, name := range names {
			f := File{Name: name, Size: int64(len(s.files[name])), Body: strings.HasPrefix(name, "bodies/")}
			if f.Body != bodies {
				continue
			}
			if !f.Body {
				sum := sha256.Sum256([]byte(s.files[name]))
				f.Sum = hex.EncodeToString(sum[:])
			}
			if err := each(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *state) Open(_ context.Context, name string) (io.ReadCloser, error) {
	if name == s.breaks {
		return nil, errAway
	}
	s.opened = append(s.opened, name)
	return io.NopCloser(strings.NewReader(s.files[name])), nil
}

var at = time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)

func create(t *testing.T, dir string) *Folder {
	t.Helper()
	f, err := Create(dir, "origin-1")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (s *state) backup(t *testing.T, f *Folder, minute int) Result {
	t.Helper()
	s.opened = nil
	r, err := f.Backup(t.Context(), s, at.Add(time.Duration(minute)*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// restored returns the files of a data folder made of a copy.
func restored(t *testing.T, f *Folder, name string) map[string]string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if _, err := f.Restore(t.Context(), name, dir); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		got[filepath.ToSlash(rel)] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestBackupFetchesOnlyWhatIsNew(t *testing.T) {
	f := create(t, t.TempDir())
	s := &state{files: map[string]string{"store/1.sst": "rows", "store/LOG": "one", "keys/keys.json": "secret", "bodies/001/0100": "cat", "bodies/000/0001": "dog"}}
	first := maps.Clone(s.files)
	if r := s.backup(t, f, 0); r.Files != 5 || r.Fetched != 5 || r.Bytes != 19 {
		t.Errorf("first backup: %+v", r)
	}
	s.files["store/LOG"], s.files["bodies/002/0200"] = "two", "bird"
	delete(s.files, "bodies/000/0001")
	r := s.backup(t, f, 1)
	if want := []string{"store/LOG", "bodies/002/0200"}; r.Files != 5 || !slices.Equal(s.opened, want) {
		t.Errorf("second backup %+v fetched %v, want %v", r, s.opened, want)
	}
	if diff := cmp.Diff(s.files, restored(t, f, "")); diff != "" {
		t.Errorf("newest copy (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(first, restored(t, f, "20261130T030000.000Z")); diff != "" {
		t.Errorf("first copy (-want +got):\n%s", diff)
	}
}

func TestBackupThatBrokeOffGoesOn(t *testing.T) {
	f := create(t, t.TempDir())
	s := &state{files: map[string]string{"store/1.sst": "rows", "bodies/000/0001": "dog", "bodies/000/0002": "cat", "bodies/000/0003": "bird"}, breaks: "bodies/000/0003"}
	if _, err := f.Backup(t.Context(), s, at); !errors.Is(err, errAway) {
		t.Fatalf("backup = %v, want that the source is away", err)
	}
	if all, err := f.Snapshots(); err != nil || len(all) != 0 {
		t.Errorf("copies are %v, %v; want none", all, err)
	}
	if _, err := f.Restore(t.Context(), "", filepath.Join(t.TempDir(), "x")); err == nil {
		t.Error("a copy that was broken off was restored")
	}
	s.breaks = ""
	s.backup(t, f, 1)
	if want := []string{"bodies/000/0003"}; !slices.Equal(s.opened, want) {
		t.Errorf("the next backup fetched %v, want %v", s.opened, want)
	}
	if diff := cmp.Diff(s.files, restored(t, f, "")); diff != "" {
		t.Errorf("copy (-want +got):\n%s", diff)
	}
	if left, err := f.lists(partial); err != nil || len(left) != 0 {
		t.Errorf("left of what was broken off: %v, %v", left, err)
	}
}

func TestKeepRemovesOldCopiesAndWhatOnlyTheyHad(t *testing.T) {
	dir := t.TempDir()
	f := create(t, dir)
	s := &state{files: map[string]string{"store/LOG": "one", "bodies/000/0001": "dog"}}
	s.backup(t, f, 0)
	s.files["store/LOG"] = "two"
	s.backup(t, f, 1)
	if removed, err := f.Keep(1); err != nil || removed != 1 {
		t.Fatalf("Keep = %d, %v", removed, err)
	}
	objects, err := filepath.Glob(filepath.Join(dir, objectFolder, "*", "*"))
	if err != nil || len(objects) != 2 {
		t.Errorf("objects are %v, %v; want those of the copy that was kept", objects, err)
	}
	if diff := cmp.Diff(s.files, restored(t, f, "")); diff != "" {
		t.Errorf("copy (-want +got):\n%s", diff)
	}
}

func TestRestoreRefusesWhatIsDamaged(t *testing.T) {
	dir := t.TempDir()
	f := create(t, dir)
	(&state{files: map[string]string{"bodies/000/0001": "dog"}}).backup(t, f, 0)
	objects, err := filepath.Glob(filepath.Join(dir, objectFolder, "*", "*"))
	if err != nil || len(objects) != 1 {
		t.Fatal(objects, err)
	}
	if err := os.WriteFile(objects[0], []byte("d0g"), 0o600); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "data")
	if _, err := f.Restore(t.Context(), "", to); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("Restore = %v, want that the content is damaged", err)
	}
	if _, err := os.Stat(to); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data folder is there after a restore that broke off: %v", err)
	}
}

func TestFoldersThatAreNotOursAreRefused(t *testing.T) {
	dir := t.TempDir()
	create(t, dir)
	if _, err := Create(dir, "origin-2"); err == nil || !strings.Contains(err.Error(), "another data folder") {
		t.Errorf("another origin: %v", err)
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "letter.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(full, "origin-1"); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a folder with other things: %v", err)
	}
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	(&state{files: map[string]string{"a": "b"}}).backup(t, f, 0)
	if _, err := f.Restore(t.Context(), "", full); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("restore into a folder with other things: %v", err)
	}
	if _, err := f.Restore(t.Context(), "yesterday", filepath.Join(full, "x")); err == nil || !strings.Contains(err.Error(), "no copy yesterday") {
		t.Errorf("restore of a copy that is not there: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, markFile), []byte(`{"format": 2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("a later format: %v", err)
	}
}

func TestSourcesCannotWriteOutsideOfTheDataFolder(t *testing.T) {
	f := create(t, t.TempDir())
	for _, name := range []string{"../x", "/etc/passwd", "a/../../b", ""} {
		_, err := f.Backup(t.Context(), &state{files: map[string]string{name: "x"}}, at)
		if err == nil {
			t.Errorf("a file named %q was taken", name)
		}
		for _, l := range must(f.lists(partial)) {
			_ = os.Remove(f.listPath(l, partial))
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func FuzzList(f *testing.F) {
	f.Add([]byte(`{"name":"a","size":1,"sha256":"` + strings.Repeat("a", 64) + `"}` + "\n"))
	f.Add([]byte(`{"name":"../a","size":-1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), "list")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := openList(path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.close()
		for {
			if err := l.next(); err != nil || !l.ok {
				return
			}
			if !filepath.IsLocal(filepath.FromSlash(l.line.Name)) || bytes.ContainsRune([]byte(l.line.Sum), '/') {
				t.Fatalf("%+v is no file of a data folder", l.line)
			}
		}
	})
}
