package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/image/imagetest"
)

func open(t testing.TB, change func(o *Options)) *Store {
	t.Helper()
	o := Options{Dir: t.TempDir(), Registries: []string{"localhost"}}
	if change != nil {
		change(&o)
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// load takes an image of layers.
func load(t testing.TB, s *Store, layers ...[]byte) (*Image, error) {
	t.Helper()
	dir := t.TempDir()
	i := imagetest.Image{Layers: layers}
	i.Layout(t, dir)
	return s.Load(t.Context(), dir)
}

// listing is what lies in a folder: a line for each file, with its permissions and its content or target.
func listing(t testing.TB, dir string) []string {
	t.Helper()
	prepared := []string{"proc", "dev", "tmp", "mnt", "etc", "etc/hosts", "etc/resolv.conf", "opt", "opt/lib", "var", "var/task", "var/task/lib", "var/runtime", "var/runtime/lib"}
	var out []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil || rel == "." || slices.Contains(prepared, rel) {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		what := ""
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(name)
			if err != nil {
				return err
			}
			out = append(out, rel+" -> "+to)
			return nil
		case d.Type().IsRegular():
			b, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			what = " " + string(b)
		default:
			rel += "/"
		}
		out = append(out, fmt.Sprintf("%s %o%s", rel, info.Mode().Perm(), what))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const (
	dir     = tar.TypeDir
	symlink = tar.TypeSymlink
	hard    = tar.TypeLink
)

type entry = imagetest.Entry

func TestLayersAreLaidOverEachOther(t *testing.T) {
	base := []entry{
		{Name: "usr/", Type: dir},
		{Name: "usr/lib/", Type: dir, Mode: 0o755},
		{Name: "usr/lib/a", Content: "a", Mode: 0o4755},
		{Name: "usr/lib/b", Content: "b", Mode: 0o644},
		{Name: "lib", Type: symlink, Link: "usr/lib"},
		{Name: "app/", Type: dir, Mode: 0o700},
		{Name: "app/x", Content: "x", Mode: 0o600},
		{Name: "app/y", Content: "y", Mode: 0o600},
	}
	for _, tc := range []struct {
		name   string
		layers [][]entry
		want   []string
	}{
		{"one layer", [][]entry{base}, []string{"app/ 700", "app/x 600 x", "app/y 600 y", "lib -> usr/lib", "usr/ 755", "usr/lib/ 755", "usr/lib/a 755 a", "usr/lib/b 644 b"}},
		{
			"a file is replaced, a folder gets other permissions",
			[][]entry{base, {{Name: "app/", Type: dir, Mode: 0o755}, {Name: "app/x", Content: "new", Mode: 0o644}}},
			[]string{"app/ 755", "app/x 644 new", "app/y 600 y", "lib -> usr/lib", "usr/ 755", "usr/lib/ 755", "usr/lib/a 755 a", "usr/lib/b 644 b"},
		},
		{
			"files and folders are removed",
			[][]entry{base, {{Name: "app/.wh.x"}, {Name: "usr/.wh.lib"}, {Name: ".wh.lib"}, {Name: ".wh.never"}, {Name: "no/where/.wh.x"}}},
			[]string{"app/ 700", "app/y 600 y", "no/ 755", "no/where/ 755", "usr/ 755"},
		},
		{
			"what a layer removes it may bring itself",
			[][]entry{base, {{Name: "app/x", Content: "new", Mode: 0o644}, {Name: "app/.wh.x"}, {Name: "app/.wh.y"}, {Name: "usr/.wh.lib"}, {Name: ".wh.lib"}}},
			[]string{"app/ 700", "app/x 644 new", "usr/ 755"},
		},
		{"a folder is emptied", [][]entry{base, {{Name: "app/z", Content: "z", Mode: 0o644}, {Name: "app/.wh..wh..opq"}, {Name: ".wh.usr"}, {Name: ".wh.lib"}}}, []string{"app/ 700", "app/z 644 z"}},
		{"notes of a storage driver are left out", [][]entry{{{Name: ".wh..wh.plnk"}, {Name: "a", Content: "a", Mode: 0o644}}}, []string{"a 644 a"}},
		{
			"a file takes the place of a folder, and the other way round",
			[][]entry{base, {{Name: "app", Content: "file", Mode: 0o644}, {Name: "usr/lib/a/", Type: dir}, {Name: "usr/lib/a/c", Content: "c", Mode: 0o644}}},
			[]string{"app 644 file", "lib -> usr/lib", "usr/ 755", "usr/lib/ 755", "usr/lib/a/ 755", "usr/lib/a/c 644 c", "usr/lib/b 644 b"},
		},
		{
			"files go through a link of a layer below",
			[][]entry{base, {{Name: "lib/c", Content: "c", Mode: 0o644}, {Name: ".wh.app"}}},
			[]string{"lib -> usr/lib", "usr/ 755", "usr/lib/ 755", "usr/lib/a 755 a", "usr/lib/b 644 b", "usr/lib/c 644 c"},
		},
		{
			"a folder takes the place of a link",
			[][]entry{base, {{Name: "lib/", Type: dir}, {Name: "lib/c", Content: "c", Mode: 0o644}, {Name: ".wh.app"}, {Name: ".wh.usr"}}},
			[]string{"lib/ 755", "lib/c 644 c"},
		},
		{
			"files go through an absolute link of the same layer",
			[][]entry{{{Name: "b", Type: symlink, Link: "/usr/b"}, {Name: "b/x", Content: "x", Mode: 0o644}}},
			[]string{"b -> /usr/b", "usr/ 755", "usr/b/ 755", "usr/b/x 644 x"},
		},
		{"links that lead up stop at the root", [][]entry{{{Name: "up", Type: symlink, Link: "../../../../../../../.."}, {Name: "up/x", Content: "x", Mode: 0o644}}}, []string{"up -> ../../../../../../../..", "x 644 x"}},
		{"absolute and dotted names are those of the root", [][]entry{{{Name: "/a/b", Content: "b", Mode: 0o644}, {Name: "./c", Content: "c", Mode: 0o644}, {Name: "./", Type: dir}}}, []string{"a/ 755", "a/b 644 b", "c 644 c"}},
		{"hard links", [][]entry{{{Name: "a", Content: "a", Mode: 0o644}, {Name: "b", Type: hard, Link: "a"}, {Name: "c", Type: hard, Link: "/b"}}}, []string{"a 644 a", "b 644 a", "c 644 a"}},
		{
			"a hard link to a file of a layer below",
			[][]entry{base, {{Name: "k/a", Type: hard, Link: "lib/a"}, {Name: ".wh.app"}}},
			[]string{"k/ 755", "k/a 755 a", "lib -> usr/lib", "usr/ 755", "usr/lib/ 755", "usr/lib/a 755 a", "usr/lib/b 644 b"},
		},
		{"devices in /dev are left out", [][]entry{{{Name: "dev/null", Type: tar.TypeChar}, {Name: "dev/initctl", Type: tar.TypeFifo}}}, nil},
		{"an entry that comes twice", [][]entry{{{Name: "a", Content: "1", Mode: 0o644}, {Name: "a", Content: "2", Mode: 0o600}, {Name: "d/e/", Type: dir}, {Name: "d", Type: symlink, Link: "a"}}}, []string{"a 600 2", "d -> a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var layers [][]byte
			for _, l := range tc.layers {
				layers = append(layers, imagetest.Layer(t, l...))
			}
			i, err := load(t, open(t, nil), layers...)
			if err != nil {
				t.Fatal(err)
			}
			if got := listing(t, i.Root); !slices.Equal(got, tc.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}

func TestHostileLayersAreRefused(t *testing.T) {
	for name, entries := range map[string][]entry{
		"climbing":              {{Name: "../x"}},
		"climbing inside":       {{Name: "a/../../x"}},
		"hard link out":         {{Name: "l", Type: hard, Link: "../../etc/passwd"}},
		"hard link to nothing":  {{Name: "l", Type: hard, Link: "etc/passwd"}},
		"hard link to itself":   {{Name: "l", Type: hard, Link: "l"}},
		"hard link to a folder": {{Name: "d/", Type: dir}, {Name: "l", Type: hard, Link: "d"}},
		"links in a circle":     {{Name: "l", Type: symlink, Link: "l"}, {Name: "l/x"}},
		"links that grow":       {{Name: "a", Type: symlink, Link: "a/a/a/a/a"}, {Name: "a/x"}},
		"through a file":        {{Name: "f"}, {Name: "f/x"}},
		"block device":          {{Name: "sda", Type: tar.TypeBlock}},
		"character device":      {{Name: "d/mem", Type: tar.TypeChar}},
		"device behind a link":  {{Name: "dev", Type: symlink, Link: "etc"}, {Name: "dev/mem", Type: tar.TypeChar}},
		"pipe":                  {{Name: "p", Type: tar.TypeFifo}},
		"removing the parent":   {{Name: "a/.wh..."}},
		"removing nothing":      {{Name: "a/.wh."}},
		"long name":             {{Name: strings.Repeat("n/", 2100) + "x"}},
		"the root is a file":    {{Name: "."}},
		"/etc is a file":        {{Name: "etc"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, nil)
			var bad *Error
			if _, err := load(t, s, imagetest.Layer(t, entries...)); !errors.As(err, &bad) {
				t.Fatalf("error %v", err)
			}
			clean(t, s)
		})
	}
}

// clean checks that no half-unpacked folder is left, and no image.
func clean(t *testing.T, s *Store) {
	t.Helper()
	entries, err := os.ReadDir(s.o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), newPrefix) {
			t.Errorf("left: %s", e.Name())
		}
	}
	if images, err := os.ReadDir(filepath.Join(s.o.Dir, imagesDir)); err != nil || len(images) > 0 {
		t.Errorf("images %v, %v", images, err)
	}
}

func TestNothingIsWrittenOutsideOfTheImage(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "kept"), []byte("kept"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := open(t, nil)
	i, err := load(t, s,
		imagetest.Layer(t, entry{Name: "out", Type: symlink, Link: outside}, entry{Name: "etc", Type: symlink, Link: outside}, entry{Name: "out/a", Content: "a"}),
		imagetest.Layer(t, entry{Name: "out/b", Content: "b"}, entry{Name: "out/.wh.kept"}, entry{Name: "out/.wh..wh..opq"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := listing(t, outside); !slices.Equal(got, []string{"kept 644 kept"}) {
		t.Errorf("outside there is %v", got)
	}
	if _, err := os.Stat(filepath.Join(i.Root, outside, "b")); err != nil {
		t.Error(err)
	}
}

func TestLimitsAreKept(t *testing.T) {
	big := imagetest.Layer(t, entry{Name: "big", Content: strings.Repeat("x", 4096)})
	for name, tc := range map[string]struct {
		limits Limits
		layers [][]byte
	}{
		"bytes of one file":   {Limits{Bytes: 4095}, [][]byte{big}},
		"bytes of the layers": {Limits{Bytes: 8000}, [][]byte{big, imagetest.Layer(t, entry{Name: "other", Content: strings.Repeat("y", 4096)})}},
		"files":               {Limits{Files: 2}, [][]byte{imagetest.Layer(t, entry{Name: "a"}, entry{Name: "b"}, entry{Name: "c"})}},
		"layers":              {Limits{Layers: 1}, [][]byte{big, big}},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, func(o *Options) { o.Limits = tc.limits })
			var bad *Error
			if _, err := load(t, s, tc.layers...); !errors.As(err, &bad) {
				t.Fatalf("error %v", err)
			}
			clean(t, s)
		})
	}
}

// TestSparseFilesKeepTheirHoles has a file of 64 MiB that is zero but for its ends.
func TestSparseFilesKeepTheirHoles(t *testing.T) {
	const size = 64 << 20
	content := make([]byte, size)
	content[0], content[size-1] = 'a', 'z'
	i, err := load(t, open(t, nil), imagetest.Layer(t, entry{Name: "sparse", Content: string(content)}, entry{Name: "zero", Content: string(make([]byte, 1<<20))}))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(i.Root, "sparse"))
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("the content differs, %v", err)
	}
	if used := blocks(t, filepath.Join(i.Root, "sparse")); used > 4<<20 {
		t.Errorf("the file takes %d bytes", used)
	}
	if info, err := os.Stat(filepath.Join(i.Root, "zero")); err != nil || info.Size() != 1<<20 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestDamagedImagesAreRefused(t *testing.T) {
	layer := imagetest.Layer(t, entry{Name: "a", Content: "a"})
	other := imagetest.Layer(t, entry{Name: "a", Content: "b"})
	image := imagetest.Image{Layers: [][]byte{layer}}
	flip := func(blobs map[string][]byte, digest string) {
		b := bytes.Clone(blobs[digest])
		b[len(b)-2] ^= 1
		blobs[digest] = b
	}
	config := imagetest.Digest(image.ConfigFile(t))
	for name, damage := range map[string]func(blobs map[string][]byte, manifest string){
		"layer of another": func(b map[string][]byte, _ string) { b[imagetest.Digest(layer)] = other },
		"layer with more": func(b map[string][]byte, _ string) {
			b[imagetest.Digest(layer)] = append(bytes.Clone(layer), "more"...)
		},
		"layer cut off":         func(b map[string][]byte, _ string) { b[imagetest.Digest(layer)] = layer[:600] },
		"layer no tar":          func(b map[string][]byte, _ string) { b[imagetest.Digest(layer)] = bytes.Repeat([]byte("no tar "), 200) },
		"layer broken gzip":     func(b map[string][]byte, _ string) { b[imagetest.Digest(layer)] = []byte(gzipMagic + "broken") },
		"layer broken zstd":     func(b map[string][]byte, _ string) { b[imagetest.Digest(layer)] = []byte(zstdMagic + "broken") },
		"layer missing":         func(b map[string][]byte, _ string) { delete(b, imagetest.Digest(layer)) },
		"configuration flipped": func(b map[string][]byte, _ string) { flip(b, config) },
		"manifest flipped":      func(b map[string][]byte, m string) { flip(b, m) },
		"manifest missing":      func(b map[string][]byte, m string) { delete(b, m) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			manifest := image.Layout(t, dir)
			blobs, _ := image.Blobs(t)
			damage(blobs, manifest)
			if err := os.RemoveAll(filepath.Join(dir, "blobs")); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
				t.Fatal(err)
			}
			for digest, b := range blobs {
				if err := os.WriteFile(filepath.Join(dir, "blobs", "sha256", strings.TrimPrefix(digest, "sha256:")), b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			s := open(t, nil)
			var bad *Error
			if _, err := s.Load(t.Context(), dir); !errors.As(err, &bad) {
				t.Fatalf("error %v", err)
			}
			clean(t, s)
		})
	}
}

func TestAllFormsOfAnImageGiveTheSameFiles(t *testing.T) {
	image := imagetest.Image{
		Layers:     [][]byte{imagetest.Layer(t, entry{Name: "a", Content: "1", Mode: 0o644}), imagetest.Layer(t, entry{Name: "b", Content: "2", Mode: 0o644})},
		Entrypoint: []string{"/a"}, Command: []string{"x"}, Env: []string{"K=v"}, WorkingDir: "/w",
	}
	zipped := image
	zipped.Compress = true
	folder := t.TempDir()
	manifest := image.Layout(t, folder)
	file := func(b []byte) string {
		name := filepath.Join(t.TempDir(), "image.tar")
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for name, from := range map[string]string{
		"layout": folder, "archive": file(image.Archive(t)), "compressed layers": file(zipped.Archive(t)), "docker save": file(image.Saved(t)), "docker save, compressed layers": file(zipped.Saved(t)),
		"compressed archive": file(imagetest.Zip(t, image.Archive(t))), "compressed docker save": file(imagetest.Zip(t, image.Saved(t))),
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, nil)
			i, err := s.Load(t.Context(), from)
			if err != nil {
				t.Fatal(err)
			}
			if got := listing(t, i.Root); !slices.Equal(got, []string{"a 644 1", "b 644 2"}) {
				t.Errorf("files %v", got)
			}
			if c := i.Config; !slices.Equal(c.Entrypoint, image.Entrypoint) || !slices.Equal(c.Command, image.Command) || !slices.Equal(c.Env, image.Env) || c.WorkingDir != "/w" || c.Bytes != 2 {
				t.Errorf("configuration %+v", c)
			}
			if name == "layout" && "sha256:"+i.Digest != manifest {
				t.Errorf("digest %s, want %s", i.Digest, manifest)
			}
			again, err := s.Load(t.Context(), from)
			if err != nil || again.Digest != i.Digest {
				t.Errorf("again: %+v, %v", again, err)
			}
			if info, err := os.Stat(filepath.Join(i.Root, "a")); err != nil || !info.ModTime().Equal(imagetest.Modified()) {
				t.Errorf("%v, %v", info, err)
			}
			clone := open(t, func(o *Options) { o.Dir = s.o.Dir })
			if i, err := clone.Image(i.Digest); err != nil || i.Config.WorkingDir != "/w" {
				t.Errorf("after opening again: %+v, %v", i, err)
			}
		})
	}
}

func TestZstdLayersAreRead(t *testing.T) {
	layer := imagetest.Layer(t, entry{Name: "a", Content: "1", Mode: 0o644})
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	plain, release, err := decompress(bytes.NewReader(z.EncodeAll(layer, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if got, err := io.ReadAll(plain); err != nil || !bytes.Equal(got, layer) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestOtherPlatformsAreRefused(t *testing.T) {
	image := imagetest.Image{Architecture: "s390x"}
	dir := t.TempDir()
	image.Layout(t, dir)
	if _, err := open(t, nil).Load(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "linux/s390x") {
		t.Errorf("error %v", err)
	}
}

func TestLayersAreSharedAndSwept(t *testing.T) {
	now := clock.NewFake(imagetest.Modified())
	s := open(t, func(o *Options) { o.Clock = now })
	base := imagetest.Layer(t, entry{Name: "base", Content: "base"})
	var images []*Image
	var wg sync.WaitGroup
	var mu sync.Mutex
	for n := range 4 {
		wg.Go(func() {
			i, err := load(t, s, base, imagetest.Layer(t, entry{Name: "own", Content: strconv.Itoa(n / 2)}))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			images = append(images, i)
		})
	}
	wg.Wait()
	digests := map[string]bool{}
	for _, i := range images {
		digests[i.Digest] = true
	}
	count := func(kind string) int {
		entries, err := os.ReadDir(filepath.Join(s.o.Dir, kind))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	if len(digests) != 2 || count(layersDir) != 3 || count(imagesDir) != 2 {
		t.Fatalf("%d digests, %d layers, %d images", len(digests), count(layersDir), count(imagesDir))
	}
	names := slices.Sorted(maps.Keys(digests))
	if err := s.Keep(Pin{Name: "python3.13", Digest: names[0], Source: "test"}); err != nil {
		t.Fatal(err)
	}
	if later, err := s.Sweep(func(string) bool { return false }); err != nil || !later || count(imagesDir) != 2 {
		t.Fatalf("%v; an image that was asked for a moment ago: %d left, more to do %v", err, count(imagesDir), later)
	}
	now.Advance(SweepAfter)
	if later, err := s.Sweep(func(string) bool { return false }); err != nil || later {
		t.Fatal(later, err)
	}
	if count(layersDir) != 2 || count(imagesDir) != 1 {
		t.Errorf("after the sweep %d layers, %d images", count(layersDir), count(imagesDir))
	}
	if pins, err := s.Pins(); err != nil || len(pins) != 1 || pins[0].Name != "python3.13" || pins[0].Digest != names[0] {
		t.Errorf("pins %+v, %v", pins, err)
	}
	pinned, err := s.Image(names[0])
	if err := errors.Join(err, s.Release("python3.13")); err != nil {
		t.Fatal(err)
	}
	release := pinned.Hold()
	now.Advance(SweepAfter)
	if later, err := s.Sweep(func(string) bool { return false }); err != nil || !later || count(imagesDir) != 1 {
		t.Errorf("%v; an image in use: %d left, more to do %v", err, count(imagesDir), later)
	}
	release()
	release()
	now.Advance(SweepAfter)
	if later, err := s.Sweep(func(string) bool { return false }); err != nil || later || count(layersDir)+count(imagesDir) != 0 {
		t.Errorf("%v, left %d layers, %d images", err, count(layersDir), count(imagesDir))
	}
	if _, err := s.Image(names[0]); !errors.Is(err, ErrMissing) {
		t.Errorf("error %v", err)
	}
	if err := s.Release("python3.13"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if err := s.Keep(Pin{Name: "../x"}); err == nil {
		t.Error("a name that leaves the folder was taken")
	}
}

func TestOpenRemovesHalfUnpackedImages(t *testing.T) {
	s := open(t, nil)
	left := filepath.Join(s.o.Dir, newPrefix+"1")
	if err := os.MkdirAll(filepath.Join(left, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	release, err := s.lock(false)
	if err != nil {
		t.Fatal(err)
	}
	open(t, func(o *Options) { o.Dir = s.o.Dir })
	if _, err := os.Stat(left); err != nil {
		t.Errorf("what another process writes was removed: %v", err)
	}
	release()
	open(t, func(o *Options) { o.Dir = s.o.Dir })
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left: %v", err)
	}
}

func TestProgramsAreFoundAsInTheImage(t *testing.T) {
	i, err := load(t, open(t, nil), imagetest.Layer(t,
		entry{Name: "usr/bin/python3", Type: symlink, Link: "/etc/alternatives/python"}, entry{Name: "etc/alternatives/python", Type: symlink, Link: "../../usr/bin/python3.13"},
		entry{Name: "usr/bin/python3.13", Content: "x"}, entry{Name: "usr/bin/data", Content: "x", Mode: 0o644}, entry{Name: "app/run.sh", Content: "x"},
		entry{Name: "usr/bin/out", Type: symlink, Link: "../../../../../../bin/sh"}))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ program, dir, path, want string }{
		{"python3", "/", "/bin:relative:/usr/bin", "/usr/bin/python3"},
		{"/usr/bin/python3", "/", "", "/usr/bin/python3"},
		{"./run.sh", "/app", "", "/app/run.sh"},
		{"run.sh", "/app", "/usr/bin", ""},
		{"data", "/", "/usr/bin", ""},
		{"out", "/", "/usr/bin", ""},
	} {
		got, err := i.LookPath(tc.program, tc.dir, tc.path)
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%+v: %q, %v", tc, got, err)
		}
	}
}

// FuzzLayer unpacks whatever comes, and looks for anything outside.
func FuzzLayer(f *testing.F) {
	f.Add(imagetest.Layer(f, entry{Name: "a/b", Content: "x"}, entry{Name: "l", Type: symlink, Link: "/a"}, entry{Name: "l/c"}, entry{Name: "a/.wh.b"}, entry{Name: "h", Type: hard, Link: "a/b"}))
	f.Add(imagetest.Layer(f, entry{Name: "../x"}))
	f.Add([]byte("no tar"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		layer := filepath.Join(dir, "in", "layer")
		if err := os.MkdirAll(filepath.Join(layer, treeName), 0o755); err != nil {
			t.Fatal(err)
		}
		_, _ = untar(t.Context(), bytes.NewReader(data), filepath.Join(layer, treeName), budget{bytes: 1 << 20, files: 100})
		for at, want := range map[string]int{dir: 1, filepath.Join(dir, "in"): 1, layer: 1} {
			if list, err := os.ReadDir(at); err != nil || len(list) != want {
				t.Fatalf("in %s: %v, %v", at, list, err)
			}
		}
	})
}

// FuzzArchive reads whatever is given for an image.
func FuzzArchive(f *testing.F) {
	image := imagetest.Image{Layers: [][]byte{imagetest.Layer(f, entry{Name: "a", Content: "x"})}}
	f.Add(image.Archive(f))
	f.Add(image.Saved(f))
	f.Add(imagetest.Zip(f, image.Saved(f)))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := open(t, func(o *Options) { o.Limits = Limits{Bytes: 1 << 20, Files: 100, Layers: 4} })
		_, _ = s.Import(t.Context(), bytes.NewReader(data))
	})
}
