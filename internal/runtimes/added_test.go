package runtimes

import (
	"archive/tar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/image"
	"lambent.dev/lambent/internal/image/imagetest"
	"lambent.dev/lambent/internal/sandbox"
)

// pythonImage is the Python of the distribution as an image, at other places than on the machine. It skips the test where there is none.
func pythonImage(t *testing.T) (i imagetest.Image, version string) {
	t.Helper()
	out, err := exec.Command("/usr/bin/python3", "-c", "import sys, sysconfig; print(sys.executable); print(sysconfig.get_path('stdlib')); print('%d.%d' % sys.version_info[:2])").Output()
	lines := strings.Fields(string(out))
	if err != nil || len(lines) != 3 {
		t.Skip("the distribution's own /usr/bin/python3 is needed")
	}
	program, err := filepath.EvalSymlinks(lines[0])
	if err != nil {
		t.Fatal(err)
	}
	libraries, err := exec.Command("ldd", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	version = lines[2]
	entries := []imagetest.Entry{
		{Name: "usr/bin/python" + version, File: program},
		{Name: "usr/bin/python3", Type: tar.TypeSymlink, Link: "python" + version},
		{Name: "etc/image-release", Content: "an image"},
	}
	for _, file := range regexp.MustCompile(`/\S+`).FindAllString(string(libraries), -1) {
		entries = append(entries, imagetest.Entry{Name: file, File: file})
	}
	stdlib := imagetest.Layer(t, standardLibrary(t, lines[1])...)
	return imagetest.Image{Layers: [][]byte{stdlib, imagetest.Layer(t, entries...)}, Env: []string{"PATH=/usr/bin"}}, version
}

// standardLibrary are the modules of a folder, without tests and compiled forms.
func standardLibrary(t *testing.T, dir string) (out []imagetest.Entry) {
	t.Helper()
	left := []string{"test", "tests", "idlelib", "lib2to3", "ensurepip", "pydoc_data", "tkinter", "turtledemo", "__pycache__", "dist-packages", "site-packages"}
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains(left, d.Name()) || strings.HasPrefix(d.Name(), "config-") {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() {
			out = append(out, imagetest.Entry{Name: name, File: name, Mode: 0o644})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func openImages(t *testing.T) *image.Store {
	t.Helper()
	s, err := image.Open(image.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func loadImage(t *testing.T, s *image.Store, i *imagetest.Image) *image.Image {
	t.Helper()
	dir := t.TempDir()
	i.Layout(t, dir)
	out, err := s.Load(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAddedRuntimeIsUsed adds a Python from an image to a catalog that sees none on the machine.
func TestAddedRuntimeIsUsed(t *testing.T) {
	made, version := pythonImage(t)
	b := newBench(t, sandbox.Options{})
	if !b.host.Report().Isolated() {
		t.Skip(b.host.Report().Layer(sandbox.LayerNamespaces).Detail)
	}
	images, nothing := openImages(t), t.TempDir()
	open := func(strict bool) *Catalog {
		c, err := NewCatalog(Options{Dir: t.TempDir(), Path: []string{nothing}, Images: images, Strict: strict})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	catalog, id := open(true), "python"+version
	if _, err := catalog.Lookup(t.Context(), id); err == nil || !strings.Contains(err.Error(), "lambent runtime add "+id) {
		t.Errorf("before: %v", err)
	}
	i := loadImage(t, images, &made)
	for _, other := range []string{"python3.9", "nodejs22.x"} {
		if _, err := Add(t.Context(), b.host, images, other, i, "test"); err == nil || !strings.Contains(err.Error(), "the image") {
			t.Errorf("as %s: %v", other, err)
		}
	}
	added, err := Add(t.Context(), b.host, images, id, i, "registry.example/python")
	if err != nil || !strings.HasPrefix(added.Version, version+".") {
		t.Fatalf("added %+v, %v", added, err)
	}
	if list, err := ListAdded(images); err != nil || len(list) != 1 || list[0] != added {
		t.Errorf("listed %+v, %v", list, err)
	}
	b.catalog = catalog
	source := "import os, sys\ndef handler(event, context):\n    return [event, open('/etc/image-release').read(), os.path.exists('/usr/share'), sys.version_info[0]]\n"
	for _, b.parked = range []bool{false, true} {
		if b.parked && !b.host.CanPark() {
			continue
		}
		s, out := b.spec(t, id, "app.handler", map[string]string{"app.py": source})
		e := b.begin(t, &s)
		answer, err := e.Invoke(t.Context(), event("1", `"hi"`))
		if err != nil || string(answer.Body) != `["hi", "an image", false, 3]` {
			t.Errorf("parked %v: %s, %v\n%s", b.parked, answer.Body, err, out)
		}
	}
	if _, err := open(true).Lookup(t.Context(), "python3.9"); err == nil {
		t.Error("a strict catalog serves another version")
	}
	if r, err := open(false).Lookup(t.Context(), "python3.9"); err != nil || !strings.Contains(r.Warning, "retired") || r.root != i.Root {
		t.Errorf("a retired runtime: %+v, %v", r, err)
	}
	for _, s := range open(false).Installed(t.Context()) {
		if got := slices.Contains(s.Replaced, "python3.9"); got != (s.Language == FamilyPython) || slices.Contains(s.Replaced, id) {
			t.Errorf("%s in the place of %q", s.Language, s.Replaced)
		}
	}
	if err := Remove(images, id); err != nil {
		t.Fatal(err)
	}
	if _, err := catalog.Lookup(t.Context(), id); err == nil {
		t.Error("a removed runtime is still used")
	}
	if err := Remove(images, id); err == nil || !strings.Contains(err.Error(), "was not added") {
		t.Errorf("removed twice: %v", err)
	}
}

func TestProvidedRuntimeRunsOnAnAddedSystem(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	if !b.host.Report().Isolated() {
		t.Skip(b.host.Report().Layer(sandbox.LayerNamespaces).Detail)
	}
	images := openImages(t)
	i := loadImage(t, images, &imagetest.Image{Layers: [][]byte{imagetest.Layer(t, imagetest.Entry{Name: "etc/image-release", Content: "an image"})}})
	if _, err := Add(t.Context(), b.host, images, "provided.al2023", i, "test"); err != nil {
		t.Fatal(err)
	}
	catalog, err := NewCatalog(Options{Dir: t.TempDir(), Images: images})
	if err != nil {
		t.Fatal(err)
	}
	for id, root := range map[string]string{"provided.al2023": i.Root, "provided.al2": ""} {
		if r, err := catalog.Lookup(t.Context(), id); err != nil || r.root != root {
			t.Errorf("%s: %+v, %v", id, r, err)
		}
	}
	if _, err := Add(t.Context(), b.host, images, "cobol85", i, "test"); err == nil {
		t.Error("a runtime that is not AWS's was added")
	}
}
