// Package imagetest makes container images for tests: from what is written down in the test, or from files of this machine, never from a network.
package imagetest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// Entry is a file, folder or link of a layer. The zero Type is a file.
type Entry struct {
	Name, Content, Link string
	Type                byte
	Mode                int64
	// File is a file of this machine, whose content is taken.
	File string
}

// Image describes an image.
type Image struct {
	Layers              [][]byte // tar files
	Entrypoint, Command []string
	Env                 []string
	WorkingDir          string
	// Architecture is this machine's unless it is set.
	Architecture string
	// Compress makes the layers gzip files.
	Compress bool
}

// Modified is the time of every entry.
func Modified() time.Time { return time.Date(2024, 2, 3, 4, 5, 6, 0, time.UTC) }

// Layer is the tar file with these entries.
func Layer(t testing.TB, entries ...Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		content := []byte(e.Content)
		if e.File != "" {
			var err error
			if content, err = os.ReadFile(e.File); err != nil {
				t.Fatal(err)
			}
		}
		h := &tar.Header{Name: e.Name, Typeflag: e.Type, Linkname: e.Link, Mode: e.Mode, Size: int64(len(content)), ModTime: Modified(), Format: tar.FormatPAX}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Digest is the SHA-256 in the form that images use.
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Zip compresses a layer, in the way that takes the least time: layers have the programs of functions in them, and with the race detector other ways take a minute.
func Zip(t testing.TB, layer []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.HuffmanOnly)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(layer); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// ConfigFile is the image's configuration.
func (i *Image) ConfigFile(t testing.TB) []byte {
	t.Helper()
	ids := []string{}
	for _, l := range i.Layers {
		ids = append(ids, Digest(l))
	}
	arch := i.Architecture
	if arch == "" {
		arch = runtime.GOARCH
	}
	return encode(t, map[string]any{
		"architecture": arch, "os": "linux", "rootfs": map[string]any{"type": "layers", "diff_ids": ids},
		"config": map[string]any{"Entrypoint": i.Entrypoint, "Cmd": i.Command, "Env": i.Env, "WorkingDir": i.WorkingDir},
	})
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Blobs are the image's documents and layers by their digests, and the manifest's digest.
func (i *Image) Blobs(t testing.TB) (blobs map[string][]byte, manifest string) {
	t.Helper()
	blobs = map[string][]byte{}
	add := func(kind string, b []byte) map[string]any {
		blobs[Digest(b)] = b
		return map[string]any{"mediaType": kind, "digest": Digest(b), "size": len(b)}
	}
	layers := []any{}
	for _, l := range i.Layers {
		kind := "application/vnd.oci.image.layer.v1.tar"
		if i.Compress {
			kind, l = kind+"+gzip", Zip(t, l)
		}
		layers = append(layers, add(kind, l))
	}
	m := encode(t, map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": layers,
		"config": add("application/vnd.oci.image.config.v1+json", i.ConfigFile(t)),
	})
	blobs[Digest(m)] = m
	return blobs, Digest(m)
}

// Layout writes the image as an OCI image layout, and returns the manifest's digest.
func (i *Image) Layout(t testing.TB, dir string) string {
	t.Helper()
	blobs, manifest := i.Blobs(t)
	index := encode(t, map[string]any{"schemaVersion": 2, "manifests": []any{
		map[string]any{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": manifest, "size": len(blobs[manifest])},
	}})
	write(t, filepath.Join(dir, "index.json"), index)
	write(t, filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`))
	for digest, b := range blobs {
		write(t, filepath.Join(dir, "blobs", "sha256", digest[len("sha256:"):]), b)
	}
	return manifest
}

func write(t testing.TB, name string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Saved is the image as docker save has written it before it knew OCI layouts; with compressed layers it is as ko and crane write it.
func (i *Image) Saved(t testing.TB) []byte {
	t.Helper()
	entries := []Entry{{Name: "config.json", Content: string(i.ConfigFile(t))}}
	names := []string{}
	for n, l := range i.Layers {
		name := fmt.Sprintf("layer%d/layer.tar", n)
		if i.Compress {
			name, l = fmt.Sprintf("layer%d.tar.gz", n), Zip(t, l)
		}
		names = append(names, name)
		entries = append(entries, Entry{Name: name, Content: string(l)})
	}
	list := encode(t, []any{map[string]any{"Config": "config.json", "RepoTags": []string{"test:latest"}, "Layers": names}})
	return Layer(t, append(entries, Entry{Name: "manifest.json", Content: string(list)})...)
}

// Archive is an OCI image layout as a tar file.
func (i *Image) Archive(t testing.TB) []byte {
	t.Helper()
	dir := t.TempDir()
	i.Layout(t, dir)
	var entries []Entry
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		entries = append(entries, Entry{Name: rel, File: name})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return Layer(t, entries...)
}

// Tree is a layer with everything below folders of this machine, at the same paths: what a program of the machine needs, as an image.
func Tree(t testing.TB, folders ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, dir := range folders {
		err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return addFile(w, name, d)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func addFile(w *tar.Writer, name string, d os.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	link := ""
	if info.Mode()&os.ModeSymlink != 0 {
		if link, err = os.Readlink(name); err != nil {
			return err
		}
	}
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	h.Name, h.Uid, h.Gid, h.Uname, h.Gname = name, 0, 0, "", ""
	if err := w.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	_, err = io.Copy(w, f)
	return err
}
